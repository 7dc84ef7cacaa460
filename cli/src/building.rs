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
    let functions = built.output.functions();
    let cached = functions.iter().filter(|function| function.cached).count();
    let known = match cached {
        0 => String::new(),
        some if some == functions.len() => " (unchanged)".to_owned(),
        some => format!(" ({some} unchanged)"),
    };
    let time = built.output.timings().detect + built.output.timings().build + built.output.timings().hash;
    let (functions, files) =
        (count(functions.len() as u64, "function"), count(built.output.static_files() as u64, "file"));
    output.status(format_args!("Built {functions}{known} and {files} in {}", duration(time)));
    let timings = built.output.timings();
    let phases = [("finding", timings.detect), ("functions", timings.build), ("files", timings.hash)];
    for (phase, time) in phases {
        output.detail(format_args!("{phase} took {}", duration(time)));
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
            _ => {}
        }
    }
}
