//! The Python that runs functions: the one that a host on this machine would find.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ship_core::DigestHasher;

use super::version::{Version, Wanted};
use crate::environment::{Audience, BuildEnvironment};
use crate::tree::FileStat;

/// The names of the program, in the order in which a host looks for them.
const NAMES: [&str; 2] = ["python3", "python"];

/// The minor versions that are looked for by name where the usual Python is not the one that is asked for, the likeliest first.
const MINORS: [u32; 7] = [12, 13, 14, 11, 10, 9, 8];

/// Has an interpreter tell its version.
const TELL_VERSION: &str = "import sys; print('.'.join(map(str, sys.version_info[:3])))";

/// An interpreter on the search path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    pub(super) version: Version,
    /// The version in its name, where it is not the one that a host starts: functions ask for it by that.
    pub(super) named: Option<String>,
}

impl Interpreter {
    /// The interpreter that a host started here would run functions with.
    pub(super) fn find(environment: &BuildEnvironment) -> Option<Self> {
        let candidates = NAMES.iter().flat_map(|name| environment.search_path().map(move |folder| folder.join(name)));
        let programs = candidates.filter(|program| is_executable(program));
        programs.into_iter().find_map(|program| {
            let version = known_version(&program, environment)?;
            Some(Self { program, version, named: None })
        })
    }

    /// The interpreter with its version in its name that is as all of `wanted` ask for: `python3.12`.
    pub(super) fn find_named(wanted: &[Wanted], environment: &BuildEnvironment) -> Option<Self> {
        let candidates = MINORS.iter().flat_map(|minor| {
            let named = format!("3.{minor}");
            environment.search_path().map(move |folder| (folder.join(format!("python{named}")), named.clone()))
        });
        candidates.into_iter().filter(|(program, _)| is_executable(program)).find_map(|(program, named)| {
            // A script in its place, as version managers have them, may know of no such version.
            let version = known_version(&program, environment)?;
            let is_it = version.short() == named && wanted.iter().all(|wanted| wanted.is_met_by(version));
            is_it.then_some(Self { program, version, named: Some(named) })
        })
    }

    /// A command of this interpreter in a clean environment.
    pub(super) fn command(&self, environment: &BuildEnvironment) -> Command {
        command(&self.program, environment)
    }
}

fn command(program: &Path, environment: &BuildEnvironment) -> Command {
    let mut command = Command::new(program);
    // Version managers choose by the current folder. A host runs functions in a folder of its own.
    command.current_dir("/").env_clear().envs(environment.variables(Audience::Python));
    command
}

/// The version of a program, which is asked once: it is remembered with the state of the program's file. A script in its
/// place, as version managers have them, may answer differently each time.
fn known_version(program: &Path, environment: &BuildEnvironment) -> Option<Version> {
    let note = note(program, environment);
    if let Some(known) = note.as_ref().and_then(|note| std::fs::read_to_string(note).ok()) {
        return Version::parse(&known);
    }
    let output = command(program, environment).args(["-I", "-S", "-c", TELL_VERSION]).output().ok()?;
    let version = Version::parse(std::str::from_utf8(&output.stdout).ok().filter(|_| output.status.success())?)?;
    if let Some(note) = note {
        let written = std::fs::create_dir_all(note.parent().unwrap_or(Path::new(".")))
            .and_then(|()| std::fs::write(&note, version.to_string()));
        if let Err(error) = written {
            tracing::debug!(note = %note.display(), %error, "the version of Python is not remembered");
        }
    }
    Some(version)
}

/// The file in which the version of a program stands.
fn note(program: &Path, environment: &BuildEnvironment) -> Option<PathBuf> {
    let mut magic = [0; 2];
    std::fs::File::open(program).and_then(|mut file| file.read_exact(&mut magic)).ok()?;
    if &magic == b"#!" {
        return None;
    }
    let stat = FileStat::of(&std::fs::metadata(program).ok()?);
    let mut hasher = DigestHasher::new();
    hasher.update_field(program.as_os_str().as_encoded_bytes());
    hasher.update_field(format!("{stat:?}").as_bytes());
    Some(environment.cache_dir.join("python/versions").join(&hasher.finish().to_hex()[..32]))
}

pub(super) fn is_executable(program: &Path) -> bool {
    std::fs::metadata(program).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
