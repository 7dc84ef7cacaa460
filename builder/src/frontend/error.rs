//! Why a frontend was not built.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use crate::env_files::EnvFileError;
use crate::interrupt::Interrupted;
use crate::python::PythonError;
use crate::text::TextError;
use crate::tree::TreeError;

/// The frontend was not built.
#[derive(Debug, thiserror::Error)]
pub enum FrontendError {
    /// A `package.json` is no JSON, or no object.
    #[error("{place}: {reason}\n{excerpt}")]
    PackageJson {
        /// The place, relative to the project.
        place: String,
        /// What the reader says.
        reason: String,
        /// The line, with a mark.
        excerpt: String,
    },
    /// A `package.json` cannot be read as text.
    #[error("{file}:{problem}")]
    PackageJsonNotUtf8 {
        /// The file, relative to the project.
        file: String,
        /// Where, and what to do.
        problem: TextError,
    },
    /// An environment file is wrong.
    #[error(transparent)]
    EnvFile(#[from] EnvFileError),
    /// The framework that was asked for is none that is known.
    #[error("there is no framework `{found}`{}", nearest.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    UnknownFramework {
        /// What was written.
        found: String,
        /// The nearest that is known.
        nearest: Option<&'static str>,
    },
    /// A lock file is of other dependencies than package.json has.
    #[error("lock_file_out_of_date: package.json asks for `{dependency}` in a way that `{}` does not know", lock.display())]
    LockOutOfDate {
        /// The lock file, relative to the project.
        lock: PathBuf,
        /// The first package that differs.
        dependency: String,
    },
    /// There is nothing that builds what was asked for.
    #[error(
        "missing_build_script: nothing builds this {framework} project: give package.json a script `build`, or ship.toml \
         `[build] command`"
    )]
    NoBuildCommand {
        /// The framework.
        framework: &'static str,
    },
    /// A command cannot be started.
    #[error("`{command}` cannot be started (the {key} of the frontend)")]
    CannotRun {
        /// What it is in configuration.
        key: &'static str,
        /// The command.
        command: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A command ended badly.
    #[error("`{command}` failed with {status}")]
    CommandFailed {
        /// What it is in configuration.
        key: &'static str,
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it printed.
        last_lines: Vec<String>,
        /// The file of all its lines.
        log: PathBuf,
    },
    /// Packages were installed, but not all of their files.
    #[error("`{command}` could not write all files of the packages")]
    InstallHasGaps {
        /// The command.
        command: String,
        /// The last lines that it printed.
        last_lines: Vec<String>,
        /// The file of all its lines.
        log: PathBuf,
    },
    /// What ship keeps of the folder cannot be written, or what an installation left cannot be removed.
    #[error("`{}` cannot be written", path.display())]
    State {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The build left no folder.
    #[error("STATIC_BUILD_NO_OUT_DIR: the build `{command}` left {}", left_none_of(looked_for))]
    NoOutput {
        /// The command.
        command: String,
        /// Where the output could have been, relative to the project.
        looked_for: Vec<PathBuf>,
        /// The last lines that it printed: a script goes on after what it could not do.
        last_lines: Vec<String>,
        /// What to do, where the framework has a way of its own.
        hint: Option<&'static str>,
    },
    /// The build left files that need a server, and none that is known.
    #[error(
        "missing_server: the {framework} build `{command}` left no page in `{}`, and no server that ship knows beside it",
        folder.display()
    )]
    NoServer {
        /// The framework.
        framework: &'static str,
        /// The command.
        command: String,
        /// The folder of its files, relative to the project.
        folder: PathBuf,
        /// What to do.
        hint: Option<&'static str>,
    },
    /// The output is a file.
    #[error("STATIC_BUILD_NOT_A_DIR: the output of the build, `{}`, is not a folder", folder.display())]
    OutputNotAFolder {
        /// What it is, relative to the project.
        folder: PathBuf,
    },
    /// The output is empty.
    #[error("STATIC_BUILD_EMPTY_OUT_DIR: the build `{command}` left no file in `{}`", folder.display())]
    EmptyOutput {
        /// The command.
        command: String,
        /// The folder, relative to the project.
        folder: PathBuf,
    },
    /// What a script in a Python project needs cannot be made.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The log cannot be written.
    #[error("the log `{}` cannot be written", path.display())]
    Log {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The project's files cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Nobody wants the build any more.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl FrontendError {
    /// The same of a command that printed these lines.
    pub(super) fn after(mut self, printed: Vec<String>) -> Self {
        if let Self::NoOutput { last_lines, .. } = &mut self {
            *last_lines = printed;
        }
        self
    }

    /// The stable code of the problem, where it has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::NoBuildCommand { .. } => Some("missing_build_script"),
            Self::CommandFailed { .. } | Self::InstallHasGaps { .. } => Some("build_command_failed"),
            Self::LockOutOfDate { .. } => Some("lock_file_out_of_date"),
            Self::NoOutput { .. } => Some("STATIC_BUILD_NO_OUT_DIR"),
            Self::NoServer { .. } => Some("missing_server"),
            Self::OutputNotAFolder { .. } => Some("STATIC_BUILD_NOT_A_DIR"),
            Self::EmptyOutput { .. } => Some("STATIC_BUILD_EMPTY_OUT_DIR"),
            Self::UnknownFramework { .. } => Some("unknown_framework"),
            _ => None,
        }
    }

    /// The last lines of what failed.
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::CommandFailed { last_lines, .. }
            | Self::NoOutput { last_lines, .. }
            | Self::InstallHasGaps { last_lines, .. } => last_lines,
            _ => &[],
        }
    }

    /// What to do next, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InstallHasGaps { .. } => Some(
                "make room on the disk and run the command again; packages that were there before may need `npm ci`"
                    .to_owned(),
            ),
            Self::CommandFailed { log, .. } => Some(format!("all it printed is in {}", log.display())),
            Self::LockOutOfDate { .. } => Some("`npm install` brings it up to date".to_owned()),
            Self::NoOutput { hint: Some(hint), .. } | Self::NoServer { hint: Some(hint), .. } => {
                Some((*hint).to_owned())
            }
            Self::NoOutput { .. } | Self::OutputNotAFolder { .. } | Self::EmptyOutput { .. } => {
                Some("`[build] output` of ship.toml, or `outputDirectory` of vercel.json, names the folder that the build writes".to_owned())
            }
            Self::CannotRun { command, source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some(how_to_get(command.split_whitespace().next().unwrap_or_default()))
            }
            _ => None,
        }
    }
}

/// What to do about a program that is not there.
fn how_to_get(program: &str) -> String {
    let install = match program {
        "npm" | "npx" | "node" => "install Node 20 or newer from https://nodejs.org",
        "pnpm" | "yarn" => return format!("{program} is not on the search path: `npm install --global {program}`"),
        "bun" | "bunx" => "install Bun from https://bun.sh",
        _ => "install it",
    };
    format!(
        "{program} is not on the search path: {install}, or say what builds with `[build] command` in ship.toml; `command = \"\"` \
         builds nothing"
    )
}

fn left_none_of(folders: &[PathBuf]) -> String {
    let shown: Vec<String> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    match shown.as_slice() {
        [only] => format!("no folder {only}"),
        several => format!("none of the folders {}", several.join(", ")),
    }
}
