//! What the host counts, written down over time: once in ten seconds, and whenever somebody asks, so that who asks sees what is.
//!
//! What is counted begins anew with each host, what is written goes on: of each look the difference to the one before is added.

mod memory;
mod percentile;
mod totals;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ship_runtime::Runtime;
use ship_store::{HistoryOf, Sample, StateError, Store};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub(crate) use self::percentile::percentile;
use self::totals::Totals;
use crate::blocking::blocking;
use crate::metrics::{Metrics, StorageLook};

/// How often it is looked, in seconds: at times that it divides, so that a look ends the time of one sample.
const EVERY_SECS: i64 = 10;

/// Writes down what is counted.
pub(crate) struct Recorder {
    metrics: Arc<Metrics>,
    runtime: Runtime,
    store: Store,
    /// What was counted when it was last looked. Whoever looks has it.
    last: Mutex<Totals>,
}

impl Recorder {
    pub(crate) fn new(metrics: Arc<Metrics>, runtime: Runtime, store: Store) -> Self {
        Self { metrics, runtime, store, last: Mutex::default() }
    }

    /// Writes every ten seconds until the host stops, and once more then.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let next = || {
            let millis = Timestamp::now().as_millisecond().rem_euclid(EVERY_SECS * 1_000);
            Duration::from_millis((EVERY_SECS * 1_000 - millis).unsigned_abs())
        };
        while stop.run_until_cancelled(tokio::time::sleep(next())).await.is_some() {
            self.look(StorageLook::Seldom).await;
        }
        self.look(StorageLook::Seldom).await;
    }

    /// Writes down what was counted until now.
    pub(crate) async fn catch_up(&self) {
        self.look(StorageLook::Fresh).await;
    }

    async fn look(&self, look: StorageLook) {
        let mut last = self.last.lock().await;
        let (now, storage) = (Timestamp::now(), self.metrics.storage(look).await);
        let totals = Totals::of(&self.metrics.edge_counts());
        let instances = self.runtime.instances();
        let mut host = totals.host.since(&last.host);
        let all = instances.iter().filter_map(|instance| instance.memory_bytes).sum::<u64>();
        host.instances = u32::try_from(instances.len()).unwrap_or(u32::MAX);
        host.memory_bytes = all + memory::of_this_process();
        host.storage_bytes = storage;
        let mut samples = Vec::new();
        for (project, counted) in &totals.projects {
            let before = last.projects.get(project).cloned().unwrap_or_default();
            let own = instances.iter().filter(|instance| instance.project == *project);
            let mut sample = counted.since(&before);
            for instance in own {
                sample.instances += 1;
                sample.memory_bytes += instance.memory_bytes.unwrap_or(0);
            }
            // A project that nobody asks for costs nothing.
            if sample != Sample::default() {
                samples.push((project.clone(), sample));
            }
        }
        let store = self.store.clone();
        let written = blocking(move || {
            store.history().add(HistoryOf::Host, now.as_second(), &host)?;
            samples.iter().try_for_each(|(project, sample)| {
                store.history().add(HistoryOf::Project(project), now.as_second(), sample)
            })
        });
        // What was not written is written with the next look.
        match written.await {
            Ok(()) => *last = totals,
            Err(error) => {
                let error: StateError = error;
                tracing::warn!(error = &error as &dyn std::error::Error, "what was counted cannot be written down");
            }
        }
    }
}
