//! Frontends: which framework a project is made with, what builds it, and what comes out.
//!
//! The build runs in the user's own folder, as `npm run build` does: what it writes there is written by the user's tools. ship
//! keeps only a log and a record below its cache.

mod command;
mod error;
mod install;
mod matching;
mod package_json;
mod package_manager;
mod prepare;
mod presets;
mod routes;
mod settings;
mod state;
mod variables;

use std::path::Path;

use ship_core::FunctionRuntime;

use package_json::PackageJson;
use package_manager::PackageManager;
use presets::{OTHER, Preset};

pub use error::FrontendError;
pub use prepare::{FrontendTraces, PreparedProject, prepare};
pub use variables::{BuildContext, frontend_prefixes};

pub(crate) use presets::EnvOrder;
pub(crate) use routes::push_routes;
pub(crate) use settings::BuildSettings;
pub(crate) use variables::reaches_frontends;

use settings::Setting;

use crate::detect::ProjectConfig;
use crate::project::ProjectDir;

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
            || package.as_ref().is_some_and(|package| package.build_script().is_some())
            || preset.is_some();
        let preset = preset.unwrap_or(&OTHER);
        Ok(has_command.then(|| Self { preset, settings: settings.clone(), package }))
    }

    /// What has to be installed for functions alone, where no frontend is built: what their `package.json` asks for, if nothing
    /// is there. What a person has installed is theirs.
    pub(crate) fn of_functions(project: &ProjectDir, config: &ProjectConfig) -> Result<Option<Self>, FrontendError> {
        let base = &config.site.base;
        let has_node = config.functions.iter().any(|function| function.runtime == FunctionRuntime::Node);
        if config.prebuilt.is_some() || !has_node {
            return Ok(None);
        }
        let Some(package) = PackageJson::read(base, project.root())? else { return Ok(None) };
        let root = PackageManager::find(base, &package).root;
        let is_installed = [base, &root].iter().any(|folder| folder.join("node_modules").exists());
        let is_needed = package.has_dependencies() && !is_installed;
        Ok(is_needed.then(|| Self { preset: &OTHER, settings: config.build.clone(), package: Some(package) }))
    }

    /// What it is made with, if that is known.
    pub(crate) fn framework(&self) -> Option<&'static str> {
        Some(self.preset.name).filter(|name| !name.is_empty())
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
