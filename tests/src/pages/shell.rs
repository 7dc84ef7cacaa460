//! The terminal of somebody who follows a page: a folder and variables that stay from one line to the next, and `ship` on the search path.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::lines::Lines;
use crate::processes::Process;
use crate::{TestEnv, ship_binary};

/// What stands around each line: what was exported before it is there, and what it leaves is noted.
const BEFORE: &str = "exec 2>&1; [ ! -e \"$NOTED/exported\" ] || . \"$NOTED/exported\"\n";
const AFTER: &str = "\ncode=$?; pwd > \"$NOTED/folder\"; export -p > \"$NOTED/exported\"; exit $code";

/// A terminal.
#[derive(Debug)]
pub(super) struct Shell<'e> {
    environment: &'e TestEnv,
    folder: PathBuf,
    noted: PathBuf,
    left: Vec<Left>,
}

/// A command that was left running.
#[derive(Debug)]
struct Left {
    child: Child,
    // Held so that it can go on printing.
    _printed: Lines,
}

/// What a line printed, and the code that it ended with.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) code: Option<i32>,
}

impl<'e> Shell<'e> {
    /// A terminal in an empty folder.
    pub(super) fn new(environment: &'e TestEnv) -> Self {
        let folder = environment.folder().join("projects");
        let noted = environment.folder().join("noted");
        fs::create_dir_all(&folder).expect("the folder is writable");
        fs::create_dir_all(noted.join("bin")).expect("the folder is writable");
        // At a terminal it shows no progress beside what it prints.
        fs::write(environment.folder().join("home/.curlrc"), "silent\nshow-error\n").expect("the folder is writable");
        std::os::unix::fs::symlink(ship_binary(), noted.join("bin/ship")).expect("the folder is writable");
        Self { environment, folder, noted, left: Vec::new() }
    }

    /// The folder it is in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Types a line, and waits until it has ended.
    #[track_caller]
    pub(super) fn type_line(&mut self, line: &str) -> Printed {
        let mut child = self.command(&format!("{BEFORE}{line}{AFTER}")).spawn().expect("there is a shell");
        let printed = Lines::of(child.stdout.take().expect("the output is a pipe"));
        let text = printed.until_end();
        let code = child.wait().expect("a child can be waited for").code();
        if let Ok(folder) = fs::read_to_string(self.noted.join("folder")) {
            self.folder = PathBuf::from(folder.trim_end());
        }
        Printed { text, code }
    }

    /// Types a line, waits for so many that it prints, and leaves it running.
    #[track_caller]
    pub(super) fn leave_line(&mut self, line: &str, awaited: usize) -> String {
        let mut child = self.command(&format!("{BEFORE}exec {line}")).spawn().expect("there is a shell");
        let mut printed = Lines::of(child.stdout.take().expect("the output is a pipe"));
        let begun: Vec<String> = (0..awaited).map(|_| printed.wait_for(|line| !line.is_empty())).collect();
        self.left.push(Left { child, _printed: printed });
        begun.join("\n")
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&self.folder).env_clear().envs(self.environment.variables());
        command.env("PATH", self.search_path()).env("NOTED", &self.noted);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// The search path of the environment, and before it the folder that holds `ship`.
    fn search_path(&self) -> OsString {
        let path = self.environment.variables().find(|(name, _)| *name == "PATH").map(|(_, path)| path.to_owned());
        let mut whole = self.noted.join("bin").into_os_string();
        whole.push(":");
        whole.push(path.unwrap_or_default());
        whole
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        for Left { child, .. } in &mut self.left {
            Process::with_id(child.id()).signal(Signal::TERM);
            let _ = child.wait();
        }
    }
}
