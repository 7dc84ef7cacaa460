//! What the dev server shows at a moment: a site, or why there is none.

use std::path::Path;
use std::sync::Arc;

use http::Request;
use ship_core::route::{Outcome, Resolution, RouteRequest, resolve};
use ship_core::{DeploymentId, Found, Manifest, SiteIndex, UrlPath};
use ship_edge::{Edge, Site, request_authority};

use super::report::Report;

/// What is shown, and which edits it contains.
#[derive(Clone)]
pub(super) struct Shown {
    /// The number of the last edit it contains.
    pub(super) edits: u64,
    /// What is shown.
    pub(super) view: View,
}

/// What is shown.
#[derive(Clone)]
pub(super) enum View {
    /// Nothing yet: the first build goes on.
    Nothing,
    /// A site.
    Live(Live),
    /// The site could not be built.
    Failed(Failure),
}

/// A build that failed.
#[derive(Clone)]
pub(super) struct Failure {
    /// What went wrong.
    pub(super) report: Report,
    /// The site before, if only its functions can have changed since: its pages are as they were.
    pub(super) pages: Option<Live>,
}

/// A site that was built.
#[derive(Clone)]
pub(super) struct Live {
    /// What it is, by content. Pages carry it, so that each knows whether it is still what is shown.
    pub(super) version: DeploymentId,
    /// The version before, if only stylesheets changed since.
    pub(super) styles_since: Option<DeploymentId>,
    /// What answers.
    pub(super) site: Site,
    /// How it answers.
    pub(super) edge: Arc<Edge>,
}

/// The folder of functions. What is asked for below it is meant for a function, even for one that does not exist yet.
const API_PREFIX: &str = "/api/";

impl Live {
    /// Whether a function would answer a request.
    pub(super) fn asks_a_function<B>(&self, request: &Request<B>) -> bool {
        let is_function =
            |resolution: Resolution| matches!(resolution.outcome, Outcome::Found { found: Found::Function(_), .. });
        request.uri().path().starts_with(API_PREFIX) || self.resolve(request).is_some_and(is_function)
    }

    /// The headers that the configuration adds to what is not of this site: the framework's own server answers then. `None` if the
    /// site answers.
    pub(super) fn leaves<B>(&self, request: &Request<B>) -> Option<Vec<(String, String)>> {
        let resolution = self.resolve(request)?;
        (resolution.outcome == Outcome::NotFound).then_some(resolution.headers)
    }

    /// What answers a request.
    fn resolve<B>(&self, request: &Request<B>) -> Option<Resolution> {
        let path = UrlPath::parse(request.uri().path()).ok()?;
        let manifest = self.site.deployment.manifest();
        let header = |name: &str| request.headers().get(name)?.to_str().ok().map(str::to_owned);
        let authority = request_authority(request.uri(), request.headers()).unwrap_or_default();
        let asked = RouteRequest {
            method: request.method().as_str(),
            host: authority.rsplit_once(':').map_or(authority, |(name, _)| name),
            path: &path,
            query: request.uri().query(),
            header: &header,
        };
        Some(resolve(manifest.routes(), &SiteIndex::new(manifest), &asked))
    }
}

/// Whether none of the paths that changed belongs to what a site serves as files.
pub(super) fn only_functions_changed(changed: &[String], before: &Manifest) -> bool {
    // Editors put files of their own beside the one that they save.
    let is_source = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        path.starts_with("api/")
            || Path::new(name).extension().is_some_and(|end| end == "go")
            || name == "go.mod"
            || name == "go.sum"
    };
    let is_asset = |path: &str| before.assets().iter().any(|asset| path.ends_with(asset.path.as_str()));
    !changed.is_empty() && changed.iter().all(|path| is_source(path) && !is_asset(path))
}

/// Whether only the content of stylesheets differs, so that a page can take the new ones without being loaded again.
pub(super) fn only_styles_differ(before: &Manifest, after: &Manifest) -> bool {
    let same_outline = before.assets().len() == after.assets().len()
        && before.functions() == after.functions()
        && before.routes() == after.routes()
        && before.cors() == after.cors();
    let pairs = || before.assets().iter().zip(after.assets());
    same_outline
        && pairs().all(|(before, after)| {
            before.path == after.path && (before == after || after.path.extension() == Some("css"))
        })
}

#[cfg(test)]
mod tests {
    use ship_core::{Asset, Digest};

    use super::*;

    fn manifest(files: &[(&str, &str)]) -> Manifest {
        let asset = |(path, text): &(&str, &str)| Asset {
            path: path.parse().unwrap(),
            digest: Digest::of(text.as_bytes()),
            size_bytes: text.len() as u64,
            media_type: ship_core::MediaType::octet_stream(),
        };
        Manifest::new(files.iter().map(asset).collect(), Vec::new(), serde_json::from_str("[]").unwrap(), Vec::new())
            .unwrap()
    }

    /// Go sources are no pages, unless the site serves one; an edit that nobody saw may be of anything.
    #[test]
    fn pages_beside_functions() {
        let before = manifest(&[("index.html", "<p>"), ("sample.go", "package sample")]);
        let pages_stay = |changed: &[&str]| {
            let changed: Vec<String> = changed.iter().map(ToString::to_string).collect();
            only_functions_changed(&changed, &before)
        };
        assert!(pages_stay(&["api/date.go", "api/date.go~", "go.mod"]));
        assert!(!pages_stay(&["api/date.go", "public/index.html"]));
        assert!(!pages_stay(&["public/sample.go"]));
        assert!(!pages_stay(&[]));
    }

    /// A stylesheet that changed is taken as it is; anything else needs the page to be loaded again.
    #[test]
    fn stylesheets() {
        let before = manifest(&[("index.html", "<p>"), ("style.css", "a{}")]);
        assert!(only_styles_differ(&before, &manifest(&[("index.html", "<p>"), ("style.css", "b{}")])));
        assert!(!only_styles_differ(&before, &manifest(&[("index.html", "<b>"), ("style.css", "b{}")])));
        assert!(!only_styles_differ(&before, &manifest(&[("index.html", "<p>"), ("other.css", "a{}")])));
        assert!(!only_styles_differ(&before, &manifest(&[("index.html", "<p>")])));
    }
}
