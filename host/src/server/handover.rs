//! How a host follows another and is followed by one.

use std::sync::Arc;
use std::time::Duration;

use ship_edge::Closing;
use ship_store::Store;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::blocking::blocking;
use crate::journal::Journal;
use crate::upgrade::{Conductor, Predecessor, Successor};

/// How long a host that was succeeded waits for its last visitors. Requests end within the limits of functions; what can stay longer are
/// `WebSockets` and streams of a proxied server, and with each upgrade another process would wait for such.
const LONGEST_FAREWELL: Duration = Duration::from_hours(24);

/// Takes over from the host before, which lets nobody in any more when this returns. Until it is gone it still takes what clients send
/// that is in no deployment yet, so nothing is collected meanwhile.
pub(super) async fn take_over(
    predecessor: Predecessor,
    store: &Store,
    journal: &Arc<Journal>,
    (closing, drain): (Closing, Duration),
    tasks: &TaskTracker,
) {
    if let Err(error) = store.claim_lock() {
        tracing::warn!(%error, "who finds the data directory locked is told of the host before");
    }
    let keeping = store.clone();
    let kept = blocking(move || keeping.keep_blobs()).await;
    let farewell = predecessor.take_over(journal).await.finish(closing, drain);
    tasks.spawn(async move {
        farewell.await;
        drop(kept);
    });
}

/// Closes the host when it is asked to stop, and leaves it to a successor when there is one; then sees that it ends, however long its
/// visitors stay.
pub(super) async fn watch(
    conductor: Conductor,
    closing: Closing,
    shutdown: CancellationToken,
    written: Receiver<u64>,
    finished: CancellationToken,
) {
    let stopping = async {
        tokio::select! {
            () = shutdown.cancelled() => closing.stop(),
            () = finished.cancelled() => {}
        }
    };
    let leaving = async {
        let Some(successor) = conductor.run(closing.clone()).await else { return };
        let followed = Successor::follow(successor, written, closing.clone(), finished.cancelled());
        if tokio::time::timeout(LONGEST_FAREWELL, followed).await.is_err() {
            tracing::warn!("visitors are still here a day after another process took over");
            closing.stop();
        }
    };
    tokio::join!(stopping, leaving);
}
