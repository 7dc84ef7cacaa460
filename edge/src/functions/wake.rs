//! Waking functions ahead of the requests that a page is about to make.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use ship_core::FunctionIndex;

use super::FunctionServer;
use crate::live_deployment::LiveDeployment;

/// How many functions a page wakes at the most: it calls few, and nobody knows which. A site with more has names for them, and the
/// first ones are as good as others.
const WOKEN: u32 = 4;

/// How often pages of a sleeping deployment wake its functions, in seconds. Those that do not start are not tried for every visitor.
const EVERY_SECS: u64 = 10;

/// When pages of a deployment last woke its functions, or when one of these was last looked at closely.
pub(crate) struct LastWake {
    /// Seconds are counted from here.
    began: Instant,
    /// The first second in which they may again.
    next_secs: AtomicU64,
}

impl LastWake {
    pub(crate) const fn new(began: Instant) -> Self {
        Self { began, next_secs: AtomicU64::new(0) }
    }

    /// Whether functions may be woken now. If so, nobody else may for some time.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let second = now.saturating_duration_since(self.began).as_secs();
        let next = self.next_secs.load(Relaxed);
        second >= next && self.next_secs.compare_exchange(next, second + EVERY_SECS, Relaxed, Relaxed).is_ok()
    }
}

impl FunctionServer {
    /// A page of a deployment was asked for: if the deployment sleeps, functions that the page may call are started in the
    /// background. The page waits for nothing.
    pub(crate) fn wake(self: &Arc<Self>, deployment: &Arc<LiveDeployment>) {
        let count = u32::try_from(deployment.manifest().functions().len()).unwrap_or(u32::MAX).min(WOKEN);
        if count == 0 || !deployment.last_wake().take(Instant::now()) || self.runtime.is_awake(deployment.id()) {
            return;
        }
        let (server, deployment) = (Arc::clone(self), Arc::clone(deployment));
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(async move {
            for index in 0..count {
                match deployment.function_spec(&server.store, FunctionIndex(index)).await {
                    Ok(spec) => server.runtime.prewarm(&spec),
                    // Whoever asks for it is told.
                    Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "not woken"),
                }
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The first page wakes, those of the next seconds do not, and then one does again.
    #[test]
    fn now_and_then() {
        let began = Instant::now();
        let last = LastWake::new(began);
        let woken: Vec<u64> = (0..25).filter(|second| last.take(began + Duration::from_secs(*second))).collect();
        assert_eq!(woken, [0, 10, 20]);
    }
}
