//! The build cache: artifacts by the digest of everything they were made of. A key seen before, on whichever branch or in
//! whichever folder, costs a lookup.
//!
//! Everything in it can go at any time, and anything wrong with an entry makes it a miss. Entries appear by a rename, so any
//! number of builds can share it.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ship_core::Digest;

use super::{ArtifactError, Member, digest_file, pack, unpacked_bytes};
use crate::tree::FileStat;

/// How many bytes of artifacts are kept. The oldest go first.
const MAX_CACHED_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The folder of the cache.
pub(crate) struct ArtifactCache {
    folder: PathBuf,
}

/// An artifact in the cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CachedArtifact {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    pub(crate) file: PathBuf,
}

/// What is remembered of a key. The state of the file tells without reading it that it is the one whose digest was computed.
#[derive(PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Record {
    digest: Digest,
    size_bytes: u64,
    inode: u64,
    modified_nanos: i64,
    changed_nanos: i64,
}

impl ArtifactCache {
    pub(crate) fn new(cache_dir: &Path) -> Self {
        Self { folder: cache_dir.join("functions") }
    }

    /// The artifact that was made with `key`, if it is still there and unchanged.
    pub(crate) fn find(&self, key: &Digest) -> Option<CachedArtifact> {
        let record: Record = serde_json::from_slice(&std::fs::read(self.record_file(key)).ok()?).ok()?;
        let file = self.artifact_file(&record.digest);
        let stat = FileStat::of(&std::fs::metadata(&file).ok()?);
        let found = CachedArtifact { digest: record.digest, size_bytes: record.size_bytes, file };
        if record == Record::of(&found, &stat) {
            return Some(found);
        }
        // The file was touched, perhaps by restoring the cache from a backup: its bytes decide.
        let (digest, size_bytes) = digest_file(&mut File::open(&found.file).ok()?).ok()?;
        (digest == found.digest && size_bytes == found.size_bytes).then_some(found)
    }

    /// Packs `members` and keeps the artifact.
    pub(crate) fn store(&self, mut members: Vec<Member>) -> Result<CachedArtifact, ArtifactError> {
        unpacked_bytes(&members)?;
        let failed = |source| ArtifactError::Unwritable { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut packed = tempfile::Builder::new().prefix(".packing-").tempfile_in(&self.folder).map_err(failed)?;
        pack(&mut members, packed.as_file_mut()).map_err(failed)?;
        packed.as_file_mut().rewind().map_err(failed)?;
        let (digest, size_bytes) = digest_file(packed.as_file_mut()).map_err(failed)?;
        let file = self.artifact_file(&digest);
        packed.persist(&file).map_err(|error| failed(error.error))?;
        Ok(CachedArtifact { digest, size_bytes, file })
    }

    /// Remembers that `key` gives `artifact`. That it could not be remembered costs time, not correctness.
    pub(crate) fn remember(&self, key: &Digest, artifact: &CachedArtifact) {
        if let Err(error) = self.write_record(key, artifact) {
            tracing::debug!(folder = %self.folder.display(), %error, "the build cache cannot be written");
        }
    }

    /// Whether the compiler had nothing to say against what has this key.
    pub(crate) fn is_faultless(&self, key: &Digest) -> bool {
        self.faultless_file(key).exists()
    }

    /// Remembers that the compiler had nothing to say against what has this key.
    pub(crate) fn remember_faultless(&self, key: &Digest) {
        let file = self.faultless_file(key);
        if let Err(error) = std::fs::create_dir_all(&self.folder).and_then(|()| std::fs::write(&file, "")) {
            tracing::debug!(file = %file.display(), %error, "the build cache cannot be written");
        }
    }

    /// What a language keeps to itself about a build: which files it read, for example.
    pub(crate) fn notes(&self, key: &Digest) -> Option<Vec<u8>> {
        std::fs::read(self.notes_file(key)).ok()
    }

    /// Keeps such notes. That they could not be kept costs time, not correctness.
    pub(crate) fn keep_notes(&self, key: &Digest, notes: &[u8]) {
        let keep = || -> io::Result<()> {
            std::fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::Builder::new().prefix(".notes-").tempfile_in(&self.folder)?;
            file.write_all(notes)?;
            file.persist(self.notes_file(key)).map_err(|error| error.error)?;
            Ok(())
        };
        if let Err(error) = keep() {
            tracing::debug!(folder = %self.folder.display(), %error, "the build cache cannot be written");
        }
    }

    fn write_record(&self, key: &Digest, artifact: &CachedArtifact) -> io::Result<()> {
        let record = Record::of(artifact, &FileStat::of(&std::fs::metadata(&artifact.file)?));
        let mut file = tempfile::Builder::new().prefix(".record-").tempfile_in(&self.folder)?;
        serde_json::to_writer(file.as_file_mut(), &record)?;
        file.persist(self.record_file(key)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the oldest entries beyond the bound, but no artifact that is `used`: that one may be old, and is about to be
    /// read. A record whose artifact is gone is a miss.
    pub(crate) fn prune<'a>(&self, used: impl Iterator<Item = &'a CachedArtifact>) {
        let used: HashSet<&Path> = used.map(|artifact| artifact.file.as_path()).collect();
        if let Err(error) = self.prune_to(MAX_CACHED_BYTES, &used) {
            tracing::debug!(folder = %self.folder.display(), %error, "the build cache cannot be pruned");
        }
    }

    pub(super) fn prune_to(&self, max_bytes: u64, used: &HashSet<&Path>) -> io::Result<()> {
        let mut kept: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            // What is gone by now was pruned by another build.
            let Ok(metadata) = entry.metadata() else { continue };
            kept.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        kept.sort_unstable_by_key(|(modified, ..)| Reverse(*modified));
        let mut bytes = 0;
        for (_, size_bytes, path) in kept {
            bytes += size_bytes;
            if bytes > max_bytes && !used.contains(path.as_path()) {
                std::fs::remove_file(path).or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                })?;
            }
        }
        Ok(())
    }

    fn record_file(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.json", key.to_hex()))
    }

    fn notes_file(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.notes", key.to_hex()))
    }

    fn faultless_file(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{}.faultless", key.to_hex()))
    }

    fn artifact_file(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.zip", digest.to_hex()))
    }
}

impl Record {
    fn of(artifact: &CachedArtifact, stat: &FileStat) -> Self {
        Self {
            digest: artifact.digest,
            size_bytes: artifact.size_bytes,
            inode: stat.inode,
            modified_nanos: stat.modified_nanos,
            changed_nanos: stat.changed_nanos,
        }
    }
}
