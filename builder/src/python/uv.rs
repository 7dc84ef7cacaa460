//! uv, which installs packages: the one on the search path, or else one that ship fetches itself.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PythonError;
use super::interpreter::is_executable;
use crate::environment::{Audience, BuildEnvironment};
use crate::event::BuildEvent;
use crate::pypi::{self, PinnedWheel, Secrets, Unpacked};

/// The uv that is fetched when there is none.
const PINNED: PinnedWheel = PinnedWheel {
    project: "uv",
    name: "uv 0.13.8",
    reason: "since there is no uv here",
    wheels: &[
        (
            "linux-x86_64",
            "uv-0.13.8-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
        ),
        (
            "linux-aarch64",
            "uv-0.13.8-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
            "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
        ),
        (
            "macos-x86_64",
            "uv-0.13.8-py3-none-macosx_10_12_x86_64.whl",
            "b7124ca1956ec2e476a1003ea5715a15f0266afaec37f4dc9c6972ba8183e6d1",
        ),
        (
            "macos-aarch64",
            "uv-0.13.8-py3-none-macosx_11_0_arm64.whl",
            "62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49",
        ),
    ],
    unpacked: Unpacked::Program("uv-0.13.8.data/scripts/uv"),
};

/// The uv program.
#[derive(Debug)]
pub(super) struct Uv {
    program: PathBuf,
}

/// A command of uv gave nothing.
#[derive(Debug)]
pub(super) enum UvError {
    /// It could not be started.
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It refuses what it was asked for.
    Refused {
        /// What it says, without passwords.
        said: String,
    },
}

impl Uv {
    /// Finds uv, or fetches it.
    pub(super) fn find(environment: &BuildEnvironment, events: &dyn Fn(BuildEvent)) -> Result<Self, PythonError> {
        let on_path = environment.search_path().map(|folder| folder.join("uv")).find(|program| is_executable(program));
        let program = match on_path {
            Some(program) => program,
            None => pypi::fetch(&PINNED, environment, events)?,
        };
        Ok(Self { program })
    }

    /// A command of uv that runs in `folder`. It never looks for another Python than it is told, and never asks anybody.
    pub(super) fn command(&self, folder: &Path, environment: &BuildEnvironment) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env_clear().envs(environment.variables(Audience::Python));
        command.envs(pypi::settings_for_uv(environment));
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

    /// Runs a command of uv and gives what it printed. Nothing that is said of it holds one of `secrets`.
    pub(super) fn run(&self, mut command: Command, secrets: &Secrets) -> Result<String, UvError> {
        tracing::debug!(arguments = ?command.get_args(), "running uv");
        let started = command.output();
        let output = started.map_err(|source| UvError::NotStarted { program: self.program.clone(), source })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let said = text(&output.stderr);
        let said = if said.trim().is_empty() { output.status.to_string() } else { said };
        Err(UvError::Refused { said: secrets.hidden_in(&said) })
    }
}
