//! Logs of projects: one JSON record per line, in segments of bounded size and number, appended to and read from the end.
//!
//! Logs are not synced: after a power cut the last seconds may be gone, and the last line may be cut. Whoever reads skips
//! what is no record, and whoever appends after a cut line begins a new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use ship_core::{LogCursor, LogFilter, LogRecord, LogSource, ProjectName};

use crate::data_dir::remove_all;
use crate::database::StateError;

mod pages;
mod segment;
mod tail;

pub use pages::{Continuity, LogPage};
use segment::{SEGMENT_BYTES, SEGMENTS_KEPT, Writer};

/// How many projects' segments are kept open for appending.
const OPEN_PROJECTS: usize = 64;

/// The longest message that is kept of one line, in bytes; what is longer is cut.
const MESSAGE_BYTES: usize = 256 * 1024;

/// The longest line: a message of nothing but control characters takes six bytes for each, and there is a head before it.
const LINE_BYTES: usize = 7 * MESSAGE_BYTES;

/// The logs of a store.
#[derive(Debug)]
pub struct Logs {
    folder: PathBuf,
    writers: Cache<ProjectName, Arc<Mutex<Writer>>>,
    /// A segment is full at this many bytes.
    segment_bytes: AtomicU64,
}

/// The newest records of a log.
#[derive(Debug)]
pub struct LogTail {
    /// The records, oldest first.
    pub records: Vec<LogRecord>,
    /// Behind the last of them: where whoever wants what comes next begins.
    pub end: LogCursor,
}

impl Logs {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, writers: Cache::new(OPEN_PROJECTS), segment_bytes: AtomicU64::new(SEGMENT_BYTES) }
    }

    /// Bounds what one project's log may take of the disk, in bytes: 32 MiB unless something else is said. A log that is larger loses
    /// its oldest records as it grows.
    pub fn limit_to(&self, bytes: u64) {
        self.segment_bytes.store(bytes / SEGMENTS_KEPT as u64, Ordering::Relaxed);
    }

    /// Appends records to the log of a project.
    pub fn append(&self, project: &ProjectName, records: &[LogRecord]) -> Result<(), StateError> {
        let folder = self.folder_of(project);
        let open = || Writer::open(&folder).map(|writer| Arc::new(Mutex::new(writer)));
        let written = self.writers.get_or_insert_with(project, open).and_then(|writer| {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.append(records.iter().filter_map(to_line), self.segment_bytes.load(Ordering::Relaxed))
        });
        written.map_err(|source| error("append to", &folder, source))
    }

    /// The newest `limit` records of a project that `filter` wants, oldest first.
    pub fn tail(&self, project: &ProjectName, filter: &LogFilter, limit: usize) -> Result<LogTail, StateError> {
        let folder = self.folder_of(project);
        let newest = || {
            let end = pages::end(&folder)?;
            Ok(LogTail { records: tail::newest(&folder, filter, limit, end)?, end })
        };
        newest().map_err(|source| error("read", &folder, source))
    }

    /// The records of a project after a place that an earlier answer gave, so many as fit a page.
    pub fn after(&self, project: &ProjectName, filter: &LogFilter, cursor: LogCursor) -> Result<LogPage, StateError> {
        let folder = self.folder_of(project);
        pages::page_after(&folder, filter, cursor).map_err(|source| error("read", &folder, source))
    }

    /// Removes the log of a project.
    pub fn remove(&self, project: &ProjectName) -> Result<(), StateError> {
        self.writers.remove(project);
        let folder = self.folder_of(project);
        match remove_all(&folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(error("remove", &folder, source)),
            _ => Ok(()),
        }
    }

    /// A project's name is a DNS label, so it can stand in a path.
    fn folder_of(&self, project: &ProjectName) -> PathBuf {
        self.folder.join(project.as_str())
    }
}

fn error(action: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Log { action, path: path.to_owned(), source }
}

/// The line of a record, its end included. `None` for one that is too long in spite of a cut message.
fn to_line(record: &LogRecord) -> Option<Vec<u8>> {
    let mut line = match cut(record) {
        Some(cut) => serde_json::to_vec(&cut),
        None => serde_json::to_vec(record),
    }
    .ok()
    .filter(|line| line.len() < LINE_BYTES)?;
    line.push(b'\n');
    Some(line)
}

/// The record with its message cut, if it is too long.
fn cut(record: &LogRecord) -> Option<LogRecord> {
    let (LogSource::Function { message, .. } | LogSource::Platform { message, .. }) = &record.source else {
        return None;
    };
    if message.len() <= MESSAGE_BYTES {
        return None;
    }
    let mut record = record.clone();
    match &mut record.source {
        LogSource::Function { message, truncated, .. } => {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
            *truncated = true;
        }
        LogSource::Platform { message, .. } => message.truncate(message.floor_char_boundary(MESSAGE_BYTES)),
        LogSource::Request { .. } => {}
    }
    Some(record)
}

/// The numbers of the segments in a folder, oldest first. None if there is no such folder.
fn segment_numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(".ndjson")).and_then(|stem| stem.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.ndjson"))
}

#[cfg(test)]
mod tests;
