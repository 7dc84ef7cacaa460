//! What is written about access now and then, so that no request waits for it: refusals, and when tokens were last used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ship_store::{AuditEntry, Store};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::keyring::Keyring;

/// How many refusals wait to be written. What comes while there are so many is counted and not written: whoever floods a host with
/// refused requests does not fill its memory or its disk.
const REFUSALS_WAITING: usize = 1_000;

/// How often uses of tokens are written, and what has expired long ago is removed.
const UPKEEP: Duration = Duration::from_mins(1);

/// How long an expired token is kept, so that its owner is told that it expired and lists show that it did.
const EXPIRED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The same for tokens of jobs. Many come in a day, and whoever had one is gone.
const EXPIRED_OF_JOBS_KEPT: SignedDuration = SignedDuration::from_hours(1);

enum Message {
    Refused(Box<AuditEntry>),
    /// Wanted is to know when all before this is written.
    CatchUp(oneshot::Sender<()>),
}

/// Takes what is to be written.
#[derive(Clone)]
pub(crate) struct Register {
    messages: mpsc::Sender<Message>,
    /// How many refusals found no room since that was last said.
    missed: Arc<AtomicU64>,
}

/// Writes it.
pub(crate) struct RegisterWriter {
    store: Store,
    keyring: Arc<Keyring>,
    messages: mpsc::Receiver<Message>,
    missed: Arc<AtomicU64>,
}

impl Register {
    /// A register, and what writes it once it runs.
    pub(crate) fn new(store: Store, keyring: Arc<Keyring>) -> (Self, RegisterWriter) {
        let (sender, messages) = mpsc::channel(REFUSALS_WAITING);
        let missed = Arc::<AtomicU64>::default();
        let writer = RegisterWriter { store, keyring, messages, missed: Arc::clone(&missed) };
        (Self { messages: sender, missed }, writer)
    }

    /// Notes that somebody was refused.
    pub(crate) fn refused(&self, entry: AuditEntry) {
        if self.messages.try_send(Message::Refused(Box::new(entry))).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what was noted before is written.
    pub(crate) async fn catch_up(&self) {
        let (done, written) = oneshot::channel();
        if self.messages.send(Message::CatchUp(done)).await.is_ok() {
            // While the host stops nobody answers, and nobody needs to.
            let _ = written.await;
        }
    }
}

impl RegisterWriter {
    /// Writes until the host stops, and then what is left.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut upkeep = tokio::time::interval(UPKEEP);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = upkeep.tick() => self.upkeep().await,
                count = self.messages.recv_many(&mut batch, REFUSALS_WAITING) => {
                    if count == 0 {
                        break;
                    }
                    self.write(std::mem::take(&mut batch)).await;
                }
            }
        }
        self.messages.close();
        while self.messages.recv_many(&mut batch, REFUSALS_WAITING).await > 0 {
            self.write(std::mem::take(&mut batch)).await;
        }
        self.upkeep().await;
    }

    async fn write(&self, batch: Vec<Message>) {
        let mut entries = Vec::new();
        let mut waiting = Vec::new();
        for message in batch {
            match message {
                Message::Refused(entry) => entries.push(*entry),
                Message::CatchUp(done) => waiting.push(done),
            }
        }
        let store = self.store.clone();
        if let Err(error) = blocking(move || store.audit().append(&entries)).await {
            tracing::error!(error = &error as &dyn std::error::Error, "refusals are missing in the audit log");
        }
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            tracing::warn!(missed, "more requests were refused than the audit log takes");
        }
        for done in waiting {
            let _ = done.send(());
        }
    }

    async fn upkeep(&self) {
        let (store, keyring) = (self.store.clone(), Arc::clone(&self.keyring));
        let now = Timestamp::now();
        let [before, of_jobs_before] =
            [EXPIRED_KEPT, EXPIRED_OF_JOBS_KEPT].map(|kept| now.checked_sub(kept).unwrap_or(Timestamp::MIN));
        let written = blocking(move || {
            let uses = keyring.new_uses();
            if !uses.is_empty() {
                store.tokens().note_uses(&uses)?;
            }
            if keyring.all().iter().any(|key| key.expired_before(before, of_jobs_before)) {
                store.tokens().remove_expired(before, of_jobs_before)?;
                keyring.remove_expired(before, of_jobs_before);
            }
            store.trusts().forget_used(now)?;
            Ok::<_, ship_store::StateError>(())
        });
        if let Err(error) = written.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "it is not noted when tokens were last used");
        }
    }
}
