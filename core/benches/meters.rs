//! What it costs to count a request: `cargo bench -p ship-core --bench meters`.
//!
//! Recording is compared with the same numbers in one copy, on one thread and on all, because that is what the copies are for.

use std::io::Write as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ship_core::{Counter, Histogram};

const ROUNDS: u32 = 10_000_000;

/// What a request does: it begins, it ends, and its duration is recorded.
trait Meters: Sync {
    fn count(&self, duration: Duration);
}

#[derive(Default)]
struct Copies {
    begun: Counter,
    durations: Histogram,
}

impl Meters for Copies {
    fn count(&self, duration: Duration) {
        self.begun.increment();
        self.durations.record(duration);
    }
}

#[derive(Default)]
struct OneCopy {
    begun: AtomicU64,
    bucket: AtomicU64,
    sum: AtomicU64,
}

impl Meters for OneCopy {
    fn count(&self, duration: Duration) {
        self.begun.fetch_add(1, Relaxed);
        self.bucket.fetch_add(1, Relaxed);
        self.sum.fetch_add(u64::try_from(duration.as_micros()).unwrap_or(0), Relaxed);
    }
}

fn nanos_each(meters: &impl Meters, threads: usize) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    meters.count(std::hint::black_box(Duration::from_micros(u64::from(round & 511))));
                }
            });
        }
    });
    began.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
}

fn main() {
    let all = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (copies, one) = (Copies::default(), OneCopy::default());
    let mut out = std::io::stdout().lock();
    for _ in 0..3 {
        for threads in [1, all] {
            let (copies, one) = (nanos_each(&copies, threads), nanos_each(&one, threads));
            let line = writeln!(out, "{threads} threads: {copies:.1} ns a request, in one copy {one:.1} ns");
            line.expect("standard output is open");
        }
    }
}
