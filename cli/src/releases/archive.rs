//! A release's archive: what is taken out of it, which is one file.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write};

use flate2::read::GzDecoder;
use tar::Archive;

use super::error::ReleaseError;

/// The most bytes of a program. One has some sixty million.
const MAX_PROGRAM_BYTES: u64 = 1024 * 1024 * 1024;

/// Writes the program at `path` of an archive, whose digest was checked. What else is in it is left there.
pub(super) fn unpack(mut archive: &File, path: &str, into: &mut impl Write) -> Result<(), ReleaseError> {
    archive.rewind().map_err(ReleaseError::Archive)?;
    let mut archive = Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().map_err(ReleaseError::Archive)? {
        let entry = entry.map_err(ReleaseError::Archive)?;
        if entry.path().is_ok_and(|found| found.as_os_str() == path) && entry.header().entry_type().is_file() {
            return io::copy(&mut entry.take(MAX_PROGRAM_BYTES), into).map(drop).map_err(ReleaseError::Archive);
        }
    }
    Err(ReleaseError::Archive(io::Error::new(io::ErrorKind::NotFound, format!("it has no {path}"))))
}
