//! Artifacts: one deterministic zip per function. The same program gives the same bytes, wherever and whenever it is packed.

mod cache;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ship_core::{Digest, DigestHasher};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

pub(crate) use cache::{ArtifactCache, CachedArtifact};

/// The name of the executable in an artifact.
const EXECUTABLE: &str = "bootstrap";

/// How hard to compress. A Go program of 5.8 MB takes 35 ms and becomes 3.1 MB at level 1; at level 6 it takes 120 ms and
/// becomes 2.5 MB. A person waits for the first after each change of a line.
const COMPRESSION_LEVEL: i64 = 1;

/// Bytes that are moved at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A function's artifact could not be made or kept.
#[derive(Debug, thiserror::Error)]
#[error("the artifact `{}` cannot be written", path.display())]
pub struct ArtifactError {
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) source: io::Error,
}

/// Packs `program` into `into`, an empty file.
pub(crate) fn pack(program: &Path, into: &mut File) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(COMPRESSION_LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755)
        .system(System::Unix);
    let mut program = File::open(program)?;
    let mut zip = ZipWriter::new(BufWriter::with_capacity(PIECE_BYTES, into));
    zip.start_file(EXECUTABLE, options)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = program.read(&mut piece)?;
        if length == 0 {
            break;
        }
        zip.write_all(&piece[..length])?;
    }
    zip.finish()?.flush()
}

/// The digest and size of a file.
pub(crate) fn digest_file(file: &mut impl Read) -> io::Result<(Digest, u64)> {
    let mut hasher = DigestHasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            let size_bytes = hasher.length();
            return Ok((hasher.finish(), size_bytes));
        }
        hasher.update(&piece[..length]);
    }
}

#[cfg(test)]
mod tests;
