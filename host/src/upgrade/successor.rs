//! The new process, as the host that starts it sees it.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use ship_edge::Closing;
use ship_runtime::message;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::conductor::{Estate, UpgradeError};
use super::talk::{Link, Offer, ToPredecessor, ToSuccessor};
use super::warming::awake_functions;
use crate::server::Ready;

/// How long a new process may take until it serves, apart from waiting for changes that are under way.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How long changes that are under way may take to end: a deploy starts its functions, which may take as long as they are given.
const HOLD_TIMEOUT: Duration = Duration::from_mins(1);

/// How a successor is started.
#[derive(Clone, Debug)]
pub struct SuccessorCommand {
    /// The program that this host was started from, by the path at which a newer one would stand.
    pub program: PathBuf,
    /// Its arguments. They tell it that it takes over, and finds the host before it at its standard input.
    pub arguments: Vec<OsString>,
    /// Told of the new process before anybody else is.
    pub handed_over: OnHandover,
    /// What this process does once it has nothing more to do.
    pub afterwards: AfterHandover,
}

/// What is told of how an upgrade went: the process id of a successor that serves, or where this host is, which goes on.
#[derive(Clone)]
pub struct OnHandover {
    moved: Arc<dyn Fn(u32) + Send + Sync>,
    stayed: Arc<dyn Fn(&Ready) + Send + Sync>,
}

impl OnHandover {
    /// Tells `moved` of a successor that serves, and `stayed` when there was none.
    pub fn new(moved: impl Fn(u32) + Send + Sync + 'static, stayed: impl Fn(&Ready) + Send + Sync + 'static) -> Self {
        Self { moved: Arc::new(moved), stayed: Arc::new(stayed) }
    }

    pub(super) fn has_moved(&self, pid: u32) {
        (self.moved)(pid);
    }

    pub(super) fn has_stayed(&self, ready: &Ready) {
        (self.stayed)(ready);
    }
}

impl fmt::Debug for OnHandover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnHandover(…)")
    }
}

/// What a process does that has handed over and has finished what it had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterHandover {
    /// It ends. Whoever looks after it was told of its successor, or nobody does.
    Ends,
    /// It stays until its successors have ended, because whoever started it takes its end for the end of the host.
    Stays,
}

/// A new process that serves.
#[derive(Debug)]
pub(crate) struct Successor {
    pub(super) pid: u32,
    pub(super) version: String,
    link: Link,
}

impl Successor {
    /// Starts `program` and leads it to where it serves, unless the host is `closed` meanwhile. When this fails the process has ended;
    /// changes may still be held.
    pub(super) async fn raise(
        program: &Path,
        command: &SuccessorCommand,
        estate: &Estate,
        closed: &CancellationToken,
    ) -> Result<Self, UpgradeError> {
        let cannot_start = |source| UpgradeError::Spawn { program: program.to_owned(), source };
        let (ours, theirs) = message::pair().map_err(cannot_start)?;
        let link = Link::new(ours);
        // A group of its own, so that all of it can be ended. A terminal's Ctrl-C comes by way of this process.
        let child = Command::new(program).args(&command.arguments).stdin(Stdio::from(theirs)).process_group(0).spawn();
        let mut child = child.map_err(cannot_start)?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let led = closed.run_until_cancelled(Self::lead(&link, estate)).await.unwrap_or(Err(UpgradeError::NotMine));
        let error = match (led, child.id()) {
            (Ok(Some(version)), Some(pid)) => return Ok(Self { pid, version, link }),
            (Ok(_), _) => ended(&mut child).await,
            (Err(error), _) => error,
        };
        // Whoever still listens on a thread of its own is woken.
        link.close();
        // What it has started has the socket as well, and with it the descriptors that were sent: the lock would not be free any more.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        if let Err(error) = child.kill().await {
            tracing::warn!(%error, "a process that was to take over cannot be ended");
        }
        Err(error)
    }

    /// Answers the new process until it serves: its version; `None` if it has gone away.
    async fn lead(link: &Link, estate: &Estate) -> Result<Option<String>, UpgradeError> {
        let quic = estate.sockets.quic.as_ref();
        let awake = awake_functions(&estate.runtime);
        let offer = ToSuccessor::Offer(Offer { awake, quic: quic.map(|quic| quic.secrets.clone()) });
        let passed_on = quic.map(|quic| quic.handover.line()).transpose().map_err(UpgradeError::Line)?;
        let lock = estate.store.lock_handle().ok().flatten().ok_or(UpgradeError::NotMine)?;
        let mut descriptors = vec![estate.sockets.sites.as_fd(), estate.sockets.control.as_fd(), lock.as_fd()];
        descriptors.extend(estate.sockets.tls.as_ref().map(OwnedFd::as_fd));
        descriptors.extend(quic.map(|quic| quic.socket.as_fd()));
        descriptors.extend(passed_on.as_ref().map(OwnedFd::as_fd));
        if link.send_with(&offer, &descriptors).is_err() {
            return Ok(None);
        }
        drop(descriptors);
        drop((lock, passed_on));
        loop {
            let received = timeout(START_TIMEOUT, link.receive()).await;
            match received.map_err(|_| UpgradeError::Silent)?.ok().flatten() {
                Some(ToPredecessor::Hold) => {
                    timeout(HOLD_TIMEOUT, estate.changes.hold()).await.map_err(|_| UpgradeError::Busy)?;
                    if link.send(ToSuccessor::Still).await.is_err() {
                        return Ok(None);
                    }
                }
                Some(ToPredecessor::Ready { version }) => return Ok(Some(version)),
                Some(ToPredecessor::Failed(refusal)) => return Err(UpgradeError::Refused(refusal)),
                Some(ToPredecessor::Finish) | None => return Ok(None),
            }
        }
    }

    /// Tells the successor whenever a log was written here, and hurries when it asks for that, until this process has finished.
    pub(crate) async fn follow(self, mut written: watch::Receiver<u64>, closing: Closing, finished: impl Future) {
        let listening = async {
            while let Ok(Some(message)) = self.link.receive::<ToPredecessor>().await {
                if matches!(message, ToPredecessor::Finish) {
                    closing.stop();
                }
            }
            // It waits for this process before it ends, so it was killed, and nobody serves. Whoever looks after this process has to see
            // that soon: what was begun here gets the drain timeout.
            tracing::error!("the process that took over is gone");
            closing.stop();
            std::future::pending::<()>().await;
        };
        let telling = async {
            while written.changed().await.is_ok() && self.link.send(ToSuccessor::Logged).await.is_ok() {}
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = finished => {}
            () = listening => {}
            () = telling => {}
        }
        self.link.close();
    }
}

/// How a new process has ended that said nothing.
async fn ended(child: &mut Child) -> UpgradeError {
    let status: Option<io::Result<ExitStatus>> = timeout(Duration::from_secs(1), child.wait()).await.ok();
    match status {
        Some(Ok(status)) => UpgradeError::Ended(status),
        _ => UpgradeError::Silent,
    }
}
