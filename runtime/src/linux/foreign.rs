//! Descriptors that a function has, or may have had, as well.
//!
//! Whoever closes the last descriptor of a connection waits until what was written has arrived, if one of those who had it has asked
//! for that (`SO_LINGER`), for as long as that one said. A function could so hold up whoever else in the host waits for the same
//! thread, and the descriptor may be of another kind and carry such a connection within it. The kernel spares only those who are about to
//! end (`PF_EXITING`). So these are closed by threads that end of it.
#![expect(unsafe_code, reason = "a thread leaves the table of descriptors that it shares")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use rustix::thread::UnshareFlags;

/// How many descriptors one thread closes at the most.
const AT_ONCE: usize = 1024;

/// How much stack a thread has that does nothing but end.
const STACK_BYTES: usize = 64 * 1024;

/// A descriptor that a function has, or may have had, as well.
#[derive(Debug)]
pub(crate) struct Foreign {
    descriptor: Option<OwnedFd>,
    closing: Closing,
}

/// What it takes to close a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Closing {
    /// As long as a function wants.
    MayWait,
    /// Nothing.
    WaitsForNothing,
}

impl Foreign {
    pub(crate) const fn new(descriptor: OwnedFd) -> Self {
        Self { descriptor: Some(descriptor), closing: Closing::MayWait }
    }

    /// One that may be closed anywhere, because the kernel sees to it that it carries nothing.
    pub(crate) const fn harmless(descriptor: OwnedFd) -> Self {
        Self { descriptor: Some(descriptor), closing: Closing::WaitsForNothing }
    }

    /// The descriptor, for who knows that closing it waits for nothing.
    pub(crate) fn into_inner(mut self) -> Option<OwnedFd> {
        self.descriptor.take()
    }
}

impl AsFd for Foreign {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_ref().expect("it is there until it is dropped").as_fd()
    }
}

impl AsRawFd for Foreign {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        static CLOSER: OnceLock<Mutex<Sender<OwnedFd>>> = OnceLock::new();
        let Some(descriptor) = self.descriptor.take() else { return };
        if self.closing == Closing::WaitsForNothing {
            return;
        }
        let closer = CLOSER.get_or_init(|| Mutex::new(start()));
        // It is only gone if no thread could be made: then it is closed here, by being dropped.
        let _ = closer.lock().unwrap_or_else(PoisonError::into_inner).send(descriptor);
    }
}

/// Starts the thread that has others close what it is sent.
fn start() -> Sender<OwnedFd> {
    let (sender, receiver) = channel();
    if let Err(error) = thread::Builder::new().name("closing".to_owned()).spawn(move || work(&receiver)) {
        tracing::error!(%error, "descriptors of functions are closed where they are used");
    }
    sender
}

fn work(receiver: &Receiver<OwnedFd>) {
    while let Ok(first) = receiver.recv() {
        let batch: Vec<OwnedFd> = std::iter::once(first).chain(receiver.try_iter().take(AT_ONCE - 1)).collect();
        close(batch);
    }
}

/// Closes descriptors by the end of a thread: it takes a table of its own, in which they are as well, so that closing them here is not
/// their end. That comes when the thread has ended.
fn close(batch: Vec<OwnedFd>) {
    let (taken, is_taken) = channel();
    let (closed, is_closed) = channel::<()>();
    let ending = move || {
        // SAFETY: this thread opens, closes and uses no descriptor from here to its end.
        let has_own = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) }.is_ok();
        let _ = taken.send(has_own);
        // An error says the same: nobody is left who would close them.
        let _ = is_closed.recv();
    };
    let started = thread::Builder::new().name("closing-these".to_owned()).stack_size(STACK_BYTES).spawn(ending);
    let has_own = started.is_ok() && is_taken.recv().unwrap_or(false);
    if has_own {
        drop(batch);
    } else {
        // Where threads have no tables of their own, what wants to be waited for is at least kept from the most of it.
        for descriptor in batch {
            let _ = rustix::net::sockopt::set_socket_linger(&descriptor, None);
        }
    }
    drop(closed);
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    /// A connection with much to write, and somebody who wants to wait for that.
    fn lingering() -> (OwnedFd, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        while (&ours).write(&[0; 16 * 1024]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&ours, Some(Duration::from_secs(20))).unwrap();
        (ours.into(), theirs)
    }

    /// Whoever lets go of it waits for nothing, and it is closed all the same: also behind others, and within another.
    #[test]
    fn let_go_of() {
        let begun = Instant::now();
        for carry in [|ours| ours, within_another] {
            let (ours, mut theirs) = lingering();
            drop(Foreign::new(carry(ours)));
            // Behind the first, which would take longer than this story may.
            let (second, mut its_end) = lingering();
            drop(Foreign::new(carry(second)));
            for end in [&mut its_end, &mut theirs] {
                end.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
                let mut read = [0; 16 * 1024];
                while end.read(&mut read).unwrap() > 0 {}
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }

    /// A socket in whose queue another one waits.
    #[expect(clippy::needless_pass_by_value, reason = "it is in the queue alone from then on")]
    fn within_another(descriptor: OwnedFd) -> OwnedFd {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let carried = [descriptor.as_fd()];
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&carried)));
        rustix::net::sendmsg(&theirs, &[std::io::IoSlice::new(b"x")], &mut ancillary, SendFlags::empty()).unwrap();
        ours.into()
    }
}
