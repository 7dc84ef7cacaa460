//! Building a project while a terminal shows what happens.

mod record;

use std::path::Path;

use ship_builder::{
    BuildContext, BuildEnvironment, BuildEvent, BuildOptions, BuildOutput, BuildTarget, FrontendError, FrontendTraces,
    ProjectConfig,
};
use ship_core::{BranchName, BuildLog, FunctionName, ProjectName, SystemVariables};

use self::record::Record;
use crate::dev::Framework;
use crate::error::{CommandError, ErrorKind};
use crate::kept_variables::{self, KeptVariables};
use crate::output::{Output, Progress, count, duration, size};
use crate::project::Project;
use crate::settings::Settings;
use crate::source::Source;

/// A project that was built.
#[derive(Debug)]
pub(crate) struct Built {
    /// Its name.
    pub(crate) name: ProjectName,
    /// Its folder, absolute and free of symbolic links.
    pub(crate) root: std::path::PathBuf,
    /// What was made of it.
    pub(crate) output: BuildOutput,
    /// What its functions find set in development.
    pub(crate) environment: Vec<(String, String)>,
    /// What was said meanwhile.
    pub(crate) log: BuildLog,
}

/// Where functions run in development, by the name that has to stand for a region.
const DEV_REGION: &str = "dev1";

/// What is to be built.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildRequest {
    /// How.
    pub(crate) options: BuildOptions,
    /// What for.
    pub(crate) target: BuildTarget,
    /// The branch, if somebody named it.
    pub(crate) branch: Option<BranchName>,
    /// What of a project is taken.
    pub(crate) from: BuildFrom,
    /// The host name that it is served under, where that is known.
    pub(crate) url: Option<String>,
    /// Whether a host is asked for variables.
    pub(crate) variables: KeptVariables,
    /// What makes the pages of a frontend.
    pub(crate) frontend: FrontendBy,
}

/// What makes the pages of a frontend.
#[derive(Clone, Debug, Default)]
pub(crate) enum FrontendBy {
    /// Its build.
    #[default]
    Build,
    /// The framework's own server for development, where it has one. It is told which that is.
    OwnServer(Framework),
}

/// What of a project is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum BuildFrom {
    /// Its sources.
    #[default]
    Sources,
    /// The output that was built before.
    Prebuilt,
}

impl BuildRequest {
    /// What functions find set in development: what the environment files say, and over it what they are told of themselves. On
    /// a host they are told by the host, and no file travels there.
    fn function_environment(
        &self,
        config: &ProjectConfig,
        context: &BuildContext,
    ) -> Result<Vec<(String, String)>, CommandError> {
        if self.target != BuildTarget::Development {
            return Ok(Vec::new());
        }
        let mut environment = config.environment_files(self.target).map_err(FrontendError::from)?;
        let told = SystemVariables {
            environment: self.target.as_str(),
            branch: context.branch.as_deref(),
            commit: context.commit.as_deref(),
            url: self.url.as_deref(),
            region: Some(DEV_REGION),
            ..SystemVariables::default()
        };
        // What somebody writes on this machine goes before what a host keeps for everybody's.
        for (name, value) in &context.variables {
            if environment.iter().all(|(known, _)| known != name) {
                environment.push((name.clone(), value.clone()));
            }
        }
        let told = told.pairs();
        environment.retain(|(name, _)| told.iter().all(|(other, _)| other != name));
        environment.extend(told);
        Ok(environment)
    }

    fn context(&self, project: &ProjectName, root: &Path, settings: &Settings) -> Result<BuildContext, CommandError> {
        let source = Source::detect(root, self.branch.clone(), &settings.environment)?;
        let branch = source.branch.map(|branch| branch.to_string());
        let variables = match &self.variables {
            KeptVariables::Known(variables) => variables.clone(),
            KeptVariables::NotAsked | KeptVariables::Asked(_) => Vec::new(),
        };
        Ok(BuildContext { project: project.clone(), target: self.target, branch, commit: source.commit, variables })
    }
}

/// What builds take from the world around them.
pub(crate) fn environment(settings: &Settings) -> BuildEnvironment {
    BuildEnvironment::new(settings.home.cache(), settings.home.toolchains(), settings.environment.all_pairs())
        .interrupted_by(settings.interrupt.clone())
}

/// Where the build of the frontend of the project at `path` leaves things, as far as that can be said.
pub(crate) fn frontend_traces(path: &Path, settings: &Settings) -> FrontendTraces {
    Project::open(path, settings).map(|project| project.config.frontend_traces()).unwrap_or_default()
}

/// What came of a build that the project itself may prevent.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was built.
    Built(Box<Built>),
    /// The project's own command has said that there is nothing to deploy.
    Ignored {
        /// The command.
        command: String,
    },
}

/// Builds the project at `path`, unless its own command says that there is nothing to deploy.
pub(crate) async fn build_unless_ignored(
    path: &Path,
    request: BuildRequest,
    settings: &Settings,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let (path, settings, output) = (path.to_owned(), settings.clone(), output.clone());
    let outcome = tokio::task::spawn_blocking(move || {
        let project = open(&path, &request, &settings)?;
        match ignored(&project, &request, &settings, &output)? {
            Some(command) => Ok(Outcome::Ignored { command }),
            None => build_blocking(project, &request, &settings, &output).map(Box::new).map(Outcome::Built),
        }
    });
    outcome.await.map_err(|error| CommandError::new(ErrorKind::Project, error))?
}

/// The project's command, if it says that there is nothing to deploy.
fn ignored(
    project: &Project,
    request: &BuildRequest,
    settings: &Settings,
    output: &Output,
) -> Result<Option<String>, CommandError> {
    let Some(command) = project.config.ignore_command() else { return Ok(None) };
    let context = request.context(&project.name, project.folder.root(), settings)?;
    let progress = output.progress("Asking whether there is anything to deploy");
    let teller = Teller { output, progress, record: Record::hiding(&[]) };
    let ignored = project.config.is_to_be_ignored(&environment(settings), &context, &|event| teller.tell(&event));
    teller.progress.finish();
    Ok(ignored?.then(|| command.to_owned()))
}

/// Builds the project at `path`.
pub(crate) async fn build(
    path: &Path,
    request: BuildRequest,
    settings: &Settings,
    output: &Output,
) -> Result<Built, CommandError> {
    let (path, settings, output) = (path.to_owned(), settings.clone(), output.clone());
    let built = tokio::task::spawn_blocking(move || {
        build_blocking(open(&path, &request, &settings)?, &request, &settings, &output)
    });
    built.await.map_err(|error| CommandError::new(ErrorKind::Project, error))?
}

fn open(path: &Path, request: &BuildRequest, settings: &Settings) -> Result<Project, CommandError> {
    match request.from {
        BuildFrom::Sources => Project::open(path, settings),
        BuildFrom::Prebuilt => Project::open_prebuilt(path, settings),
    }
}

fn build_blocking(
    project: Project,
    request: &BuildRequest,
    settings: &Settings,
    output: &Output,
) -> Result<Built, CommandError> {
    project.warn(output);
    let Project { folder, config, name } = project;
    let environment = environment(settings);
    let mut context = request.context(&name, folder.root(), settings)?;
    if let (KeptVariables::Asked(policy), true) = (&request.variables, config.has_frontend()) {
        let (target, branch) = (request.target, context.branch.as_deref());
        // This thread may wait, and the command's own goes on meanwhile.
        let read = kept_variables::read(&name, target, branch, *policy, settings, output);
        context.variables = tokio::runtime::Handle::current().block_on(read)?;
    }
    if request.target != BuildTarget::Development
        && !config.has_frontend()
        && let Err(error) = config.environment_files(request.target)
    {
        // Nothing reads them here; `ship dev` would refuse them.
        output.warning(error);
    }
    let of_functions = request.function_environment(&config, &context)?;
    let record = Record::hiding(&untold(&config, &context, request.target, settings));
    config.warnings.iter().for_each(|warning| record.say(&format!("warning: {warning}")));
    let teller = Teller { output, progress: output.progress("Building"), record };
    let tell = |event| teller.tell(&event);
    let prepared = match &request.frontend {
        FrontendBy::Build => ship_builder::prepare(&folder, config, &environment, &context, &tell),
        FrontendBy::OwnServer(framework) => {
            let prepared = ship_builder::prepare_for_development(&folder, config, &environment, &context, &tell);
            prepared.map(|(prepared, server)| {
                framework.want(server);
                prepared
            })
        }
    };
    let built = prepared.map_err(CommandError::from).and_then(|prepared| {
        let plan = ship_builder::plan(&folder, prepared, &request.options)?;
        plan.warnings().iter().for_each(|warning| teller.warn(warning));
        Ok(ship_builder::build(plan, &environment, &tell)?)
    });
    teller.progress.finish();
    let (record, built) = (teller.record, built?);
    let log = record.finished(Some(&built));
    Ok(Built { name, root: folder.root().to_owned(), output: built, environment: of_functions, log })
}

/// The variables whose values stand in no log: what a host keeps, what environment files say, and what the caller calls a secret.
fn untold(
    config: &ProjectConfig,
    context: &BuildContext,
    target: BuildTarget,
    settings: &Settings,
) -> Vec<(String, String)> {
    let of_files = config.environment_files(target).unwrap_or_default();
    let of_caller = record::secrets(settings.environment.all_pairs());
    context.variables.iter().cloned().chain(of_files).chain(of_caller).collect()
}

/// Says in a line what was built and how long that took.
pub(crate) fn say(built: &Built, output: &Output) {
    let timings = built.output.timings();
    // Functions and files are worked on at the same time.
    let time = timings.detect + timings.frontend + timings.build.max(timings.hash);
    output.status(format_args!("Built {} in {}{}", contents(&built.output), duration(time), known(&built.output)));
    for (phase, time) in [
        ("finding", timings.detect),
        ("the frontend", timings.frontend),
        ("functions", timings.build),
        ("files", timings.hash),
    ] {
        output.detail(format_args!("{phase} took {}", duration(time)));
    }
}

/// What a build consists of: `2 functions and 4 files`.
pub(crate) fn contents(build: &BuildOutput) -> String {
    let functions = count(build.functions().len() as u64, "function");
    let files = count(build.static_files() as u64, "file");
    match (build.functions().len(), build.static_files()) {
        (0, _) => files,
        (_, 0) => functions,
        _ => format!("{functions} and {files}"),
    }
}

/// How much of the functions was known from earlier builds.
fn known(build: &BuildOutput) -> String {
    let known = build.functions().iter().filter(|function| function.cached).count();
    match known {
        0 => String::new(),
        all if all == build.functions().len() => " (functions from the build cache)".to_owned(),
        some => format!(" ({} from the build cache)", count(some as u64, "function")),
    }
}

/// Tells the events of a build: as a moving line on a terminal, and where something takes long, as a line that stays.
struct Teller<'o> {
    output: &'o Output,
    progress: Progress,
    record: Record,
}

impl Teller<'_> {
    fn warn(&self, warning: &dyn std::fmt::Display) {
        self.record.say(&format!("warning: {warning}"));
        self.output.warning(warning);
    }

    fn tell(&self, event: &BuildEvent) {
        self.record.hear(event);
        match event {
            BuildEvent::ToolchainFetching { version, needed, received_bytes, total_bytes } => {
                if *received_bytes == 0 {
                    let of = total_bytes.map(|total| format!(", {}", size(total))).unwrap_or_default();
                    self.output.status(format_args!("Fetching {version}, since there is no {needed} here{of}"));
                }
                let total = total_bytes.map(|total| format!(" of {}", size(total))).unwrap_or_default();
                self.progress.message(&format!("Fetching {version}: {}{total}", size(*received_bytes)));
            }
            BuildEvent::ToolchainUnpacking { version } => self.progress.message(&format!("Unpacking {version}")),
            BuildEvent::Compiling { functions } => {
                let names: Vec<&str> = functions.iter().map(FunctionName::as_str).collect();
                self.progress.message(&format!("Compiling {}", names.join(", ")));
                self.output.detail(format_args!("compiling {}", names.join(", ")));
            }
            BuildEvent::CompilingCrate { name } => self.progress.message(&format!("Compiling the crate {name}")),
            BuildEvent::Compiled { functions } => {
                self.output.detail(format_args!("compiled {}", count(*functions as u64, "function")));
                self.progress.message("Reading files");
            }
            BuildEvent::ToolFetching { name, reason, received_bytes, total_bytes } => {
                let total = total_bytes.map(|total| format!(" of {}", size(total))).unwrap_or_default();
                if *received_bytes == 0 {
                    let of = total_bytes.map(|total| format!(", {}", size(total))).unwrap_or_default();
                    self.output.status(format_args!("Fetching {name}, {reason}{of}"));
                }
                self.progress.message(&format!("Fetching {name}: {}{total}", size(*received_bytes)));
            }
            BuildEvent::LinkerAbsent { reason } => {
                self.output.warning(reason);
                self.output.hint("the functions are linked here instead, for systems that are as new as this one");
            }
            BuildEvent::PackagesInstalling { file } => {
                self.progress.message(&format!("Installing what {file} asks for"));
            }
            BuildEvent::PackagesInstalled { file, bytes } => {
                self.output.status(format_args!("Installed what {file} asks for, {}", size(*bytes)));
            }
            BuildEvent::FrontendInstalling { command } => {
                self.output.status(format_args!("Installing packages: {command}"));
                self.progress.message("Installing packages");
            }
            BuildEvent::FrontendBuilding { framework, command } => {
                let framework = framework.map(|name| format!(" ({name})")).unwrap_or_default();
                self.output.status(format_args!("Building the frontend{framework}: {command}"));
                self.progress.message("Building the frontend");
            }
            BuildEvent::FrontendPrinted { line } => {
                self.output.detail(format_args!("  {line}"));
                self.progress.printed(line);
            }
            BuildEvent::FrontendBuilt { took } => {
                self.output.status(format_args!("Built the frontend in {}", duration(*took)));
                self.progress.message("Reading files");
            }
            _ => {}
        }
    }
}
