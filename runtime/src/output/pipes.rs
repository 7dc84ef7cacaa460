//! The pipes that an instance prints into.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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

    /// Whether something was printed and not read yet, as the kernel says: the pipes may be watched on another thread than the
    /// connection on which the answer came, and what watches them may learn of the output later than of the answer.
    pub(crate) fn unread(&self) -> Unread {
        let open = [&self.stdout, &self.stderr].into_iter().filter(|pipe| pipe.is_open());
        let mut polled: Vec<PollFd<'_>> = open.map(|pipe| PollFd::new(pipe.end.get_ref(), PollFlags::IN)).collect();
        match poll(&mut polled, Some(&Timespec::default())) {
            Ok(0) => Unread::Nothing,
            Ok(_) | Err(_) => Unread::Some,
        }
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

    /// Reads once.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Piece {
        if !self.is_open() {
            return Piece::Nothing;
        }
        let mut read = |end: &OwnedFd| loop {
            match rustix::io::read(end, &mut *buffer) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        };
        // The first way tells what watches the pipe that it is empty; but it may not know yet that it is not.
        let result = match self.end.try_io(Interest::READABLE, &mut read) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => read(self.end.get_ref()),
            result => result,
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
