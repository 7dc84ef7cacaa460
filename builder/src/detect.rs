//! From a project folder to its configuration: `ship.toml` or `vercel.json`, the functions below `api/`, and where the static files are.

mod builds;
mod functions;
mod ignored;
mod middleware;
mod near_server;
mod parts;
mod python;
mod route;
mod server;
mod site;
mod warning;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ship_core::route::RouteTable;
use ship_core::{CorsRule, Cron, DeploymentEnvironment, ProjectName};

use crate::config::{
    self, ConfigError, ConfigFile, ConfigText, Configuration, FunctionRules, cors_rules, crons, site_routes,
};
use crate::frontend::{BuildSettings, Frontend, FrontendError};
use crate::node::{MatcherError, NodeSource};
use crate::prebuilt::{self, PrebuiltError};
use crate::project::ProjectDir;
use crate::python::{PythonEntry, PythonError, SyntaxError};
use crate::rust::RustSource;
use crate::text::{self, TextError};
use crate::tree::TreeError;
use route::FileNames;

pub use functions::DetectedFunction;
pub use warning::{NearServer, ProjectWarning, ServerLack};

pub(crate) use functions::{GoSource, Reach};

pub(crate) use ignored::IgnoreFile;
use parts::Parts;
pub(crate) use server::ExpectedServer;
pub(crate) use site::{SiteFolder, SiteFolderKind};

/// What a person wrote and what is there: parsed, checked, nothing built yet.
#[derive(Debug)]
pub struct ProjectConfig {
    /// The name that the configuration gives.
    pub name: Option<ProjectName>,
    /// What a person should know although it is no error.
    pub warnings: Vec<ProjectWarning>,
    pub(crate) functions: Vec<DetectedFunction>,
    pub(crate) sources: Vec<GoSource>,
    pub(crate) rust_sources: Vec<RustSource>,
    pub(crate) python: Vec<PythonEntry>,
    /// What is wrong with files in Python, to be said with what is wrong with functions in other languages.
    pub(crate) python_mistakes: Vec<SyntaxError>,
    pub(crate) node_sources: Vec<NodeSource>,
    pub(crate) routes: RouteTable,
    pub(crate) cors: Vec<CorsRule>,
    pub(crate) crons: Vec<Cron>,
    pub(crate) environment: DeploymentEnvironment,
    pub(crate) site: SiteFolder,
    pub(crate) ignore: IgnoreFile,
    pub(crate) build: BuildSettings,
    /// The line that says whether there is anything to deploy.
    pub(crate) ignore_command: Option<String>,
    /// What has to be built before there are files.
    pub(crate) frontend: Option<Frontend>,
    /// The server that building it may leave.
    pub(crate) server: Option<ExpectedServer>,
    /// An output that is deployed as it is.
    pub(crate) prebuilt: Option<PathBuf>,
    pub(crate) took: Duration,
}

/// Finds out what a project consists of.
pub fn detect(project: &ProjectDir) -> Result<ProjectConfig, DetectError> {
    let started = Instant::now();
    let mut warnings = Vec::new();
    let (config_file, text) = read_config(project, &mut warnings)?;
    let text = ConfigText { file: config_file, text: &text };
    let (file, unused) = config::read(text)?;
    let config = config_file.name();
    warnings.extend(unused.into_iter().map(|key| ProjectWarning::of_unused(config, key)));
    let secrets = config::missing_secrets(text, &file);
    warnings.extend(secrets.into_iter().map(|(name, line)| ProjectWarning::SecretMissing { config, name, line }));
    let base = site::base_folder(text, &file.build, project)?;
    let mut build = BuildSettings::of_toml(&file.build);
    let ignore = IgnoreFile::read(project)?;
    let mut rules = FunctionRules::new(text, &file)?;
    let named = builds::find(project, &base, &ignore, (text, &file), &mut rules, &mut warnings)?;
    let Parts { mut found, frontend, site } = match named {
        Some(named) => parts::named(project, &base, text, &mut build, named)?,
        None => parts::found(project, &base, (text, &file), &ignore, &mut rules, &mut warnings)?,
    };
    let mut routes = routes_before_functions((text, &file), &found.functions)?;
    if file.builds.is_empty() {
        middleware::add(project, &base, &mut rules, &mut found, &mut routes)?;
    }
    let server = match frontend.as_ref().filter(|frontend| frontend.may_have_server()) {
        Some(_) => Some(server::expected(&found.functions, routes.clone(), &mut rules, file_names(&file))?),
        None => None,
    };
    if found.python_mistakes.is_empty() {
        rules.refuse_unused()?;
    }
    if file.builds.is_empty() {
        route::push_function_routes(&mut routes, &found.functions, file_names(&file))?;
    }
    Ok(ProjectConfig {
        name: project_name(text, &file)?,
        site,
        cors: cors_rules(text, &file)?,
        crons: crons(text, &file)?,
        environment: config::environment(text, &file)?,
        functions: found.functions,
        sources: found.sources,
        rust_sources: found.rust_sources,
        python: found.python,
        python_mistakes: found.python_mistakes,
        node_sources: found.node_sources,
        warnings,
        routes,
        ignore,
        build,
        ignore_command: file.build.ignore.as_ref().map(|line| line.get_ref().clone()),
        frontend,
        server,
        prebuilt: None,
        took: started.elapsed(),
    })
}

/// The routes that are written, with those that stand before what they say.
fn routes_before_functions(
    (text, file): (ConfigText<'_>, &Configuration),
    functions: &[DetectedFunction],
) -> Result<RouteTable, DetectError> {
    let routes = site_routes(text, file)?;
    Ok(if file.builds.is_empty() { routes } else { builds::with_folder_routes(&routes, functions) })
}

/// Finds the output that is to be deployed as it is. Of what else is in the project, only the name and the cross-origin rules
/// in `ship.toml` count.
pub fn detect_prebuilt(project: &ProjectDir) -> Result<ProjectConfig, DetectError> {
    let started = Instant::now();
    let mut warnings = Vec::new();
    let (config_file, text) = read_config(project, &mut warnings)?;
    let text = ConfigText { file: config_file, text: &text };
    let (file, _) = config::read(text)?;
    let base = site::base_folder(text, &file.build, project)?;
    let missing = || PrebuiltError::Missing { root: base.clone() };
    // Frameworks leave theirs where they are built, `ship build` its own in the project.
    let folder = prebuilt::find(&base).or_else(|| prebuilt::find(project.root())).ok_or_else(missing)?;
    Ok(ProjectConfig {
        name: project_name(text, &file)?,
        prebuilt: Some(folder),
        site: SiteFolder::of_project(project, base),
        cors: cors_rules(text, &file)?,
        functions: Vec::new(),
        crons: crons(text, &file)?,
        environment: config::environment(text, &file)?,
        sources: Vec::new(),
        node_sources: Vec::new(),
        python: Vec::new(),
        python_mistakes: Vec::new(),
        rust_sources: Vec::new(),
        warnings: Vec::new(),
        routes: RouteTable::new(),
        ignore: IgnoreFile::none(project),
        build: BuildSettings::default(),
        ignore_command: None,
        frontend: None,
        server: None,
        took: started.elapsed(),
    })
}

impl ProjectConfig {
    /// The routes of the site and of its functions.
    pub fn routes(&self) -> &RouteTable {
        &self.routes
    }

    /// The functions that were found, sorted by name.
    pub fn functions(&self) -> &[DetectedFunction] {
        &self.functions
    }

    /// What its frontend is made with, if that is known.
    pub fn framework(&self) -> Option<&'static str> {
        self.frontend.as_ref().and_then(Frontend::framework)
    }

    /// Whether a change at `path` (absolute, or relative to the project) can never change the build: version control,
    /// installed packages, ship's own output and what editors leave behind.
    pub fn is_ignored(&self, path: &Path) -> bool {
        let path = path.strip_prefix(&self.site.project).unwrap_or(path);
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let is_left_behind = name.ends_with('~') || name.ends_with(".swp") || name.ends_with(".swx") || name == "4913";
        let is_in_noise = path.components().any(|part| {
            matches!(
                part.as_os_str().to_str(),
                Some(".git" | ".ship" | ".hg" | ".svn" | ".DS_Store" | "__pycache__" | "node_modules")
            )
        });
        is_left_behind || is_in_noise
    }
}

/// What clean URLs make of the names of functions' files.
fn file_names(file: &Configuration) -> FileNames {
    match (file.clean_urls, file.trailing_slash) {
        (false, _) => FileNames::Answer,
        (true, Some(true)) => FileNames::Lead { end: "/" },
        (true, _) => FileNames::Lead { end: "" },
    }
}

/// Other forms of `vercel.json`, which Vercel's own program turns into it.
const OTHER_VERCEL_FILES: [&str; 6] =
    ["vercel.ts", "vercel.mts", "vercel.js", "vercel.mjs", "vercel.cjs", "vercel.toml"];

/// The configuration's text: that of `ship.toml`, or of `vercel.json` where there is none, or nothing at all.
fn read_config(project: &ProjectDir, warnings: &mut Vec<ProjectWarning>) -> Result<(ConfigFile, String), DetectError> {
    site::check_project_files(project)?;
    let is_there = |name: &str| project.root().join(name).is_file();
    if let Some(text) = read_text(project, ConfigFile::ShipToml)? {
        if is_there(ConfigFile::VercelJson.name()) {
            warnings.push(ProjectWarning::BothConfigFiles);
        }
        return Ok((ConfigFile::ShipToml, text));
    }
    for file in [ConfigFile::VercelJson, ConfigFile::NowJson] {
        if let Some(text) = read_text(project, file)? {
            return Ok((file, text));
        }
    }
    match OTHER_VERCEL_FILES.into_iter().find(|name| is_there(name)) {
        Some(name) => Err(DetectError::OtherVercelFile { name }),
        None => Ok((ConfigFile::ShipToml, String::new())),
    }
}

fn read_text(project: &ProjectDir, file: ConfigFile) -> Result<Option<String>, DetectError> {
    match std::fs::read(project.root().join(file.name())) {
        Ok(bytes) => {
            let text = text::text(bytes);
            text.map(Some).map_err(|problem| DetectError::NotUtf8 { file: file.name().to_owned(), problem })
        }
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DetectError::ConfigUnreadable { name: file.name(), source }),
    }
}

fn project_name(text: ConfigText<'_>, file: &Configuration) -> Result<Option<ProjectName>, ConfigError> {
    let Some(written) = &file.name else { return Ok(None) };
    let error = match written.get_ref().parse::<ProjectName>() {
        Ok(name) => return Ok(Some(name)),
        Err(error) => error,
    };
    match error.nearest() {
        // Vercel's names may hold dots and underscores: the site is the same under the nearest name.
        Some(nearest) if text.file != ConfigFile::ShipToml && nearest.parse::<ProjectName>().is_ok() => {
            Ok(nearest.parse().ok())
        }
        Some(nearest) => Err(text.error(written.span(), format!("{error}; `{nearest}` would do"))),
        None => Err(text.error(written.span(), error.to_string())),
    }
}

/// The project is not one that can be built.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is only a form of Vercel's configuration that ship does not read.
    #[error("`{name}` is not read by ship: write what it says into `vercel.json` or `ship.toml`")]
    OtherVercelFile {
        /// Its name.
        name: &'static str,
    },
    /// The configuration is there and cannot be read.
    #[error("`{name}` cannot be read")]
    ConfigUnreadable {
        /// Its file.
        name: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The paths that a middleware is asked about cannot be read.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    /// There is no output to deploy.
    #[error(transparent)]
    Prebuilt(#[from] PrebuiltError),
    /// The frontend cannot be built as it is configured.
    #[error(transparent)]
    Frontend(#[from] FrontendError),
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
    /// A configuration or a source cannot be read as text.
    #[error("{file}:{problem}")]
    NotUtf8 {
        /// The file, relative to the project.
        file: String,
        /// Where, and what to do.
        problem: TextError,
    },
    /// Files in Python break its grammar, or what a project says of its application cannot be read.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The project names an application that is not there.
    #[error("{place}: `{entry}` names no application: {reason}")]
    PythonEntry {
        /// Where it is named.
        place: String,
        /// The name.
        entry: String,
        /// What is missing.
        reason: String,
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
    /// A path has a bracket without the other one, or two without a name.
    #[error(
        "invalid_path_segment: `{segment}` in the path of `{file}` is no placeholder: expected `[name]` for one segment, `[...name]` or \
         `[[...name]]` for several"
    )]
    LoneBracket {
        /// The file.
        file: String,
        /// The segment.
        segment: String,
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
            Self::PythonEntry { .. } => Some("PYTHON_ENTRYPOINT_NOT_FOUND"),
            Self::Python(error) => error.code(),
            Self::Frontend(error) => error.code(),
            Self::Prebuilt(error) => error.code(),
            Self::ConflictingFilePath { .. } => Some("conflicting_file_path"),
            Self::ConflictingPathSegment { .. } => Some("conflicting_path_segment"),
            Self::LoneBracket { .. } => Some("invalid_path_segment"),
            Self::Config(error) => error.code(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
