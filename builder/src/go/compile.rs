//! Compiling: all functions of one module in one run of `go build`, so that they share the compiler's work.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ship_core::{Digest, DigestHasher};

use super::closure::{FunctionInputs, GoEntry, GoInputs, PackageInputs};
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

/// What the program of a server is called: the only one of its run.
const SERVER_PROGRAM: &str = "server";

/// What Go, and whatever it starts, says when the disk is full.
const DISK_FULL: &str = "no space left on device";

/// Changes when the same inputs would give another program for a reason that is in none of them.
const KEY_VERSION: &str = "ship go function 1";

/// A program that was compiled.
pub(crate) struct Compiled<'i> {
    /// The function it is of.
    pub(crate) inputs: &'i FunctionInputs,
    /// The executable.
    pub(crate) program: PathBuf,
}

impl Stage {
    /// The programs of `functions`, once these are compiled.
    fn programs<'i>(&self, functions: &[&'i FunctionInputs]) -> Vec<Compiled<'i>> {
        let program = |inputs: &FunctionInputs| self.output_folder().join(inputs.program_name());
        functions.iter().map(|&inputs| Compiled { inputs, program: program(inputs) }).collect()
    }
}

impl FunctionInputs {
    /// What `go build` calls the program.
    fn program_name(&self) -> &str {
        if self.entry == GoEntry::Server {
            return SERVER_PROGRAM;
        }
        self.package.folder.rsplit('/').next().unwrap_or(&self.package.folder)
    }
}

impl PackageInputs {
    /// The digest of everything that decides what the compiler makes of it.
    pub(crate) fn key(&self, toolchain: &Toolchain, arch: Architecture, environment: &BuildEnvironment) -> Digest {
        let mut hasher = DigestHasher::new();
        hasher.update_field(KEY_VERSION.as_bytes());
        hasher.update_field(toolchain.version.as_bytes());
        hasher.update_field(settings::toolchain_choice(environment).as_encoded_bytes());
        hasher.update_field(arch.as_str().as_bytes());
        hasher.update_field(FLAGS.join(" ").as_bytes());
        hasher.update_field(environment.variable(settings::BUILD_FLAGS).unwrap_or_default().as_encoded_bytes());
        hasher.update_field(templates_digest().as_bytes());
        hasher.update_field(self.digest.as_bytes());
        hasher.finish()
    }
}

/// How functions are compiled in one build.
pub(crate) struct Compiler<'c> {
    pub(crate) toolchain: &'c Toolchain,
    pub(crate) arch: Architecture,
    pub(crate) site: &'c SiteFolder,
    pub(crate) environment: &'c BuildEnvironment,
    /// Further arguments, as a person gives them.
    pub(crate) flags: &'c [String],
}

impl Compiler<'_> {
    /// Compiles `functions` and, to hear what is wrong with them, `loose` packages, all of them of `inputs`. Hands the programs
    /// of each module to `done` before its build folder goes.
    pub(crate) fn compile<T, E: From<CompileError>>(
        &self,
        inputs: &GoInputs,
        (functions, loose): (&[&FunctionInputs], &[&PackageInputs]),
        events: &dyn Fn(BuildEvent),
        done: impl Fn(&[Compiled<'_>]) -> Result<Vec<T>, E>,
    ) -> Result<Vec<T>, E> {
        let go = self.toolchain.program(self.environment, events).map_err(CompileError::from)?;
        if !functions.is_empty() {
            events(BuildEvent::Compiling {
                functions: functions.iter().map(|function| function.name.clone()).collect(),
            });
        }
        let mut results = Vec::with_capacity(functions.len());
        let mut refusals = Vec::new();
        for (index, module) in inputs.modules.iter().enumerate() {
            let functions: Vec<_> =
                functions.iter().filter(|function| function.package.module == index).copied().collect();
            let loose: Vec<_> = loose.iter().filter(|package| package.module == index).copied().collect();
            if functions.is_empty() && loose.is_empty() {
                continue;
            }
            let stage = self.stage(module, (&functions, &loose))?;
            match self.run(&go, &stage, module, (&functions, &loose)) {
                Ok(()) => results.extend(done(&stage.programs(&functions))?),
                // The functions of another module have mistakes of their own.
                Err(CompileError::Refused { message }) => refusals.push(message),
                Err(error) => return Err(error.into()),
            }
        }
        if !refusals.is_empty() {
            return Err(CompileError::Refused { message: refusals.join("\n") }.into());
        }
        if !functions.is_empty() {
            events(BuildEvent::Compiled { functions: functions.len() });
        }
        Ok(results)
    }

    fn stage(&self, module: &Module, packages: (&[&FunctionInputs], &[&PackageInputs])) -> Result<Stage, CompileError> {
        let folder = self.environment.cache_dir.join("builds");
        let site = self.site.base.strip_prefix(&self.site.project).unwrap_or(Path::new(""));
        Stage::write(&folder, module, packages, &self.toolchain.version, (&self.site.project, site))
            .map_err(|source| CompileError::Stage { folder, source })
    }

    fn run(
        &self,
        go: &Path,
        stage: &Stage,
        module: &Module,
        (functions, loose): (&[&FunctionInputs], &[&PackageInputs]),
    ) -> Result<(), CompileError> {
        let mut said = String::new();
        if !functions.is_empty() {
            let mut command = self.command(go, stage, module);
            let is_server = functions.iter().any(|function| function.entry == GoEntry::Server);
            // A trailing slash says that the name is a folder's, also for a single package.
            command.arg("-o").arg(stage.output_folder().join(if is_server { SERVER_PROGRAM } else { "" }));
            said += &complaints(command, functions.iter().map(|function| &function.package))?;
        }
        // With a folder for programs, Go passes over what is none.
        if !loose.is_empty() {
            said += &complaints(self.command(go, stage, module), loose.iter().copied())?;
        }
        if said.is_empty() {
            return Ok(());
        }
        let places = Places { folder: &module.folder, project: &self.site.project, origins: &stage.origins };
        if said.contains(DISK_FULL) {
            return Err(CompileError::DiskFull { message: places.translate(&said) });
        }
        // Go says nothing of a disk then, but that packages of its own library are not there.
        if let Some(cache) = settings::compiler_cache(self.environment).filter(|cache| is_full(cache)) {
            return Err(CompileError::DiskFull { message: format!("Go's cache is in `{}`", cache.display()) });
        }
        Err(CompileError::Refused { message: places.translate_with_excerpts(&said) })
    }

    /// `go build` with everything but the packages.
    fn command(&self, go: &Path, stage: &Stage, module: &Module) -> Command {
        let workspace = match &module.dependencies {
            Dependencies::Workspace(file) => Some(file.as_path()),
            _ => None,
        };
        let mut command = Command::new(go);
        command.current_dir(&module.folder).stdin(Stdio::null());
        command.env_clear().envs(settings::variables(self.environment, self.arch, workspace));
        // Of a flag that is given twice, Go takes the last: a person's before those without which nothing would be built.
        command.arg("build").args(FLAGS).args(self.flags).arg("-overlay").arg(stage.overlay_file());
        match module.dependencies {
            Dependencies::Nameless | Dependencies::ModuleFile => {
                command.arg("-mod=mod").arg("-modfile").arg(stage.module_file());
            }
            Dependencies::Vendored => {
                command.arg("-mod=vendor");
            }
            Dependencies::Workspace(_) => {}
        }
        command
    }
}

/// Whether nothing more can be written into a folder.
fn is_full(folder: &Path) -> bool {
    /// More than a file system keeps for itself beside a file.
    const PROBE_BYTES: usize = 64 * 1024;
    let written =
        tempfile::tempfile_in(folder).and_then(|mut file| io::Write::write_all(&mut file, &vec![0; PROBE_BYTES]));
    written.is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// What `command`, a `go build` without packages, says against these; nothing if they are right.
fn complaints<'p>(
    mut command: Command,
    packages: impl Iterator<Item = &'p PackageInputs>,
) -> Result<String, CompileError> {
    command.args(packages.map(|package| format!("./{}", package.folder)));
    // Not the command itself: its variables hold passwords.
    tracing::debug!(arguments = ?command.get_args(), "compiling");
    let output = command
        .output()
        .map_err(|source| CompileError::NotStarted { program: command.get_program().into(), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    match (output.status.success(), said.trim().is_empty()) {
        (true, _) => Ok(String::new()),
        (false, true) => Ok(format!("{}\n", output.status)),
        (false, false) => Ok(format!("{said}\n")),
    }
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
    /// The disk is full. What the compiler says then is about the disk, not about the functions.
    #[error("the disk is full, so the functions cannot be compiled: make room and run the command again\n{message}")]
    DiskFull {
        /// The compiler's messages, which name the files; or which folder is meant.
        message: String,
    },
    /// There is no compiler.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The further arguments are no list of words.
    #[error("GO_BUILD_FLAGS has a quote that is not closed: {flags}")]
    BuildFlags {
        /// What it says.
        flags: String,
    },
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
