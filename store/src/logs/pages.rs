//! Reading a log forwards, a page at a time, from a place that an earlier page or the log's end gave.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use ship_core::{LogCursor, LogFilter, LogRecord};

use super::{LINE_BYTES, segment_numbers, segment_path};

/// How much is read at once. A line that is longer is read whole.
const PAGE_BYTES: usize = 256 * 1024;

/// What comes next in a log.
#[derive(Debug)]
pub struct LogPage {
    /// The records that are wanted, oldest first, each with the place behind it.
    pub records: Vec<(LogRecord, LogCursor)>,
    /// Where the next page begins. The same place again means that there is nothing yet.
    pub next: LogCursor,
    /// Whether the page begins where it was to begin.
    pub continuity: Continuity,
}

/// Whether a page begins where it was to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Continuity {
    /// It does.
    Unbroken,
    /// What stood there is gone: newer records needed the room, or it is another log. The page is empty, and the next one begins with
    /// the oldest records there are.
    Broken,
}

/// The end of the log in `folder`: behind the last whole line.
pub(super) fn end(folder: &Path) -> io::Result<LogCursor> {
    for segment in segment_numbers(folder)?.into_iter().rev() {
        let Some(file) = open(folder, segment)? else { continue };
        let mut offset_bytes = file.metadata()?.len();
        let mut block = vec![0; PAGE_BYTES];
        while offset_bytes > 0 {
            let count = offset_bytes.min(PAGE_BYTES as u64);
            let block = &mut block[..usize::try_from(count).unwrap_or(PAGE_BYTES)];
            file.read_exact_at(block, offset_bytes - count)?;
            match memchr::memrchr(b'\n', block) {
                Some(at) => return Ok(LogCursor { segment, offset_bytes: offset_bytes - count + at as u64 + 1 }),
                None => offset_bytes -= count,
            }
        }
        return Ok(LogCursor { segment, offset_bytes: 0 });
    }
    // Nothing was written yet: the first segment will have this number.
    Ok(LogCursor { segment: 1, offset_bytes: 0 })
}

/// What comes after `cursor`.
pub(super) fn page_after(folder: &Path, filter: &LogFilter, cursor: LogCursor) -> io::Result<LogPage> {
    let segments = segment_numbers(folder)?;
    let (Some(first), Some(last)) = (segments.first().copied(), segments.last().copied()) else {
        return Ok(LogPage { records: Vec::new(), next: cursor, continuity: Continuity::Unbroken });
    };
    let file = open(folder, cursor.segment)?;
    let length = file.as_ref().map(File::metadata).transpose()?.map(|metadata| metadata.len());
    let (Some(file), true) = (file, length.is_some_and(|length| cursor.offset_bytes <= length)) else {
        let next = LogCursor { segment: first, offset_bytes: 0 };
        return Ok(LogPage { records: Vec::new(), next, continuity: Continuity::Broken });
    };
    let mut page = read(&file, filter, cursor)?;
    if page.next == cursor && cursor.segment < last {
        // What may be left of this segment is a line that a crash has cut.
        let next = segments.into_iter().find(|segment| *segment > cursor.segment).unwrap_or(last);
        page.next = LogCursor { segment: next, offset_bytes: 0 };
    }
    Ok(page)
}

fn read(file: &File, filter: &LogFilter, cursor: LogCursor) -> io::Result<LogPage> {
    let mut block = read_block(file, cursor.offset_bytes, PAGE_BYTES)?;
    if block.len() == PAGE_BYTES && memchr::memchr(b'\n', &block).is_none() {
        block = read_block(file, cursor.offset_bytes, LINE_BYTES)?;
    }
    let mut page = LogPage { records: Vec::new(), next: cursor, continuity: Continuity::Unbroken };
    let whole = memchr::memrchr(b'\n', &block).map_or(0, |at| at + 1);
    for line in block[..whole].split_inclusive(|byte| *byte == b'\n') {
        page.next.offset_bytes += line.len() as u64;
        let record = serde_json::from_slice(line).ok().filter(|record| filter.matches(record));
        page.records.extend(record.map(|record| (record, page.next)));
    }
    if whole == 0 && block.len() >= LINE_BYTES {
        // Nothing that was written here is so long.
        page.next.offset_bytes += block.len() as u64;
    }
    Ok(page)
}

fn read_block(file: &File, offset_bytes: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut block = vec![0; most];
    let mut filled = 0;
    while filled < most {
        match file.read_at(&mut block[filled..], offset_bytes + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(filled);
    Ok(block)
}

fn open(folder: &Path, segment: u64) -> io::Result<Option<File>> {
    match File::open(segment_path(folder, segment)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
