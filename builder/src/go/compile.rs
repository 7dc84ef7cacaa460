//! Compiling: all functions of one module in one run of `go build`, so that they share the compiler's work.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ship_core::{Digest, DigestHasher};

use super::closure::{FunctionInputs, GoInputs};
use super::gomod::{Dependencies, Module};
use super::message::Places;
use super::settings;
use super::stage::{Stage, templates_digest};
use super::toolchain::{Toolchain, ToolchainError};
use crate::detect::SiteFolder;
use crate::environment::{Architecture, BuildEnvironment};
use crate::event::BuildEvent;

/// How everything is compiled: no paths of this machine in the program, no version control state, no debug tables, and no
/// build id, which would tell more than the sources do.
const FLAGS: [&str; 3] = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="];

/// Changes when the same inputs would give another program for a reason that is in none of them.
const KEY_VERSION: &str = "ship go function 1";

/// A program that was compiled.
pub(crate) struct Compiled<'i> {
    /// The function it is of.
    pub(crate) inputs: &'i FunctionInputs,
    /// The executable.
    pub(crate) program: PathBuf,
}

impl FunctionInputs {
    /// The digest of everything that decides how the compiled program looks.
    pub(crate) fn key(&self, toolchain: &Toolchain, arch: Architecture, environment: &BuildEnvironment) -> Digest {
        let mut hasher = DigestHasher::new();
        hasher.update_field(KEY_VERSION.as_bytes());
        hasher.update_field(toolchain.version.as_bytes());
        hasher.update_field(settings::toolchain_choice(environment).as_encoded_bytes());
        hasher.update_field(arch.as_str().as_bytes());
        hasher.update_field(FLAGS.join(" ").as_bytes());
        hasher.update_field(templates_digest().as_bytes());
        hasher.update_field(self.digest.as_bytes());
        hasher.finish()
    }
}

/// Compiles `functions` and hands each program to `done` before the build folder goes.
pub(crate) fn compile<T, E: From<CompileError>>(
    inputs: &GoInputs,
    functions: &[&FunctionInputs],
    site: &SiteFolder,
    (toolchain, arch): (&Toolchain, Architecture),
    environment: &BuildEnvironment,
    events: &dyn Fn(BuildEvent),
    done: impl Fn(&[Compiled<'_>]) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let go = toolchain.program(environment, events).map_err(CompileError::from)?;
    events(BuildEvent::Compiling { functions: functions.iter().map(|function| function.name.clone()).collect() });
    let mut results = Vec::with_capacity(functions.len());
    for (index, module) in inputs.modules.iter().enumerate() {
        let of_module: Vec<&FunctionInputs> =
            functions.iter().filter(|function| function.module == index).copied().collect();
        if of_module.is_empty() {
            continue;
        }
        let shown = site.base.strip_prefix(&site.project).unwrap_or(Path::new(""));
        let stage = Stage::write(&environment.cache_dir.join("builds"), module, &of_module, &toolchain.version, shown)
            .map_err(|source| CompileError::Stage { folder: environment.cache_dir.clone(), source })?;
        run(&go, &stage, module, &of_module, site, arch, environment)?;
        let program = |function: &&'_ FunctionInputs| {
            let name = function.package.rsplit('/').next().unwrap_or_default();
            stage.output_folder().join(name)
        };
        let compiled: Vec<Compiled<'_>> =
            of_module.iter().map(|inputs| Compiled { inputs, program: program(inputs) }).collect();
        results.extend(done(&compiled)?);
    }
    events(BuildEvent::Compiled { functions: functions.len() });
    Ok(results)
}

fn run(
    go: &Path,
    stage: &Stage,
    module: &Module,
    functions: &[&FunctionInputs],
    site: &SiteFolder,
    arch: Architecture,
    environment: &BuildEnvironment,
) -> Result<(), CompileError> {
    let workspace = match &module.dependencies {
        Dependencies::Workspace(file) => Some(file.as_path()),
        _ => None,
    };
    let mut command = Command::new(go);
    command.current_dir(&module.folder).env_clear().envs(settings::variables(environment, arch, workspace));
    command.arg("build").args(FLAGS).arg("-overlay").arg(stage.overlay_file());
    match module.dependencies {
        Dependencies::Nameless | Dependencies::ModuleFile => {
            command.arg("-mod=mod").arg("-modfile").arg(stage.module_file());
        }
        Dependencies::Vendored => {
            command.arg("-mod=vendor");
        }
        Dependencies::Workspace(_) => {}
    }
    // A trailing slash says that the name is a folder's, also for a single package.
    command.arg("-o").arg(stage.output_folder().join(""));
    command.args(functions.iter().map(|function| format!("./{}", function.package)));
    tracing::debug!(?command, "compiling");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| CompileError::NotStarted { program: go.to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let places = Places { folder: &module.folder, project: &site.project, origins: &stage.origins };
    let message = places.translate(&String::from_utf8_lossy(&output.stderr));
    Err(CompileError::Refused { message: if message.is_empty() { output.status.to_string() } else { message } })
}

/// Functions could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler found mistakes.
    #[error("the Go compiler refuses the functions:\n{message}")]
    Refused {
        /// Its messages, with the user's paths, one to a line.
        message: String,
    },
    /// There is no compiler.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The compiler cannot be started.
    #[error("`{}` cannot be started", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The build folder cannot be written.
    #[error("no build folder can be made below `{}`", folder.display())]
    Stage {
        /// The cache folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
