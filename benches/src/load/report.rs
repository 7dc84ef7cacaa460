//! What a load came to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a load came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Requests that were answered with a success.
    pub(crate) answered: u64,
    /// Requests that were answered with anything else, or not.
    pub(crate) failed: u64,
    /// Successes in one second.
    pub(crate) per_second: f64,
    /// The median latency in seconds.
    pub(crate) p50: f64,
    /// What 99 of 100 requests did not exceed, in seconds.
    pub(crate) p99: f64,
}

impl Report {
    /// The report of these latencies, in nanoseconds.
    pub(crate) fn of(mut nanos: Vec<u32>, failed: u64, lasted: Duration) -> Self {
        nanos.sort_unstable();
        let quantile = |percent: usize| {
            let place = (nanos.len() * percent).div_ceil(100).saturating_sub(1);
            nanos.get(place).map_or(f64::NAN, |nanos| f64::from(*nanos) / 1e9)
        };
        let answered = nanos.len() as u64;
        let per_second = nanos.len() as f64 / lasted.as_secs_f64();
        Self { answered, failed, per_second, p50: quantile(50), p99: quantile(99) }
    }
}
