//! Installing what a project depends on into a folder of its own.

use std::path::{Path, PathBuf};

use toml::Table;

use super::dependencies::{Dependencies, Source, parse};
use super::error::PythonError;
use super::interpreter::Interpreter;
use super::pipfile;
use super::poetry::PoetryLock;
use super::requirements::{place_of, unread};
use super::uv::{Uv, UvError};
use crate::environment::{Architecture, BuildEnvironment};
use crate::pypi::{self, Secrets};

/// Has Python compile what was installed, because a function's folder is read-only and `FastAPI` takes long to compile. The
/// result says of itself that it is never to be compared with its source's times, which differ from host to host.
const COMPILE: &str = include_str!("compile.py");

/// What uv calls the index that was asked. People may have several, and want to know which.
const REGISTRY: &str = "in the package registry";

/// What uv says before its error.
const NOISE: [&str; 2] = ["Using CPython", "Using Python"];

/// Everything that an installation needs.
pub(super) struct Installer<'i> {
    pub(super) uv: Uv,
    pub(super) interpreter: &'i Interpreter,
    pub(super) arch: Architecture,
    pub(super) environment: &'i BuildEnvironment,
}

impl Installer<'_> {
    /// Installs into the folder `target`, using `scratch` for files of its own.
    pub(super) fn install(&self, needed: &Dependencies, target: &Path, scratch: &Path) -> Result<(), PythonError> {
        let requirements = self.requirements(needed, scratch)?;
        let mut command = self.uv.command(&needed.folder, self.environment);
        command.args(["pip", "install", "--quiet"]);
        command.arg("--python").arg(&self.interpreter.program).arg("--target").arg(target);
        if matches!(needed.source, Source::UvLock | Source::PoetryLock | Source::PipfileLock) {
            // A lock names everything.
            command.arg("--no-deps");
        }
        if needed.has_folders {
            // uv would take what it made of a folder before, unless its pyproject.toml has changed.
            command.arg("--refresh");
        }
        // A link to a folder of this machine would lead nowhere.
        command.env("UV_NO_EDITABLE", "1");
        if let Some(platform) = self.other_platform() {
            // A package without a wheel would be built for this machine.
            command.args(["--python-platform", platform, "--only-binary", ":all:"]);
        }
        command.arg("--requirements").arg(requirements);
        match self.uv.run(command, &self.secrets()) {
            Ok(_) => self.compile(target),
            Err(UvError::Refused { said }) => Err(self.refusal(needed, &said)),
            Err(UvError::NotStarted { program, source }) => Err(PythonError::NotStarted { program, source }),
        }
    }

    /// The file that uv installs from.
    fn requirements(&self, needed: &Dependencies, scratch: &Path) -> Result<PathBuf, PythonError> {
        let text = match needed.source {
            Source::UvLock => return self.exported(needed, scratch),
            Source::PipfileLock => Self::of_pipenv(needed)?,
            Source::Pipfile => pipfile::unlocked(&parse(&needed.files[0])?, &needed.folder),
            Source::PoetryLock => Self::of_poetry(needed)?,
            Source::Pylock | Source::Pyproject | Source::Requirements => return Ok(needed.path()),
        };
        let file = scratch.join("requirements.txt");
        std::fs::write(&file, text).map_err(|source| PythonError::Storage { path: file.clone(), source })?;
        Ok(file)
    }

    fn of_pipenv(needed: &Dependencies) -> Result<String, PythonError> {
        if let Some(pipfile) = needed.beside("Pipfile")
            && pipfile::is_out_of_date(&needed.files[0], &parse(pipfile)?)
        {
            let (lock, project) = (needed.shown().to_owned(), pipfile.shown.clone());
            return Err(PythonError::LockOutOfDate { lock, project, command: "pipenv lock" });
        }
        pipfile::requirements(&needed.files[0], &needed.folder)
    }

    fn of_poetry(needed: &Dependencies) -> Result<String, PythonError> {
        let lock = PoetryLock::new(&parse(&needed.files[0])?);
        let Some(project) = needed.beside("pyproject.toml") else {
            return Ok(lock.requirements(&Table::new(), &needed.folder));
        };
        let table = parse(project)?;
        if lock.missing(&table).is_some() {
            let (lock, project) = (needed.shown().to_owned(), project.shown.clone());
            return Err(PythonError::LockOutOfDate { lock, project, command: "poetry lock" });
        }
        Ok(lock.requirements(&table, &needed.folder))
    }

    /// What a `uv.lock` locks, if it still fits its project. A requirement file could not say which index a package is from.
    fn exported(&self, needed: &Dependencies, scratch: &Path) -> Result<PathBuf, PythonError> {
        let file = scratch.join("pylock.toml");
        let mut command = self.uv.command(&needed.folder, self.environment);
        let format = ["export", "--quiet", "--format", "pylock.toml", "--locked"];
        command.args(format).args(["--no-dev", "--no-editable", "--no-emit-project", "--no-header"]);
        command.arg("--python").arg(&self.interpreter.program).arg("--output-file").arg(&file);
        self.uv.run(command, &self.secrets()).map_err(|error| match error {
            UvError::NotStarted { program, source } => PythonError::NotStarted { program, source },
            UvError::Refused { said } if said.contains("--locked") => {
                let project = needed.shown().replace("uv.lock", "pyproject.toml");
                PythonError::LockOutOfDate { lock: needed.shown().to_owned(), project, command: "uv lock" }
            }
            UvError::Refused { said } => self.refusal(needed, &said),
        })?;
        Ok(file)
    }

    fn secrets(&self) -> Secrets {
        Secrets::of(self.environment)
    }

    /// The platform to install for, if it is not this machine's: functions run on Linux.
    fn other_platform(&self) -> Option<&'static str> {
        let is_native = cfg!(target_os = "linux") && self.arch == Architecture::default();
        (!is_native).then_some(match self.arch {
            Architecture::Amd64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        })
    }

    fn compile(&self, target: &Path) -> Result<(), PythonError> {
        let mut command = self.interpreter.command(self.environment);
        // The order of sets, and with it the result, would differ from run to run.
        command.env("PYTHONHASHSEED", "0").args(["-s", "-S", "-B", "-c", COMPILE]).arg(target);
        let program = self.interpreter.program.clone();
        let output = command.output().map_err(|source| PythonError::NotStarted { program, source })?;
        if !output.status.success() {
            // Slower starts are all that it costs.
            tracing::debug!(said = %String::from_utf8_lossy(&output.stderr), "packages stay uncompiled");
        }
        Ok(())
    }

    fn refusal(&self, needed: &Dependencies, said: &str) -> PythonError {
        let lines = said.lines().filter(|line| !NOISE.iter().any(|start| line.starts_with(start)));
        let message: Vec<&str> = lines.map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
        let message = message.join("\n").trim().to_owned();
        if let Some((place, message)) = unread(&message, &needed.files) {
            return PythonError::Requirement { place, message };
        }
        let arch = self.other_platform().map(|_| self.arch);
        let place = place_of(&message, &needed.files);
        let index = self.secrets().hidden_in(&pypi::index(self.environment));
        let message = message.replace(REGISTRY, &format!("{REGISTRY} ({index})"));
        match place {
            Some((package, place)) => PythonError::Package { place, package, arch, message },
            None => PythonError::Packages { file: needed.shown().to_owned(), arch, message },
        }
    }
}
