//! Which release is made: its version, its time, and what its machines are called.

use std::process::Command;

use cargo_metadata::semver::Version;

use super::error::DistError;
use crate::step::workspace_root;

/// The variable that says of which time a release is, in seconds since 1970 (reproducible-builds.org).
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// A release for one kind of machines.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// The version of ship.
    pub(crate) version: Version,
    /// The time that everything in it has, in seconds since 1970: that of the commit.
    pub(crate) at: u64,
    /// The machines.
    pub(crate) machine: Machine,
}

/// A kind of machines, as everybody calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Machine {
    /// Rust.
    pub(crate) target: &'static str,
    /// Debian, and images of containers.
    pub(crate) architecture: &'static str,
}

const MACHINES: [Machine; 2] = [
    Machine { target: "x86_64-unknown-linux-gnu", architecture: "amd64" },
    Machine { target: "aarch64-unknown-linux-gnu", architecture: "arm64" },
];

impl Release {
    /// What the workspace holds, for the machine that this runs on.
    pub(crate) fn of_workspace() -> Result<Self, DistError> {
        let target = format!("{}-unknown-{}-gnu", std::env::consts::ARCH, std::env::consts::OS);
        let machine = MACHINES.into_iter().find(|machine| machine.target == target);
        let machine = machine.ok_or(DistError::Machine { machine: target })?;
        let version = env!("CARGO_PKG_VERSION");
        let version = version.parse().map_err(|_| silent("cargo", version))?;
        Ok(Self { version, at: time()?, machine })
    }

    /// The name of its archive, without an ending, which is the folder in it.
    pub(crate) fn name(&self) -> String {
        format!("ship-{}-{}", self.version, self.machine.target)
    }
}

/// What the variable says, else when the commit was made.
fn time() -> Result<u64, DistError> {
    let given = std::env::var(SOURCE_DATE_EPOCH).ok().and_then(|text| text.parse().ok());
    if let Some(seconds) = given {
        return Ok(seconds);
    }
    let said = ask("git", &["log", "-1", "--format=%ct"])?;
    said.trim().parse().map_err(|_| silent("git log", &said))
}

/// What a program prints.
pub(super) fn ask(program: &str, arguments: &[&str]) -> Result<String, DistError> {
    let command = format!("{program} {}", arguments.join(" "));
    let asked = Command::new(program).args(arguments).current_dir(workspace_root()).output();
    match asked {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(silent(&command, &String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(silent(&command, &error.to_string())),
    }
}

fn silent(command: &str, said: &str) -> DistError {
    DistError::Silent { command: command.to_owned(), said: said.trim().to_owned() }
}

#[cfg(test)]
impl Release {
    /// A release of a day long past.
    pub(super) fn for_tests() -> Self {
        Self { version: Version::new(1, 2, 3), at: 1_000_000_000, machine: MACHINES[0] }
    }
}
