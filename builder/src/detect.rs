//! From a project folder to its configuration: `ship.toml`, the functions below `api/`, and where the static files are.

mod functions;
mod ignored;
mod route;
mod server;
mod site;
mod warning;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ship_core::route::RouteTable;
use ship_core::{CorsRule, ProjectName};

use crate::config::{
    BuildEntry, CONFIG_FILE, ConfigError, ConfigText, FunctionRules, ShipToml, cors_rules, site_routes,
};
use crate::project::ProjectDir;
use crate::rust::RustSource;
use crate::tree::TreeError;

pub use functions::DetectedFunction;
pub use warning::ProjectWarning;

pub(crate) use functions::{GoSource, Reach};
pub(crate) use ignored::IgnoreFile;
pub(crate) use site::{SiteFolder, SiteFolderKind};

/// What a person wrote and what is there: parsed, checked, nothing built yet.
#[derive(Debug)]
pub struct ProjectConfig {
    /// The name that `ship.toml` gives.
    pub name: Option<ProjectName>,
    /// What a person should know although it is no error.
    pub warnings: Vec<ProjectWarning>,
    pub(crate) functions: Vec<DetectedFunction>,
    pub(crate) sources: Vec<GoSource>,
    pub(crate) rust_sources: Vec<RustSource>,
    pub(crate) routes: RouteTable,
    pub(crate) cors: Vec<CorsRule>,
    pub(crate) site: SiteFolder,
    pub(crate) ignore: IgnoreFile,
    pub(crate) took: Duration,
}

/// Finds out what a project consists of.
pub fn detect(project: &ProjectDir) -> Result<ProjectConfig, DetectError> {
    let started = Instant::now();
    let mut warnings = Vec::new();
    let text = read_config(project, &mut warnings)?;
    let file = ShipToml::parse(&text)?;
    let text = ConfigText(&text);
    refuse_commands(text, &file.build)?;
    let base = site::base_folder(text, &file.build, project)?;
    let ignore = IgnoreFile::read(project)?;
    let mut rules = FunctionRules::new(text, &file)?;
    let mut routes = site_routes(text, &file)?;
    let mut found = functions::find(project, &base, &ignore, &mut rules, &mut warnings)?;
    if found.functions.is_empty() {
        found.functions.extend(server::find_go(&base, &mut rules)?);
    }
    rules.refuse_unused()?;
    route::push_function_routes(&mut routes, &found.functions)?;
    let has_server = found.functions.iter().any(|function| function.reach == Reach::Site);
    let site = site::static_folder(text, &file.build, project, base)?;
    Ok(ProjectConfig {
        name: project_name(text, &file)?,
        site: if has_server { site.beside_a_server() } else { site },
        cors: cors_rules(text, &file)?,
        functions: found.functions,
        sources: found.sources,
        rust_sources: found.rust_sources,
        warnings,
        routes,
        ignore,
        took: started.elapsed(),
    })
}

impl ProjectConfig {
    /// The functions that were found, sorted by name.
    pub fn functions(&self) -> &[DetectedFunction] {
        &self.functions
    }

    /// Whether a change at `path` (absolute, or relative to the project) can never change the build: version control,
    /// installed packages, ship's own output and what editors leave behind.
    pub fn is_ignored(&self, path: &Path) -> bool {
        let path = path.strip_prefix(&self.site.project).unwrap_or(path);
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let is_left_behind = name.ends_with('~') || name.ends_with(".swp") || name.ends_with(".swx") || name == "4913";
        let is_in_noise = path.components().any(|part| {
            matches!(part.as_os_str().to_str(), Some(".git" | ".ship" | ".hg" | ".svn" | ".DS_Store" | "node_modules"))
        });
        is_left_behind || is_in_noise
    }
}

/// The text of `ship.toml`, empty if there is none.
fn read_config(project: &ProjectDir, warnings: &mut Vec<ProjectWarning>) -> Result<String, DetectError> {
    let has_vercel_json = project.root().join("vercel.json").is_file();
    let path = project.root().join(CONFIG_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            if has_vercel_json {
                warnings.push(ProjectWarning::BothConfigFiles);
            }
            Ok(text)
        }
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
            if has_vercel_json {
                warnings.push(ProjectWarning::VercelJsonNotRead);
            }
            Ok(String::new())
        }
        Err(source) => Err(DetectError::ConfigUnreadable { source }),
    }
}

fn project_name(text: ConfigText<'_>, file: &ShipToml) -> Result<Option<ProjectName>, ConfigError> {
    let Some(written) = &file.name else { return Ok(None) };
    let parsed = written.get_ref().parse::<ProjectName>().map_err(|error| {
        let message = match error.nearest() {
            Some(nearest) => format!("{error}; `{nearest}` would do"),
            None => error.to_string(),
        };
        text.error(written.span(), message)
    });
    parsed.map(Some)
}

/// A build command that is silently not run would deploy stale files.
fn refuse_commands(text: ConfigText<'_>, build: &BuildEntry) -> Result<(), ConfigError> {
    for (key, value) in [("command", &build.command), ("install", &build.install), ("framework", &build.framework)] {
        if let Some(value) = value {
            let message = format!(
                "this version of ship runs no frontend build, so `{key}` cannot be set: build first, and name the result \
                 with `output`"
            );
            return Err(text.error(value.span(), message));
        }
    }
    Ok(())
}

/// The project is not one that can be built.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// `ship.toml` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `ship.toml` is there and cannot be read.
    #[error("`{CONFIG_FILE}` cannot be read")]
    ConfigUnreadable {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something in the folder cannot be deployed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A pattern of an ignore file is wrong.
    #[error("a pattern in `{}` is wrong", file.display())]
    IgnoreFile {
        /// The ignore file.
        file: PathBuf,
        /// Why.
        #[source]
        source: ignore::Error,
    },
    /// A source file that cannot be read as text.
    #[error("`{file}` is not UTF-8")]
    SourceNotUtf8 {
        /// The file, relative to the project.
        file: String,
    },
    /// Two files answer at one route.
    #[error("conflicting_file_path: `{first}` and `{second}` both answer at `{route}`: rename one of them")]
    ConflictingFilePath {
        /// One file.
        first: String,
        /// The other.
        second: String,
        /// The route.
        route: String,
    },
    /// One placeholder stands twice in a path.
    #[error("conflicting_path_segment: the path of `{file}` has `[{placeholder}]` twice: rename one of them")]
    ConflictingPathSegment {
        /// The file.
        file: String,
        /// The placeholder's name.
        placeholder: String,
    },
    /// The path of a function's file cannot be a route.
    #[error("`{file}` cannot be a route")]
    RoutePath {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: ship_core::route::PatternError,
    },
}

impl DetectError {
    /// The stable code of the problem, where it has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Tree(TreeError::SymlinkLeavesProject { .. }) => Some("symlink_leaves_project"),
            Self::ConflictingFilePath { .. } => Some("conflicting_file_path"),
            Self::ConflictingPathSegment { .. } => Some("conflicting_path_segment"),
            Self::Config(error) if error.message().starts_with("unused_function") => Some("unused_function"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
