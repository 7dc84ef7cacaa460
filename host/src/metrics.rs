//! What a host counts, brought together: by the edge, the runtime, the journal, the store, and itself.

mod deploys;
pub(crate) mod prometheus;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ship_edge::{Edge, EdgeCounts};
use ship_runtime::{InstanceState, Runtime, RuntimeCounts};
use ship_store::{BlobTotals, Store};

pub(crate) use self::deploys::{DeployCounts, DeployMeters, Phase};
use crate::blocking::blocking;
use crate::care::{CareCounts, CareMeters};
use crate::journal::Journal;
use crate::telemetry::SpanQueue;

/// How old the sizes of stored blobs may be: so many times as long as it took to look at them all, so that looking takes one processor a
/// hundredth of its time at the most.
const LOOKING_SHARE: u32 = 100;

/// The least time between two looks at all blobs.
const BLOBS_FRESH: Duration = Duration::from_mins(1);

/// The same where nobody asked: a host at rest does not go through its blobs.
const BLOBS_SELDOM: Duration = Duration::from_mins(10);

/// How new it has to be what all blobs take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StorageLook {
    /// Somebody wants to know.
    Fresh,
    /// It is written down by the way.
    Seldom,
}

/// The states that an instance is seen in.
const STATES: [InstanceState; 5] = [
    InstanceState::Starting,
    InstanceState::Ready,
    InstanceState::Busy,
    InstanceState::Draining,
    InstanceState::Stopping,
];

/// Everything that is counted.
pub(crate) struct Metrics {
    edge: Arc<Edge>,
    runtime: Runtime,
    journal: Arc<Journal>,
    store: Store,
    pub(crate) deploys: Arc<DeployMeters>,
    pub(crate) care: Arc<CareMeters>,
    started_at: Timestamp,
    blobs: Mutex<Option<Look>>,
    spans: Option<Arc<SpanQueue>>,
}

/// A look at all blobs.
#[derive(Clone, Copy)]
struct Look {
    totals: BlobTotals,
    ended: Instant,
    took: Duration,
}

/// Everything that was counted, at a moment.
pub(crate) struct Counts {
    pub(crate) edge: EdgeCounts,
    pub(crate) runtime: RuntimeCounts,
    /// How many instances there are in each state.
    pub(crate) instances: [(InstanceState, u64); 5],
    /// What the disk was too slow for, in bytes of log records.
    pub(crate) undurable_log_bytes: u64,
    pub(crate) blobs: BlobTotals,
    pub(crate) blobs_damaged: u64,
    pub(crate) deploys: DeployCounts,
    pub(crate) care: CareCounts,
    pub(crate) started_at: Timestamp,
    /// Spans that were not sent, if spans are sent at all.
    pub(crate) dropped_spans: Option<u64>,
}

impl Metrics {
    pub(crate) fn new(
        edge: Arc<Edge>,
        runtime: Runtime,
        journal: Arc<Journal>,
        store: Store,
        spans: Option<Arc<SpanQueue>>,
    ) -> Self {
        let (deploys, care, started_at, blobs) = (Arc::default(), Arc::default(), Timestamp::now(), Mutex::new(None));
        Self { edge, runtime, journal, store, deploys, care, started_at, blobs, spans }
    }

    /// What was counted.
    pub(crate) async fn counts(&self) -> Counts {
        let instances = self.runtime.instances();
        let in_state = |state| (state, instances.iter().filter(|instance| instance.state == state).count() as u64);
        Counts {
            edge: self.edge.counts(),
            runtime: self.runtime.counts(),
            instances: STATES.map(in_state),
            undurable_log_bytes: self.journal.dropped_bytes(),
            blobs: self.blobs().await,
            blobs_damaged: self.store.blobs().damages_seen(),
            deploys: self.deploys.counts(),
            care: self.care.counts(),
            started_at: self.started_at,
            dropped_spans: self.spans.as_ref().map(|spans| spans.dropped()),
        }
    }

    /// What the edge has counted.
    pub(crate) fn edge_counts(&self) -> EdgeCounts {
        self.edge.counts()
    }

    /// What all blobs take, in bytes.
    pub(crate) async fn storage(&self, look: StorageLook) -> u64 {
        let fresh = match look {
            StorageLook::Fresh => BLOBS_FRESH,
            StorageLook::Seldom => BLOBS_SELDOM,
        };
        self.blobs_within(fresh).await.bytes
    }

    async fn blobs(&self) -> BlobTotals {
        self.blobs_within(BLOBS_FRESH).await
    }

    async fn blobs_within(&self, fresh: Duration) -> BlobTotals {
        let known = *self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = known.filter(|look| look.ended.elapsed() < fresh.max(look.took * LOOKING_SHARE)) {
            return look.totals;
        }
        let store = self.store.clone();
        let (began, totals) = (Instant::now(), blocking(move || store.blobs().totals()).await);
        let look = Look { totals, ended: Instant::now(), took: began.elapsed() };
        *self.blobs.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
        totals
    }
}
