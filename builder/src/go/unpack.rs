//! Unpacking a toolchain's archive: in parallel, under limits, and digested on the way.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use ship_core::{Digest, DigestHasher, SitePath};
use zip::ZipArchive;

use super::toolchain::{PINNED_VERSION, ToolchainError};

/// The most files. The pinned toolchains have 11,523.
const MAX_ENTRIES: usize = 30_000;

/// The most bytes unpacked. The pinned toolchains have 217 million.
const MAX_UNPACKED_BYTES: u64 = 600 * 1024 * 1024;

/// Bytes that are moved at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How many entries one thread takes at once.
const ENTRIES_PER_TASK: usize = 128;

/// Unpacks the entries of `archive`, all of which stand below `module`, into `folder`. Gives the digest that Go computes over
/// a module: what is unpacked must not be used before it was compared.
pub(super) fn unpack(archive: Arc<File>, module: &str, folder: &Path) -> Result<String, ToolchainError> {
    let zip = ZipArchive::new(SharedFile { file: archive, at: 0 }).map_err(|error| wrong(error.to_string()))?;
    if zip.len() > MAX_ENTRIES {
        return Err(wrong(format!("it has {} entries, more than {MAX_ENTRIES}", zip.len())));
    }
    let unpacked_bytes = AtomicU64::new(0);
    let entries: Vec<usize> = (0..zip.len()).collect();
    let chunks: Vec<Vec<(String, Digest)>> = entries
        .par_chunks(ENTRIES_PER_TASK)
        .map(|chunk| {
            let mut zip = zip.clone();
            chunk.iter().map(|index| unpack_entry(&mut zip, *index, module, folder, &unpacked_bytes)).collect()
        })
        .collect::<Result<_, _>>()?;
    let mut digests: Vec<(String, Digest)> = chunks.into_iter().flatten().collect();
    digests.sort_unstable();
    let mut hasher = DigestHasher::new();
    for (name, digest) in &digests {
        hasher.update(format!("{}  {name}\n", digest.to_hex()).as_bytes());
    }
    Ok(format!("h1:{}", data_encoding::BASE64.encode(hasher.finish().as_bytes())))
}

fn unpack_entry(
    zip: &mut ZipArchive<SharedFile>,
    index: usize,
    module: &str,
    folder: &Path,
    unpacked_bytes: &AtomicU64,
) -> Result<(String, Digest), ToolchainError> {
    let mut entry = zip.by_index(index).map_err(|error| wrong(error.to_string()))?;
    let name = entry.name().map_err(|error| wrong(error.to_string()))?.into_owned();
    let relative: Option<SitePath> = name.strip_prefix(module).and_then(|relative| relative.parse().ok());
    let Some(relative) = relative.filter(|_| entry.is_file()) else {
        return Err(wrong(format!("the entry {name:?} has no place in a toolchain")));
    };
    let place = folder.join(place_of(relative.as_str()));
    let store = |source| ToolchainError::Storage { path: place.clone(), source };
    std::fs::create_dir_all(place.parent().unwrap_or(folder)).map_err(store)?;
    let mut file =
        File::options().write(true).create_new(true).mode(mode_of(relative.as_str())).open(&place).map_err(store)?;
    let mut hasher = DigestHasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = entry.read(&mut piece).map_err(|error| wrong(error.to_string()))?;
        if length == 0 {
            return Ok((name, hasher.finish()));
        }
        if unpacked_bytes.fetch_add(length as u64, Ordering::Relaxed) + length as u64 > MAX_UNPACKED_BYTES {
            return Err(wrong(format!("it unpacks to more than {MAX_UNPACKED_BYTES} bytes")));
        }
        hasher.update(&piece[..length]);
        file.write_all(&piece[..length]).map_err(store)?;
    }
}

/// Toolchain archives call `go.mod` files `_go.mod`, because a module's archive may not contain other modules.
fn place_of(relative: &str) -> String {
    match relative.strip_suffix("_go.mod") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("{folder}go.mod"),
        _ => relative.to_owned(),
    }
}

/// Module archives carry no modes: programs stand in two places.
fn mode_of(relative: &str) -> u32 {
    if relative.starts_with("bin/") || relative.starts_with("pkg/tool/") { 0o755 } else { 0o644 }
}

fn wrong(reason: String) -> ToolchainError {
    ToolchainError::Archive { version: PINNED_VERSION, reason }
}

/// A file that several threads read, each at its own position.
#[derive(Clone)]
struct SharedFile {
    file: Arc<File>,
    at: u64,
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let moved = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = moved.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
