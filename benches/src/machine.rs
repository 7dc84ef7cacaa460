//! The machine the figures were measured on, and what was measured: without them they say nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use ship_core::Digest;

use crate::peer::Peer;

/// What there is to say about a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The processor's name for itself.
    pub(crate) processor: String,
    /// How many of its cores there are for programs.
    pub(crate) cores: usize,
    /// Memory, in MiB.
    pub(crate) memory_mib: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// What `ship --version` says.
    pub(crate) ship: String,
    /// The digest of the binary that was measured.
    pub(crate) digest: String,
    /// The commit that was checked out, and whether files differed from it.
    pub(crate) commit: String,
    /// When the run began, in RFC 3339.
    pub(crate) measured_at: String,
    /// What made the load on static files and functions.
    pub(crate) load: String,
    /// Versions of what ship is compared to.
    pub(crate) versions: Vec<String>,
}

impl Facts {
    /// Whether figures of both may stand in one table: the same binary on the same machine.
    pub(crate) fn are_comparable(&self, other: &Self) -> bool {
        let key = |facts: &Self| {
            let Self { processor, cores, memory_mib, kernel, digest, load, .. } = facts.clone();
            (processor, cores, memory_mib, kernel, digest, load)
        };
        key(self) == key(other)
    }
}

/// This machine and the binary that is measured on it.
pub(crate) fn facts(load: String) -> Facts {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = value(&meminfo, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let binary = ship_tests::ship_binary();
    Facts {
        processor: value(&cpuinfo, "model name").unwrap_or_else(|| "unknown processor".to_owned()),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: memory.unwrap_or(0) / 1024,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        ship: first_line(binary, &["--version"]).unwrap_or_default(),
        digest: Digest::of(&fs::read(binary).unwrap_or_default()).to_string(),
        commit: commit(),
        measured_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        load,
        versions: versions(),
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(ship_tests::workspace_root()).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default();
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    if is_changed { format!("{commit}, changed") } else { commit }
}

/// Versions of what ship is compared to, as far as it is here.
pub(crate) fn versions() -> Vec<String> {
    let asked = [("go", "version"), ("git", "--version"), ("rsync", "--version"), ("node", "--version")];
    let said = asked.into_iter().filter_map(|(program, argument)| {
        let line = first_line(Path::new(program), &[argument])?;
        let version =
            line.split(' ').find(|word| word.contains('.'))?.trim_start_matches(|c: char| !c.is_ascii_digit());
        Some(format!("{program} {version}"))
    });
    said.chain(Peer::ALL.into_iter().filter_map(Peer::version)).collect()
}

/// The version of Go that is on `PATH`, without its last part, as `go.mod` has it.
pub(crate) fn go_version() -> Option<String> {
    let line = first_line("go".as_ref(), &["version"])?;
    let version = line.split(' ').find_map(|word| word.strip_prefix("go1."))?;
    Some(format!("1.{}", version.split('.').next()?))
}

/// The first line that a program says.
pub(crate) fn first_line(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
}

/// A folder that outlives a run, in cargo's output: what is compared is installed once.
pub(crate) fn kept_folder() -> PathBuf {
    let program = std::env::current_exe().expect("the running program has a path");
    program.ancestors().nth(2).unwrap_or(Path::new("target")).join("ship-bench")
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, memory_mib, kernel, ship, commit, measured_at, load, versions, .. } = self;
        writeln!(f, "{processor}, {cores} cores, {memory_mib} MiB, Linux {kernel}")?;
        writeln!(f, "{ship} ({commit}), {measured_at}; load by {load}")?;
        writeln!(f, "{}", versions.join("; "))?;
        f.write_str("median [least – greatest]; all sides of a line took turns in one run")
    }
}
