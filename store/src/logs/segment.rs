//! Appending to the newest segment of a log, and going on to the next one when it is full.
//!
//! While a host takes over from another, both append: the folder of a log is locked for each turn of writing, and whoever has the
//! lock looks whether the other has gone on to the next segment.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{segment_numbers, segment_path};

/// A segment is full at this many bytes, unless the log is given another bound.
pub(super) const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// How many segments are kept: with the size of each, what one project's log may take of the disk.
pub(super) const SEGMENTS_KEPT: usize = 4;

/// Lines are gathered up to this many bytes and written at once.
const GATHERED_BYTES: usize = 256 * 1024;

/// The newest segment of a project's log, open for appending.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    /// What is locked.
    folder_handle: File,
    number: u64,
    file: File,
    size_bytes: u64,
    /// Whether the segment may end in the middle of a line.
    is_torn: bool,
}

impl Writer {
    /// Opens the newest segment of the log in `folder`, making both if there is none.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let folder_handle = File::open(folder)?;
        let number = segment_numbers(folder)?.last().copied().unwrap_or(1);
        let (file, size_bytes, is_torn) = open_segment(folder, number)?;
        Ok(Self { folder: folder.to_owned(), folder_handle, number, file, size_bytes, is_torn })
    }

    /// Appends lines, each with its end, in segments of at most `segment_bytes`.
    pub(super) fn append(&mut self, lines: impl Iterator<Item = Vec<u8>>, segment_bytes: u64) -> io::Result<()> {
        let turn = self.folder_handle.try_clone()?;
        turn.lock()?;
        let appended = self.catch_up().and_then(|()| self.append_alone(lines, segment_bytes));
        appended.and(turn.unlock())
    }

    /// Sees what another process has appended meanwhile.
    fn catch_up(&mut self) -> io::Result<()> {
        if segment_path(&self.folder, self.number + 1).exists() {
            let newest = segment_numbers(&self.folder)?.last().copied().unwrap_or(self.number);
            return self.go_to(newest);
        }
        self.size_bytes = self.file.metadata()?.len();
        Ok(())
    }

    fn append_alone(&mut self, lines: impl Iterator<Item = Vec<u8>>, segment_bytes: u64) -> io::Result<()> {
        let mut gathered = Vec::new();
        for line in lines {
            let is_full = self.size_bytes + (gathered.len() + line.len()) as u64 > segment_bytes;
            if is_full || gathered.len() > GATHERED_BYTES {
                self.write(&mut gathered)?;
            }
            if is_full {
                self.go_on()?;
            }
            gathered.extend_from_slice(&line);
        }
        self.write(&mut gathered)
    }

    fn write(&mut self, gathered: &mut Vec<u8>) -> io::Result<()> {
        if gathered.is_empty() {
            return Ok(());
        }
        if self.is_torn {
            gathered.insert(0, b'\n');
        }
        // Until all of it is written, the segment may end anywhere.
        self.is_torn = true;
        self.file.write_all(gathered)?;
        self.is_torn = false;
        self.size_bytes += gathered.len() as u64;
        gathered.clear();
        Ok(())
    }

    fn go_to(&mut self, number: u64) -> io::Result<()> {
        (self.file, self.size_bytes, self.is_torn) = open_segment(&self.folder, number)?;
        self.number = number;
        Ok(())
    }

    /// Begins the next segment and removes those that are too many.
    fn go_on(&mut self) -> io::Result<()> {
        self.go_to(self.number + 1)?;
        let numbers = segment_numbers(&self.folder)?;
        for number in numbers.iter().rev().skip(SEGMENTS_KEPT) {
            fs::remove_file(segment_path(&self.folder, *number))?;
        }
        Ok(())
    }
}

/// A segment, open for appending, its size, and whether it may end in the middle of a line.
fn open_segment(folder: &Path, number: u64) -> io::Result<(File, u64, bool)> {
    let path = segment_path(folder, number);
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let size_bytes = file.metadata()?.len();
    let is_torn = size_bytes > 0 && last_byte(&mut file)? != b'\n';
    Ok((file, size_bytes, is_torn))
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}
