//! How fast requests are over that others wait for.

use std::time::Duration;

use tokio::time::Instant;

/// How many are remembered in full. Beyond it older ones count less, so that the pace is that of these minutes.
const REMEMBERED: u32 = 1024;

/// How many requests were over since somebody has been waiting.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Option<Instant>,
    over: u32,
}

impl Pace {
    /// Somebody waits who was the first to.
    pub(super) const fn begins(&mut self, now: Instant) {
        self.since = Some(now);
        self.over = 0;
    }

    /// A request is over that somebody waited for.
    pub(super) const fn advances(&mut self) {
        self.over = self.over.saturating_add(1);
    }

    /// How long it takes until so many are answered, with so many `places`. Until each place has had one that was over, one is taken to last as
    /// long as was waited.
    pub(super) fn time_for(&mut self, waiting: usize, places: u64, now: Instant) -> Duration {
        let Some(since) = self.since else { return Duration::ZERO };
        let mut elapsed = now.saturating_duration_since(since);
        if self.over > REMEMBERED {
            elapsed = elapsed.mul_f64(f64::from(REMEMBERED) / f64::from(self.over));
            self.since = now.checked_sub(elapsed);
            self.over = REMEMBERED;
        }
        let over = u64::from(self.over).max(places).max(1);
        let time = elapsed.as_nanos() * waiting as u128 / u128::from(over);
        Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }
}
