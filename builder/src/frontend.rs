//! Frontends: which framework a project is made with, what builds it, and what comes out.
//!
//! The build runs in the user's own folder, as `npm run build` does: what it writes there is written by the user's tools. ship
//! keeps only a log and a record below its cache.

mod command;
mod dev_server;
mod error;
mod ignore;
mod install;
mod matching;
mod output;
mod package_json;
mod package_manager;
mod prepare;
mod presets;
mod routes;
mod server;
mod settings;
mod state;
mod variables;
mod written;

use std::path::{Path, PathBuf};

use ship_core::SitePath;

use package_json::PackageJson;
use presets::{OTHER, Preset};

pub use dev_server::{DevServer, prepare_for_development};
pub use error::FrontendError;
pub use output::FrontendTraces;
pub use prepare::{PreparedProject, prepare};
pub use variables::{BuildContext, frontend_prefixes};

pub(crate) use prepare::Left;
pub(crate) use presets::EnvOrder;
pub(crate) use routes::push_routes;
pub(crate) use server::{FrameworkServer, ServerParts};
pub(crate) use settings::BuildSettings;
pub(crate) use variables::reaches_frontends;

use settings::Setting;

/// Frameworks that `framework` may name and that have no frontend to build: servers, which are found as functions are.
const SERVERS: [&str; 19] = [
    "actix-web",
    "axum",
    "container",
    "django",
    "elysia",
    "express",
    "fastapi",
    "fasthtml",
    "fastify",
    "flask",
    "go",
    "h3",
    "hono",
    "koa",
    "nestjs",
    "node",
    "other",
    "python",
    "rust",
];

/// How like a framework's name a word must be to be taken for it (1 is equal, 0 has nothing in common).
const SIMILAR_ENOUGH: f64 = 0.7;

/// A frontend that has to be built before there are files to serve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frontend {
    preset: &'static Preset,
    settings: BuildSettings,
    package: Option<PackageJson>,
    /// The folder of its package, relative to the one that `api/` stands in, and where its files are served. The site itself
    /// if it has none.
    folder: Option<SitePath>,
}

impl Frontend {
    /// The frontend in `base`, `None` if there is nothing to build.
    pub(crate) fn find(base: &Path, settings: &BuildSettings, project: &Path) -> Result<Option<Self>, FrontendError> {
        if settings.forbids_building() {
            return Ok(None);
        }
        let package = PackageJson::read(base, project)?;
        let preset = match &settings.framework {
            Setting::Default => matching::recognise(base, package.as_ref()),
            Setting::Skip => None,
            Setting::Is(slug) if SERVERS.contains(&slug.as_str()) => None,
            Setting::Is(slug) => Some(presets::by_slug(slug).ok_or_else(|| unknown_framework(slug))?),
        };
        let has_command = settings.command.value().is_some()
            || settings.script.is_some()
            || package.as_ref().is_some_and(|package| package.build_script().is_some())
            || preset.is_some();
        let preset = preset.unwrap_or(&OTHER);
        Ok(has_command.then(|| Self { preset, settings: settings.clone(), package, folder: None }))
    }

    /// The frontend in a folder below the site's.
    pub(crate) fn within(self, folder: Option<SitePath>) -> Self {
        Self { folder, ..self }
    }

    /// The folder that it is built in; functions stand in `base`.
    fn place(&self, base: &Path) -> PathBuf {
        self.folder.as_ref().map_or_else(|| base.to_owned(), |folder| base.join(folder.as_str()))
    }

    /// The packages of functions in `base`, if they depend on any. Those for development alone are what tools need.
    pub(crate) fn of_packages(
        base: &Path,
        settings: &BuildSettings,
        project: &Path,
    ) -> Result<Option<Self>, FrontendError> {
        let package = PackageJson::read(base, project)?.filter(PackageJson::has_dependencies_to_run);
        Ok(package.map(|package| Self {
            preset: &OTHER,
            settings: settings.clone(),
            package: Some(package),
            folder: None,
        }))
    }

    /// What it is made with, if that is known.
    pub(crate) fn framework(&self) -> Option<&'static str> {
        Some(self.preset.name).filter(|name| !name.is_empty())
    }

    /// Whether its build may leave a server.
    pub(crate) fn may_have_server(&self) -> bool {
        self.folder.is_none() && (self.is_next() || !self.preset.servers.is_empty())
    }

    /// Whether it is made with Next.js.
    fn is_next(&self) -> bool {
        self.preset.slug == "nextjs"
    }

    /// Which environment file goes before which.
    pub(crate) const fn env_order(&self) -> EnvOrder {
        self.preset.env_order
    }
}

fn unknown_framework(found: &str) -> FrontendError {
    let names = presets::PRESETS.iter().map(|preset| preset.slug).chain(SERVERS);
    let nearest =
        names.map(|name| (strsim::jaro_winkler(name, found), name)).max_by(|left, right| left.0.total_cmp(&right.0));
    let nearest = nearest.filter(|(likeness, _)| *likeness > SIMILAR_ENOUGH).map(|(_, name)| name);
    FrontendError::UnknownFramework { found: found.to_owned(), nearest }
}
