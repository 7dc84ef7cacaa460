//! The programs that run artifacts which are no programs themselves: Node, Bun, Deno and Python, as this machine has them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ship_core::FunctionRuntime;

use crate::error::SpawnError;

/// Where interpreters are looked for. They are looked for at each start of a function, so one that was installed after the
/// host began is found too.
#[derive(Clone, Default, Debug)]
pub struct Interpreters {
    folders: Vec<PathBuf>,
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

/// The command line of an instance. Paths in `arguments` are relative to the function's folder.
#[derive(Debug)]
pub(crate) struct Command {
    /// The executable: absolute, or relative to the function's folder.
    pub(crate) program: PathBuf,
    /// The arguments behind the program.
    pub(crate) arguments: &'static [&'static str],
}

impl Interpreters {
    /// Interpreters that stand in one of `folders`, the first that has one. Relative folders mean nothing to a host and are
    /// passed over.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { folders: folders.into_iter().filter(|folder| folder.is_absolute()).collect() }
    }

    /// The folders, as a search path: a function may need an interpreter that has its version in its name.
    pub(crate) fn search_path(&self) -> String {
        let folders: Vec<_> = self.folders.iter().map(|folder| folder.to_string_lossy()).collect();
        folders.join(":")
    }

    /// How an artifact of `runtime` is started.
    pub(crate) fn command(&self, runtime: FunctionRuntime) -> Result<Command, SpawnError> {
        match runtime {
            FunctionRuntime::Node => self.interpreted(&["node"], &["--enable-source-maps", "launcher.mjs"]),
            FunctionRuntime::Bun => self.interpreted(&["bun"], &BUN),
            FunctionRuntime::Deno => self.interpreted(&["deno"], &DENO),
            // Isolated from the host's environment and user packages; unbuffered, so that a printed line is a log line; no
            // `__pycache__`, because the folder is read-only.
            FunctionRuntime::Python => self.interpreted(&["python3", "python"], &["-I", "-u", "-B", "launcher.py"]),
            _ => Ok(Command { program: "./bootstrap".into(), arguments: &[] }),
        }
    }

    fn interpreted(
        &self,
        names: &'static [&'static str],
        arguments: &'static [&'static str],
    ) -> Result<Command, SpawnError> {
        let candidates = names.iter().flat_map(|name| self.folders.iter().map(move |folder| folder.join(name)));
        let is_executable =
            |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        match candidates.into_iter().find(is_executable) {
            Some(program) => Ok(Command { program, arguments }),
            None => Err(SpawnError::NoInterpreter { name: names[0] }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first folder that has an executable of the name wins; what cannot be executed, and relative folders, do not count.
    #[test]
    fn interpreters_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let [empty, plain, first, second] = ["empty", "plain", "first", "second"].map(|name| folder.path().join(name));
        for (place, mode) in [(&plain, 0o644), (&first, 0o755), (&second, 0o755)] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("node"), "").unwrap();
            std::fs::set_permissions(place.join("node"), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let interpreters = Interpreters::new([empty, plain, first.clone(), second]);
        assert_eq!(interpreters.command(FunctionRuntime::Node).unwrap().program, first.join("node"));
        let absent = interpreters.command(FunctionRuntime::Deno).unwrap_err();
        assert_eq!(absent.to_string(), "there is no `deno` on this host");
        let absent = interpreters.command(FunctionRuntime::Python).unwrap_err();
        assert_eq!(absent.to_string(), "there is no `python3` on this host");
        assert!(Interpreters::new(["relative".into()]).folders.is_empty());
    }
}
