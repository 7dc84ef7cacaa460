//! How many requests that no function answered are logged. A log is bounded: a flood of requests for pages would push what
//! functions printed out of it, and cost more than the answers.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// How many such requests one deployment logs in a second.
pub(crate) const PER_SECOND: u32 = 1000;

/// What one deployment may still log.
pub(crate) struct LogAllowance {
    /// Seconds are counted from here, by a clock that nobody sets back.
    began: Instant,
    /// A second in the upper half, how many requests it has logged in the lower.
    spent: AtomicU64,
    skipped: AtomicU32,
}

/// Whether a request is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allowed {
    /// It is, and `skipped` before it were not.
    Yes {
        /// How many since the last one for which this was not 0.
        skipped: u32,
    },
    /// It is counted.
    No,
}

impl LogAllowance {
    /// The whole allowance, from `began` on.
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, spent: AtomicU64::new(0), skipped: AtomicU32::new(0) }
    }

    /// Asks for one request that began at `at`. One that took long counts for the second in which it ends.
    pub(crate) fn take(&self, at: Instant) -> Allowed {
        let second = at.saturating_duration_since(self.began).as_secs().min(u32::MAX.into());
        let spend = |spent: u64| {
            let (newest, count) = (spent >> 32, spent & u64::from(u32::MAX));
            let count = if second > newest { 0 } else { count };
            (count < u64::from(PER_SECOND)).then_some(second.max(newest) << 32 | (count + 1))
        };
        match self.spent.fetch_update(Relaxed, Relaxed, spend) {
            Ok(_) if self.skipped.load(Relaxed) == 0 => Allowed::Yes { skipped: 0 },
            Ok(_) => Allowed::Yes { skipped: self.skipped.swap(0, Relaxed) },
            Err(_) => {
                self.skipped.fetch_add(1, Relaxed);
                Allowed::No
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A second has its allowance, the next has its own, and what was skipped is said once.
    #[test]
    fn seconds() {
        let began = Instant::now();
        let allowance = LogAllowance::new(began);
        let [first, next, later] = [100, 101, 102].map(|second| began + Duration::from_secs(second));
        let allowed = |at| allowance.take(at);
        assert!((0..PER_SECOND).all(|_| allowed(first) == Allowed::Yes { skipped: 0 }));
        assert!((0..5).all(|_| allowed(first) == Allowed::No));
        assert_eq!(allowed(next), Allowed::Yes { skipped: 5 });
        assert_eq!(allowed(next), Allowed::Yes { skipped: 0 });
        assert!((2..PER_SECOND).all(|_| allowed(next) == Allowed::Yes { skipped: 0 }));
        assert_eq!(allowed(next), Allowed::No);
        assert_eq!(allowed(later), Allowed::Yes { skipped: 1 });
        assert_eq!(allowed(first), Allowed::Yes { skipped: 0 });
        assert!(
            (2..PER_SECOND).all(|_| allowed(first) == Allowed::Yes { skipped: 0 }),
            "it is not a second of its own"
        );
        assert_eq!(allowed(later), Allowed::No);
    }
}
