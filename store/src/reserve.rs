//! Room for the day when the disk is full: removing something is a transaction, which takes room before it gives any. A file
//! keeps that room, and goes when it is needed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::blobs::BegunFolder;

/// How much room is kept: many times what a removal takes in the log of the state database and in the index of that log.
const RESERVED_BYTES: u64 = 1024 * 1024;

/// How much room a transaction finds at least, if beginnings of uploads can be given up for it: what it takes itself, and as much as is kept.
const FREE_BYTES: u64 = 4 * RESERVED_BYTES;

/// The file that keeps room.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    begun: BegunFolder,
}

impl Reserve {
    /// One that stands beside the state database.
    pub(crate) fn beside(database: &Path) -> Self {
        Self { path: database.with_file_name("reserve"), begun: BegunFolder::new(database.with_file_name("begun")) }
    }

    /// To be called before a transaction: what can be sent again goes first. A transaction that has failed for want of room could not always be
    /// tried again, and one that has not begun need not be.
    pub(crate) fn make_room(&self) {
        self.begun.keep_free(FREE_BYTES);
    }

    /// Keeps room if there is any. Where there is none, or the file system cannot promise it, nothing is kept.
    pub(crate) fn keep(&self) {
        if let Err(error) = self.try_keep() {
            tracing::debug!(path = %self.path.display(), %error, "no room is kept for removing something");
            let _ = fs::remove_file(&self.path);
        }
    }

    fn try_keep(&self) -> io::Result<()> {
        if self.path.metadata().is_ok_and(|metadata| metadata.len() == RESERVED_BYTES) {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
        take_room(&file)
    }

    /// Gives the room away. Says whether there was any.
    pub(crate) fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(target_os = "linux")]
fn take_room(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, RESERVED_BYTES)?)
}

/// Elsewhere no host runs whose disk could be full.
#[cfg(not(target_os = "linux"))]
fn take_room(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
