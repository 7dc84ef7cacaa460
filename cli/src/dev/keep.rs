//! Putting a build into the dev server's store.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::PathBuf;

use ship_builder::{BlobSource, BuildOutput};
use ship_core::Digest;
use ship_store::{BlobError, BlobWriter, Store};

/// How much of a file is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A build cannot be put into the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store does not take it.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Puts what a build made, and the store lacks, into the store.
pub(super) fn keep(store: &Store, build: &BuildOutput) -> Result<(), KeepError> {
    let sizes: HashMap<Digest, u64> = build.manifest().blobs().into_iter().collect();
    let digests: Vec<Digest> = sizes.keys().copied().collect();
    let missing = store.blobs().missing(&digests);
    if missing.is_empty() {
        return Ok(());
    }
    let mut batch = store.blobs().batch()?;
    for digest in missing {
        let Some(source) = build.blob_source(&digest) else { continue };
        let mut writer = batch.begin(digest, sizes[&digest])?;
        match source {
            BlobSource::Bytes(bytes) => writer.write(&bytes)?,
            BlobSource::File(path) => copy(path, &mut writer)?,
        }
        writer.finish()?;
    }
    batch.commit()?;
    Ok(())
}

fn copy(path: PathBuf, writer: &mut BlobWriter<'_>) -> Result<(), KeepError> {
    let mut file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(source) => return Err(KeepError::Unreadable { path, source }),
    };
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => writer.write(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(KeepError::Unreadable { path, source }),
        }
    }
}
