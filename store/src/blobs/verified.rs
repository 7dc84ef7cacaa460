//! Which files were hashed already: a bounded memory from a file's identity to "these bytes were right".

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use quick_cache::sync::Cache;
use ship_core::Digest;

use super::BlobError;

/// How many files are remembered: 88 bytes each, so at most some 2 MB. A blob beyond it is hashed again when next opened.
const FILES_REMEMBERED: usize = 16_384;

/// What changes when a file's content is changed by anything but a broken disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::of_metadata(&metadata))
    }
}

impl Fingerprint {
    fn of_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The file of a blob whose bytes were right when it was opened.
#[derive(Debug)]
pub struct VerifiedFile {
    pub(super) file: File,
    pub(super) fingerprint: Fingerprint,
    /// The nanoseconds of a file that was found right (`mark.rs`).
    pub(super) mark: u32,
}

impl VerifiedFile {
    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether what was read of it until now is what was checked: nobody has written to it or set it aside since. Costs one
    /// question to the kernel, less than a microsecond.
    pub fn is_unchanged(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| {
            let later = Fingerprint::of_metadata(&metadata);
            // A file whose name was removed was not changed by that; one that was moved was set aside.
            let is_only_removed =
                metadata.nlink() == 0 && Fingerprint { changed: later.changed, ..self.fingerprint } == later;
            later == self.fingerprint || is_only_removed || self.is_only_marked(later)
        })
    }

    /// Whether all that has changed is that the file had no mark and has one now, which it gets when its bytes were found right.
    fn is_only_marked(&self, later: Fingerprint) -> bool {
        let (seconds, nanoseconds) = self.fingerprint.modified;
        let mark = i64::from(self.mark);
        let marked = Fingerprint { modified: (seconds, mark), changed: later.changed, ..self.fingerprint };
        nanoseconds != mark && later == marked
    }
}

/// The files whose bytes were found to be right.
#[derive(Debug)]
pub(super) struct Verified {
    files: Cache<(Digest, Fingerprint), ()>,
}

impl Verified {
    pub(super) fn new() -> Self {
        Self { files: Cache::new(FILES_REMEMBERED) }
    }

    /// Runs `hash` unless this very file was found right before. When many ask for one file at once, one hashes and the
    /// others wait for it.
    pub(super) fn check(
        &self,
        digest: Digest,
        fingerprint: Fingerprint,
        hash: impl FnOnce() -> Result<(), BlobError>,
    ) -> Result<(), BlobError> {
        self.files.get_or_insert_with(&(digest, fingerprint), hash)
    }

    /// Notes that this very file is right.
    pub(super) fn trust(&self, digest: Digest, fingerprint: Fingerprint) {
        self.files.insert((digest, fingerprint), ());
    }
}
