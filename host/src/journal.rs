//! The journal: log records from many tasks, written in order by one, and passed to whoever follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ship_core::{LogRecord, ProjectName};
use ship_runtime::LogSink;
use ship_store::Store;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::blocking::blocking;

/// How many records may wait for the disk. Beyond that they are dropped and counted: a log must not slow a request down.
const WAITING_RECORDS: usize = 16 * 1024;

/// How many records are written at once.
const BATCH_RECORDS: usize = 1024;

/// How many records a follower may be behind before it misses some.
const FOLLOWER_RECORDS: usize = 4096;

/// A record with the project it belongs to.
pub(crate) type Entry = (ProjectName, Arc<LogRecord>);

/// Where records go in.
pub(crate) struct Journal {
    entries: mpsc::Sender<Entry>,
    followers: broadcast::Sender<Entry>,
    dropped: AtomicU64,
}

impl Journal {
    /// A journal and the task that writes it, which ends when the journal is gone and everything is written.
    pub(crate) fn start(store: Store) -> (Arc<Self>, JoinHandle<()>) {
        let (entries, receiver) = mpsc::channel(WAITING_RECORDS);
        let (followers, _) = broadcast::channel(FOLLOWER_RECORDS);
        let writer = tokio::task::spawn(write(store, receiver, followers.clone()));
        (Arc::new(Self { entries, followers, dropped: AtomicU64::new(0) }), writer)
    }

    /// The records that are written from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Entry> {
        self.followers.subscribe()
    }
}

impl LogSink for Journal {
    fn record(&self, project: &ProjectName, record: LogRecord) {
        if self.entries.try_send((project.clone(), Arc::new(record))).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "log records were dropped because the disk cannot keep up");
            }
        }
    }
}

async fn write(store: Store, mut receiver: mpsc::Receiver<Entry>, followers: broadcast::Sender<Entry>) {
    let mut batch = Vec::with_capacity(BATCH_RECORDS);
    while receiver.recv_many(&mut batch, BATCH_RECORDS).await > 0 {
        let mut by_project: BTreeMap<ProjectName, Vec<LogRecord>> = BTreeMap::new();
        for (project, record) in &batch {
            by_project.entry(project.clone()).or_default().push(LogRecord::clone(record));
        }
        let store = store.clone();
        blocking(move || {
            for (project, records) in by_project {
                if let Err(error) = store.logs().append(&project, &records) {
                    tracing::warn!(%project, %error, "log records could not be written");
                }
            }
        })
        .await;
        // Only once they are written: whoever begins to follow now and then reads the past must find them in one of the two.
        for entry in batch.drain(..) {
            // Nobody may be following, which is no error.
            let _ = followers.send(entry);
        }
    }
}
