//! The side of the host that serves: it starts successors when it is asked to, one after the other, until one of them serves.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use ship_edge::{Closing, QuicHandover, QuicSecrets};
use ship_runtime::Runtime;
use ship_store::Store;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::successor::{AfterHandover, Successor, SuccessorCommand};
use super::talk::Refusal;
use crate::blocking::blocking;
use crate::server::Ready;

/// Why a host has no successor. It serves on as before.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The host was not told how to start another.
    #[error("this host cannot start another")]
    NoCommand,
    /// The program may be written to by who should not decide what the host runs.
    #[error("{} is not run: {reason}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The program cannot be started.
    #[error("{} cannot be started", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The state cannot be made ready for a newer ship.
    #[error("the state cannot be made ready for another host")]
    State(#[source] ship_store::StateError),
    /// There is no line for what comes for connections over QUIC.
    #[error("what comes over QUIC cannot be passed on to this host")]
    Line(#[source] io::Error),
    /// The new process said why it does not serve.
    #[error("the new host did not start: {}", .0.message)]
    Refused(Refusal),
    /// The new process ended without a word.
    #[error("the new host ended before it served, with {0}; is the program a ship?")]
    Ended(ExitStatus),
    /// The new process does not get on.
    #[error("the new host did not serve in time")]
    Silent,
    /// A deploy takes too long to wait for it.
    #[error("a deploy that is under way did not end in time")]
    Busy,
    /// The host is ending, or another process has its data directory already.
    #[error("this host is ending")]
    NotMine,
}

/// A new process serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upgraded {
    /// Its process id.
    pub pid: u32,
    /// The version of ship that it is.
    pub version: String,
}

/// Asks the host for a successor. Clones ask the same host.
#[derive(Clone, Debug)]
pub struct Upgrader {
    requests: mpsc::Sender<UpgradeRequest>,
    changes: Arc<Changes>,
}

#[derive(Debug)]
struct UpgradeRequest {
    program: Option<PathBuf>,
    answer: oneshot::Sender<Result<Upgraded, UpgradeError>>,
}

impl Upgrader {
    /// Starts another host from `program`, or from the program of this one, which may have been replaced. When it returns the new one
    /// serves, and this one finishes what it has.
    pub async fn upgrade(&self, program: Option<PathBuf>) -> Result<Upgraded, UpgradeError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(UpgradeRequest { program, answer }).await.map_err(|_| UpgradeError::NotMine)?;
        answered.await.map_err(|_| UpgradeError::NotMine)?
    }

    /// Whether another process serves already.
    pub fn has_handed_over(&self) -> bool {
        self.changes.have_moved()
    }
}

/// The sockets of a host's listeners, once more.
pub(crate) struct SocketCopies {
    pub(crate) sites: OwnedFd,
    pub(crate) control: OwnedFd,
    pub(crate) tls: Option<OwnedFd>,
    pub(crate) quic: Option<QuicCopy>,
}

/// What a successor needs to speak QUIC at the same socket.
pub(crate) struct QuicCopy {
    pub(crate) secrets: QuicSecrets,
    pub(crate) socket: OwnedFd,
    pub(crate) handover: QuicHandover,
}

/// What a successor takes over, and what must not change meanwhile.
pub(crate) struct Estate {
    pub(crate) sockets: SocketCopies,
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) changes: Arc<Changes>,
    /// Where this host is.
    pub(crate) ready: Ready,
}

/// Carries out what an [`Upgrader`] asks for.
pub(crate) struct Conductor {
    requests: mpsc::Receiver<UpgradeRequest>,
    command: Option<SuccessorCommand>,
    /// Its own hold on the sockets goes with it: once the host has left, only the successor has them.
    estate: Estate,
}

impl Conductor {
    pub(crate) fn new(command: Option<SuccessorCommand>, estate: Estate) -> (Self, Upgrader) {
        let (sender, requests) = mpsc::channel(1);
        let upgrader = Upgrader { requests: sender, changes: Arc::clone(&estate.changes) };
        (Self { requests, command, estate }, upgrader)
    }

    /// Starts successors as they are asked for, until one serves or the host is closed.
    pub(crate) async fn run(mut self, closing: Closing) -> Option<Successor> {
        let closed = closing.door().clone();
        loop {
            let request = closed.run_until_cancelled(self.requests.recv()).await??;
            match self.raise(request.program, &closed).await {
                Ok(successor) => {
                    self.leave(successor.pid, &closing);
                    let upgraded = Upgraded { pid: successor.pid, version: successor.version.clone() };
                    tracing::info!(pid = upgraded.pid, version = upgraded.version, "another process serves now");
                    // Whoever asked may be gone.
                    let _ = request.answer.send(Ok(upgraded));
                    return Some(successor);
                }
                Err(error) => {
                    self.take_back().await;
                    self.estate.changes.open_again();
                    tracing::error!(error = &error as &dyn std::error::Error, "there is no successor");
                    let _ = request.answer.send(Err(error));
                }
            }
        }
    }

    async fn raise(&self, program: Option<PathBuf>, closed: &CancellationToken) -> Result<Successor, UpgradeError> {
        let command = self.command.as_ref().ok_or(UpgradeError::NoCommand)?;
        let program = program.unwrap_or_else(|| command.program.clone());
        check_program(&program, self.estate.store.data_dir())?;
        let store = self.estate.store.clone();
        blocking(move || store.expect_migrations()).await.map_err(UpgradeError::State)?;
        Successor::raise(&program, command, &self.estate, closed).await
    }

    /// Undoes what a process has done that did not come to serve: it may have brought the schema up to date, and said that it is the host.
    async fn take_back(&self) {
        if let Some(quic) = &self.estate.sockets.quic {
            quic.handover.forget();
        }
        let store = self.estate.store.clone();
        if let Err(error) = blocking(move || store.undo_migrations()).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the schema of the state stays newer than this host");
        }
        let store = self.estate.store.clone();
        if let Err(error) = blocking(move || store.claim_lock()).await {
            tracing::warn!(%error, "who finds the data directory locked is told of another process");
        }
        if let Some(command) = &self.command {
            let (told, ready) = (command.handed_over.clone(), self.estate.ready.clone());
            blocking(move || told.has_stayed(&ready)).await;
        }
    }

    /// Lets go of everything that is the successor's now.
    fn leave(&self, successor: u32, closing: &Closing) {
        if let Some(command) = &self.command {
            command.handed_over.has_moved(successor);
            if command.afterwards == AfterHandover::Stays
                && let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            {
                tracing::warn!(%error, "this process may end before its successors");
            }
        }
        self.estate.changes.move_away();
        self.estate.store.release_lock();
        closing.leave();
    }
}

/// A request of the control API names the program. It must be one that nobody can put in its place who may not decide what this account
/// runs: what was deployed least of all.
fn check_program(program: &Path, data: &Path) -> Result<(), UpgradeError> {
    let refused = |reason| UpgradeError::Program { program: program.to_owned(), reason };
    let unusable = |source| UpgradeError::Spawn { program: program.to_owned(), source };
    if !program.is_absolute() {
        return Err(refused("its path is not absolute"));
    }
    let real = program.canonicalize().map_err(unusable)?;
    if data.canonicalize().is_ok_and(|data| real.starts_with(data)) {
        return Err(refused("it is in the data directory"));
    }
    let file = real.metadata().map_err(unusable)?;
    let own = rustix::process::geteuid().as_raw();
    if file.uid() != own && file.uid() != 0 {
        return Err(refused("it belongs to another user"));
    }
    // As for the keys of SSH: what others may write to is not this account's.
    if file.permissions().mode() & 0o022 != 0 {
        return Err(refused("others may write to it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a program that others cannot replace is run, and none of what was deployed.
    #[test]
    fn programs() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::create_dir_all(data.join("functions")).unwrap();
        let [good, deployed] = [folder.path().join("ship"), data.join("functions/ship")];
        for path in [&good, &deployed] {
            std::fs::write(path, "#!").unwrap();
            mode(path, 0o755);
        }
        let checked = |path: &Path| check_program(path, &data).map_err(|error| error.to_string());
        assert_eq!(checked(&good), Ok(()));
        assert!(checked(&deployed).unwrap_err().ends_with("it is in the data directory"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&deployed, &link).unwrap();
        assert!(checked(&link).unwrap_err().ends_with("it is in the data directory"));
        mode(&good, 0o775);
        assert!(checked(&good).unwrap_err().ends_with("others may write to it"));
        assert!(checked(Path::new("ship")).unwrap_err().ends_with("its path is not absolute"));
        assert!(checked(&folder.path().join("none")).unwrap_err().ends_with("cannot be started"));
    }
}
