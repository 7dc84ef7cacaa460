//! Making a backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ship_core::{Digest, DigestHasher};
use tar::{Builder, EntryType, Header};

use super::entries::{DESCRIPTION, Description, FORMAT_VERSION, STATE, blob_entry};
use super::error::BackupError;
use super::snapshot::{Snapshot, SnapshotFile, manifest_error};
use crate::blobs::BlobError;
use crate::data_dir::LAYOUT_VERSION;
use crate::keeping::KeptBlobs;
use crate::store::Store;

/// Who reads an archive that was unpacked by hand.
const FILE_MODE: u32 = 0o600;

/// Distinguishes copies of the state that are made at the same time.
static SNAPSHOTS: AtomicU64 = AtomicU64::new(0);

/// A backup that is ready to be written: the state was copied, and all blobs that it needs are here and stay.
#[derive(Debug)]
#[must_use = "a backup is nothing until it is written"]
pub struct Backup {
    store: Store,
    snapshot: SnapshotFile,
    description: Description,
    blobs: BTreeMap<Digest, u64>,
    _kept: KeptBlobs,
}

/// What a backup holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackupReport {
    /// How many deployments.
    pub deployments: u64,
    /// How many blobs.
    pub blobs: u64,
    /// Their sizes together, in bytes.
    pub blob_bytes: u64,
}

impl Backup {
    /// Copies the state as it is now, and sees that every blob that it needs is here. Others read and write meanwhile.
    pub fn prepare(store: &Store) -> Result<(Self, BackupReport), BackupError> {
        let kept = store.keep_blobs();
        let number = SNAPSHOTS.fetch_add(1, Ordering::Relaxed);
        let path = store.temporary().join(format!("backup-{}-{number}.db", std::process::id()));
        let file = SnapshotFile(path);
        store.database().copy_to(&file.0)?;
        let snapshot = Snapshot::open(&file.0)?;
        let blobs = blobs_of(store, &snapshot)?;
        let schema = snapshot.schema_version()?;
        let deployments = snapshot.deployments()?.len() as u64;
        // Closed before it is read as a file, so that everything is in that one file.
        drop(snapshot);
        let (state, state_bytes) = digest_of(&file.0).map_err(|source| BlobError::io("read", &file.0, source))?;
        let report = BackupReport { deployments, blobs: blobs.len() as u64, blob_bytes: blobs.values().sum() };
        let description = Description {
            format: FORMAT_VERSION,
            layout: LAYOUT_VERSION,
            schema,
            state,
            state_bytes,
            blobs: report.blobs,
            blob_bytes: report.blob_bytes,
        };
        Ok((Self { store: store.clone(), snapshot: file, description, blobs, _kept: kept }, report))
    }

    /// Writes the archive. Each blob is checked while it is written; one that is damaged ends it.
    pub fn write(self, archive: impl Write) -> Result<(), BackupError> {
        let mut tar = Builder::new(archive);
        let description =
            serde_json::to_vec_pretty(&self.description).map_err(|error| BackupError::Write(error.into()))?;
        append(&mut tar, DESCRIPTION, description.len() as u64, description.as_slice())?;
        let state = File::open(&self.snapshot.0).map_err(|source| BlobError::io("open", &self.snapshot.0, source))?;
        append(&mut tar, STATE, self.description.state_bytes, state)?;
        for (digest, size_bytes) in &self.blobs {
            let file = self.store.blobs().open_unverified_as(digest, *size_bytes)?;
            let mut checked = Checked { file, hasher: DigestHasher::new() };
            append(&mut tar, &blob_entry(digest), *size_bytes, &mut checked)?;
            if checked.hasher.finish() != *digest {
                // Whoever reads it through the store sets it aside.
                return Err(self
                    .store
                    .blobs()
                    .read(digest)
                    .err()
                    .unwrap_or(BlobError::Corrupt { digest: *digest })
                    .into());
            }
        }
        tar.into_inner().and_then(|mut archive| archive.flush()).map_err(BackupError::Write)
    }
}

/// What is read of a file, and the digest of it.
struct Checked {
    file: File,
    hasher: DigestHasher,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// The blobs that the state needs, with their sizes. Compressed forms that are not here are forgotten in the copy.
fn blobs_of(store: &Store, snapshot: &Snapshot) -> Result<BTreeMap<Digest, u64>, BackupError> {
    let needed = snapshot.needed(|id, manifest| {
        let json = store.blobs().read(manifest).map_err(|source| manifest_error(id, source))?;
        Ok::<_, BackupError>(json.to_vec())
    })?;
    let mut blobs: BTreeMap<Digest, u64> = BTreeMap::new();
    for (digest, (_, size_bytes)) in needed {
        blobs.insert(digest, size_bytes);
    }
    let digests: Vec<Digest> = blobs.keys().copied().collect();
    if let Some(digest) = store.blobs().missing(&digests).first() {
        return Err(BlobError::Missing { digest: *digest }.into());
    }
    for (of, variant, size_bytes) in snapshot.variants()? {
        if blobs.contains_key(&of) && store.blobs().missing(&[variant]).is_empty() {
            blobs.insert(variant, size_bytes);
        } else {
            snapshot.forget_variant(&variant)?;
        }
    }
    Ok(blobs)
}

/// Appends a file of exactly `size_bytes`. Nothing of the machine or the day stands in its head.
fn append(tar: &mut Builder<impl Write>, name: &str, size_bytes: u64, content: impl Read) -> Result<(), BackupError> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(FILE_MODE);
    header.set_size(size_bytes);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_path(name).map_err(BackupError::Write)?;
    header.set_cksum();
    tar.append(&header, content.take(size_bytes)).map_err(BackupError::Write)
}

fn digest_of(path: &Path) -> io::Result<(Digest, u64)> {
    let mut checked = Checked { file: File::open(path)?, hasher: DigestHasher::new() };
    let size_bytes = io::copy(&mut checked, &mut io::sink())?;
    Ok((checked.hasher.finish(), size_bytes))
}
