//! Running what builds a frontend: its output goes to a log file, and line by line to whoever listens. It runs in a process
//! group of its own, which ends with the build.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::FrontendError;
use crate::event::BuildEvent;
use crate::interrupt::{Interrupt, Interrupted};

/// How many of the last lines are shown of a command that failed.
const LAST_LINES: usize = 30;

/// The longest line that is kept for showing, in bytes. The log has all of it.
const MAX_LINE_BYTES: usize = 2_000;

/// The most bytes a log may have: a command that prints without end fills no disk.
const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;

/// A command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CommandLine {
    /// A program and its arguments.
    Program(Vec<String>),
    /// A line for a shell, which the project's owner wrote for one. Nothing is ever put into it.
    Shell(String),
}

impl CommandLine {
    /// As a person would type it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Program(words) => words.join(" "),
            Self::Shell(line) => line.clone(),
        }
    }

    fn command(&self, search_path: &[PathBuf]) -> Command {
        match self {
            Self::Shell(line) => {
                let mut command = Command::new("/bin/sh");
                command.arg("-c").arg(line);
                command
            }
            Self::Program(words) => {
                let (program, arguments) = words.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
                let mut command = Command::new(find_program(program, search_path).unwrap_or_else(|| program.into()));
                command.args(arguments);
                command
            }
        }
    }
}

/// The file of a program in the first of `folders` that has it.
pub(super) fn find_program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let is_program =
        |file: &PathBuf| file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    folders.iter().map(|folder| folder.join(name)).find(is_program)
}

/// How commands run in one build.
pub(super) struct Runner<'r> {
    pub(super) folder: &'r Path,
    pub(super) search_path: Vec<PathBuf>,
    pub(super) variables: Vec<(OsString, OsString)>,
    pub(super) interrupt: &'r Interrupt,
    pub(super) log: PathBuf,
    /// Told of each line.
    pub(super) events: &'r dyn Fn(BuildEvent),
    /// An empty file whose lock says that this runs. Commands find it as their input, so where ship is killed and they go on,
    /// the lock is theirs, and nobody else begins before they have ended.
    pub(super) turn: Option<&'r File>,
}

impl Runner<'_> {
    /// Runs a command to its end, and gives the last lines that it printed. `key` is what it is called in configuration.
    pub(super) fn run(&self, key: &'static str, line: &CommandLine) -> Result<Vec<String>, FrontendError> {
        let failed = |source| FrontendError::CannotRun { key, command: line.shown(), source };
        let mut log = self.open_log().map_err(|source| FrontendError::Log { path: self.log.clone(), source })?;
        let _ = writeln!(log, "$ {}", line.shown());
        let (status, tail) = self.follow(line, log).map_err(failed)?;
        if status.success() {
            return Ok(tail.into_lines());
        }
        if self.interrupt.is_raised() {
            return Err(FrontendError::Interrupted(Interrupted));
        }
        let (command, log) = (line.shown(), self.log.clone());
        Err(FrontendError::CommandFailed { key, command, status, last_lines: tail.into_lines(), log })
    }

    fn open_log(&self) -> io::Result<File> {
        std::fs::create_dir_all(self.log.parent().unwrap_or(Path::new(".")))?;
        File::options().create(true).append(true).open(&self.log)
    }

    /// Starts the command, and reads what it prints until it ends.
    fn follow(&self, line: &CommandLine, mut log: File) -> io::Result<(ExitStatus, Tail)> {
        let (reader, writer) = io::pipe()?;
        let mut command = line.command(&self.search_path);
        command.current_dir(self.folder).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("PATH", std::env::join_paths(&self.search_path).map_err(io::Error::other)?);
        let input = self.turn.map(File::try_clone).transpose()?.map_or_else(Stdio::null, Stdio::from);
        command.stdin(input).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        let mut child = command.spawn()?;
        // Holds the writing ends of the pipe, which would keep it from ending.
        drop(command);
        let group = self.interrupt.watch(child.id());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(move || {
                let status = child.wait();
                // What it left running holds its output open, and nobody waits for that.
                drop(group.end());
                status
            });
            let tail = self.read(reader, &mut log);
            let status = waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok((status, tail?))
        })
    }

    /// Passes on what is printed, until nobody can print any more.
    fn read(&self, reader: PipeReader, log: &mut File) -> io::Result<Tail> {
        let mut tail = Tail::default();
        let mut logged = 0;
        let mut reader = BufReader::new(reader);
        loop {
            let mut bytes = Vec::new();
            if reader.by_ref().take(1024 * 1024).read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            logged += bytes.len() as u64;
            if logged <= MAX_LOG_BYTES {
                log.write_all(&bytes)?;
            }
            let text = plain(&bytes);
            (self.events)(BuildEvent::FrontendPrinted { line: text.clone() });
            tail.push(text);
        }
        Ok(tail)
    }
}

/// A printed line without its end, without what colours it, and not longer than a person would read.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.trim_end().chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            if characters.next_if_eq(&'[').is_some() {
                // The parameters of a control sequence, and the letter that ends it.
                while characters.next().is_some_and(|part| !part.is_ascii_alphabetic()) {}
            }
        } else if character == '\t' || !character.is_control() {
            plain.push(character);
        }
        if plain.len() > MAX_LINE_BYTES {
            plain.push('…');
            break;
        }
    }
    plain
}

/// The last lines that were printed.
#[derive(Default)]
struct Tail {
    lines: std::collections::VecDeque<String>,
}

impl Tail {
    fn push(&mut self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        if self.lines.len() == LAST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn run(line: &CommandLine) -> (Result<Vec<String>, FrontendError>, Vec<String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/build.log");
        let (lines, interrupt) = (RefCell::new(Vec::new()), Interrupt::default());
        let runner = Runner {
            folder: folder.path(),
            search_path: vec!["/usr/bin".into(), "/bin".into()],
            variables: vec![("NAME".into(), "value".into())],
            interrupt: &interrupt,
            log: log.clone(),
            events: &|event| {
                if let BuildEvent::FrontendPrinted { line } = event {
                    lines.borrow_mut().push(line);
                }
            },
            turn: None,
        };
        let result = runner.run("command", line);
        (result, lines.into_inner(), std::fs::read_to_string(log).unwrap())
    }

    /// A shell line is the owner's, with all a shell can do; both outputs arrive in order, in the log and without colours.
    #[test]
    fn shell_lines() {
        let line = "printf '\\033[31mred\\033[0m %s\\n' \"$NAME\" && echo second >&2";
        let (result, lines, log) = run(&CommandLine::Shell(line.to_owned()));
        result.unwrap();
        assert_eq!(lines, ["red value", "second"]);
        assert_eq!(log, format!("$ {line}\n\u{1b}[31mred\u{1b}[0m value\nsecond\n"));
    }

    /// A program gets its words as they are.
    #[test]
    fn programs() {
        let words = ["echo", "$NAME", "a;b"].map(str::to_owned).to_vec();
        let (result, lines, _) = run(&CommandLine::Program(words));
        result.unwrap();
        assert_eq!(lines, ["$NAME a;b"]);
    }

    /// What a command leaves running ends with it.
    #[test]
    fn left_running() {
        let (result, lines, _) = run(&CommandLine::Shell("sleep 1000 & echo $!".to_owned()));
        result.unwrap();
        let left = lines[0].parse::<i32>().ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let is_running = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", left.as_raw_nonzero())).unwrap_or_default();
            !(state.is_empty() || state.contains(") Z "))
        };
        while is_running() {
            assert!(std::time::Instant::now() < deadline, "it still runs");
            std::thread::yield_now();
        }
    }

    /// What failed is named with its end, its last lines and the place of the rest.
    #[test]
    fn failure() {
        let (result, ..) = run(&CommandLine::Shell("seq 100; exit 7".to_owned()));
        let Err(FrontendError::CommandFailed { key, command, status, last_lines, log }) = result else { panic!() };
        assert_eq!((key, command.as_str(), status.code()), ("command", "seq 100; exit 7", Some(7)));
        assert_eq!(last_lines, (71..=100).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(log.ends_with("logs/build.log"));
    }
}
