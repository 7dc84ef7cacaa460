//! The programs that run artifacts which are no programs themselves: Node, Bun, Deno and Python, as this machine has them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ship_core::FunctionRuntime;

use crate::error::SpawnError;
use crate::prelude::{KnownLauncher, KnownPackage};

/// Where interpreters are looked for. They are looked for again after each start of a function, so one that was installed after
/// the host began is found too.
#[derive(Clone, Default, Debug)]
pub struct Interpreters {
    folders: Vec<PathBuf>,
    /// The launcher of Node that functions are expected to have.
    launcher: Option<Arc<KnownLauncher>>,
    /// The package by which functions in Python are expected to be started.
    python_launcher: Option<Arc<KnownPackage>>,
    /// What was found behind the names.
    known: Arc<Mutex<HashMap<PathBuf, Option<Installed>>>>,
    /// What the last look has found.
    found: Arc<Mutex<HashMap<FunctionRuntime, Command>>>,
    /// Who looks.
    turn: Arc<Mutex<()>>,
}

/// Bun without what it would do by itself: fetch packages that are missing, and read settings that lie about.
const BUN: [&str; 4] = ["--no-install", "--no-env-file", "--config=/dev/null", "launcher.mjs"];

/// Deno as Node is: allowed everything that the process is, and fetching nothing. Packages are those in `node_modules`.
const DENO: [&str; 10] = [
    "run",
    "--allow-all",
    "--cached-only",
    "--no-config",
    "--no-lock",
    "--no-remote",
    "--node-modules-dir=manual",
    "--quiet",
    // A request's signal speaks of visitors who left, and of nothing else.
    "--unstable-no-legacy-abort",
    "launcher.mjs",
];

/// Python isolated from the host's environment and user packages; unbuffered, so that a printed line is a log line; no
/// `__pycache__`, because the folder is read-only.
const PYTHON: [&str; 4] = ["-I", "-u", "-B", "launcher.py"];

/// The newest 3.x that is looked for by its name.
const NEWEST_PYTHON: u32 = 20;

/// What each interpreter says when it is asked where it really is. Names may be those of scripts that choose a version.
const NODE_SAYS: [&str; 2] = ["-p", "process.execPath"];
const BUN_SAYS: [&str; 2] = ["-e", "console.log(process.execPath)"];
const DENO_SAYS: [&str; 2] = ["eval", "console.log(Deno.execPath())"];
const PYTHON_SAYS: [&str; 3] =
    ["-I", "-c", "import sys; print(getattr(sys, '_base_executable', None) or sys.executable)"];

/// The command line of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// The executable: absolute, or relative to the function's folder.
    pub(crate) program: PathBuf,
    /// The arguments behind the program. Paths are relative to the function's folder.
    pub(crate) arguments: &'static [&'static str],
    /// Files and folders that it needs beside the system's.
    pub(crate) visible: Vec<PathBuf>,
    /// Folders with interpreters of other versions, which it may go on as.
    pub(crate) alternatives: Vec<PathBuf>,
    /// What tells an interpreter from one that is put in its place.
    pub(crate) stamp: Stamp,
}

/// What tells a program from another one at the same path.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Stamp {
    /// In bytes.
    pub(crate) size: u64,
    /// When it was written, in seconds since 1970.
    pub(crate) modified: i64,
}

impl Stamp {
    /// That of an executable; `None` if there is none.
    fn of_executable(path: &Path) -> Option<Self> {
        let file = path.metadata().ok()?;
        let is_executable = file.is_file() && file.permissions().mode() & 0o111 != 0;
        is_executable.then(|| Self { size: file.size(), modified: file.mtime() })
    }
}

impl Command {
    /// That of an artifact which is a program itself.
    pub(crate) fn native() -> Self {
        Self {
            program: "./bootstrap".into(),
            arguments: &[],
            visible: Vec::new(),
            alternatives: Vec::new(),
            stamp: Stamp::default(),
        }
    }
}

/// An interpreter as it is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Installed {
    /// The program itself, behind all links and scripts.
    program: PathBuf,
    /// What it reads.
    visible: Vec<PathBuf>,
}

impl Interpreters {
    /// Interpreters that stand in one of `folders`, the first that has one. Relative folders mean nothing to a host and are
    /// passed over.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let folders = folders.into_iter().filter(|folder| folder.is_absolute()).collect();
        Self {
            folders,
            launcher: None,
            python_launcher: None,
            known: Arc::default(),
            found: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// The same, where functions in Node are expected to have this launcher. Processes are prepared for those that do.
    #[must_use]
    pub fn with_launcher(self, launcher: KnownLauncher) -> Self {
        Self { launcher: Some(Arc::new(launcher)), ..self }
    }

    /// The same, where functions in Python are expected to be started by this package.
    #[must_use]
    pub fn with_python_launcher(self, launcher: KnownPackage) -> Self {
        Self { python_launcher: Some(Arc::new(launcher)), ..self }
    }

    /// The package by which functions in Python are expected to be started.
    pub(crate) fn python_launcher(&self) -> Option<&KnownPackage> {
        self.python_launcher.as_deref()
    }

    /// The launcher of Node that functions are expected to have.
    pub(crate) fn launcher(&self) -> Option<&KnownLauncher> {
        self.launcher.as_deref()
    }

    /// What the last look has found, if that is still there: a look goes through all folders for some names.
    pub(crate) fn found(&self, runtime: FunctionRuntime) -> Option<Command> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(&runtime).cloned();
        let command = found?;
        let stamp = Stamp::of_executable(&command.program)?;
        let mut others = command.visible.iter().filter(|path| **path != command.program);
        others.all(|path| path.exists()).then_some(Command { stamp, ..command })
    }

    /// How an artifact of `runtime` is started. The first time, this may start the interpreter to ask it where it is; who comes
    /// meanwhile waits for the answer.
    pub(crate) fn look(&self, runtime: FunctionRuntime) -> Result<Command, SpawnError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let command = self.look_for(runtime)?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(runtime, command.clone());
        Ok(command)
    }

    fn look_for(&self, runtime: FunctionRuntime) -> Result<Command, SpawnError> {
        match runtime {
            FunctionRuntime::Node => self.interpreted(&["node"], &NODE_SAYS, &["--enable-source-maps", "launcher.mjs"]),
            FunctionRuntime::Bun => self.interpreted(&["bun"], &BUN_SAYS, &BUN),
            FunctionRuntime::Deno => self.interpreted(&["deno"], &DENO_SAYS, &DENO),
            FunctionRuntime::Python => self.python(),
            _ => Ok(Command::native()),
        }
    }

    /// Python, and beside it those of other versions: a function may need one.
    fn python(&self) -> Result<Command, SpawnError> {
        let mut command = self.interpreted(&["python3", "python"], &PYTHON_SAYS, &PYTHON)?;
        let others: Vec<PathBuf> =
            (8..=NEWEST_PYTHON).filter_map(|version| self.find(&format!("python3.{version}"))).collect();
        // Scripts that stand for interpreters take their time to answer.
        let others: Vec<Option<Installed>> = thread::scope(|scope| {
            let ask = |path: &PathBuf| {
                let path = path.clone();
                scope.spawn(move || self.installed(&path, &PYTHON_SAYS))
            };
            let asked: Vec<_> = others.iter().map(ask).collect();
            asked.into_iter().map(|answer| answer.join().ok().flatten()).collect()
        });
        for other in others.into_iter().flatten() {
            command.alternatives.extend(other.program.parent().map(Path::to_owned));
            command.visible.extend(other.visible);
        }
        command.visible.sort_unstable();
        command.visible.dedup();
        Ok(command)
    }

    fn interpreted(
        &self,
        names: &'static [&'static str],
        says: &[&str],
        arguments: &'static [&'static str],
    ) -> Result<Command, SpawnError> {
        let found = names.iter().find_map(|name| self.find(name));
        let stamped = found.and_then(|path| {
            let installed = self.installed(&path, says)?;
            Some((Stamp::of_executable(&installed.program)?, installed))
        });
        let (stamp, Installed { program, visible }) = stamped.ok_or(SpawnError::NoInterpreter { name: names[0] })?;
        Ok(Command { program, arguments, visible, alternatives: Vec::new(), stamp })
    }

    /// The first executable of a name.
    fn find(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(name)).find(|path| Stamp::of_executable(path).is_some())
    }

    /// What stands behind a path.
    fn installed(&self, path: &Path, says: &[&str]) -> Option<Installed> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(installed) = known().get(path) {
            return installed.clone();
        }
        let installed = Installed::behind(path, says);
        known().insert(path.to_owned(), installed.clone());
        installed
    }
}

impl Installed {
    fn behind(path: &Path, says: &[&str]) -> Option<Self> {
        let program = if is_script(path) { ask(path, says)? } else { path.to_owned() };
        let program = fs::canonicalize(program).ok()?;
        // The library of Python is found from where the program stands; others hold theirs.
        let library = program.parent().and_then(Path::parent).map(|prefix| prefix.join("lib"));
        let is_python = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"));
        let library = library.filter(|library| is_python && library.is_dir());
        let visible = std::iter::once(program.clone()).chain(library).collect();
        Some(Self { program, visible })
    }
}

/// Whether it is a text for another program: version managers put such in the place of interpreters.
fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"#!"
}

/// The path that an interpreter says it has.
fn ask(path: &Path, says: &[&str]) -> Option<PathBuf> {
    let output = Program::new(path).args(says).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let said = PathBuf::from(text.trim());
    (output.status.success() && said.is_absolute()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The first folder that has an executable of the name wins; what cannot be executed, and relative folders, do not count.
    #[test]
    fn interpreters_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(folder.path()).unwrap();
        let [empty, plain, first, second] = ["empty", "plain", "first", "second"].map(|name| base.join(name));
        for (place, mode) in [(&plain, 0o644), (&first, 0o755), (&second, 0o755)] {
            put(&place.join("node"), "", mode);
        }
        let interpreters = Interpreters::new([empty, plain, first.clone(), second]);
        assert_eq!(interpreters.look(FunctionRuntime::Node).unwrap().program, first.join("node"));
        let absent = interpreters.look(FunctionRuntime::Deno).unwrap_err();
        assert_eq!(absent.to_string(), "there is no `deno` on this host");
        let absent = interpreters.look(FunctionRuntime::Python).unwrap_err();
        assert_eq!(absent.to_string(), "there is no `python3` on this host");
        assert!(Interpreters::new(["relative".into()]).folders.is_empty());
    }

    /// A script that stands for an interpreter is asked which one it is; its library is what functions see, and those of other
    /// versions are there beside it. A script that fails stands for nothing.
    #[test]
    fn scripts_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(folder.path()).unwrap();
        let (shims, real, other) =
            (base.join("shims"), base.join("3.11/bin/python3.11"), base.join("3.12/bin/python3.12"));
        put(&real, "", 0o755);
        put(&other, "", 0o755);
        fs::create_dir_all(base.join("3.11/lib")).unwrap();
        put(&shims.join("python3"), &format!("#!/bin/sh\necho {}\n", real.display()), 0o755);
        put(&shims.join("python3.12"), &format!("#!/bin/sh\necho {}\n", other.display()), 0o755);
        put(&shims.join("node"), "#!/bin/sh\nexit 1\n", 0o755);
        let interpreters = Interpreters::new([shims]);
        let python = interpreters.look(FunctionRuntime::Python).unwrap();
        assert_eq!(python.program, real);
        assert_eq!(python.visible, [real, base.join("3.11/lib"), other.clone()]);
        assert_eq!(python.alternatives, [other.parent().unwrap()]);
        assert!(interpreters.look(FunctionRuntime::Node).is_err());
    }

    /// Whoever needs an interpreter while it is being asked waits for the same answer.
    #[test]
    fn scripts_are_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(folder.path()).unwrap();
        let (shim, real, asked) = (base.join("shims/node"), base.join("real/node"), base.join("asked"));
        put(&real, "", 0o755);
        put(&shim, &format!("#!/bin/sh\necho asked >> {}\necho {}\n", asked.display(), real.display()), 0o755);
        let interpreters = Interpreters::new([base.join("shims")]);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(interpreters.look(FunctionRuntime::Node).unwrap().program, real));
            }
        });
        assert_eq!(fs::read_to_string(asked).unwrap(), "asked\n");
    }
}
