//! What the dev server shows at a moment: a site, or why there is none.

use std::sync::Arc;

use ship_core::{DeploymentId, Manifest};
use ship_edge::{Edge, Site};

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
    /// What went wrong when the site was built, in lines.
    Failed(Arc<[String]>),
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
