//! Counters and histograms that many threads write at once: what is recorded with every request must cost it next to nothing.
//!
//! Each is kept several times over, and a thread always writes the same copy, so that two threads seldom share a line of a
//! processor's cache. Whoever reads adds the copies up.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How many copies there are. More threads than these share some, which stays correct.
const COPIES: usize = 8;

/// The upper bounds of a histogram's buckets in microseconds: those of OpenTelemetry for functions, and three below, because much that
/// is measured here takes less than five milliseconds.
pub const BUCKET_BOUNDS_MICROS: [u64; 17] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
    5_000_000, 7_500_000, 10_000_000,
];

/// How many buckets a histogram has: one more than bounds, for what is beyond the last.
pub const BUCKETS: usize = BUCKET_BOUNDS_MICROS.len() + 1;

/// A copy, on lines of the cache of its own: processors fetch them in pairs of 64 bytes.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Copy<T>(T);

/// The number of this thread's copy.
fn own_copy() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    OWN.with(|own| {
        if own.get() == usize::MAX {
            own.set(NEXT.fetch_add(1, Relaxed) % COPIES);
        }
        own.get()
    })
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter([Copy<AtomicU64>; COPIES]);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0[own_copy()].0.fetch_add(amount, Relaxed);
    }

    /// The number.
    pub fn value(&self) -> u64 {
        self.0.iter().map(|copy| copy.0.load(Relaxed)).sum()
    }
}

/// How often which durations were measured.
#[derive(Debug, Default)]
pub struct Histogram([Copy<Durations>; COPIES]);

#[derive(Debug, Default)]
struct Durations {
    buckets: [AtomicU64; BUCKETS],
    sum_micros: AtomicU64,
}

/// What a histogram holds at a moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HistogramView {
    /// How many durations fell into each bucket, and into no earlier one.
    pub buckets: [u64; BUCKETS],
    /// All durations together, in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// Records a duration.
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // From the front: most durations are short.
        let bucket = BUCKET_BOUNDS_MICROS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS - 1);
        let Copy(own) = &self.0[own_copy()];
        own.buckets[bucket].fetch_add(1, Relaxed);
        own.sum_micros.fetch_add(micros, Relaxed);
    }

    /// What it holds. Durations that are recorded meanwhile may be in one part and not yet in another.
    pub fn view(&self) -> HistogramView {
        let mut view = HistogramView::default();
        for Copy(copy) in &self.0 {
            for (total, bucket) in view.buckets.iter_mut().zip(&copy.buckets) {
                *total += bucket.load(Relaxed);
            }
            view.sum_micros = view.sum_micros.wrapping_add(copy.sum_micros.load(Relaxed));
        }
        view
    }
}

impl HistogramView {
    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds what another histogram holds.
    pub fn merge(&mut self, other: &Self) {
        for (total, bucket) in self.buckets.iter_mut().zip(&other.buckets) {
            *total += bucket;
        }
        self.sum_micros = self.sum_micros.wrapping_add(other.sum_micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is lost between threads, and a duration falls into the first bucket that has room for it, bound included.
    #[test]
    fn many_threads() {
        let (counter, histogram) = (Counter::default(), Histogram::default());
        std::thread::scope(|scope| {
            for _ in 0..2 * COPIES {
                scope.spawn(|| {
                    for micros in [0, 500, 501, 10_000_000, 10_000_001] {
                        counter.add(2);
                        histogram.record(Duration::from_micros(micros));
                    }
                });
            }
        });
        let threads = 2 * COPIES as u64;
        assert_eq!(counter.value(), 10 * threads);
        let mut view = histogram.view();
        let mut expected = [0; BUCKETS];
        (expected[0], expected[1], expected[BUCKETS - 2], expected[BUCKETS - 1]) =
            (2 * threads, threads, threads, threads);
        assert_eq!(view, HistogramView { buckets: expected, sum_micros: 20_001_002 * threads });
        view.merge(&view.clone());
        assert_eq!(view.count(), 10 * threads);
    }
}
