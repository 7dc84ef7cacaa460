//! The lines a process prints, as it prints them.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::PATIENCE;

/// Lines that arrive from a stream. Reading goes on in a thread of its own, so that the process never waits for the story.
#[derive(Debug)]
pub struct Lines {
    // The lock is never waited for: it only makes what holds these lines fit to be looked at by several threads.
    receiver: Mutex<Receiver<String>>,
    seen: Vec<String>,
}

impl Lines {
    /// Begins to read.
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        // The thread ends with the stream, which ends with the process that writes it.
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { receiver: Mutex::new(receiver), seen: Vec::new() }
    }

    /// The next line, or `None` at the end.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        match self.receiver.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line came; before:\n{}", self.seen.join("\n")),
        }
    }

    /// Waits for a line that fits and gives it back.
    #[track_caller]
    pub fn wait_for(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        while let Some(line) = self.next_line() {
            if fits(&line) {
                return line;
            }
            assert!(Instant::now() < deadline, "the line never came; before:\n{}", self.seen.join("\n"));
        }
        panic!("the stream ended without the line; it said:\n{}", self.seen.join("\n"));
    }

    /// Everything there is until the stream ends.
    #[track_caller]
    pub fn until_end(mut self) -> String {
        while self.next_line().is_some() {}
        self.text()
    }

    /// What was read so far.
    pub fn text(&self) -> String {
        self.seen.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}
