//! A function's end of a connection, as this process sees it: bytes in, bytes out, and nothing that waits.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use rustix::net::SendFlags;
use tokio::io::unix::AsyncFd;

use super::foreign::Foreign;
use super::message;
use super::rights::{self, Rights};
use super::watch::{watch_for_room, watch_foreign};

/// A connected socket that does not block.
///
/// It is watched for something to read, and only that: a local socket says that it can be written to each time the other
/// side has read, and each of these wakes would cost a request as much as its answer does. Room for writing is watched
/// through a second descriptor, made when there is none for the first time.
#[derive(Debug)]
pub(crate) struct FunctionSocket {
    /// Before `reading`, so that it is closed first: the last descriptor of the socket is the one that is let go of where that holds up
    /// nobody.
    writing: OnceLock<AsyncFd<OwnedFd>>,
    reading: AsyncFd<Foreign>,
    descriptors: Rights,
}

impl FunctionSocket {
    /// Watches a connected socket, by the async runtime that this is called on.
    pub(crate) fn new(socket: OwnedFd, descriptors: Rights) -> io::Result<Self> {
        let socket = match descriptors {
            Rights::MayCome => Foreign::new(socket),
            Rights::Refused => Foreign::harmless(socket),
        };
        Ok(Self { writing: OnceLock::new(), reading: watch_foreign(socket)?, descriptors })
    }

    /// Reads what there is. Zero is the end.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.reading.poll_read_ready(cx))?;
            match retry(|| self.read(&mut *buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Ok(length) if 0 < length && length < buffer.len() => {
                    // That was all: whatever comes later is announced anew.
                    guard.clear_ready();
                    return Poll::Ready(Ok(length));
                }
                result => return Poll::Ready(result),
            }
        }
    }

    fn read(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match self.descriptors {
            Rights::Refused => rustix::io::read(self.reading.get_ref(), buffer),
            Rights::MayCome => rights::read_without(self.reading.get_ref(), buffer),
        }
    }

    /// Writes what there is room for.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let send = || retry(|| rustix::net::send(self.reading.get_ref(), bytes, SendFlags::NOSIGNAL));
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
        loop {
            let mut guard = ready!(self.writing()?.poll_write_ready(cx))?;
            match send() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                result => return Poll::Ready(result),
            }
        }
    }

    fn writing(&self) -> io::Result<&AsyncFd<OwnedFd>> {
        if let Some(writing) = self.writing.get() {
            return Ok(writing);
        }
        let second = self.reading.get_ref().as_fd().try_clone_to_owned()?;
        let watched = watch_for_room(second)?;
        Ok(self.writing.get_or_init(|| watched))
    }

    /// Whether the other side has taken all that was written.
    pub(crate) fn is_read(&self) -> bool {
        !message::is_unread(self.reading.get_ref().as_fd())
    }

    /// Ends the connection in both directions, whoever else still holds it.
    pub(crate) fn shut_down(&self) {
        // If the other side was quicker, there is nothing left to end.
        let _ = rustix::net::shutdown(self.reading.get_ref(), rustix::net::Shutdown::Both);
    }

    /// Says that nothing more is written.
    pub(crate) fn end_writing(&self) {
        let _ = rustix::net::shutdown(self.reading.get_ref(), rustix::net::Shutdown::Write);
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
