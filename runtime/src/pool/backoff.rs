//! The pause between starts that fail.

use tokio::time::Instant;

use crate::limits::{BACKOFF_FIRST, BACKOFF_MOST, FAILURES_REMEMBERED};

/// Counts starts in a row that failed, and says when the next may be tried.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    retry_at: Option<Instant>,
    forget_at: Option<Instant>,
}

impl Backoff {
    /// A start failed.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.forget_at = Some(now + FAILURES_REMEMBERED);
        // The first failure is tried again at once: whatever it was may be over.
        self.retry_at = self.failures.checked_sub(2).map(|doublings| {
            let factor = 2_u32.saturating_pow(doublings);
            now + BACKOFF_FIRST.saturating_mul(factor).min(BACKOFF_MOST)
        });
    }

    /// A start succeeded.
    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
        self.retry_at = None;
        self.forget_at = None;
    }

    /// Whether the last start failed, so that one at a time is tried.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Until when the failures count although nobody asks, if that is not over.
    pub(crate) fn remembered(&self, now: Instant) -> Option<Instant> {
        self.forget_at.filter(|forget_at| *forget_at > now)
    }

    /// Until when nothing is started, if that is not over.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        self.retry_at.filter(|retry_at| *retry_at > now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// No pause after the first failure, then doubling ones up to the longest; a success forgets them all.
    #[test]
    fn pauses() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            backoff.failed(now);
            pauses.push(backoff.pause(now).map_or(Duration::ZERO, |retry_at| retry_at - now).as_millis());
        }
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        for _ in 0..100 {
            backoff.failed(now);
        }
        assert_eq!(backoff.pause(now), Some(now + BACKOFF_MOST));
        assert_eq!(backoff.remembered(now), Some(now + FAILURES_REMEMBERED));
        assert_eq!(backoff.remembered(now + FAILURES_REMEMBERED), None);
        backoff.succeeded();
        assert_eq!((backoff.is_failing(), backoff.pause(now), backoff.remembered(now)), (false, None, None));
    }
}
