//! Artifacts: one deterministic zip per function. The same program gives the same bytes, wherever and whenever it is packed.

mod cache;

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ship_core::{Digest, DigestHasher};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

pub(crate) use cache::{ArtifactCache, CachedArtifact};

/// How hard to compress. A Go program of 5.8 MB takes 35 ms and becomes 3.1 MB at level 1; at level 6 it takes 120 ms and
/// becomes 2.5 MB. A person waits for the first after each change of a line.
const COMPRESSION_LEVEL: i64 = 1;

/// Bytes that are moved at once.
const PIECE_BYTES: usize = 256 * 1024;

/// The most bytes that the files of an artifact may have together: what a host unpacks.
const MAX_UNPACKED_BYTES: u64 = 1024 * 1024 * 1024;

/// How many of the largest members are named when there is too much.
const LARGEST_NAMED: usize = 5;

/// A function's artifact could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// A file of it could not be read or written.
    #[error("the artifact `{}` cannot be written", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is more in it than a host unpacks.
    #[error(
        "a function has {} MB, more than the {} MB that one may have. The largest of its files:\n{}",
        size_bytes / 1_000_000,
        MAX_UNPACKED_BYTES / 1_000_000,
        largest.join("\n")
    )]
    TooLarge {
        /// How much there is.
        size_bytes: u64,
        /// The largest files, one to a line.
        largest: Vec<String>,
    },
}

impl ArtifactError {
    /// The stable code of the problem, where it has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Unwritable { .. } => None,
            Self::TooLarge { .. } => Some("function_too_large"),
        }
    }
}

/// One file of an artifact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    /// Its name: relative, with `/` between folders.
    pub(crate) name: String,
    pub(crate) content: Content,
    pub(crate) mode: Mode,
}

/// Where the bytes of a member are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    File(PathBuf),
    Bytes(Vec<u8>),
    /// It is a link: relative, and to a place in the artifact.
    Link(String),
}

/// What may be done with a member once it is unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Data,
    Executable,
}

impl Member {
    /// A file that is read or run by an interpreter.
    pub(crate) fn data(name: impl Into<String>, content: Content) -> Self {
        Self { name: name.into(), content, mode: Mode::Data }
    }

    /// A link to another place in the artifact.
    pub(crate) fn link(name: impl Into<String>, target: String) -> Self {
        Self { name: name.into(), content: Content::Link(target), mode: Mode::Executable }
    }

    /// A program.
    pub(crate) fn executable(name: impl Into<String>, program: PathBuf) -> Self {
        Self { name: name.into(), content: Content::File(program), mode: Mode::Executable }
    }
}

impl Mode {
    /// That of a file of the project. Only what the owner may do is kept: the rest depends on who checked the project out.
    pub(crate) fn of(file: &Metadata) -> Self {
        if file.permissions().mode() & 0o100 != 0 { Self::Executable } else { Self::Data }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Data => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// How many bytes an artifact's files have together. More than a host would unpack is refused, before it is packed.
pub(crate) fn unpacked_bytes(members: &[Member]) -> Result<u64, ArtifactError> {
    let mut sizes: Vec<(u64, &str)> = Vec::with_capacity(members.len());
    for member in members {
        let size_bytes = match &member.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Link(_) => 0,
            Content::File(file) => {
                let metadata = file.metadata();
                metadata.map_err(|source| ArtifactError::Unwritable { path: file.clone(), source })?.len()
            }
        };
        sizes.push((size_bytes, &member.name));
    }
    let size_bytes = sizes.iter().map(|(size, _)| size).sum();
    if size_bytes <= MAX_UNPACKED_BYTES {
        return Ok(size_bytes);
    }
    sizes.sort_unstable_by(|left, right| right.cmp(left));
    let line = |(size, name): &(u64, &str)| format!("  {}.{} MB  {name}", size / 1_000_000, size % 1_000_000 / 100_000);
    Err(ArtifactError::TooLarge { size_bytes, largest: sizes.iter().take(LARGEST_NAMED).map(line).collect() })
}

/// Packs `members`, sorted by their names, into `into`, an empty file.
pub(crate) fn pack(members: &mut [Member], into: &mut File) -> io::Result<()> {
    members.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    let mut zip = ZipWriter::new(BufWriter::with_capacity(PIECE_BYTES, Silenced::new(into)));
    for member in members {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(COMPRESSION_LEVEL))
            .last_modified_time(DateTime::default())
            .unix_permissions(member.mode.bits())
            .system(System::Unix);
        match &member.content {
            Content::Link(target) => zip.add_symlink(member.name.as_str(), target, options)?,
            Content::Bytes(bytes) => {
                zip.start_file(member.name.as_str(), options)?;
                zip.write_all(bytes)?;
            }
            Content::File(file) => {
                zip.start_file(member.name.as_str(), options)?;
                copy(&mut File::open(file)?, &mut zip)?;
            }
        }
    }
    zip.finish()?.flush()
}

/// A file that fails once. A `ZipWriter` that is dropped tries to end its archive, and prints if it cannot: after an error that
/// was told, it believes that it could.
struct Silenced<'f> {
    into: &'f mut File,
    has_failed: bool,
    /// Where the next byte goes, or would go.
    at: u64,
    end: u64,
}

impl<'f> Silenced<'f> {
    fn new(into: &'f mut File) -> Self {
        Self { into, has_failed: false, at: 0, end: 0 }
    }

    fn attempt<T>(&mut self, pretended: T, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        if self.has_failed {
            return Ok(pretended);
        }
        let done = write(self.into);
        self.has_failed = done.is_err();
        done
    }
}

impl Write for Silenced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.attempt(bytes.len(), |file| file.write(bytes))?;
        self.at += written as u64;
        self.end = self.end.max(self.at);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt((), Write::flush)
    }
}

impl Seek for Silenced<'_> {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        let pretended = match place {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(distance) => self.at.saturating_add_signed(distance),
            SeekFrom::End(distance) => self.end.saturating_add_signed(distance),
        };
        self.at = self.attempt(pretended, |file| file.seek(place))?;
        Ok(self.at)
    }
}

fn copy(from: &mut File, into: &mut impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        into.write_all(&piece[..length])?;
    }
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
