//! Building a project while a terminal shows what happens.

use std::path::Path;

use ship_builder::{BuildEnvironment, BuildEvent, BuildOptions, BuildOutput};
use ship_core::{FunctionName, ProjectName};

use crate::error::{CommandError, ErrorKind};
use crate::output::{Output, Progress, count, duration, size};
use crate::project::Project;
use crate::settings::Settings;

/// A project that was built.
#[derive(Debug)]
pub(crate) struct Built {
    /// Its name.
    pub(crate) name: ProjectName,
    /// Its folder, absolute and free of symbolic links.
    pub(crate) root: std::path::PathBuf,
    /// What was made of it.
    pub(crate) output: BuildOutput,
}

/// What builds take from the world around them.
pub(crate) fn environment(settings: &Settings) -> BuildEnvironment {
    BuildEnvironment::new(settings.home.cache(), settings.home.toolchains(), settings.environment.all_pairs())
}

/// Builds the project at `path`.
pub(crate) async fn build(
    path: &Path,
    options: BuildOptions,
    settings: &Settings,
    output: &Output,
) -> Result<Built, CommandError> {
    let (path, settings, output) = (path.to_owned(), settings.clone(), output.clone());
    let built = tokio::task::spawn_blocking(move || build_blocking(&path, options, &settings, &output));
    built.await.map_err(|error| CommandError::new(ErrorKind::Project, error))?
}

fn build_blocking(
    path: &Path,
    options: BuildOptions,
    settings: &Settings,
    output: &Output,
) -> Result<Built, CommandError> {
    let project = Project::open(path, settings)?;
    project.warn(output);
    let Project { folder, config, name } = project;
    let plan = ship_builder::plan(&folder, config, &options)?;
    let teller = Teller { output, progress: output.progress("Building") };
    let built = ship_builder::build(plan, &environment(settings), &|event| teller.tell(&event));
    teller.progress.finish();
    Ok(Built { name, root: folder.root().to_owned(), output: built? })
}

/// Says in a line what was built and how long that took.
pub(crate) fn say(built: &Built, output: &Output) {
    let timings = built.output.timings();
    // Functions and files are worked on at the same time.
    let time = timings.detect + timings.build.max(timings.hash);
    output.status(format_args!("Built {} in {}{}", contents(&built.output), duration(time), known(&built.output)));
    for (phase, time) in [("finding", timings.detect), ("functions", timings.build), ("files", timings.hash)] {
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
        all if all == build.functions().len() => " (functions unchanged)".to_owned(),
        some => format!(" ({} unchanged)", count(some as u64, "function")),
    }
}

/// Tells the events of a build: as a moving line on a terminal, and where something takes long, as a line that stays.
struct Teller<'o> {
    output: &'o Output,
    progress: Progress,
}

impl Teller<'_> {
    fn tell(&self, event: &BuildEvent) {
        match event {
            BuildEvent::ToolchainFetching { version, received_bytes, total_bytes } => {
                if *received_bytes == 0 {
                    let of = total_bytes.map(|total| format!(", {}", size(total))).unwrap_or_default();
                    self.output.status(format_args!("Fetching {version}, since there is no Go here{of}"));
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
            BuildEvent::Compiled { functions } => {
                self.output.detail(format_args!("compiled {}", count(*functions as u64, "function")));
                self.progress.message("Reading files");
            }
            BuildEvent::UvFetching { version, received_bytes, total_bytes } => {
                let total = total_bytes.map(|total| format!(" of {}", size(total))).unwrap_or_default();
                if *received_bytes == 0 {
                    self.output.status(format_args!("Fetching {version}, since there is no uv here"));
                }
                self.progress.message(&format!("Fetching {version}: {}{total}", size(*received_bytes)));
            }
            BuildEvent::PackagesInstalling { file } => {
                self.progress.message(&format!("Installing what {file} asks for"));
            }
            BuildEvent::PackagesInstalled { file, bytes } => {
                self.output.status(format_args!("Installed what {file} asks for, {}", size(*bytes)));
            }
            _ => {}
        }
    }
}
