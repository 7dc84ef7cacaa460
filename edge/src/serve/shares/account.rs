//! How much of a processor an address has used.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// So much work at once is nobody's burden: a handshake and a page.
const A_MOMENT: Duration = Duration::from_millis(1);

/// So much can be saved up, for the many who come at once from behind one address.
const SAVED: Duration = Duration::from_millis(25);

/// How much can be owed beside that. Who was alone for a long time does not pay for it when somebody else comes.
const MOST_OWED: Duration = Duration::from_millis(25);

/// A bucket that leaks: `full_until` is when all work until now is paid for, at the rate of the address (the generic cell rate
/// algorithm, as `governor` has it, for what is only known once it is done).
pub(super) struct Account {
    began: Instant,
    /// In nanoseconds since the account began.
    full_until: AtomicU64,
    percent: NonZeroU32,
    /// One turn at a time.
    pub(super) line: Arc<Semaphore>,
}

impl Account {
    /// An account that begins `now`, which gets so many percent of a processor.
    pub(super) fn new(percent: NonZeroU32, now: Instant) -> Self {
        Self { began: now, full_until: AtomicU64::new(0), percent, line: Arc::new(Semaphore::new(1)) }
    }

    /// Notes that so much work was done.
    pub(super) fn bill(&self, work: Duration, now: Instant) {
        let now = self.since_began(now);
        let most = now.saturating_add(self.price(SAVED + MOST_OWED));
        let price = self.price(work);
        let billed = |until: u64| Some(until.max(now).saturating_add(price).min(most));
        // It never fails: each value has a next one.
        let _ = self.full_until.fetch_update(Relaxed, Relaxed, billed);
    }

    /// Whether more than a moment's work was done of late.
    pub(super) fn is_busy(&self, now: Instant) -> bool {
        self.ahead(now) > self.price(A_MOMENT)
    }

    /// How long the address has to wait until its share lets it go on.
    pub(super) fn has_to_wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.ahead(now).checked_sub(self.price(SAVED))?;
        (wait > 0).then(|| Duration::from_nanos(wait))
    }

    /// Whether not all of its work is paid for.
    pub(super) fn owes(&self, now: Instant) -> bool {
        self.ahead(now) > 0
    }

    /// How far ahead of the clock the address is, in nanoseconds.
    fn ahead(&self, now: Instant) -> u64 {
        self.full_until.load(Relaxed).saturating_sub(self.since_began(now))
    }

    /// How long an address gets for so much work, in nanoseconds.
    fn price(&self, work: Duration) -> u64 {
        nanos(work).saturating_mul(100) / u64::from(self.percent.get())
    }

    fn since_began(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.began))
    }
}

/// Enough for centuries.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn account(now: Instant) -> Account {
        Account::new(NonZeroU32::new(25).unwrap(), now)
    }

    /// A moment's work is free, some can be saved up, and then there is so much in each second.
    #[test]
    fn share() {
        let mut now = Instant::now();
        let account = account(now);
        account.bill(MS, now);
        assert_eq!((account.owes(now), account.is_busy(now), account.has_to_wait(now)), (true, false, None));
        account.bill(24 * MS, now);
        assert_eq!((account.is_busy(now), account.has_to_wait(now)), (true, None));
        account.bill(MS, now);
        assert_eq!(account.has_to_wait(now), Some(4 * MS));
        let begun = now;
        let mut worked = Duration::ZERO;
        while now < begun + Duration::from_secs(1) {
            now += account.has_to_wait(now).unwrap_or_default();
            account.bill(MS, now);
            worked += MS;
        }
        assert!((248 * MS..=252 * MS).contains(&worked), "{worked:?}");
        assert!(!account.owes(now + Duration::from_secs(1)));
    }

    /// However much was done before others came, all of it is forgiven but for a fraction of a second.
    #[test]
    fn forgiven() {
        let now = Instant::now();
        let account = account(now);
        (0..100_000).for_each(|_| account.bill(MS, now));
        assert_eq!(account.has_to_wait(now), Some(100 * MS));
    }
}
