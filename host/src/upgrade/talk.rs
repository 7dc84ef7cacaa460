//! What a host and its successor say to each other, over a socket that the successor was started with.
//!
//! ```text
//! host                                   successor
//!   Offer: sockets, the lock        ──▶    reads its options
//!   ends what changes the state     ◀──    Hold
//!   Still                           ──▶    opens the store, loads the map, warms functions
//!   lets nobody in any more         ◀──    Ready: serves from here on
//!   Logged, whenever it wrote a log ──▶    wakes who follows
//!   hurries                         ◀──    Finish: somebody wants all of it to end
//! ```
//!
//! Whichever is gone, the other sees the end of the socket. Before `Ready` that means that nothing has happened.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ship_core::{DeploymentId, FunctionName};
use ship_edge::QuicSecrets;
use ship_runtime::message;

use crate::blocking::blocking;

/// What a host says to its successor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToSuccessor {
    /// What it takes over. With it come the sockets of the sites and of the control API, the lock of the data directory, and the
    /// socket for TLS if there is one.
    Offer(Offer),
    /// Nothing changes the state any more.
    Still,
    /// Something was appended to a log.
    Logged,
}

/// What a successor takes over, besides descriptors.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Offer {
    /// The functions that are awake.
    pub(super) awake: Vec<(DeploymentId, FunctionName)>,
    /// Where HTTP/3 is spoken: what has to be known of connections. Its socket, and a line for what is the other process's, come last.
    #[serde(default)]
    pub(super) quic: Option<QuicSecrets>,
}

/// What a successor says to the host before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToPredecessor {
    /// End what changes the state, and begin nothing that does.
    Hold,
    /// It serves.
    Ready {
        /// The version of ship that it is.
        version: String,
    },
    /// It does not start.
    Failed(Refusal),
    /// End soon.
    Finish,
}

/// Why a successor does not start, in its own words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// What went wrong.
    pub message: String,
    /// What had caused it, the nearest first.
    pub causes: Vec<String>,
}

/// One end of the conversation. Clones are the same end.
#[derive(Clone, Debug)]
pub(super) struct Link(Arc<OwnedFd>);

impl Link {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self(Arc::new(socket))
    }

    pub(super) async fn send<M>(&self, message: M) -> io::Result<()>
    where
        M: Serialize + Send + 'static,
    {
        let link = self.clone();
        blocking(move || link.send_with(&message, &[])).await
    }

    /// Sends a message and copies of descriptors. Blocks while the other side does not listen.
    pub(super) fn send_with(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        message::send(self.0.as_fd(), message, descriptors)
    }

    /// The next message, and `None` when the other side is gone.
    pub(super) async fn receive<M>(&self) -> io::Result<Option<M>>
    where
        M: DeserializeOwned + Send + 'static,
    {
        let link = self.clone();
        Ok(blocking(move || link.receive_with()).await?.map(|(message, _)| message))
    }

    /// The same, with the descriptors that came with it. Blocks.
    pub(super) fn receive_with<M: DeserializeOwned>(&self) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
        message::receive(self.0.as_fd())
    }

    /// Ends the conversation for both sides, also where somebody still listens here.
    pub(super) fn close(&self) {
        // It fails where the other side is gone already.
        let _ = rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Both);
    }
}
