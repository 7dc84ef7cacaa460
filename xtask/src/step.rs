//! One program of a longer run: announced, timed, and the end of the run if it fails.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A run ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The command line is wrong.
    #[error("unknown command")]
    Usage,
    /// A program could not be started.
    #[error("`{program}` does not start")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program ended with a failure. It has said why itself.
    #[error("`{command}` failed")]
    Failed {
        /// The command line.
        command: String,
    },
    /// A folder that should be there cannot be read or made.
    #[error("`{}` cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A fuzz target found an input on which a parser fails. It has said which, and why.
    #[error("the fuzz target `{target}` fails; its input is in {}, and the next run begins with it", failed.display())]
    Fuzzed {
        /// The name of the target.
        target: String,
        /// The folder of its failures.
        failed: PathBuf,
    },
    /// A release cannot be made.
    #[error(transparent)]
    Dist(#[from] crate::dist::DistError),
    /// A package is needed that cannot be installed from here.
    #[error("this needs Debian's packages {packages} (apt-get install {packages}), and only root can install them")]
    NotRoot {
        /// Their names.
        packages: String,
    },
}

/// The folder that holds the workspace, as cargo says when it starts this program: a build output that several clones share
/// may hold a program that another clone compiled.
pub(crate) fn workspace_root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().unwrap_or_else(|| Path::new(".")).to_owned()
}

/// The folder of cargo's output that this program was built into, wherever that was set to be. `None` if it was moved out of there.
pub(crate) fn cargo_output() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    Some(own.parent()?.parent()?.to_owned())
}

/// Says something to the person who waits. Standard error, because a run's standard output is its programs' own.
pub(crate) fn say(text: &str) {
    // Whoever closed the stream does not want to hear it.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A program that is about to run in the workspace's folder.
#[derive(Debug)]
pub(crate) struct Step {
    command: Command,
}

impl Step {
    /// The cargo that runs this.
    ///
    /// What cargo tells this program about its own package must not reach another cargo: build scripts take it for a
    /// change, and packages such as ring would be compiled anew each time.
    pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut step = Self::program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments);
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in names.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            step.command.env_remove(name);
        }
        step
    }

    /// Any program, with its arguments as they are.
    pub(crate) fn program<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(workspace_root());
        Self { command }
    }

    /// Adds an argument.
    pub(crate) fn and(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds an environment variable.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it and says how long it took.
    pub(crate) fn run(mut self) -> Result<(), StepError> {
        let command = self.to_string();
        say(&format!("\n==> {command}"));
        let begun = Instant::now();
        let status = self.command.status().map_err(|source| {
            let program = self.command.get_program().to_string_lossy().into_owned();
            StepError::Start { program, source }
        })?;
        if !status.success() {
            return Err(StepError::Failed { command });
        }
        say(&format!("==> done in {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let program = PathBuf::from(self.command.get_program());
        f.write_str(&program.file_name().unwrap_or_default().to_string_lossy())?;
        self.command.get_args().try_for_each(|argument| write!(f, " {}", argument.to_string_lossy()))
    }
}
