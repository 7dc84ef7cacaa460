//! Descriptors that a function has, or may have had, as well.
//!
//! Whoever closes the last descriptor of a connection waits until what was written has arrived, if one of those who had it has asked
//! for that (`SO_LINGER`), for as long as that one said. A function could so hold up whoever else in the host waits for the same
//! thread. These are closed by threads that do nothing else.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

/// How many descriptors may wait to be closed before another thread helps.
const WAITING_MOST: usize = 16;

/// How many threads there may be.
const THREADS_MOST: usize = 32;

/// A descriptor that a function has, or may have had, as well.
#[derive(Debug)]
pub(crate) struct Foreign(Option<OwnedFd>);

impl Foreign {
    pub(crate) const fn new(descriptor: OwnedFd) -> Self {
        Self(Some(descriptor))
    }

    /// The descriptor, for who knows that closing it waits for nothing.
    pub(crate) fn into_inner(mut self) -> Option<OwnedFd> {
        self.0.take()
    }
}

impl AsFd for Foreign {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().expect("it is there until it is dropped").as_fd()
    }
}

impl AsRawFd for Foreign {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        static CLOSERS: OnceLock<Closers> = OnceLock::new();
        if let Some(descriptor) = self.0.take() {
            CLOSERS.get_or_init(Closers::new).close(descriptor);
        }
    }
}

/// Threads that close descriptors.
struct Closers {
    sender: Mutex<Sender<OwnedFd>>,
    shared: Arc<Shared>,
}

struct Shared {
    receiver: Mutex<Receiver<OwnedFd>>,
    /// How many are not closed yet.
    waiting: AtomicUsize,
    threads: AtomicUsize,
}

impl Closers {
    fn new() -> Self {
        let (sender, receiver) = channel();
        let shared =
            Shared { receiver: Mutex::new(receiver), waiting: AtomicUsize::new(0), threads: AtomicUsize::new(0) };
        Self { sender: Mutex::new(sender), shared: Arc::new(shared) }
    }

    fn close(&self, descriptor: OwnedFd) {
        let waiting = self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        let threads = self.shared.threads.load(Ordering::Relaxed);
        if threads == 0 || waiting >= WAITING_MOST * threads && threads < THREADS_MOST {
            self.shared.threads.fetch_add(1, Ordering::Relaxed);
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new().name("closing".to_owned()).spawn(move || shared.work());
            if started.is_err() {
                self.shared.threads.fetch_sub(1, Ordering::Relaxed);
            }
        }
        // The receiver is held by the same value, so nobody is ever gone.
        let _ = self.sender.lock().unwrap_or_else(PoisonError::into_inner).send(descriptor);
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let next = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(descriptor) = next else { return };
            // Most that want to hold somebody up are kept from it here.
            let _ = rustix::net::sockopt::set_socket_linger(&descriptor, None);
            drop(descriptor);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
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

    /// Whoever lets go of it waits for nothing, and it is closed all the same.
    #[test]
    fn let_go_of() {
        let (ours, mut theirs) = lingering();
        let begun = Instant::now();
        drop(Foreign::new(ours));
        assert!(begun.elapsed() < Duration::from_secs(5));
        theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).unwrap();
        assert!(!read.is_empty());
    }
}
