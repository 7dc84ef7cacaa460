//! Descriptors that come along with what is read from a local socket.
//!
//! Whoever writes to a local socket may send descriptors with it (`unix(7)`, `SCM_RIGHTS`). A reader that makes no room for them has the kernel
//! close them in the reading thread, which can take as long as the sender wants (see [`super::foreign`]), and so does one that
//! closes the socket with messages in its queue. Functions have no reason to send any with their answers.
#![expect(unsafe_code, reason = "the option is younger than the libraries")]

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use super::foreign::Foreign;

/// Has the kernel refuse to send descriptors to a socket (`SO_PASSRIGHTS`, since Linux 6.16).
const PASS_RIGHTS: libc::c_int = 83;

/// The most descriptors that one message carries (`SCM_MAX_FD`).
const MOST_IN_MESSAGE: usize = 253;

/// Whether descriptors may come along with what is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rights {
    /// They may: each read makes room for them, and the socket is closed like those that a function has.
    MayCome,
    /// The kernel refuses them.
    Refused,
}

/// Has the kernel refuse to send descriptors to this socket, if it can.
pub(crate) fn refuse(socket: &OwnedFd) -> Rights {
    let no: libc::c_int = 0;
    let Ok(length) = libc::socklen_t::try_from(size_of_val(&no)) else { return Rights::MayCome };
    let (descriptor, value) = (socket.as_raw_fd(), (&raw const no).cast());
    // SAFETY: the value is a number of the length that is given, and outlives the call.
    let code = unsafe { libc::setsockopt(descriptor, libc::SOL_SOCKET, PASS_RIGHTS, value, length) };
    if code == 0 { Rights::Refused } else { Rights::MayCome }
}

/// Reads, and lets go of descriptors where that holds up nobody.
pub(crate) fn read_without(socket: impl AsFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    receive(socket, buffer, drop)
}

/// Reads, with the descriptors that come along.
pub(crate) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    mut take: impl FnMut(Foreign),
) -> rustix::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_IN_MESSAGE))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            descriptors.map(Foreign::new).for_each(&mut take);
        }
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{self, IoSlice};
    use std::os::unix::net::UnixStream;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

    use super::*;

    fn send_along(socket: &UnixStream, descriptor: &OwnedFd) -> rustix::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let carried = [descriptor.as_fd()];
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&carried)));
        rustix::net::sendmsg(socket, &[IoSlice::new(b"text")], &mut ancillary, SendFlags::empty())
    }

    /// Where the kernel can, it refuses them; what is read is the text in either case, and what came along is closed.
    #[test]
    fn descriptors_come_along_or_not() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (reading, writing) = io::pipe().unwrap();
        send_along(&theirs, &writing.into()).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(read_without(&ours, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"text");
        // The pipe ends when its last writer is closed.
        assert_eq!(io::copy(&mut &reading, &mut io::sink()).unwrap(), 0);

        let ours = OwnedFd::from(ours);
        let (_, writing) = io::pipe().unwrap();
        let sent = refuse(&ours);
        let refused = send_along(&theirs, &writing.into());
        assert_eq!(
            (sent == Rights::Refused, sent == Rights::Refused),
            (refused.is_err(), refused == Err(rustix::io::Errno::PERM))
        );
    }
}
