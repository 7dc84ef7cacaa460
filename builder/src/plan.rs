//! From a configuration to what has to be done: the files of the site, and what each function is made of.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ship_core::route::{CaseRule, Pattern, Phase, Route, RouteTable};
use ship_core::{CorsRule, Cron, DeploymentEnvironment};

use crate::assets::{self, FoundFiles};
use crate::detect::{
    DetectedFunction, ExpectedServer, IgnoreFile, ProjectConfig, ProjectWarning, SiteFolder, SiteFolderKind,
};
use crate::environment::{Architecture, BuildOptions};
use crate::frontend::{FrameworkServer, Left, PreparedProject, ServerParts, push_routes};
use crate::go::{Exclusion, GoInputs, InputError};
use crate::included::IncludedByFunction;
use crate::languages::LanguageInputs;
use crate::node::NodeInputs;
use crate::prebuilt::{self, Prebuilt, PrebuiltError};
use crate::project::ProjectDir;
use crate::python::{PythonError, PythonInputError, PythonInputs};
use crate::rust::RustInputs;
use crate::tree::{TreeError, shown_below};

/// The page that stands for what is not found.
const NOT_FOUND_PAGE: &str = "404.html";

/// Everything that a build needs to know, read from the project: nothing is compiled or digested yet.
#[derive(Debug)]
pub struct BuildPlan {
    pub(crate) site: SiteFolder,
    pub(crate) files: FoundFiles,
    pub(crate) functions: Vec<DetectedFunction>,
    pub(crate) included: IncludedByFunction,
    pub(crate) languages: LanguageInputs,
    pub(crate) routes: RouteTable,
    pub(crate) cors: Vec<CorsRule>,
    pub(crate) crons: Vec<Cron>,
    pub(crate) variables: DeploymentEnvironment,
    pub(crate) prebuilt: Option<Prebuilt>,
    /// Whether a server of the framework answers what nothing here does.
    pub(crate) has_dev_server: bool,
    pub(crate) warnings: Vec<ProjectWarning>,
    pub(crate) options: BuildOptions,
    pub(crate) detect_took: Duration,
    pub(crate) frontend_took: Duration,
}

impl BuildPlan {
    /// What a person should know that was found out while planning.
    pub fn warnings(&self) -> &[ProjectWarning] {
        &self.warnings
    }
}

/// Plans the build of a project.
pub fn plan(project: &ProjectDir, prepared: PreparedProject, options: &BuildOptions) -> Result<BuildPlan, PlanError> {
    let started = Instant::now();
    let PreparedProject { mut config, serving, left, took: frontend_took } = prepared;
    let has_dev_server = left == Left::DevServer;
    let prebuilt = match left {
        Left::Files | Left::DevServer => None,
        Left::BuildOutput(folder) => Some(prebuilt::read(&folder, project.root(), options.arch)?),
        Left::Server(server) => {
            let prebuilt = take_server(project, &mut config, &server)?;
            // The server has its own pages for paths that are no file's.
            push_routes(&mut config.routes, &serving, &[]);
            Some(prebuilt)
        }
    };
    if let Some(prebuilt) = &prebuilt {
        config.site = SiteFolder { folder: prebuilt.statics.clone(), kind: SiteFolderKind::Output, ..config.site };
        // What an output holds is what was meant to be deployed.
        config.ignore = IgnoreFile::none(project);
    }
    refuse_excluded_functions(&config, options.arch)?;
    let (files, go) = rayon::join(
        || assets::find(&config.site, &config.ignore),
        || GoInputs::read(&config.functions, &config.sources, &config.site),
    );
    let (files, go) = (files?, go.map_err(|error| unreadable(project, error))?);
    let python = PythonInputs::read(&config.python, &config.functions, &config.site, &config.ignore);
    let python = python.map_err(python_error)?.with_mistakes(std::mem::take(&mut config.python_mistakes));
    // What the compiler says of Go files without a handler may be why there is nothing, so it comes first.
    let is_without_output = prebuilt.as_ref().is_none_or(|prebuilt| prebuilt.functions.is_empty());
    let is_answered = has_dev_server || !is_without_output;
    if files.files.is_empty() && config.functions.is_empty() && go.loose.is_empty() && !is_answered {
        return Err(nothing_to_deploy(&config.site));
    }
    refuse_shadowed_functions(project, &config, &files)?;
    let rust = RustInputs::read(&config.functions, &config.rust_sources, &config.site)
        .map_err(|error| unreadable(project, InputError { path: error.path, source: error.source }))?;
    let included = IncludedByFunction::read(&config.functions, &config.site)?;
    let mut warnings = Vec::new();
    let mut routes = config.routes;
    if let Some(prebuilt) = &prebuilt {
        routes = prebuilt::merge_routes(&routes, &prebuilt.routes);
        prebuilt.add_functions(&mut config.functions)?;
        warnings.extend(prebuilt.warnings.iter().cloned());
    } else {
        let paths: Vec<&str> = files.files.iter().map(|file| file.path.as_str()).collect();
        push_routes(&mut routes, &serving, &paths);
        if find(&files, NOT_FOUND_PAGE) {
            routes.push(Phase::Error, not_found_route());
        }
    }
    let node = NodeInputs::new(&config.functions, config.node_sources);
    Ok(BuildPlan {
        site: config.site,
        files,
        functions: config.functions,
        included,
        languages: LanguageInputs { go, node, python, rust },
        routes,
        cors: prebuilt.as_ref().and_then(|prebuilt| prebuilt.cors.clone()).unwrap_or(config.cors),
        crons: config.crons,
        variables: config.environment,
        prebuilt,
        has_dev_server,
        warnings,
        options: *options,
        detect_took: config.took + started.elapsed(),
        frontend_took,
    })
}

/// Adds the server of a framework, and gives what is there besides.
fn take_server(
    project: &ProjectDir,
    config: &mut ProjectConfig,
    server: &FrameworkServer,
) -> Result<Prebuilt, TreeError> {
    let ExpectedServer { mut function, routes } =
        config.server.take().expect("a framework that leaves a server is expected to do so");
    function.file = server.file();
    config.routes = routes;
    let ServerParts { prebuilt, source } = server.read(function.clone(), project.root())?;
    if let Some(source) = source {
        config.functions.push(function);
        config.functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        config.node_sources.push(source);
    }
    Ok(prebuilt)
}

fn python_error(error: PythonInputError) -> PlanError {
    match error {
        PythonInputError::Tree(error) => error.into(),
        PythonInputError::Python(error) => error.into(),
    }
}

fn find(files: &FoundFiles, path: &str) -> bool {
    files.files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok()
}

/// A file of the site at the path of a function would answer in its place.
fn refuse_shadowed_functions(
    project: &ProjectDir,
    config: &ProjectConfig,
    files: &FoundFiles,
) -> Result<(), PlanError> {
    for function in &config.functions {
        if find(files, function.name.as_str()) {
            let file = config.site.folder.join(function.name.as_str());
            return Err(PlanError::ConflictingFilePath {
                first: function.file.clone(),
                second: shown_below(project.root(), &file).display().to_string(),
                route: format!("/{}", function.name),
            });
        }
    }
    Ok(())
}

/// A function that Go leaves out would be a program without a handler.
fn refuse_excluded_functions(config: &ProjectConfig, arch: Architecture) -> Result<(), PlanError> {
    for source in config.sources.iter().filter(|source| source.scan.handler.is_some()) {
        let name = source.file.rsplit('/').next().unwrap_or(&source.file);
        if let Some(exclusion) = Exclusion::of(name, &source.text, &source.scan, arch) {
            let line = exclusion.line().map_or_else(String::new, |line| format!(":{line}"));
            return Err(PlanError::ExcludedFunction { place: format!("{}{line}", source.file), arch, exclusion });
        }
    }
    Ok(())
}

/// A person sees the site's own page for what is not there; a program that calls the API does not.
fn not_found_route() -> Route {
    let src = Pattern::anchored(r"^(?!/api(?:/|$)).*$", CaseRule::Sensitive).expect("a pattern of this file compiles");
    let mut route = Route::new(src);
    route.status = Some(404);
    route.dest = Some(format!("/{NOT_FOUND_PAGE}"));
    route
}

fn unreadable(project: &ProjectDir, error: InputError) -> PlanError {
    let InputError { path, source } = error;
    PlanError::Source { path: shown_below(project.root(), &path), source }
}

/// There is neither a file nor a function.
pub(crate) fn nothing_to_deploy(site: &SiteFolder) -> PlanError {
    let shown = shown_below(&site.project, &site.folder);
    let looked_for = match site.kind {
        SiteFolderKind::Output => {
            format!("files in `{}/`, functions in `api/**/*.{{go,js,ts,py,rs}}`", shown.display())
        }
        SiteFolderKind::Named => "what `builds` of `vercel.json` names".to_owned(),
        SiteFolderKind::ProjectFolder | SiteFolderKind::Nothing => {
            "a folder `public/`, static files in the folder itself, functions in `api/**/*.{go,js,ts,py,rs}`".to_owned()
        }
    };
    PlanError::NothingToDeploy { root: site.project.clone(), looked_for }
}

/// The project cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is neither a file nor a function.
    #[error("there is nothing to deploy in `{}`: looked for {looked_for}", root.display())]
    NothingToDeploy {
        /// The project.
        root: PathBuf,
        /// Where it could have been.
        looked_for: String,
    },
    /// A static file and a function answer at one path.
    #[error("conflicting_file_path: `{first}` and `{second}` both answer at `{route}`: rename one of them")]
    ConflictingFilePath {
        /// The function's file.
        first: String,
        /// The static file.
        second: String,
        /// The path.
        route: String,
    },
    /// Go leaves a function's file out.
    #[error("{place}: this function is not compiled for linux/{arch}: {exclusion}")]
    ExcludedFunction {
        /// Its file, with a line where one says so.
        place: String,
        /// What functions are compiled for.
        arch: Architecture,
        /// Why it is left out.
        exclusion: Exclusion,
    },
    /// A prebuilt output cannot be deployed.
    #[error(transparent)]
    Prebuilt(#[from] PrebuiltError),
    /// A static file cannot be deployed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// What a project in Python says of itself cannot be read.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// A source that a function is made of cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Source {
        /// Which, relative to the project.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl PlanError {
    /// The stable code of the problem, where it has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::NothingToDeploy { .. } => Some("nothing_to_deploy"),
            Self::ConflictingFilePath { .. } => Some("conflicting_file_path"),
            Self::Prebuilt(error) => error.code(),
            Self::Tree(TreeError::SymlinkLeavesProject { .. }) => Some("symlink_leaves_project"),
            Self::Python(error) => error.code(),
            Self::Tree(_) | Self::Source { .. } | Self::ExcludedFunction { .. } => None,
        }
    }
}
