//! The socket that a host speaks QUIC at, and how it goes on from one process to the next.
//!
//! Over UDP there are no sockets of connections: all datagrams come to the one that both processes have. So the successor reads it, and
//! passes what belongs to a connection of the process before on to it, over a socket between the two. Whose a datagram is stands in it:
//! connections have ids that a process makes with a key of its own, and it tells its successor the key.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ring::{hkdf, hmac};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde::{Deserialize, Serialize};

use super::line::Line;

/// What a process and its successors have to know of each other's connections.
#[derive(Clone, Serialize, Deserialize)]
pub struct QuicSecrets {
    /// What all of them prove with that a datagram's answer is the host's.
    seed: [u8; 32],
    /// The keys of ids: its own, and those of the processes before it that may still live.
    pub(super) keys: Vec<u64>,
}

impl QuicSecrets {
    /// Those of a host that follows nobody.
    fn new() -> io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        Ok(Self { seed, keys: vec![new_key()?] })
    }

    /// Those of a successor.
    pub(super) fn next(mut self) -> io::Result<Self> {
        self.keys.insert(0, new_key()?);
        Ok(self)
    }

    /// With this a visitor is told that nobody knows their connection any more (RFC 9000, section 10.3).
    pub(super) fn reset_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.seed)
    }

    /// With this what visitors show is sealed who were asked to show where they are.
    pub(super) fn token_key(&self) -> hkdf::Prk {
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"where a visitor is").extract(&self.seed)
    }
}

impl fmt::Debug for QuicSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicSecrets").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

fn new_key() -> io::Result<u64> {
    let mut key = [0; 8];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(u64::from_ne_bytes(key))
}

/// The socket that a host speaks QUIC at.
#[derive(Debug)]
pub struct QuicDoor {
    pub(super) socket: UdpSocket,
    pub(super) secrets: QuicSecrets,
    /// To the process before.
    pub(super) before: Option<OwnedFd>,
    pub(super) handover: QuicHandover,
}

impl QuicDoor {
    /// A socket that nobody else reads.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        Ok(Self { socket, secrets: QuicSecrets::new()?, before: None, handover: QuicHandover::default() })
    }

    /// The socket of a process that lives on: what it left to this one.
    pub fn after(socket: UdpSocket, secrets: QuicSecrets, line: OwnedFd) -> io::Result<Self> {
        let handover = QuicHandover::default();
        Ok(Self { socket, secrets: secrets.next()?, before: Some(line), handover })
    }

    /// What a successor takes over. It may never come to that.
    pub fn offer(&self) -> io::Result<(QuicSecrets, OwnedFd)> {
        Ok((self.secrets.clone(), self.socket.as_fd().try_clone_to_owned()?))
    }

    /// How this process goes on once there is a successor.
    pub fn handover(&self) -> QuicHandover {
        self.handover.clone()
    }
}

/// How a process goes on to serve its connections once another one reads the socket. Clones are the same.
#[derive(Clone, Default)]
pub struct QuicHandover(Arc<Handover>);

#[derive(Default)]
struct Handover {
    line: Mutex<Option<OwnedFd>>,
    is_begun: AtomicBool,
}

impl QuicHandover {
    /// A line to a successor: its end of it. What comes over it is read from the moment in which the listener is left.
    pub fn line(&self) -> io::Result<OwnedFd> {
        // Whole datagrams go over it, and each side sees when the other is gone.
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        self.0.is_begun.store(true, Ordering::SeqCst);
        *self.0.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(ours);
        Ok(theirs)
    }

    /// There is no successor after all.
    pub fn forget(&self) {
        *self.0.line.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.is_begun.store(false, Ordering::SeqCst);
    }

    /// Whether another process may read the socket by now.
    pub(super) fn is_begun(&self) -> bool {
        self.0.is_begun.load(Ordering::Relaxed)
    }

    /// The line to the successor, if there is one.
    pub(super) fn take(&self) -> Option<io::Result<Line>> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner).take().map(Line::new)
    }
}

impl fmt::Debug for QuicHandover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuicHandover(…)")
    }
}
