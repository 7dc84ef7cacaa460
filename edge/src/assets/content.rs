//! The bytes of an asset in memory, and where they are many the file that they are from: the kernel sends a file without a copy being made.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use ship_store::VerifiedFile;

/// Which sizes are sent from their file, in bytes. A smaller one the kernel copies sooner than it finds the pages of a file; a larger one fills
/// the caches of the processor either way, and what was just copied is still in them when the visitor's side reads it. In between, half as much
/// again is sent as with a copy.
const SENT_FROM_FILE_BYTES: Range<usize> = 16 * 1024..512 * 1024;

/// What is left to send of some content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    bytes: Bytes,
    /// The file that the bytes are from, and where in it they begin.
    file: Option<(Arc<VerifiedFile>, u64)>,
}

impl Content {
    /// The bytes of a whole file, which is held open if they are to be sent from there.
    pub(crate) fn of_file(bytes: Bytes, file: VerifiedFile) -> Self {
        let file = SENT_FROM_FILE_BYTES.contains(&bytes.len()).then(|| (Arc::new(file), 0));
        Self { bytes, file }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Whether there is a file to send it from.
    pub(crate) fn is_of_file(&self) -> bool {
        self.file.is_some()
    }

    /// The file that these bytes are from, and where in it they begin, if it still is what was checked.
    pub(crate) fn unchanged_file(&self) -> Option<(&File, u64)> {
        let (file, first) = self.file.as_ref()?;
        file.is_unchanged().then(|| (file.file(), *first))
    }

    /// Goes on from memory alone.
    pub(crate) fn forget_file(&mut self) {
        self.file = None;
    }

    /// Leaves what is behind the first `count` bytes.
    pub(crate) fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some((_, first)) = &mut self.file {
            *first += count as u64;
        }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, file: None }
    }
}
