//! The framework's process with all that it has started: a process group, whose output is shown line by line.

use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use ship_builder::DevServer;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::dev::Console;
use crate::output::plain;

/// How long it may take to end when it is asked to. Whoever pressed Ctrl-C waits for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many of its last lines are shown when it ended by itself.
const LAST_LINES: usize = 30;

/// The longest line that is shown, in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// A process that runs.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    readers: JoinSet<()>,
    tail: Arc<Mutex<VecDeque<String>>>,
}

/// How a process ended by itself.
pub(super) struct Ended {
    /// In a few words.
    pub(super) how: String,
    /// What it said last.
    pub(super) last_lines: Vec<String>,
}

impl Ended {
    pub(super) fn of(how: &str) -> Self {
        Self { how: how.to_owned(), last_lines: Vec::new() }
    }
}

impl Process {
    /// Starts `server` at `port`. Where it names one of the first part of `address` it means the second.
    pub(super) fn start(
        server: &DevServer,
        port: u16,
        console: &Console,
        address: ([String; 2], String),
    ) -> io::Result<Self> {
        let mut command = Command::from(server.command(port));
        // Several of these servers end with their input, so they do not stay when the dev server is killed.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let tail = Arc::new(Mutex::new(VecDeque::with_capacity(LAST_LINES)));
        let mut readers = JoinSet::new();
        let address = Arc::new(address);
        let teller = |tail: &Arc<Mutex<VecDeque<String>>>| {
            let (console, tail, address) = (console.clone(), Arc::clone(tail), Arc::clone(&address));
            let name = server.name.to_lowercase();
            move |line: String| {
                let line = address.0.iter().fold(line, |line, named| line.replace(named.as_str(), &address.1));
                console.of_framework(&name, &line);
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                if tail.len() == LAST_LINES {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
        };
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(read(stdout, teller(&tail)));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read(stderr, teller(&tail)));
        }
        Ok(Self { child, group, readers, tail })
    }

    /// Waits until it ends by itself. May be called again if it is dropped before.
    pub(super) async fn ended(&mut self) -> Ended {
        let status = self.child.wait().await;
        // What it said last may still be on its way.
        let _ = tokio::time::timeout(PATIENCE, async { while self.readers.join_next().await.is_some() {} }).await;
        let how = match status {
            Ok(status) => format!("it ended with {status}"),
            Err(error) => format!("it is gone: {error}"),
        };
        let last_lines = self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        Ended { how, last_lines }
    }

    /// Ends it with all that it has started.
    pub(super) async fn end(mut self) {
        self.signal(Signal::TERM);
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        self.signal(Signal::KILL);
        let _ = self.child.wait().await;
        self.readers.shutdown().await;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone is fine.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Hands on each line that is printed.
async fn read(stream: impl AsyncRead + Unpin, tell: impl Fn(String)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!((&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await, Ok(1..)) {
        let text = without_escapes(&String::from_utf8_lossy(&line));
        if !text.trim().is_empty() {
            tell(plain(text.trim_end()));
        }
        line.clear();
    }
}

/// A line without what colours it or moves the cursor.
fn without_escapes(text: &str) -> String {
    let mut rest = text.chars().peekable();
    let mut plain = String::with_capacity(text.len());
    while let Some(character) = rest.next() {
        if character == '\u{1b}' {
            if rest.next_if_eq(&'[').is_some() {
                // The parameters of a control sequence, and the letter that ends it.
                while rest.next().is_some_and(|part| !part.is_ascii_alphabetic()) {}
            }
        } else if character != '\r' {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colours of a tool are not ours to pass on.
    #[test]
    fn escapes() {
        assert_eq!(without_escapes("\u{1b}[32m➜\u{1b}[39m  Local\r\n"), "➜  Local\n");
        assert_eq!(without_escapes("\u{1b}"), "");
    }
}
