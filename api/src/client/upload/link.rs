//! How fast the way to a host is, as far as it can be seen from this end: by how long it makes who sends wait.

use std::time::{Duration, Instant};

/// Below this many bytes a second it pays to compress. One processor compresses 300 MB a second; above a tenth of that, what the link would save is
/// less than what is lost where client and host share their processors, and gigabit networks are not waited for.
const SLOW_BYTES_PER_SEC: u64 = 40 * 1000 * 1000;

/// How long it is looked before it is judged: longer than a disk takes for one sync, which makes a host on the same machine pause.
const LOOKED: Duration = Duration::from_millis(500);

/// What is known of a link.
#[derive(Debug)]
pub(super) struct Link {
    is_slow: bool,
    since: Instant,
    waited: Duration,
    bytes: u64,
}

impl Link {
    /// A link of which only this is known: whether it leads to this machine, where it is taken for fast, or elsewhere, where it is taken for
    /// slow. The first half second shows.
    pub(super) fn new(is_loopback: bool) -> Self {
        Self { is_slow: !is_loopback, since: Instant::now(), waited: Duration::ZERO, bytes: 0 }
    }

    /// Whether it pays to compress what is sent next.
    pub(super) fn is_slow(&self) -> bool {
        self.is_slow
    }

    /// Notes that the link took so many bytes, after a wait.
    pub(super) fn took(&mut self, bytes: usize, waited: Duration) {
        self.bytes += bytes as u64;
        self.waited += waited;
        self.judge(self.since.elapsed());
    }

    fn judge(&mut self, looked: Duration) {
        if looked < LOOKED {
            return;
        }
        // A link that nobody waits for is fast enough, however little was sent.
        let is_waited_for = self.waited * 2 >= looked;
        self.is_slow =
            is_waited_for && u128::from(self.bytes) * 1000 < u128::from(SLOW_BYTES_PER_SEC) * looked.as_millis();
        *self = Self { is_slow: self.is_slow, ..Self::new(true) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link is slow if who sends waits for it and it takes little.
    #[test]
    fn judged() {
        let judged = |is_loopback, bytes, waited_ms, looked_ms| {
            let mut link = Link::new(is_loopback);
            (link.bytes, link.waited) = (bytes, Duration::from_millis(waited_ms));
            link.judge(Duration::from_millis(looked_ms));
            link.is_slow()
        };
        assert!(judged(true, 1_000_000, 450, 500) && judged(false, 1_000_000, 450, 500));
        assert!(!judged(true, 100_000_000, 450, 500) && !judged(false, 100_000_000, 450, 500));
        assert!(!judged(false, 1_000_000, 20, 500), "nobody waits for it");
        assert!(!judged(true, 0, 400, 400) && judged(false, 0, 0, 400), "not looked for long enough");
    }
}
