//! The Node that functions run with: the one on the search path, or else one that ship fetches itself.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use ship_core::{Digest, DigestHasher};

use super::fetch;
use crate::artifact::ArtifactCache;
use crate::environment::{Audience, BuildEnvironment};
use crate::event::BuildEvent;
use crate::tree::FileStat;

/// The Node that is fetched when there is none.
pub(super) const PINNED_VERSION: &str = "24.21.0";

/// What it is called where it is shown.
pub(super) const PINNED_NAME: &str = "node-v24.21.0";

/// The oldest Node that counts: the first with all that the launcher uses, and that is still maintained.
const OLDEST_MAJOR_VERSION: u32 = 20;

/// Where the fetched Node stands below the folder of toolchains. Its program is `bin/node` in it.
pub fn pinned_node_folder(toolchains: &Path) -> PathBuf {
    toolchains.join(PINNED_NAME)
}

/// Makes sure that there is a Node, by fetching one if need be.
pub(super) fn ensure(
    environment: &BuildEnvironment,
    cache: &ArtifactCache,
    events: &dyn Fn(BuildEvent),
) -> Result<(), NodeError> {
    let pinned = pinned_node_folder(&environment.toolchains_dir);
    if pinned.join("bin/node").is_file() {
        return Ok(());
    }
    let found = environment.search_path().map(|folder| folder.join("node")).find(|program| program.is_file());
    if found.is_some_and(|program| is_recent(&version(&program, environment, cache))) {
        return Ok(());
    }
    fetch::fetch(environment, &pinned, events)
}

/// What a program says its version is. It is asked once: starting it takes longer than a build in which nothing changed.
fn version(program: &Path, environment: &BuildEnvironment, cache: &ArtifactCache) -> String {
    let Some(key) = key(program) else { return String::new() };
    if let Some(known) = cache.notes(&key) {
        return String::from_utf8_lossy(&known).into_owned();
    }
    let output =
        Command::new(program).arg("--version").env_clear().envs(environment.variables(Audience::Node)).output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    cache.keep_notes(&key, version.as_bytes());
    version
}

/// The key of this very program's version.
fn key(program: &Path) -> Option<Digest> {
    let stat = FileStat::of(&std::fs::metadata(program).ok()?);
    let mut hasher = DigestHasher::new();
    hasher.update_field(b"version of node");
    hasher.update_field(program.as_os_str().as_encoded_bytes());
    hasher.update_field(format!("{stat:?}").as_bytes());
    Some(hasher.finish())
}

fn is_recent(version: &str) -> bool {
    let major: String = version.trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
    major.parse::<u32>().is_ok_and(|major| major >= OLDEST_MAJOR_VERSION)
}

/// There is no Node, and none could be fetched.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// There is none to fetch for this machine.
    #[error(
        "there is no Node 20 or newer on the search path, and ship has none to fetch for {platform}: install it from \
         https://nodejs.org"
    )]
    Platform {
        /// The operating system and processor.
        platform: String,
    },
    /// The registry did not give it.
    #[error(
        "there is no Node 20 or newer on the search path, and {PINNED_NAME} could not be fetched from {address}: install it from \
         https://nodejs.org, or name a registry that can be reached in .npmrc"
    )]
    Unreachable {
        /// What was asked.
        address: String,
        /// Why it gave nothing.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What arrived is not what was asked for.
    #[error("what {address} gave for {PINNED_NAME} is not that program: its digest is {found}, not {expected}")]
    DigestMismatch {
        /// Where it came from.
        address: String,
        /// Its digest, as npm writes it.
        found: String,
        /// The digest it should have.
        expected: &'static str,
    },
    /// It could not be written.
    #[error("Node could not be stored in `{}`", path.display())]
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

    /// Old versions count as none, and so does what says nothing.
    #[test]
    fn versions() {
        assert!(is_recent("v20.0.0") && is_recent("v24.21.0") && is_recent("v26.0.0-nightly"));
        assert!(!is_recent("v18.20.4") && !is_recent("v8.1.0") && !is_recent(""));
    }

    /// A program is asked for its version once; another program in its place is asked again.
    #[test]
    fn asked_once() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("node");
        let write = |text: &str| {
            std::fs::write(&program, text).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let environment = crate::testing::environment(folder.path());
        let cache = ArtifactCache::new(folder.path());
        let asked = folder.path().join("asked");
        write(&format!("#!/bin/sh\necho x >> {}\necho v18.1.0\n", asked.display()));
        assert_eq!([(); 2].map(|()| version(&program, &environment, &cache)), ["v18.1.0", "v18.1.0"]);
        assert_eq!(std::fs::read_to_string(&asked).unwrap(), "x\n");
        write("#!/bin/sh\necho v22.12.0 # newer\n");
        assert_eq!(version(&program, &environment, &cache), "v22.12.0");
    }
}
