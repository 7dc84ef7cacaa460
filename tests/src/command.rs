//! Running `ship` as a person would, and all that can be seen of it.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use rustix::process::Signal;

use crate::environment::TestEnv;
use crate::filters::without_heartbeats;
use crate::lines::Lines;
use crate::processes::Process;

/// A `ship` command that is about to run in the environment of a test.
#[derive(Debug)]
#[must_use]
pub struct ShipCommand<'e> {
    environment: &'e TestEnv,
    arguments: Vec<OsString>,
    folder: PathBuf,
    variables: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    wrapper: Vec<OsString>,
    typing: bool,
}

impl<'e> ShipCommand<'e> {
    pub(crate) fn new<A: AsRef<OsStr>>(environment: &'e TestEnv, arguments: impl IntoIterator<Item = A>) -> Self {
        Self {
            environment,
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            folder: environment.folder().to_owned(),
            variables: Vec::new(),
            input: Vec::new(),
            wrapper: Vec::new(),
            typing: false,
        }
    }

    /// Runs it in `folder`.
    pub fn within(mut self, folder: impl AsRef<Path>) -> Self {
        folder.as_ref().clone_into(&mut self.folder);
        self
    }

    /// Runs it with one more environment variable.
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Gives it further arguments.
    pub fn and<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Gives it something to read.
    pub fn reading(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Has it started by another program, which gets these arguments, then the path of `ship` and its arguments.
    pub fn started_by<A: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = A>) -> Self {
        self.wrapper = wrapper.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// Starts it on a terminal of so many columns, at which somebody sits: see [`RunningShip::type_keys`]. All that it writes is on
    /// [`RunningShip::stdout`].
    #[track_caller]
    pub fn start_on_terminal(mut self, columns: u16) -> RunningShip<'e> {
        // `script` makes the terminal; the line for its shell is put together of the words behind the script's own. In the end it says
        // how the terminal is then.
        let line = format!(
            "exec script -qfec \"stty cols {columns}; sh -c 'echo \\$\\$ > ship.pid; exec $*'; code=\\$?; stty -a; exit \\$code\" /dev/null"
        );
        self.wrapper = ["setsid", "sh", "-c", &line, "sh"].map(Into::into).to_vec();
        self.variables.insert(0, ("TERM".into(), "xterm".into()));
        self.typing = true;
        self.spawn()
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> CommandOutput {
        self.spawn().finish()
    }

    /// Starts it and lets it run, in a session of its own, as service managers do. Where the kernel shares processors out by session (`autogroup` in
    /// `sched(7)`), a server and the visitors of its story would be one group otherwise, and beside a group as busy as that Linux 6.18 lets
    /// functions, which are in groups of their own, wait for seconds.
    #[track_caller]
    pub fn start(mut self) -> RunningShip<'e> {
        self.wrapper.insert(0, "setsid".into());
        self.spawn()
    }

    #[track_caller]
    fn spawn(self) -> RunningShip<'e> {
        let ship = [crate::ship_binary().as_os_str().to_owned()];
        let mut words = self.wrapper.iter().chain(&ship).chain(&self.arguments);
        let mut command = Command::new(words.next().expect("there is at least ship itself"));
        command.args(words).current_dir(&self.folder).env_clear().envs(self.environment.variables());
        command.envs(self.variables).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ship starts");
        let mut input = child.stdin.take().expect("the input is a pipe");
        // A command that does not read its input may be gone by now.
        let _ = input.write_all(&self.input);
        let keyboard = self.typing.then_some(input);
        let stdout = Lines::of(child.stdout.take().expect("the output is a pipe"));
        let stderr = Lines::of(child.stderr.take().expect("the error output is a pipe"));
        RunningShip {
            environment: self.environment,
            folder: self.folder,
            child: Some(child),
            stdout: Some(stdout),
            stderr: Some(stderr),
            keyboard,
        }
    }
}

/// A `ship` that runs. It is asked to end when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct RunningShip<'e> {
    environment: &'e TestEnv,
    folder: PathBuf,
    child: Option<Child>,
    keyboard: Option<ChildStdin>,
    stdout: Option<Lines>,
    stderr: Option<Lines>,
}

impl RunningShip<'_> {
    /// The process.
    pub fn process(&self) -> Process {
        Process::with_id(self.child.as_ref().expect("the child is there until it is finished").id())
    }

    /// Presses keys at its terminal.
    #[track_caller]
    pub fn type_keys(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("it was started on a terminal");
        keyboard.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// Sends a signal to the `ship` at its terminal.
    #[track_caller]
    pub fn signal_at_terminal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.folder.join("ship.pid")).expect("it was started on a terminal");
        Process::with_id(pid.trim().parse().expect("it is a number")).signal(signal);
    }

    /// What it prints on its standard output.
    pub fn stdout(&mut self) -> &mut Lines {
        self.stdout.as_mut().expect("the lines are there until it is finished")
    }

    /// What it says on its standard error output.
    pub fn stderr(&mut self) -> &mut Lines {
        self.stderr.as_mut().expect("the lines are there until it is finished")
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> CommandOutput {
        let pid = self.process();
        pid.wait_for_end();
        let status = self.child.take().expect("it was not finished before").wait().expect("a child can be waited for");
        let stdout = self.stdout.take().expect("it was not finished before").until_end();
        let stderr = without_heartbeats(&self.stderr.take().expect("it was not finished before").until_end());
        self.environment.filters().learn(&stdout);
        self.environment.filters().learn(&stderr);
        let snapshot = self.environment.filters().apply(&rendered(status, &stdout, &stderr));
        CommandOutput { status, stdout, stderr, snapshot }
    }

    /// Asks it to end and waits until it has.
    #[track_caller]
    pub fn terminate(self) -> CommandOutput {
        self.process().signal(Signal::TERM);
        self.finish()
    }

    /// Ends it at once, as a power cut would, and waits until it is gone.
    #[track_caller]
    pub fn kill(self) -> CommandOutput {
        self.process().signal(Signal::KILL);
        self.finish()
    }
}

impl Drop for RunningShip<'_> {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let process = Process::with_id(child.id());
        if std::thread::panicking() {
            // The story has failed already, perhaps because this does not end.
            let _ = child.kill();
        } else {
            process.signal(Signal::TERM);
            process.wait_for_end();
        }
        let _ = child.wait();
    }
}

fn rendered(status: ExitStatus, stdout: &str, stderr: &str) -> String {
    let code = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
    format!("exit code: {code}\n----- stdout -----\n{stdout}----- stderr -----\n{stderr}")
}

/// All that can be seen of a command that ended.
#[derive(Debug)]
#[must_use]
pub struct CommandOutput {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    snapshot: String,
}

impl CommandOutput {
    /// Exit code and both streams, without what differs from run to run: what a story compares.
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// What it printed.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// What it said.
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// The exit code, `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The same output, of a command that succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        self.exits_with(0)
    }

    /// The same output, of a command that ended with `code`.
    #[track_caller]
    pub fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "ship ended differently:\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The URL that a deploy printed.
    #[track_caller]
    pub fn url(&self) -> String {
        let url = self.stdout.strip_suffix('\n').unwrap_or_default();
        let is_of_web = url.starts_with("http://") || url.starts_with("https://");
        assert!(is_of_web && !url.contains(char::is_whitespace), "no URL on stdout: {}", self.stdout);
        url.to_owned()
    }

    /// The one JSON document that it printed.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}{}", self.stdout, self.stderr))
    }
}
