//! The Go toolchain: the one on the search path, or else one that ship fetches itself.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{fetch, settings};
use crate::environment::{Audience, BuildEnvironment};
use crate::event::BuildEvent;

/// The toolchain that is fetched when there is none.
pub(super) const PINNED_VERSION: &str = "go1.26.10";

/// The oldest Go that is used where it is found. Older ones cannot fetch the Go that a `go.mod` asks for.
const OLDEST_MINOR_VERSION: u32 = 21;

/// The longest `VERSION` file that is read, in bytes. Go's own has about forty.
const MAX_VERSION_BYTES: usize = 4096;

/// A Go toolchain, perhaps one that is still to be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Toolchain {
    /// Its version, `go1.26.10`.
    pub(crate) version: String,
    source: ToolchainSource,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum ToolchainSource {
    /// The `go` program.
    Installed(PathBuf),
    /// It is not there yet.
    Pinned,
}

/// Finds a toolchain without starting one: the version is read from the files beside the program.
pub(crate) fn find_toolchain(environment: &BuildEnvironment) -> Toolchain {
    let on_path = environment.search_path().map(|folder| folder.join("go"));
    let installed = on_path.filter(|program| is_executable(program)).find_map(|program| {
        let version = version_of(&program).or_else(|| version_asked(&program, environment))?;
        is_recent(&version).then_some(Toolchain { version, source: ToolchainSource::Installed(program) })
    });
    installed.unwrap_or_else(|| {
        let program = fetch::pinned_folder(environment).join("bin/go");
        let source =
            if is_executable(&program) { ToolchainSource::Installed(program) } else { ToolchainSource::Pinned };
        Toolchain { version: PINNED_VERSION.to_owned(), source }
    })
}

impl Toolchain {
    /// The `go` program, fetched first if it is not there.
    pub(super) fn program(
        &self,
        environment: &BuildEnvironment,
        events: &dyn Fn(BuildEvent),
    ) -> Result<PathBuf, ToolchainError> {
        match &self.source {
            ToolchainSource::Installed(program) => Ok(program.clone()),
            ToolchainSource::Pinned => Ok(fetch::fetch_pinned(environment, events)?.join("bin/go")),
        }
    }
}

fn is_executable(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(program).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The version that stands in the toolchain's folder, two levels above the program.
fn version_of(program: &Path) -> Option<String> {
    let root = program.canonicalize().ok()?.parent()?.parent()?.to_owned();
    let text = std::fs::read_to_string(root.join("VERSION")).ok().filter(|text| text.len() <= MAX_VERSION_BYTES)?;
    Some(text.lines().next()?.trim().to_owned()).filter(|version| !version.is_empty())
}

/// The version a program tells of itself: for version managers, which put a script of their own on the search path.
fn version_asked(program: &Path, environment: &BuildEnvironment) -> Option<String> {
    let output = Command::new(program)
        .args(["env", "GOVERSION"])
        .env_clear()
        .envs(environment.variables(Audience::Go))
        .envs(settings::personal(environment))
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    version.starts_with("go").then_some(version)
}

/// Whether a version is new enough. One without a number, built from Go's own sources, is.
fn is_recent(version: &str) -> bool {
    let Some(numbers) = version.strip_prefix("go1.") else { return true };
    let minor: String = numbers.chars().take_while(char::is_ascii_digit).collect();
    minor.parse::<u32>().is_ok_and(|minor| minor >= OLDEST_MINOR_VERSION)
}

/// The `go` line for a module that has none: the toolchain's own language version.
pub(super) fn language_version(version: &str) -> String {
    let numbers = version.strip_prefix("go").unwrap_or_default();
    let mut parts = numbers.split('.').map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>());
    match (parts.next().as_deref(), parts.next()) {
        (Some("1"), Some(minor)) if !minor.is_empty() => format!("1.{minor}"),
        _ => format!("1.{OLDEST_MINOR_VERSION}"),
    }
}

/// There is no Go toolchain, and none could be fetched.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Go has no toolchain for this machine.
    #[error(
        "there is no Go on the search path, and ship has none to fetch for {platform}: install Go from https://go.dev/dl"
    )]
    Platform {
        /// The operating system and processor.
        platform: String,
    },
    /// `GOPROXY` forbids it.
    #[error(
        "there is no Go on the search path, and GOPROXY={proxy} lets none be fetched: install Go from https://go.dev/dl, or set \
         GOPROXY to a proxy"
    )]
    Forbidden {
        /// What `GOPROXY` says.
        proxy: String,
    },
    /// No proxy gave it.
    #[error(
        "there is no Go on the search path, and {version} could not be fetched from {address}: install Go from \
         https://go.dev/dl, or set GOPROXY to a proxy that can be reached"
    )]
    Unreachable {
        /// Which toolchain.
        version: &'static str,
        /// What was asked.
        address: String,
        /// Why it gave nothing.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What arrived is not what was asked for.
    #[error("what {address} gave for {version} is not that toolchain: its digest is {found}, not {expected}")]
    DigestMismatch {
        /// Which toolchain.
        version: &'static str,
        /// Where it came from.
        address: String,
        /// Its digest, as in `go.sum`.
        found: String,
        /// The digest it should have.
        expected: &'static str,
    },
    /// What arrived is no archive that can be unpacked.
    #[error("the archive of {version} cannot be unpacked: {reason}")]
    Archive {
        /// Which toolchain.
        version: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// It could not be written.
    #[error("the Go toolchain could not be stored in `{}`", path.display())]
    Storage {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Old versions are passed over, and what is no release counts as new.
    #[test]
    fn versions() {
        assert!(is_recent("go1.26.10") && is_recent("go1.21") && is_recent("devel go1.27-abcdef"));
        assert!(!is_recent("go1.20.14") && !is_recent("go1.4"));
        assert_eq!(language_version("go1.26.10"), "1.26");
        assert_eq!(language_version("go1.27rc1"), "1.27");
        assert_eq!(language_version("devel go1.28-abc"), "1.21");
    }
}
