//! The host before, as the new process sees it.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use ship_core::{DeploymentId, FunctionName};
use ship_edge::{Closing, QuicSecrets};
use tokio_util::sync::CancellationToken;

use super::talk::{Link, Refusal, ToPredecessor, ToSuccessor};
use crate::blocking::blocking;
use crate::journal::Journal;

/// How much longer than its drain timeout the host before is waited for when all of it is to end.
const GRACE: Duration = Duration::from_secs(15);

/// The host from which this process takes over.
#[derive(Clone, Debug)]
pub struct Predecessor {
    link: Link,
}

/// What a host leaves to its successor.
pub(crate) struct Inheritance {
    pub(crate) sites: TcpListener,
    pub(crate) control: TcpListener,
    pub(crate) tls: Option<TcpListener>,
    pub(crate) quic: Option<InheritedQuic>,
    pub(crate) lock: OwnedFd,
    pub(crate) awake: Vec<(DeploymentId, FunctionName)>,
}

/// How it spoke QUIC.
pub(crate) struct InheritedQuic {
    pub(crate) socket: UdpSocket,
    pub(crate) secrets: QuicSecrets,
    /// To the host before, for what is its connections'.
    pub(crate) line: OwnedFd,
}

impl Predecessor {
    /// The host that started this process, at its standard input.
    pub fn at_standard_input() -> io::Result<Self> {
        Ok(Self { link: Link::new(io::stdin().as_fd().try_clone_to_owned()?) })
    }

    /// Tells it why this process does not take over.
    pub fn refuse(&self, refusal: Refusal) {
        // Where it is gone, nobody has to be told.
        let _ = self.link.send_with(&ToPredecessor::Failed(refusal), &[]);
    }

    /// Takes what it leaves, once nothing changes any more.
    pub(crate) async fn inherit(&self) -> io::Result<Inheritance> {
        let link = self.link.clone();
        let (offer, descriptors) = blocking(move || link.receive_with()).await?.ok_or_else(gone)?;
        let ToSuccessor::Offer(offer) = offer else { return Err(gone()) };
        let mut descriptors = descriptors.into_iter();
        let first = (descriptors.next(), descriptors.next(), descriptors.next());
        let (Some(sites), Some(control), Some(lock)) = first else { return Err(gone()) };
        let quic = offer.quic;
        // What comes last is there only together.
        let mut rest: Vec<OwnedFd> = descriptors.collect();
        let quic = quic.and_then(|secrets| {
            let (ours, socket) = (rest.pop()?, rest.pop()?);
            Some(InheritedQuic { socket: socket.into(), secrets, line: ours })
        });
        let tls = rest.pop().map(TcpListener::from);
        self.link.send(ToPredecessor::Hold).await?;
        match self.link.receive().await? {
            Some(ToSuccessor::Still) => {}
            _ => return Err(gone()),
        }
        Ok(Inheritance { sites: sites.into(), control: control.into(), tls, quic, lock, awake: offer.awake })
    }

    /// Says that this process serves. From here on the other one lets nobody in and finishes what it has.
    pub(crate) async fn take_over(self, journal: &Arc<Journal>) -> Farewell {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        if let Err(error) = self.link.send(ToPredecessor::Ready { version }).await {
            tracing::warn!(%error, "the host before is gone");
        }
        let gone = CancellationToken::new();
        let listening = listen(self.link.clone(), Arc::downgrade(journal), gone.clone());
        Farewell { listening: tokio::spawn(listening), link: self.link, gone }
    }
}

/// Wakes who follows a log here whenever the host before has appended to one, until it is gone.
async fn listen(link: Link, journal: std::sync::Weak<Journal>, gone: CancellationToken) {
    let wake = || journal.upgrade().as_deref().map(Journal::wake_followers);
    while let Ok(Some(message)) = link.receive::<ToSuccessor>().await {
        if matches!(message, ToSuccessor::Logged) {
            wake();
        }
    }
    wake();
    tracing::info!("the host before has finished");
    gone.cancel();
}

/// The host before while it finishes what it has.
#[derive(Debug)]
pub(crate) struct Farewell {
    link: Link,
    gone: CancellationToken,
    listening: tokio::task::JoinHandle<()>,
}

impl Farewell {
    /// Waits until the host before is gone. When this one is to end, so is that one, and it gets `drain` for it.
    pub(crate) async fn finish(self, closing: Closing, drain: Duration) {
        let hurried = async {
            closing.hurry().cancelled().await;
            // Where it is gone already, that is what was wanted.
            let _ = self.link.send(ToPredecessor::Finish).await;
            tokio::time::sleep(drain + GRACE).await;
            tracing::warn!("the host before does not end");
        };
        tokio::select! {
            () = self.gone.cancelled() => {}
            () = hurried => {}
        }
        self.link.close();
        if self.listening.await.is_err() {
            tracing::error!("listening to the host before panicked");
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the host to take over from is gone, or hands over something else")
}
