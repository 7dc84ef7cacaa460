//! Reading a log from its end: the newest segment first, each in blocks from the back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use ship_core::{LogCursor, LogFilter, LogRecord};

use super::{segment_numbers, segment_path};

/// How much is read at once.
const BLOCK_BYTES: u64 = 64 * 1024;

/// The newest `limit` records before `end` that `filter` wants, oldest first.
pub(super) fn newest(folder: &Path, filter: &LogFilter, limit: usize, end: LogCursor) -> io::Result<Vec<LogRecord>> {
    let mut records = Vec::new();
    for number in segment_numbers(folder)?.into_iter().rev().filter(|number| *number <= end.segment) {
        let file = match File::open(segment_path(folder, number)) {
            Ok(file) => file,
            // The writer went on to the next segment meanwhile and removed this one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let most = if number == end.segment { end.offset_bytes } else { u64::MAX };
        let mut lines = LinesFromEnd::new(file, most)?;
        while records.len() < limit
            && let Some(line) = lines.next_line()?
        {
            // What is no record is a line that a crash has cut.
            let record = serde_json::from_slice(&line).ok().filter(|record| filter.matches(record));
            records.extend(record);
        }
    }
    records.reverse();
    Ok(records)
}

/// The lines of a file, last line first.
struct LinesFromEnd {
    file: File,
    /// Where what was not read yet ends.
    unread_bytes: u64,
    /// What was read and not returned yet.
    buffer: Vec<u8>,
}

impl LinesFromEnd {
    /// The lines of the first `most_bytes` of a file.
    fn new(file: File, most_bytes: u64) -> io::Result<Self> {
        let unread_bytes = file.metadata()?.len().min(most_bytes);
        Ok(Self { file, unread_bytes, buffer: Vec::new() })
    }

    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            let unsearched = &self.buffer[..self.buffer.len() - searched];
            if let Some(end) = unsearched.iter().rposition(|byte| *byte == b'\n') {
                let line = self.buffer.split_off(end + 1);
                self.buffer.truncate(end);
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            if self.unread_bytes == 0 {
                return Ok((searched > 0).then(|| std::mem::take(&mut self.buffer)));
            }
            self.read_block()?;
        }
    }

    fn read_block(&mut self) -> io::Result<()> {
        let count = self.unread_bytes.min(BLOCK_BYTES);
        self.unread_bytes -= count;
        let mut block = vec![0; usize::try_from(count).unwrap_or(0)];
        self.file.read_exact_at(&mut block, self.unread_bytes)?;
        block.append(&mut self.buffer);
        self.buffer = block;
        Ok(())
    }
}
