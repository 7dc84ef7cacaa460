//! The pipes that an instance prints into.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::requests::Unread;
use crate::linux::watch::watch;

/// The reading ends of an instance's standard output and error.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(super) stdout: Pipe,
    pub(super) stderr: Pipe,
}

impl Pipes {
    /// Takes two pipes whose reading does not block.
    pub(crate) fn new(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Self> {
        Ok(Self { stdout: Pipe::new(stdout)?, stderr: Pipe::new(stderr)? })
    }

    /// Whether something was printed and not read yet.
    pub(crate) fn unread(&self) -> Unread {
        if self.stdout.has_unread() || self.stderr.has_unread() { Unread::Some } else { Unread::Nothing }
    }

    /// Waits until there is something to read. Never returns once both have ended.
    pub(crate) async fn readable(&self) {
        tokio::select! {
            _ = self.stdout.end.readable(), if self.stdout.is_open() => {}
            _ = self.stderr.end.readable(), if self.stderr.is_open() => {}
            else => std::future::pending().await,
        }
    }
}

/// How a pipe is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading {
    /// Only if the I/O driver says that there is something, so that an empty pipe costs no system call.
    IfReady,
    /// Whatever the I/O driver says.
    Always,
}

/// What a read gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// This many bytes.
    Bytes(usize),
    /// There is nothing now, or never again.
    Nothing,
}

/// One reading end.
#[derive(Debug)]
pub(super) struct Pipe {
    end: AsyncFd<OwnedFd>,
    is_open: AtomicBool,
}

impl Pipe {
    fn new(end: OwnedFd) -> io::Result<Self> {
        Ok(Self { end: watch(end)?, is_open: AtomicBool::new(true) })
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// As far as the I/O driver knows. It learns of output no later than of the response that was sent after it, so at the
    /// end of a request the answer is right, and it costs no system call.
    fn has_unread(&self) -> bool {
        self.is_open() && self.end.try_io(Interest::READABLE, |_| Ok(())).is_ok()
    }

    /// Reads once.
    pub(super) fn read(&self, reading: Reading, buffer: &mut [u8]) -> Piece {
        if !self.is_open() {
            return Piece::Nothing;
        }
        let mut read = |end: &OwnedFd| loop {
            match rustix::io::read(end, &mut *buffer) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        };
        let result = match reading {
            Reading::IfReady => self.end.try_io(Interest::READABLE, read),
            Reading::Always => read(self.end.get_ref()),
        };
        match result {
            Ok(length @ 1..) => Piece::Bytes(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Piece::Nothing,
            Ok(_) | Err(_) => {
                self.is_open.store(false, Ordering::Relaxed);
                Piece::Nothing
            }
        }
    }
}
