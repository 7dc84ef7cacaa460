//! Messages between processes of ship, one value each, with descriptors: host, nursery and cells, and two hosts of which one takes
//! over from the other.
//!
//! The sockets keep the borders of messages (`SOCK_SEQPACKET`), so that one is read whole or not at all.

#![expect(unsafe_code, reason = "no library asks a socket for what is unread")]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::ioctl::Getter;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most descriptors that one message carries.
const MOST_DESCRIPTORS: usize = 12;

/// The longest message, in bytes. A socket takes no longer one unless an administrator allows more; what is long in it is a
/// function's environment.
pub const MOST_BYTES: usize = 192 * 1024;

/// The request that asks a socket how much of what was sent nobody has received. The numbers of requests have 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "it is a constant of 16 bits")]
const UNREAD: rustix::ioctl::Opcode = libc::TIOCOUTQ as rustix::ioctl::Opcode;

/// A pair of connected sockets, closed when a program is executed.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends a value, and copies of descriptors with it.
pub fn send(socket: BorrowedFd<'_>, value: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    if bytes.len() > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the message is too long"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message has too many descriptors"));
    }
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    Ok(())
}

/// Receives a value and the descriptors that came with it; `None` when the other side is gone.
pub fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let Some(length) = waiting(socket)? else { return Ok(None) };
    let mut bytes = vec![0; length.min(MOST_BYTES)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    });
    let length = received?.bytes;
    let rights = |message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    };
    let descriptors = ancillary.drain().filter_map(rights).flatten().collect();
    Ok(Some((serde_json::from_slice(&bytes[..length])?, descriptors)))
}

/// Whether something that was sent was not received yet.
pub(crate) fn is_unread(socket: BorrowedFd<'_>) -> bool {
    // SAFETY: the request writes one integer, which is what it is given.
    let unread = unsafe { rustix::ioctl::ioctl(socket, Getter::<UNREAD, libc::c_int>::new()) };
    unread.is_ok_and(|bytes| bytes > 0)
}

/// The length of the next message, which is not received yet; `None` when the other side is gone. Most are far shorter than the
/// longest.
fn waiting(socket: BorrowedFd<'_>) -> io::Result<Option<usize>> {
    let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
    match rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut [0; 1], flags)) {
        Ok((_, 0)) | Err(rustix::io::Errno::CONNRESET) => Ok(None),
        Ok((_, length)) => Ok(Some(length)),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// A value and a descriptor arrive; a message that is too long is refused; the end is told.
    #[test]
    fn there_and_gone() {
        let (one, other) = pair().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        assert!(!is_unread(one.as_fd()));
        send(one.as_fd(), &"hello", &[writer.as_fd()]).unwrap();
        assert!(is_unread(one.as_fd()));
        drop(writer);
        let (value, descriptors) = receive::<String>(other.as_fd()).unwrap().unwrap();
        assert_eq!((value.as_str(), descriptors.len(), is_unread(one.as_fd())), ("hello", 1, false));
        rustix::io::write(&descriptors[0], b"x").unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0; 4]).unwrap(), 1);
        let error = send(one.as_fd(), &"x".repeat(MOST_BYTES), &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        drop(one);
        assert!(receive::<String>(other.as_fd()).unwrap().is_none());
    }
}
