//! Files of the project that its owner wrote, and that a build leaves as they were.

use std::path::PathBuf;

/// A file of the project as its owner wrote it.
pub(super) struct WrittenFile {
    file: PathBuf,
    content: Vec<u8>,
}

impl WrittenFile {
    pub(super) fn read(file: PathBuf) -> Option<Self> {
        Some(Self { content: std::fs::read(&file).ok()?, file })
    }

    /// Writes it again if it is another one now.
    pub(super) fn put_back(&self) {
        if std::fs::read(&self.file).is_ok_and(|now| now == self.content) {
            return;
        }
        if let Err(error) = std::fs::write(&self.file, &self.content) {
            tracing::warn!(file = %self.file.display(), %error, "what a build has changed cannot be put back");
        }
    }
}
