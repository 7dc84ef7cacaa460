//! What can go wrong with a blob.

use std::io;
use std::path::{Path, PathBuf};

use ship_core::Digest;

use crate::database::StateError;
use crate::disk::is_storage_full;

/// A blob cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It is not here.
    #[error("blob {digest} is not stored here")]
    Missing {
        /// Its digest.
        digest: Digest,
    },
    /// Its file holds other bytes. It was set aside; storing the blob again repairs it.
    #[error("the stored bytes of blob {digest} are damaged")]
    Corrupt {
        /// Its digest.
        digest: Digest,
    },
    /// The bytes that arrived are not those that were announced. Nothing of them is kept.
    #[error("announced were {expected_bytes} bytes with {expected}, what arrived are {found_bytes} bytes with {found}")]
    DigestMismatch {
        /// The announced digest.
        expected: Digest,
        /// The announced size in bytes.
        expected_bytes: u64,
        /// The digest of what arrived, up to where it was seen to be too long.
        found: Digest,
        /// How many bytes those are.
        found_bytes: u64,
    },
    /// The beginning that an upload goes on with is not here, or is another. Nothing of it is kept.
    #[error("the beginning of blob {digest} is not here any more")]
    NotBegun {
        /// The digest of the whole.
        digest: Digest,
    },
    /// It is larger than a blob may be.
    #[error("blob {digest} has {size_bytes} bytes, more than the {most} that a blob may have")]
    TooLarge {
        /// Its digest.
        digest: Digest,
        /// Its size in bytes.
        size_bytes: u64,
        /// The largest accepted size in bytes.
        most: u64,
    },
    /// There is no room left. Nothing new is visible.
    #[error("no room is left to {action} {}", path.display())]
    StorageFull {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read or written.
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
    /// What is known about the blob cannot be read or written.
    #[error("the state of blob {digest} cannot be used")]
    State {
        /// Its digest.
        digest: Digest,
        /// Why not.
        #[source]
        source: Box<StateError>,
    },
}

impl BlobError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_storage_full(&source) {
            Self::StorageFull { action, path, source }
        } else {
            Self::Io { action, path, source }
        }
    }

    pub(crate) fn state(digest: &Digest, source: StateError) -> Self {
        Self::State { digest: *digest, source: Box::new(source) }
    }
}
