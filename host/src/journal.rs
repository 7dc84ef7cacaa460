//! The journal: log records from many tasks, gathered for a moment and written in order by one task. Whoever follows is told that
//! something was written, and reads it where it is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use ship_core::{DeploymentId, LogLevel, LogRecord, LogSource, ProjectName};
use ship_runtime::LogSink;
use ship_store::Store;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::blocking::blocking;

/// How many records may wait for the disk. Beyond that they are dropped and counted: a log must not slow a request down.
const WAITING_RECORDS: usize = 16 * 1024;

/// How many bytes of them may wait. A line can have 256 KiB, so their number alone bounds nothing.
const WAITING_BYTES: u64 = 32 * 1024 * 1024;

/// Into how many parts that room is divided, of which a project may take one: one that prints without measure takes no other's.
const SHARES: usize = 2;

/// What a record takes besides its text.
const RECORD_BYTES: u64 = 256;

/// How long records are gathered before they are written. Waking the writer for each would cost a request more than
/// answering it; this is soon enough for whoever follows.
const GATHERING: Duration = Duration::from_millis(10);

/// Where records go in.
pub(crate) struct Journal {
    inbox: Arc<Inbox>,
}

/// What stands between the tasks that record and the one that writes.
#[derive(Default)]
struct Inbox {
    waiting: Mutex<Waiting>,
    /// Told when the first record comes in, and when none will come any more.
    wake: Notify,
    /// How many bytes were dropped since the host began.
    dropped_bytes: AtomicU64,
    /// How many of all records were written.
    written: watch::Sender<u64>,
}

/// The records that nobody has written yet.
#[derive(Default)]
struct Waiting {
    records: BTreeMap<ProjectName, OfProject>,
    /// How many they are.
    count: usize,
    /// How many bytes they are, about.
    bytes: u64,
    /// What there was no room for since the last turn of writing.
    dropped: BTreeMap<ProjectName, Dropped>,
    /// How many there were before them, and with them.
    accepted: u64,
}

/// Those of one project.
#[derive(Default)]
struct OfProject {
    records: Vec<LogRecord>,
    bytes: u64,
}

/// What there was no room for.
struct Dropped {
    /// The deployment of the newest of them.
    deployment: DeploymentId,
    records: u64,
    bytes: u64,
}

impl Journal {
    /// A journal and the task that writes it, which ends when the journal is gone and everything is written.
    pub(crate) fn start(store: Store) -> (Arc<Self>, JoinHandle<()>) {
        let inbox = Arc::new(Inbox::default());
        let journal = Arc::new(Self { inbox: Arc::clone(&inbox) });
        let writer = tokio::task::spawn(write(store, inbox, Arc::downgrade(&journal)));
        (journal, writer)
    }

    /// How many records are written, as that changes.
    pub(crate) fn written(&self) -> watch::Receiver<u64> {
        self.inbox.written.subscribe()
    }

    /// Has those who follow look for what another process has appended.
    pub(crate) fn wake_followers(&self) {
        self.inbox.written.send_modify(|_| {});
    }

    /// How many bytes of records were dropped because the disk could not keep up, or take them.
    pub(crate) fn dropped_bytes(&self) -> u64 {
        self.inbox.dropped_bytes.load(Ordering::Relaxed)
    }

    /// Waits until all that was recorded before is written.
    pub(crate) async fn catch_up(&self) {
        let accepted = self.inbox.waiting().accepted;
        // The sender is as old as the journal itself, so this ends with the number and with nothing else.
        let _ = self.written().wait_for(|written| *written >= accepted).await;
    }
}

impl LogSink for Journal {
    fn record(&self, project: &ProjectName, record: LogRecord) {
        let mut waiting = self.inbox.waiting();
        if waiting.push(project, record) {
            let is_first = waiting.count == 1;
            drop(waiting);
            if is_first {
                self.inbox.wake.notify_one();
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.inbox.wake.notify_one();
    }
}

impl Waiting {
    /// Takes a record. `false` if there is no room.
    fn push(&mut self, project: &ProjectName, record: LogRecord) -> bool {
        let bytes = size_of(&record);
        let own = self.records.get(project).map_or((0, 0), |own| (own.records.len(), own.bytes));
        let is_full = self.count >= WAITING_RECORDS || self.bytes + bytes > WAITING_BYTES;
        let is_greedy = own.0 >= WAITING_RECORDS / SHARES || own.1 + bytes > WAITING_BYTES / SHARES as u64;
        if is_full || is_greedy {
            let deployment = record.deployment;
            let none = || Dropped { deployment, records: 0, bytes: 0 };
            let dropped = self.dropped.entry(project.clone()).or_insert_with(none);
            dropped.deployment = deployment;
            dropped.records += 1;
            dropped.bytes += bytes;
            return false;
        }
        self.count += 1;
        self.bytes += bytes;
        self.accepted += 1;
        if !self.records.contains_key(project) {
            self.records.insert(project.clone(), OfProject::default());
        }
        if let Some(own) = self.records.get_mut(project) {
            own.bytes += bytes;
            own.records.push(record);
        }
        true
    }
}

/// What a record takes, about.
fn size_of(record: &LogRecord) -> u64 {
    let text = match &record.source {
        LogSource::Request { path, host, .. } => path.len() + host.len(),
        LogSource::Function { message, .. } | LogSource::Platform { message, .. } => message.len(),
    };
    text as u64 + RECORD_BYTES
}

impl Dropped {
    /// What the log says of them in their place.
    fn remark(&self) -> LogRecord {
        let Self { deployment, records, bytes } = *self;
        let message = format!("{records} log records were dropped, some {bytes} bytes: the disk could not keep up");
        let source = LogSource::Platform { function: None, message };
        LogRecord { at: Timestamp::now(), level: LogLevel::Warning, deployment, requests: Vec::new(), source }
    }
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what waits, and how many records there were up to it.
    fn take(&self) -> (BTreeMap<ProjectName, Vec<LogRecord>>, u64) {
        let mut waiting = self.waiting();
        (waiting.count, waiting.bytes) = (0, 0);
        let waited = std::mem::take(&mut waiting.records);
        let mut records: BTreeMap<_, _> = waited.into_iter().map(|(project, own)| (project, own.records)).collect();
        for (project, dropped) in std::mem::take(&mut waiting.dropped) {
            tracing::warn!(%project, records = dropped.records, bytes = dropped.bytes, "log records were dropped");
            self.dropped_bytes.fetch_add(dropped.bytes, Ordering::Relaxed);
            records.entry(project).or_default().push(dropped.remark());
        }
        (records, waiting.accepted)
    }
}

/// Writes what comes in until `journal` is gone.
async fn write(store: Store, inbox: Arc<Inbox>, journal: Weak<Journal>) {
    loop {
        inbox.wake.notified().await;
        let is_last = journal.strong_count() == 0;
        if !is_last {
            tokio::time::sleep(GATHERING).await;
        }
        let (records, accepted) = inbox.take();
        let lost_bytes = append(store.clone(), records).await;
        inbox.dropped_bytes.fetch_add(lost_bytes, Ordering::Relaxed);
        inbox.written.send_replace(accepted);
        if is_last {
            return;
        }
    }
}

/// Appends records to the logs of their projects. Gives how many bytes could not be written.
async fn append(store: Store, records: BTreeMap<ProjectName, Vec<LogRecord>>) -> u64 {
    blocking(move || {
        let mut lost_bytes = 0;
        for (project, records) in &records {
            if let Err(error) = store.logs().append(project, records) {
                tracing::warn!(%project, %error, "log records could not be written");
                lost_bytes += records.iter().map(size_of).sum::<u64>();
            }
        }
        lost_bytes
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(message: &str) -> LogRecord {
        let source = LogSource::Platform { function: None, message: message.to_owned() };
        let deployment = DeploymentId::of_bytes(b"a");
        LogRecord { at: Timestamp::UNIX_EPOCH, level: LogLevel::Info, deployment, requests: Vec::new(), source }
    }

    /// What waits is bounded in number and in bytes, and the log of each project says what it lacks.
    #[test]
    fn bounds() {
        let [loud, quiet]: [ProjectName; 2] = ["loud", "quiet"].map(|name| name.parse().unwrap());
        for (message, kept) in [(String::new(), WAITING_RECORDS / SHARES), ("x".repeat(256 * 1024), 63)] {
            let inbox = Inbox::default();
            for _ in 0..WAITING_RECORDS + 5 {
                inbox.waiting().push(&loud, record(&message));
            }
            inbox.waiting().push(&quiet, record(&message));
            let (records, accepted) = inbox.take();
            assert_eq!((accepted, records[&loud].len(), records[&quiet].len()), (kept as u64 + 1, kept + 1, 1));
            let missing = WAITING_RECORDS + 5 - kept;
            let bytes = missing as u64 * (message.len() as u64 + RECORD_BYTES);
            let remark = format!("{missing} log records were dropped, some {bytes} bytes: the disk could not keep up");
            let LogSource::Platform { message: said, .. } = &records[&loud][kept].source else { panic!() };
            assert_eq!(*said, remark);
            assert_eq!(inbox.dropped_bytes.load(Ordering::Relaxed), bytes);
            assert!(inbox.waiting().push(&loud, record(&message)), "there is room again");
        }
    }
}
