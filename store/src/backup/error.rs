//! What can go wrong with a backup.

use std::io;
use std::path::PathBuf;

use ship_core::{DeploymentId, Digest};

use crate::blobs::BlobError;
use crate::database::StateError;
use crate::store::OpenError;

/// A backup cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The state cannot be copied or read.
    #[error("the state cannot be copied")]
    State(#[from] StateError),
    /// A blob that a deployment needs is missing or damaged.
    #[error("a blob that deployments need cannot be copied")]
    Blob(#[from] BlobError),
    /// The archive cannot be written.
    #[error("the archive cannot be written")]
    Write(#[source] io::Error),
}

/// What is wrong with an archive.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// It does not begin as a backup does.
    #[error("it is no backup of ship")]
    NoBackup,
    /// It was made by a newer ship.
    #[error("it was written by a newer ship: version {found}, this one knows {known}")]
    Newer {
        /// Its version.
        found: u32,
        /// The highest version that this code knows.
        known: u32,
    },
    /// It ends before its end.
    #[error("it is cut off")]
    CutOff,
    /// An entry is not the one that has to stand there.
    #[error("the entry {name:?} does not belong there")]
    UnexpectedEntry {
        /// What it is called.
        name: String,
    },
    /// An entry is larger than it may be.
    #[error("the entry {name:?} has {size_bytes} bytes, more than it may have")]
    TooLarge {
        /// What it is called.
        name: String,
        /// How large it says it is.
        size_bytes: u64,
    },
    /// The bytes of an entry are not those that its name or the description promises.
    #[error("the bytes of {name:?} are damaged")]
    Damaged {
        /// What it is called.
        name: String,
    },
    /// The copy of the state is not one that a ship has made.
    #[error("its state.db is not one of ship: {reason}")]
    ForeignState {
        /// What is wrong with it.
        reason: String,
    },
    /// The state names a blob that is not there.
    #[error("deployment {deployment} needs the blob {digest}, which is not in it")]
    MissingBlob {
        /// The deployment.
        deployment: DeploymentId,
        /// The blob.
        digest: Digest,
    },
}

/// A data directory cannot be made from a backup. What was there before is there still.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something is there already.
    #[error("{} is not empty: `{found}` is there", path.display())]
    NotEmpty {
        /// The data directory.
        path: PathBuf,
        /// What was found in it.
        found: String,
    },
    /// The archive cannot be used.
    #[error("{} cannot be restored", archive.display())]
    Archive {
        /// The archive.
        archive: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// A file or folder cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process has the data directory open.
    #[error(transparent)]
    Open(#[from] OpenError),
}
