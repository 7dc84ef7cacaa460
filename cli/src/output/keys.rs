//! Single keys of a terminal: each is heard as it is pressed, and not shown.

use std::io::{self, IsTerminal as _};

use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, ttyname};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The keys that somebody presses, while this lives. Whatever way the process takes out of it, dropping this gives the terminal back as
/// it was. Ctrl-C and Ctrl-Z go on being what they are, and lines that are written end as before.
#[derive(Debug)]
pub(crate) struct Keys {
    /// What reads a pipe reads a terminal.
    terminal: Receiver,
    before: Termios,
    continued: Signal,
}

impl Keys {
    /// Begins to listen. `None` where standard input is no terminal, or one whose keys are meant for another program.
    pub(crate) fn begin() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stderr().is_terminal() || tcgetpgrp(&stdin)? != rustix::process::getpgrp() {
            return Ok(None);
        }
        // Opened anew: what makes it not wait must not be set for whoever shares standard input.
        let name = ttyname(&stdin, Vec::new())?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = Receiver::from_file_unchecked(rustix::fs::open(name, flags, Mode::empty())?.into())?;
        let before = tcgetattr(&stdin)?;
        let keys =
            Self { terminal, before, continued: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))? };
        keys.take()?;
        Ok(Some(keys))
    }

    /// The next key; `None` when the terminal is gone.
    pub(crate) async fn next(&mut self) -> Option<char> {
        loop {
            tokio::select! {
                key = self.terminal.read_u8() => return key.ok().map(char::from),
                // Whoever stopped this with Ctrl-Z had the terminal meanwhile.
                _ = self.continued.recv() => drop(self.take()),
            }
        }
    }

    fn take(&self) -> io::Result<()> {
        let mut single = self.before.clone();
        single.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &single)?)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
