//! Which files were written by somebody since they were stored, known without reading them and without a list of them.
//!
//! A blob's file carries a mark: the nanoseconds of its modification time are a number made of its digest. Whoever writes to the file
//! changes that time, and whoever puts another file in its place brings another one. The mark goes along where a data directory is copied
//! with its times. A file without it is read once, and marked again if its bytes are right. What breaks below the file system changes no
//! times: that is found by reading alone.

use rustix::fs::{AtFlags, FileType, Stat, statat};
use ship_core::Digest;

use super::verified::Fingerprint;
use super::{Blob, BlobError, Blobs};
use crate::data_dir::blob_name;

/// Nanoseconds are below this.
const SECOND: u32 = 1_000_000_000;

/// What a look at a blob's file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    /// Its size in bytes.
    pub(crate) size_bytes: u64,
    /// Whether nobody has written to it since its bytes were checked.
    pub(crate) is_marked: bool,
}

/// The nanoseconds that the file of a blob is marked with. Never 0: that is what file systems say that count in seconds.
pub(crate) fn nanoseconds(digest: &Digest) -> u32 {
    let [first, second, third, fourth, ..] = *digest.as_bytes();
    1 + u32::from_be_bytes([first, second, third, fourth]) % (SECOND - 1)
}

impl Seen {
    /// `None` of what is no file, whoever put it there: no bytes can be had of it.
    fn of(digest: &Digest, stat: &Stat) -> Option<Self> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        let is_marked = u32::try_from(stat.st_mtime_nsec).is_ok_and(|found| found == nanoseconds(digest));
        Some(Self { size_bytes: u64::try_from(stat.st_size).ok()?, is_marked })
    }
}

impl Blobs {
    /// What the file of a blob looks like, `None` if there is none that can be reached.
    pub(super) fn look(&self, digest: &Digest) -> Option<Seen> {
        let stat = statat(&self.inner.folder, blob_name(digest), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Seen::of(digest, &stat)
    }

    /// Whether the bytes of a blob are here, as far as can be known without the disk's help: one whose file carries no mark is read.
    /// What is found damaged is set aside.
    pub(super) fn is_sound(&self, digest: &Digest, seen: Option<Seen>) -> bool {
        seen.is_some_and(|seen| seen.is_marked || self.settle_doubt(digest))
    }

    /// Marks the file of a blob whose bytes were checked, unless somebody has written to it since. Where that cannot be done it is read
    /// whenever a process first asks for it.
    fn mark_again(&self, blob: &Blob) {
        let now = || Fingerprint::of(&blob.file);
        if !now().is_ok_and(|now| now == blob.fingerprint) {
            return;
        }
        if let Err(error) = self.inner.disk.mark(&blob.file, nanoseconds(&blob.digest)) {
            tracing::debug!(digest = %blob.digest, %error, "the file of a blob cannot be marked");
        }
        if let Ok(marked) = now() {
            self.inner.verified.trust(blob.digest, marked);
        }
    }

    /// Reads a blob whose file carries no mark, and marks it if it is right.
    fn settle_doubt(&self, digest: &Digest) -> bool {
        match self.open(digest) {
            Ok(blob) => {
                self.mark_again(&blob);
                true
            }
            Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => false,
            Err(error) => {
                tracing::warn!(%digest, %error, "whether a blob is what it was cannot be seen");
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
