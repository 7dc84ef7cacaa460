//! Why an artifact is not unpacked.

use std::io;
use std::path::PathBuf;

use ship_core::{Digest, ParsePathError};
use zip::result::ZipError;

use crate::blobs::BlobError;

/// An artifact cannot be unpacked. Nothing of it is in place.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The artifact cannot be read, or a file of it cannot be written.
    #[error("artifact cannot be read or its files cannot be written")]
    Blob(#[from] BlobError),
    /// A zip that no store has yet cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is no zip.
    #[error("artifact {digest} is not a readable zip")]
    NotAnArchive {
        /// The artifact.
        digest: Digest,
        /// What the reader says.
        #[source]
        source: ZipError,
    },
    /// It is no zip of the plain kind that builders make.
    #[error("artifact {digest} is not a plain zip: {reason}")]
    NotPlain {
        /// The artifact.
        digest: Digest,
        /// What is special about it.
        reason: &'static str,
    },
    /// It is larger than allowed.
    #[error("artifact {digest} has more than {most} {what}")]
    TooLarge {
        /// The artifact.
        digest: Digest,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: u64,
    },
    /// A file in it is not accepted.
    #[error("artifact {digest} has the entry {name:?}, which {fault}")]
    Entry {
        /// The artifact.
        digest: Digest,
        /// The name of the file, with what is not text replaced.
        name: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
}

/// What is wrong with a file in an artifact.
#[derive(Debug, thiserror::Error)]
pub enum EntryFault {
    /// Its name is not text.
    #[error("is not UTF-8")]
    NotText,
    /// Its name is not a relative, normalised path.
    #[error("cannot be unpacked: {0}")]
    Name(ParsePathError),
    /// A part of its name is longer than a file name can be.
    #[error("has a part that is longer than 255 bytes")]
    PartTooLong,
    /// Its name is longer than a path in an artifact can be.
    #[error("is a path longer than 1024 bytes")]
    PathTooLong,
    /// Another file has the same name, or one that some file systems take for the same.
    #[error("is the same name as {other:?}")]
    SameName {
        /// The name of the other file.
        other: String,
    },
    /// It lies inside something that is a file or a link.
    #[error("lies inside {other:?}, which is no folder")]
    InsideFile {
        /// The name of the other file.
        other: String,
    },
    /// A layer is to stand in its place.
    #[error("stands where a layer of the function belongs")]
    InPlaceOfLayer,
    /// It is a folder or a device.
    #[error("is not a file")]
    NotAFile,
    /// It is a link that leads out of the artifact, or may do so.
    #[error("is a link to {target:?}, which is no place in the artifact")]
    LeadsOut {
        /// Where it leads.
        target: String,
    },
    /// It is encrypted.
    #[error("is encrypted")]
    Encrypted,
    /// More comes out of it than the artifact may hold.
    #[error("makes the artifact larger than {most} bytes")]
    TooManyBytes {
        /// The bound.
        most: u64,
    },
    /// Its bytes cannot be decompressed, or are not those it was packed from.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
}
