//! Room for others: idle instances go when the machine's memory runs short, and what the host itself has freed is given back.

use std::time::Duration;

use ship_runtime::{Holdings, MemoryReading, Runtime};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the machine's memory is looked at while functions are awake: a function that leaks 100 MB/s has taken a tenth of a small
/// machine's memory by then.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often the host looks whether it holds memory for nothing.
const HOLDINGS_INTERVAL: Duration = Duration::from_secs(3);

/// Gives back what the start or a crowd has left, until it is stopped.
pub(crate) async fn watch_holdings(stop: CancellationToken) {
    let holdings = Holdings::default();
    stop.run_until_cancelled_owned(async {
        loop {
            holdings.give_back();
            sleep(HOLDINGS_INTERVAL).await;
        }
    })
    .await;
}

/// Watches the machine's memory until it is stopped.
pub(crate) async fn watch_memory(runtime: Runtime, stop: CancellationToken) {
    let mut is_readable = true;
    stop.run_until_cancelled_owned(async {
        while is_readable {
            sleep(INTERVAL).await;
            is_readable = runtime.is_asleep() || look(&runtime);
        }
    })
    .await;
}

/// Looks once. False where the kernel does not say what there is.
fn look(runtime: &Runtime) -> bool {
    match MemoryReading::of_machine() {
        Ok(reading) => {
            let stopped = runtime.relieve(&reading);
            if stopped > 0 {
                let available_mb = reading.available_bytes >> 20;
                tracing::warn!(stopped, available_mb, "memory runs short: idle instances were stopped");
            }
            true
        }
        Err(error) => {
            tracing::warn!(%error, "the machine's memory cannot be watched");
            false
        }
    }
}
