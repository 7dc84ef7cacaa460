//! What a host does by itself now and then for what it keeps: leases of uploads end, and garbage is collected.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use ship_api::GcRequest;
use ship_core::Action;
use ship_store::{AuditEntry, AuditNote, AuditOutcome, Store};
use tokio::time::{MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::gc::Collector;
use crate::blocking::blocking;

/// How often leases are aged. What was uploaded stays for one to two of these without being published: longer than any
/// deploy takes between its upload and its publish, and not for ever.
const LEASES_AGED_EVERY: Duration = Duration::from_mins(30);

/// How long the beginning of a blob is kept whose upload was cut: whoever comes back the next day goes on with it.
const BEGUN_KEPT: Duration = Duration::from_hours(24);

/// When garbage is first collected after a start: not while everybody wakes up.
const FIRST_COLLECTION: Duration = Duration::from_mins(10);

/// How often it is collected from then on. A collection reads all manifests, which is some seconds of one processor with
/// ten thousand large deployments.
const COLLECTED_EVERY: Duration = Duration::from_hours(6);

/// What the audit log says of what goes without anybody having asked.
fn own_note() -> AuditNote {
    let note = AuditNote::new(AuditEntry {
        at: Timestamp::now(),
        token: None,
        peer: None,
        action: Action::CollectGarbage.as_str(),
        project: None,
        resource: None,
        outcome: AuditOutcome::Done,
        code: None,
    });
    // Of the collection itself nothing is to be known; of each deployment that goes there is.
    note.withdraw();
    note
}

/// Removes the beginnings of blobs that nobody has gone on with for long.
async fn expire_begun(store: &Store) {
    let store = store.clone();
    // A clock that was set back keeps them for longer, one that was set forward has them sent again.
    blocking(move || store.blobs().expire_begun(SystemTime::now() - BEGUN_KEPT)).await;
}

/// Takes care until it is stopped. Times are those of a clock that nobody sets.
pub(crate) async fn take_care(collector: Collector, store: Store, stop: CancellationToken) {
    let ticks = |first: Duration, every: Duration| {
        let mut ticks = interval_at(tokio::time::Instant::now() + first, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let mut leases = ticks(LEASES_AGED_EVERY, LEASES_AGED_EVERY);
    let mut collections = ticks(FIRST_COLLECTION, COLLECTED_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = leases.tick() => {
                store.blobs().age_leases();
                expire_begun(&store).await;
            }
            _ = collections.tick() => {
                // Where another process makes the changes it collects, too.
                let Ok(_change) = collector.publisher.changes.begin().await else { return };
                if let Err(error) = collector.collect(GcRequest::default(), own_note()).await {
                    tracing::warn!(reason = error.message(), "garbage stays until it is next collected");
                }
            }
        }
    }
}
