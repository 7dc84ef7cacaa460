//! Backups: one archive with the state and every blob that it names, made while the host serves, and a data directory from one.
//!
//! The archive is a plain tar, in this order and no other:
//!
//! ```text
//! ship-backup.json       what follows: versions, the digest of state.db, how many blobs with how many bytes
//! state.db               a consistent copy of the state database
//! blobs/ab/cdef…         each blob once, in the order of their digests
//! ```
//!
//! It is written and read in one pass. It is not compressed: most of what functions are made of is, and tools that keep backups compress
//! and recognise by themselves what they have already. The same state gives the same archive.
//!
//! | module | holds |
//! |---|---|
//! | `entries` | the names of entries and the description, written and parsed |
//! | `snapshot` | the copy of the state database, and which blobs it needs |
//! | `write` | making an archive |
//! | `restore` | reading one, believing nothing in it |
//! | `error` | what can go wrong |

mod entries;
mod error;
mod restore;
mod snapshot;
#[cfg(test)]
mod tests;
mod write;

pub use error::{BackupError, Fault, RestoreError};
pub use restore::{Restored, restore};
pub use write::{Backup, BackupReport};
