//! uv, which installs packages: the one on the search path, or else one that ship fetches itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PythonError;
use super::interpreter::is_executable;
use super::{index, uv_fetch};
use crate::environment::BuildEnvironment;
use crate::event::BuildEvent;

/// The uv program.
#[derive(Debug)]
pub(super) struct Uv {
    program: PathBuf,
}

impl Uv {
    /// Finds uv, or fetches it.
    pub(super) fn find(environment: &BuildEnvironment, events: &dyn Fn(BuildEvent)) -> Result<Self, PythonError> {
        let on_path = environment.search_path().map(|folder| folder.join("uv")).find(|program| is_executable(program));
        let program = match on_path {
            Some(program) => program,
            None => uv_fetch::fetch(environment, events)?,
        };
        Ok(Self { program })
    }

    /// A command of uv that runs in `folder`. It never looks for another Python than it is told, and never asks anybody.
    pub(super) fn command(&self, folder: &Path, environment: &BuildEnvironment) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env_clear().envs(environment.variables());
        if let Some(index) = index::index_for_uv(environment) {
            command.env("UV_DEFAULT_INDEX", index);
        }
        let fixed = [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("LC_ALL", "C"),
            ("NO_COLOR", "1"),
            ("UV_NO_PROGRESS", "1"),
            ("UV_PYTHON_DOWNLOADS", "never"),
        ];
        command.envs(fixed);
        command
    }

    /// Runs a command of uv and gives what it printed, or else what it said.
    pub(super) fn run(&self, mut command: Command) -> Result<Result<String, String>, PythonError> {
        tracing::debug!(?command, "running uv");
        let started = command.output();
        let output = started.map_err(|source| PythonError::NotStarted { program: self.program.clone(), source })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(Ok(text(&output.stdout)));
        }
        let said = text(&output.stderr);
        Ok(Err(if said.trim().is_empty() { output.status.to_string() } else { said }))
    }
}
