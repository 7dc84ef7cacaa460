//! The journal: log records from many tasks, gathered for a moment, written in order by one task, and passed to whoever
//! follows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ship_core::{LogRecord, ProjectName};
use ship_runtime::LogSink;
use ship_store::Store;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;

use crate::blocking::blocking;

/// How many records may wait for the disk. Beyond that they are dropped and counted: a log must not slow a request down.
const WAITING_RECORDS: usize = 16 * 1024;

/// How long records are gathered before they are written. Waking the writer for each would cost a request more than
/// answering it; this is soon enough for whoever follows.
const GATHERING: Duration = Duration::from_millis(10);

/// How many records a follower may be behind before it misses some.
const FOLLOWER_RECORDS: usize = 4096;

/// A record that was written.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The project that it belongs to.
    pub(crate) project: ProjectName,
    pub(crate) record: Arc<LogRecord>,
    /// How many of all records were written when it was: see [`Journal::catch_up`].
    pub(crate) written: u64,
}

/// Where records go in.
pub(crate) struct Journal {
    inbox: Arc<Inbox>,
    followers: broadcast::Sender<Entry>,
}

/// What stands between the tasks that record and the one that writes.
#[derive(Default)]
struct Inbox {
    waiting: Mutex<Waiting>,
    /// Told when the first record comes in, and when none will come any more.
    wake: Notify,
    dropped: AtomicU64,
    /// How many of all records were written.
    written: watch::Sender<u64>,
}

/// The records that nobody has written yet.
#[derive(Default)]
struct Waiting {
    records: BTreeMap<ProjectName, Vec<LogRecord>>,
    /// How many they are.
    count: usize,
    /// How many there were before them, and with them.
    accepted: u64,
}

impl Journal {
    /// A journal and the task that writes it, which ends when the journal is gone and everything is written.
    pub(crate) fn start(store: Store) -> (Arc<Self>, JoinHandle<()>) {
        let inbox = Arc::new(Inbox::default());
        let (followers, _) = broadcast::channel(FOLLOWER_RECORDS);
        let journal = Arc::new(Self { inbox: Arc::clone(&inbox), followers: followers.clone() });
        let writer = tokio::task::spawn(write(store, inbox, Arc::downgrade(&journal), followers));
        (journal, writer)
    }

    /// The records that are written from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Entry> {
        self.followers.subscribe()
    }

    /// Waits until all that was recorded before is written. Gives how many records that are; entries up to this number are in
    /// the log from now on.
    pub(crate) async fn catch_up(&self) -> u64 {
        let accepted = self.inbox.waiting().accepted;
        let mut written = self.inbox.written.subscribe();
        match written.wait_for(|written| *written >= accepted).await {
            Ok(written) => *written,
            Err(_) => accepted,
        }
    }

    /// How many records are written.
    pub(crate) fn written(&self) -> u64 {
        *self.inbox.written.borrow()
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
            return;
        }
        drop(waiting);
        let dropped = self.inbox.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if dropped.is_power_of_two() {
            tracing::warn!(dropped, "log records were dropped because the disk cannot keep up");
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
        if self.count >= WAITING_RECORDS {
            return false;
        }
        self.count += 1;
        self.accepted += 1;
        match self.records.get_mut(project) {
            Some(records) => records.push(record),
            None => {
                self.records.insert(project.clone(), vec![record]);
            }
        }
        true
    }
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what waits, and how many records there were up to it.
    fn take(&self) -> (BTreeMap<ProjectName, Vec<LogRecord>>, u64) {
        let mut waiting = self.waiting();
        waiting.count = 0;
        (std::mem::take(&mut waiting.records), waiting.accepted)
    }
}

/// Writes what comes in until `journal` is gone.
async fn write(store: Store, inbox: Arc<Inbox>, journal: Weak<Journal>, followers: broadcast::Sender<Entry>) {
    loop {
        inbox.wake.notified().await;
        let is_last = journal.strong_count() == 0;
        if !is_last {
            tokio::time::sleep(GATHERING).await;
        }
        let (records, accepted) = inbox.take();
        let written = append(store.clone(), records).await;
        inbox.written.send_replace(accepted);
        if followers.receiver_count() > 0 {
            pass_on(written, accepted, &followers);
        }
        if is_last {
            return;
        }
    }
}

/// Appends records to the logs of their projects, and gives them back.
async fn append(store: Store, records: BTreeMap<ProjectName, Vec<LogRecord>>) -> BTreeMap<ProjectName, Vec<LogRecord>> {
    blocking(move || {
        for (project, records) in &records {
            if let Err(error) = store.logs().append(project, records) {
                tracing::warn!(%project, %error, "log records could not be written");
            }
        }
        records
    })
    .await
}

/// Tells followers, only once the records are written: whoever begins to follow now and then reads the past must find them
/// in one of the two.
fn pass_on(records: BTreeMap<ProjectName, Vec<LogRecord>>, written: u64, followers: &broadcast::Sender<Entry>) {
    for (project, records) in records {
        for record in records {
            // Nobody may be following any more, which is no error.
            let _ = followers.send(Entry { project: project.clone(), record: Arc::new(record), written });
        }
    }
}
