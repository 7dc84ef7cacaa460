//! How much memory an instance uses, looked at so seldom that it costs its requests nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// How old a figure may be. Reading one takes some 20 µs.
const FRESH: Duration = Duration::from_secs(1);

/// What an instance was last seen to use.
#[derive(Debug)]
pub(crate) struct MemoryGauge {
    made: Instant,
    /// When it was last read, in milliseconds after `made`, plus one; 0 if it never was.
    read_at: AtomicU64,
    /// 0 if it could not be read.
    bytes: AtomicU64,
}

impl MemoryGauge {
    pub(crate) fn new() -> Self {
        Self { made: Instant::now(), read_at: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// How many bytes are in use, by `read` if that was not asked within the last second.
    pub(crate) fn in_use(&self, now: Instant, read: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = millis(now - self.made).saturating_add(1);
        let before = self.read_at.load(Relaxed);
        let is_old = before == 0 || now.saturating_sub(before) >= millis(FRESH);
        // Of requests that end at the same time, one reads.
        if is_old && self.read_at.compare_exchange(before, now, Relaxed, Relaxed).is_ok() {
            self.bytes.store(read().unwrap_or(0), Relaxed);
        }
        Some(self.bytes.load(Relaxed)).filter(|bytes| *bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A figure stays for a second, and then is read again; where there is none, nothing is said.
    #[test]
    fn freshness() {
        let gauge = MemoryGauge::new();
        assert_eq!(gauge.in_use(gauge.made, || Some(7)), Some(7));
        assert_eq!(gauge.in_use(gauge.made + FRESH / 2, || Some(8)), Some(7));
        assert_eq!(gauge.in_use(gauge.made + FRESH, || Some(9)), Some(9));
        assert_eq!(gauge.in_use(gauge.made + 2 * FRESH, || None), None);
    }
}
