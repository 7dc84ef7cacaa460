//! Percentiles of what is only known in buckets.

use ship_core::{BUCKET_BOUNDS_MICROS, BUCKETS};

/// The duration in microseconds that so many of a thousand did not exceed, as if those of a bucket were spread over it evenly. Of what is
/// beyond the last bound nothing but that is known, so it counts as that bound. `None` if there is none.
pub(crate) fn percentile(durations: &[u32; BUCKETS], per_mille: u64) -> Option<u64> {
    let all: u64 = durations.iter().map(|count| u64::from(*count)).sum();
    // The rank of the one that is meant, from one on.
    let rank = (all * per_mille).div_ceil(1_000).max(1);
    let mut before = 0;
    for (bucket, count) in durations.iter().copied().map(u64::from).enumerate() {
        if count > 0 && before + count >= rank {
            let low = bucket.checked_sub(1).map_or(0, |below| BUCKET_BOUNDS_MICROS[below]);
            let high = BUCKET_BOUNDS_MICROS.get(bucket).copied().unwrap_or(low);
            return Some(low + (high - low) * (rank - before) / count);
        }
        before += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between the bounds of its bucket, by its rank there; beyond the last bound, that bound.
    #[test]
    fn in_buckets() {
        let mut durations = [0; BUCKETS];
        assert_eq!(percentile(&durations, 500), None);
        durations[4] = 10; // 5 to 10 ms
        assert_eq!([1, 500, 1_000].map(|at| percentile(&durations, at).unwrap()), [5_500, 7_500, 10_000]);
        durations[0] = 89;
        durations[BUCKETS - 1] = 1;
        let found = [500, 890, 950, 990, 1_000].map(|at| percentile(&durations, at).unwrap());
        assert_eq!(found, [280, 500, 8_000, 10_000, 10_000_000]);
    }
}
