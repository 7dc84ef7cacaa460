//! Reading an artifact that may be hostile: every bound and every name is checked before anything is written, and what
//! the archive says about sizes is not believed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;

use ship_core::{Digest, SitePath};
use unicode_normalization::UnicodeNormalization as _;
use zip::ZipArchive;

use super::error::{EntryFault, UnpackError};
use super::limits::ArchiveLimits;
use crate::blobs::{Blob, BlobError};

/// The record at the end of a zip that tells where its list of names is.
const END_BYTES: usize = 22;
const END_SIGNATURE: &[u8] = b"PK\x05\x06";

/// The longest name of one file or folder on any file system that matters.
const PART_BYTES: usize = 255;

/// The longest path of a file in an artifact, in bytes (macOS's `PATH_MAX`). A path below the data directory begins with that folder and the
/// function's, and Linux opens none above 4096: what is longer could be unpacked, and neither read nor compared afterwards.
const PATH_BYTES: usize = 1024;

/// The kind of a file in its Unix mode, and the only kind that is accepted besides links.
const KIND_MASK: u32 = 0o170_000;
const REGULAR_FILE: u32 = 0o100_000;

/// The longest target of a link, in bytes (Linux `PATH_MAX`).
const MAX_TARGET_BYTES: u64 = 4096;

/// How much is decompressed at once.
const READ_BYTES: usize = 64 * 1024;

/// An artifact, open for unpacking.
pub(super) struct Archive {
    digest: Digest,
    zip: ZipArchive<BufReader<File>>,
    /// How many more bytes may come out of it, and how many that were at first.
    remaining_bytes: u64,
    most_bytes: u64,
}

/// A file or link in an artifact whose name and kind were found acceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    index: usize,
    pub(super) path: SitePath,
    pub(super) kind: EntryKind,
}

/// What an entry becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryKind {
    Data,
    Executable,
    /// A link to another place in the artifact.
    Link {
        target: String,
    },
}

impl Archive {
    pub(super) fn open(blob: Blob, limits: &ArchiveLimits) -> Result<Self, UnpackError> {
        let (digest, archive_bytes) = (blob.digest(), blob.size_bytes());
        Self::of_file(blob.into_file(), digest, archive_bytes, limits)
    }

    pub(super) fn of_file(
        file: File,
        digest: Digest,
        archive_bytes: u64,
        limits: &ArchiveLimits,
    ) -> Result<Self, UnpackError> {
        if archive_bytes > limits.archive_bytes {
            return Err(UnpackError::TooLarge { digest, what: "bytes", most: limits.archive_bytes });
        }
        let entries = check_end(&file, digest, archive_bytes, limits)?;
        let zip =
            ZipArchive::new(BufReader::new(file)).map_err(|source| UnpackError::NotAnArchive { digest, source })?;
        if zip.has_duplicate_names() || zip.len() as u64 != entries {
            return Err(UnpackError::NotPlain { digest, reason: "it names an entry twice" });
        }
        let most_bytes = limits.bytes_from(archive_bytes);
        Ok(Self { digest, zip, remaining_bytes: most_bytes, most_bytes })
    }

    /// The files in it, all of which can be unpacked next to each other.
    pub(super) fn entries(&mut self) -> Result<Vec<Entry>, UnpackError> {
        let mut entries = (0..self.zip.len()).map(|index| self.entry(index)).collect::<Result<Vec<_>, _>>()?;
        for entry in entries.iter_mut().filter(|entry| entry.kind.is_link()) {
            let target = self.target(entry).map_err(|fault| self.refuse(entry.path.as_str().to_owned(), fault))?;
            entry.kind = EntryKind::Link { target };
        }
        check_names(&entries).map_err(|(entry, fault)| self.refuse(entry.path.as_str().to_owned(), fault))?;
        Ok(entries)
    }

    /// Where a link leads.
    fn target(&mut self, entry: &Entry) -> Result<String, EntryFault> {
        let file = self.zip.by_index(entry.index).map_err(|error| EntryFault::Unreadable(error.into()))?;
        let mut bytes = Vec::new();
        file.take(MAX_TARGET_BYTES + 1).read_to_end(&mut bytes).map_err(EntryFault::Unreadable)?;
        let target = String::from_utf8(bytes).map_err(|_| EntryFault::NotText)?;
        if stays_inside(&entry.path, &target) { Ok(target) } else { Err(EntryFault::LeadsOut { target }) }
    }

    fn entry(&self, index: usize) -> Result<Entry, UnpackError> {
        let data = self
            .zip
            .by_index_data(index)
            .map_err(|source| UnpackError::NotAnArchive { digest: self.digest, source })?;
        let mode = data.unix_mode().unwrap_or(REGULAR_FILE);
        let raw_name = data.name_raw();
        let is_file = data.is_file() && matches!(mode & KIND_MASK, 0 | REGULAR_FILE);
        // Where it leads is read when all names are known.
        let kind = match mode {
            _ if data.is_symlink() => Some(EntryKind::Link { target: String::new() }),
            _ if !is_file => None,
            mode if mode & 0o111 != 0 => Some(EntryKind::Executable),
            _ => Some(EntryKind::Data),
        };
        let entry = if data.encrypted() {
            Err(EntryFault::Encrypted)
        } else {
            kind.ok_or(EntryFault::NotAFile).and_then(|kind| Ok((to_path(raw_name)?, kind)))
        };
        let (path, kind) = entry.map_err(|fault| self.refuse(String::from_utf8_lossy(raw_name).into_owned(), fault))?;
        Ok(Entry { index, path, kind })
    }

    /// How many bytes an entry has, as the archive says.
    pub(super) fn bytes_of(&self, entry: &Entry) -> u64 {
        self.zip.by_index_data(entry.index).map_or(0, |data| data.size())
    }

    /// Passes the bytes of an entry to `take`, piece by piece.
    pub(super) fn read(
        &mut self,
        entry: &Entry,
        mut take: impl FnMut(&[u8]) -> Result<(), UnpackError>,
    ) -> Result<(), UnpackError> {
        let (digest, most) = (self.digest, self.most_bytes);
        let refuse = |fault| UnpackError::Entry { digest, name: entry.path.as_str().to_owned(), fault };
        let mut file = self.zip.by_index(entry.index).map_err(|error| refuse(EntryFault::Unreadable(error.into())))?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = file.read(&mut buffer).map_err(|error| refuse(EntryFault::Unreadable(error)))?;
            if count == 0 {
                return Ok(());
            }
            let remaining = self.remaining_bytes.checked_sub(count as u64);
            self.remaining_bytes = remaining.ok_or_else(|| refuse(EntryFault::TooManyBytes { most }))?;
            take(&buffer[..count])?;
        }
    }

    fn refuse(&self, name: String, fault: EntryFault) -> UnpackError {
        UnpackError::Entry { digest: self.digest, name, fault }
    }
}

/// Checks the record at the end before the reader believes it, and returns how many entries it announces. Builders write
/// neither comments nor the 64-bit form, and both are ways to make two readers see two archives.
fn check_end(file: &File, digest: Digest, archive_bytes: u64, limits: &ArchiveLimits) -> Result<u64, UnpackError> {
    let not_plain = |reason| UnpackError::NotPlain { digest, reason };
    let begin = archive_bytes.checked_sub(END_BYTES as u64).ok_or(not_plain("it is too short"))?;
    let mut end = [0; END_BYTES];
    let read = file.read_exact_at(&mut end, begin);
    read.map_err(|source| BlobError::io("read the end of", std::path::Path::new(&digest.to_hex()), source))?;
    let half = |at: usize| u64::from(u16::from_le_bytes([end[at], end[at + 1]]));
    let word = |at: usize| half(at) | half(at + 2) << 16;
    let (entries, directory_bytes, directory_begin) = (half(10), word(12), word(16));
    if !end.starts_with(END_SIGNATURE) || half(20) != 0 {
        return Err(not_plain("its last bytes are not the end of a zip without a comment"));
    }
    if half(4) != 0 || half(6) != 0 || half(8) != entries {
        return Err(not_plain("it is one of several parts"));
    }
    if directory_begin + directory_bytes != begin {
        return Err(not_plain("its list of names does not end where the archive does"));
    }
    for (what, found, most) in
        [("entries", entries, limits.entries), ("bytes in its list of names", directory_bytes, limits.directory_bytes)]
    {
        if found > most {
            return Err(UnpackError::TooLarge { digest, what, most });
        }
    }
    Ok(entries)
}

impl EntryKind {
    pub(super) const fn is_link(&self) -> bool {
        matches!(self, Self::Link { .. })
    }
}

/// Whether a link at `path` leads to a place in the same artifact. Its `..` may stand only at its beginning: there they are
/// about folders that are known to be real, since nothing lies inside a link. Behind a name, which may be that of another
/// link, they could lead anywhere.
fn stays_inside(path: &SitePath, target: &str) -> bool {
    let folders_above = path.as_str().split('/').count() - 1;
    let up = target.split('/').take_while(|part| *part == "..").count();
    let down: Vec<&str> = target.split('/').skip(up).collect();
    up <= folders_above && !down.is_empty() && down.join("/").parse::<SitePath>().is_ok()
}

fn to_path(raw_name: &[u8]) -> Result<SitePath, EntryFault> {
    let name = std::str::from_utf8(raw_name).map_err(|_| EntryFault::NotText)?;
    let path: SitePath = name.parse().map_err(EntryFault::Name)?;
    if path.as_str().split('/').any(|part| part.len() > PART_BYTES) {
        return Err(EntryFault::PartTooLong);
    }
    if path.as_str().len() > PATH_BYTES {
        return Err(EntryFault::PathTooLong);
    }
    Ok(path)
}

/// Finds names that some file system takes for the same, and files that other files lie inside of.
fn check_names(entries: &[Entry]) -> Result<(), (&Entry, EntryFault)> {
    let mut seen: HashMap<String, &Entry> = HashMap::with_capacity(entries.len());
    for entry in entries {
        if let Some(other) = seen.insert(folded(entry.path.as_str()), entry) {
            return Err((entry, EntryFault::SameName { other: other.path.as_str().to_owned() }));
        }
    }
    for (name, entry) in &seen {
        let mut above = name.match_indices('/').map(|(end, _)| &name[..end]);
        if let Some(other) = above.find_map(|folder| seen.get(folder)) {
            return Err((entry, EntryFault::InsideFile { other: other.path.as_str().to_owned() }));
        }
    }
    Ok(())
}

/// The form in which names are compared: composed, and without case. Through upper case first, so that `ß` meets `SS`.
fn folded(name: &str) -> String {
    name.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
}
