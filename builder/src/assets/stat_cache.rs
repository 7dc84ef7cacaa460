//! The stat cache: which digest a file had when it was last read, so that a file in the same state is not read again.
//!
//! One file per site folder, like git's index: a header, then the files sorted by path. It is written whole, in place of the
//! old one by a rename, and checked as a whole when read; anything wrong with it, and nothing is known.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Crc;
use ship_core::Digest;

use super::hash::Digested;
use crate::tree::{FileStat, TreeFile};

/// The first bytes of the file: a name and the version of the layout.
const MAGIC: &[u8; 8] = b"SHIPSTA1";

/// Behind the magic: the checksum of the rest, four bytes.
const HEADER_BYTES: usize = MAGIC.len() + 4;

/// An entry without its path: five numbers of eight bytes, the digest, and the length of the path.
const ENTRY_BYTES: usize = 5 * 8 + 32 + 2;

/// A file that was changed this shortly before it was looked at may change again without a trace, because file systems count
/// time in steps: the kernel's tick, a hundredth of a second at the most.
const FINE_CLOCK_STEP_NANOS: i64 = 20_000_000;

/// The step of file systems that keep whole seconds, doubled as FAT does.
const COARSE_CLOCK_STEP_NANOS: i64 = 2_000_000_000;

/// What is known of the files of one folder.
pub(super) struct StatCache {
    file: PathBuf,
    /// The entries as they stand in the file; empty if nothing is known.
    entries: Vec<u8>,
    looked_nanos: i64,
}

impl StatCache {
    /// Reads what is known of the files of `folder`, whose states were taken at `looked_at` or later.
    pub(super) fn open(cache_dir: &Path, folder: &Path, looked_at: SystemTime) -> Self {
        let looked = looked_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let looked_nanos = i64::try_from(looked.as_nanos()).unwrap_or(i64::MAX);
        let key = Digest::of(folder.as_os_str().as_encoded_bytes()).to_hex();
        let file = cache_dir.join("stat").join(&key[..32]);
        let entries = std::fs::read(&file).ok().and_then(checked).unwrap_or_default();
        Self { file, entries, looked_nanos }
    }

    /// The digests of `files`, which are sorted by path, as far as they are known.
    pub(super) fn lookup(&self, files: &[TreeFile]) -> Vec<Option<Digest>> {
        let mut known = self.known().peekable();
        let mut digest_of = |file: &TreeFile| {
            let path = file.path.as_str().as_bytes();
            while known.next_if(|entry| entry.path < path).is_some() {}
            let entry = known.next_if(|entry| entry.path == path)?;
            (entry.stat == file.stat).then_some(entry.digest)
        };
        files.iter().map(&mut digest_of).collect()
    }

    /// Remembers the digests of `files`. What cannot be written is read again the next time, which is all there is to it.
    pub(super) fn write(&self, files: &[TreeFile], digested: &[Digested]) {
        let mut entries = Vec::with_capacity(files.len() * (ENTRY_BYTES + 40));
        for (file, digested) in files.iter().zip(digested) {
            if digested.is_settled && !self.may_change_unseen(&file.stat) {
                push_entry(&mut entries, file, &digested.digest);
            }
        }
        if let Err(error) = self.replace(&entries) {
            tracing::debug!(file = %self.file.display(), %error, "the stat cache cannot be written");
        }
    }

    /// Forgets files that are gone, once they are most of what is known. All of `files` are known.
    pub(super) fn write_if_shrunk(&self, files: &[TreeFile], known: &[Option<Digest>]) {
        if self.known().count() <= 2 * files.len() {
            return;
        }
        let digested = |(file, digest): (&TreeFile, &Option<Digest>)| {
            digest.map(|digest| Digested { digest, size_bytes: file.stat.size_bytes, is_settled: true })
        };
        let digested: Vec<Digested> = files.iter().zip(known).filter_map(digested).collect();
        self.write(files, &digested);
    }

    /// Whether a file was changed so shortly before this look that its next change may leave its times as they are.
    fn may_change_unseen(&self, stat: &FileStat) -> bool {
        let is_coarse = stat.modified_nanos % 1_000_000_000 == 0 && stat.changed_nanos % 1_000_000_000 == 0;
        let step = if is_coarse { COARSE_CLOCK_STEP_NANOS } else { FINE_CLOCK_STEP_NANOS };
        stat.modified_nanos.max(stat.changed_nanos) >= self.looked_nanos.saturating_sub(step)
    }

    fn replace(&self, entries: &[u8]) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&checksum(entries).to_le_bytes())?;
        file.write_all(entries)?;
        file.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }

    fn known(&self) -> impl Iterator<Item = Known<'_>> {
        let mut rest = self.entries.as_slice();
        std::iter::from_fn(move || {
            let (entry, behind) = take_entry(rest)?;
            rest = behind;
            Some(entry)
        })
    }
}

/// One entry.
struct Known<'c> {
    path: &'c [u8],
    stat: FileStat,
    digest: Digest,
}

/// The entries of a file whose header and checksum are right.
fn checked(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let (header, entries) = bytes.split_at_checked(HEADER_BYTES)?;
    let expected = [MAGIC.as_slice(), &checksum(entries).to_le_bytes()].concat();
    if header != expected {
        return None;
    }
    bytes.drain(..HEADER_BYTES);
    Some(bytes)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn push_entry(entries: &mut Vec<u8>, file: &TreeFile, digest: &Digest) {
    let FileStat { device, inode, size_bytes, modified_nanos, changed_nanos } = file.stat;
    for number in [device, inode, size_bytes] {
        entries.extend_from_slice(&number.to_le_bytes());
    }
    for number in [modified_nanos, changed_nanos] {
        entries.extend_from_slice(&number.to_le_bytes());
    }
    entries.extend_from_slice(digest.as_bytes());
    let path = file.path.as_str().as_bytes();
    let length = u16::try_from(path.len()).expect("a site path has at most 4096 bytes");
    entries.extend_from_slice(&length.to_le_bytes());
    entries.extend_from_slice(path);
}

/// The first entry, and what stands behind it.
fn take_entry(bytes: &[u8]) -> Option<(Known<'_>, &[u8])> {
    let (fixed, rest) = bytes.split_first_chunk::<ENTRY_BYTES>()?;
    let number = |index: usize| -> Option<[u8; 8]> { fixed.get(index * 8..index * 8 + 8)?.try_into().ok() };
    let stat = FileStat {
        device: u64::from_le_bytes(number(0)?),
        inode: u64::from_le_bytes(number(1)?),
        size_bytes: u64::from_le_bytes(number(2)?),
        modified_nanos: i64::from_le_bytes(number(3)?),
        changed_nanos: i64::from_le_bytes(number(4)?),
    };
    let digest = Digest::from_bytes(fixed.get(40..72)?.try_into().ok()?);
    let length = usize::from(u16::from_le_bytes(fixed.get(72..74)?.try_into().ok()?));
    let (path, behind) = rest.split_at_checked(length)?;
    Some((Known { path, stat, digest }, behind))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LOOKED_SECS: i64 = 1_700_000_000;

    /// Whether a file that was changed so long before it was looked at, on a file system that keeps times so exactly, is
    /// remembered.
    fn is_remembered(nanos_before: i64, clock_step_nanos: i64) -> bool {
        let cache_dir = tempfile::tempdir().unwrap();
        let looked_nanos = LOOKED_SECS * 1_000_000_000 + 500_000_000;
        let looked_at = SystemTime::UNIX_EPOCH + Duration::from_nanos(looked_nanos.unsigned_abs());
        let changed_nanos = (looked_nanos - nanos_before) / clock_step_nanos * clock_step_nanos;
        let stat = FileStat { device: 1, inode: 2, size_bytes: 3, modified_nanos: changed_nanos - 7, changed_nanos };
        let stat = FileStat { modified_nanos: stat.modified_nanos / clock_step_nanos * clock_step_nanos, ..stat };
        let files = [TreeFile { path: "a.txt".parse().unwrap(), stat }];
        let digest = Digest::of(b"abc");
        let open = || StatCache::open(cache_dir.path(), Path::new("/site"), looked_at);
        open().write(&files, &[Digested { digest, size_bytes: 3, is_settled: true }]);
        open().lookup(&files) == [Some(digest)]
    }

    /// A file may change twice within one step of its file system's clock, and the second change leaves no trace in its
    /// times. So one that changed within the last step before the look is not remembered.
    #[test]
    fn racily_clean_files() {
        let (nano, millisecond, second) = (1, 1_000_000, 1_000_000_000);
        assert!(!is_remembered(0, nano));
        assert!(!is_remembered(10 * millisecond, 4 * millisecond));
        assert!(is_remembered(30 * millisecond, 4 * millisecond));
        assert!(!is_remembered(second, second), "a clock of whole seconds");
        assert!(is_remembered(4 * second, second));
        assert!(!is_remembered(-5 * second, nano), "a change in the future");
    }
}
