//! Digests of files, computed in parallel and in pieces, so that memory stays bounded however large the files are.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;
use ship_core::{Digest, DigestHasher, SiteLimits};

use crate::detect::SiteFolder;
use crate::tree::{FileStat, TreeError, TreeFile, shown_below};

/// Bytes that are read at once: most files of a site fit, and a few threads with a buffer each cost little.
const PIECE_BYTES: usize = 256 * 1024;

thread_local! {
    static PIECE: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE_BYTES]);
}

/// The digest of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Digested {
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
    /// Whether the file was the same before and after it was read, so that its state stands for its digest.
    pub(super) is_settled: bool,
}

/// Reads the files whose digests are not known.
pub(super) fn digest_unknown(
    files: &[TreeFile],
    known: &[Option<Digest>],
    site: &SiteFolder,
) -> Result<Vec<Digested>, TreeError> {
    let one = |(file, known): (&TreeFile, &Option<Digest>)| {
        if let Some(digest) = *known {
            return Ok(Digested { digest, size_bytes: file.stat.size_bytes, is_settled: true });
        }
        let location = site.folder.join(file.path.as_str());
        let unreadable = |source| TreeError::Unreadable { path: shown_below(&site.project, &location), source };
        digest_file(&location, &file.stat).map_err(unreadable)
    };
    files.par_iter().zip(known).map(one).collect()
}

fn digest_file(location: &Path, stat: &FileStat) -> io::Result<Digested> {
    let most = SiteLimits::DEFAULT.blob_bytes;
    if stat.size_bytes > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    let mut file = File::open(location)?;
    let mut hasher = DigestHasher::new();
    PIECE.with_borrow_mut(|piece| -> io::Result<()> {
        loop {
            let length = file.read(piece)?;
            hasher.update(&piece[..length]);
            // A small file's end is known without asking for it; its state afterwards tells whether more came.
            if length == 0 || (length < piece.len() && hasher.length() == stat.size_bytes) {
                return Ok(());
            }
        }
    })?;
    let is_settled = FileStat::of(&file.metadata()?) == *stat;
    let size_bytes = hasher.length();
    Ok(Digested { digest: hasher.finish(), size_bytes, is_settled })
}
