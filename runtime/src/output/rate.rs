//! How much output of one instance is logged.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{LOG_BURST_BYTES, LOG_BYTES_PER_SEC, LOG_LINE_OVERHEAD_BYTES};

/// What happens to a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is logged.
    Keep,
    /// It is logged, and before it the note that this many bytes were dropped.
    KeepAfterDropping(u64),
    /// It is counted and dropped.
    Drop,
}

/// A bucket of bytes that fills at a steady rate. Once it was empty it stays shut until a quarter is full again, so that a
/// flood gives few long gaps, each with its note, instead of a note after every line.
#[derive(Debug)]
pub(crate) struct LogRate {
    tokens: usize,
    filled_at: Instant,
    dropped_bytes: u64,
}

impl LogRate {
    /// A full bucket.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { tokens: LOG_BURST_BYTES, filled_at: now, dropped_bytes: 0 }
    }

    /// Decides about a line of `bytes` bytes.
    pub(crate) fn admit(&mut self, bytes: usize, now: Instant) -> Verdict {
        self.fill(now);
        let cost = bytes + LOG_LINE_OVERHEAD_BYTES;
        let needed = if self.dropped_bytes == 0 { cost } else { cost.max(LOG_BURST_BYTES / 4) };
        if self.tokens < needed {
            self.dropped_bytes += bytes as u64 + 1;
            return Verdict::Drop;
        }
        self.tokens -= cost;
        match self.take_dropped() {
            0 => Verdict::Keep,
            dropped => Verdict::KeepAfterDropping(dropped),
        }
    }

    /// Whether bytes were dropped of which nothing was said yet.
    pub(crate) const fn has_dropped(&self) -> bool {
        self.dropped_bytes > 0
    }

    /// How many bytes were dropped since it was last said.
    pub(crate) const fn take_dropped(&mut self) -> u64 {
        std::mem::replace(&mut self.dropped_bytes, 0)
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at).min(Duration::from_mins(1));
        let earned =
            usize::try_from(elapsed.as_micros()).unwrap_or(usize::MAX).saturating_mul(LOG_BYTES_PER_SEC) / 1_000_000;
        if earned > 0 {
            self.tokens = (self.tokens + earned).min(LOG_BURST_BYTES);
            self.filled_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flood is cut at the burst, stays cut until a quarter of it is there again, and then says how much is missing.
    #[test]
    fn flood_and_recovery() {
        let start = Instant::now();
        let mut rate = LogRate::new(start);
        let line = 1024 - LOG_LINE_OVERHEAD_BYTES;
        let kept = (0..10_000).filter(|_| rate.admit(line, start) == Verdict::Keep).count();
        assert_eq!(kept, LOG_BURST_BYTES / 1024);
        let quarter = Duration::from_secs((LOG_BURST_BYTES / 4 / LOG_BYTES_PER_SEC) as u64);
        assert_eq!(rate.admit(line, start + quarter / 2), Verdict::Drop);
        let dropped = (10_000 - kept + 1) * (line + 1);
        assert_eq!(rate.admit(line, start + quarter), Verdict::KeepAfterDropping(dropped as u64));
        assert_eq!(rate.admit(line, start + quarter), Verdict::Keep);
    }

    /// Empty lines are not free.
    #[test]
    fn empty_lines_cost() {
        let start = Instant::now();
        let mut rate = LogRate::new(start);
        let kept = (0..1_000_000).filter(|_| rate.admit(0, start) == Verdict::Keep).count();
        assert_eq!(kept, LOG_BURST_BYTES / LOG_LINE_OVERHEAD_BYTES);
    }
}
