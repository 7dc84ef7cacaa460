//! How much memory an instance uses, looked at so seldom that it costs its requests nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::linux::memory::resident_bytes;

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

    /// How many bytes the process `pid` has in memory, read anew if that was not done within the last second.
    pub(crate) fn in_use(&self, pid: u32, now: Instant) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = millis(now - self.made).saturating_add(1);
        let before = self.read_at.load(Relaxed);
        let is_old = before == 0 || now.saturating_sub(before) >= millis(FRESH);
        // Of requests that end at the same time, one reads.
        if is_old && self.read_at.compare_exchange(before, now, Relaxed, Relaxed).is_ok() {
            self.bytes.store(resident_bytes(pid).unwrap_or(0), Relaxed);
        }
        Some(self.bytes.load(Relaxed)).filter(|bytes| *bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A figure stays for a second, and then is read again; of a process that is not there nothing is known.
    #[test]
    fn freshness() {
        let gauge = MemoryGauge::new();
        let own = gauge.in_use(std::process::id(), gauge.made).unwrap();
        assert!((512 * 1024..1 << 40).contains(&own), "{own}");
        let nobody = 0;
        assert_eq!(gauge.in_use(nobody, gauge.made + FRESH / 2), Some(own));
        assert_eq!(gauge.in_use(nobody, gauge.made + FRESH), None);
    }
}
