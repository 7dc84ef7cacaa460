//! Reading a stored blob again, piece by piece, whatever was found before.

use std::fs::File;
use std::io::{self, Read as _};

use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;
use ship_core::{Digest, DigestHasher};

use super::verified::Fingerprint;
use super::{BlobError, Blobs, READ_BYTES};
use crate::fsck::Progress;

/// A blob that is being read again.
#[derive(Debug)]
pub(crate) struct Recheck {
    digest: Digest,
    file: File,
    fingerprint: Fingerprint,
    hasher: DigestHasher,
}

impl Blobs {
    /// Opens a blob to read it again. That it is missing is not counted: somebody may have removed it on purpose.
    pub(crate) fn recheck(&self, digest: &Digest) -> Result<Recheck, BlobError> {
        let opened = File::open(self.path(digest)).and_then(|file| Ok((Fingerprint::of(&file)?, file)));
        let (fingerprint, file) = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BlobError::Missing { digest: *digest },
            _ => self.read_error(digest, error),
        })?;
        // What the kernel has in memory was right once; it is the disk that is asked. Where it does not follow the advice
        // less is found.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        Ok(Recheck { digest: *digest, file, fingerprint, hasher: DigestHasher::new() })
    }

    /// Notes that a blob which somebody needs is missing, and says whether it is.
    pub(crate) fn note_missing(&self, digest: &Digest) -> bool {
        matches!(self.open_unverified(digest), Err(BlobError::Missing { .. }))
    }
}

impl Recheck {
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn read_bytes(&self) -> u64 {
        self.hasher.length()
    }

    /// Reads on, `bytes` far at the most but for the last piece. A blob that is damaged, or that the disk does not give, is
    /// set aside.
    pub(crate) fn read_on(&mut self, blobs: &Blobs, bytes: u64) -> Result<Progress, BlobError> {
        let until = self.hasher.length().saturating_add(bytes);
        let mut buffer = vec![0; READ_BYTES];
        while self.hasher.length() < until {
            match self.file.read(&mut buffer) {
                Ok(0) => {
                    let found = self.hasher.clone().finish();
                    return blobs.expect(&self.digest, found, self.fingerprint).map(|()| Progress::Done);
                }
                Ok(count) => self.hasher.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.raw_os_error() == Some(Errno::IO.raw_os_error()) {
                        blobs.set_aside(&self.digest, self.fingerprint);
                    }
                    return Err(blobs.read_error(&self.digest, error));
                }
            }
        }
        Ok(Progress::More)
    }
}
