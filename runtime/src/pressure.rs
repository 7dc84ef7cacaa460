//! When the machine's memory runs short: how many idle instances are stopped for it.

/// How much memory the machine has and how much of it is to be had, at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryReading {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What programs can have without anything being swapped out, in bytes: the kernel's estimate.
    pub available_bytes: u64,
    /// How much of the last ten seconds some program waited for memory, in percent. `None` where the kernel does not say.
    pub stalled_percent: Option<u32>,
}

/// Below this share of memory, in percent, instances that nobody asks are in the way of those that somebody does.
const SHORT_PERCENT: u64 = 10;

/// Below this share the kernel may kill something in the next moment.
const CRITICAL_PERCENT: u64 = 5;

/// Below this share it counts if programs wait for memory. Above, what waits is a program within its own limit: to stop others
/// would not help it.
const WATCHED_PERCENT: u64 = 20;

/// How much waiting counts, in percent of the time.
const STALLED_PERCENT: u32 = 10;

/// What share of the idle instances is stopped at a time while memory is short. The kernel takes a moment to see what that gave, and
/// the next look is soon.
const SHARE: usize = 4;

/// How many of the `idle` instances are to be stopped, those first that were not asked for the longest.
pub(crate) fn instances_to_stop(reading: &MemoryReading, idle: usize) -> usize {
    let share = |percent: u64| reading.total_bytes / 100 * percent;
    let is_stalled = reading.stalled_percent.is_some_and(|stalled| stalled >= STALLED_PERCENT);
    match reading.available_bytes {
        available if available < share(CRITICAL_PERCENT) => idle,
        available if available < share(SHORT_PERCENT) => idle.div_ceil(SHARE),
        available if is_stalled && available < share(WATCHED_PERCENT) => idle.div_ceil(SHARE),
        _ => 0,
    }
}

/// Whether the machine has too little memory left.
pub(crate) fn is_short(reading: &MemoryReading) -> bool {
    instances_to_stop(reading, 1) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is stopped while there is memory, whoever waits for it; a quarter of the idle ones while it is short; all of them
    /// when it is nearly gone.
    #[test]
    fn stopped() {
        for (available, stalled_percent, idle, expected) in [
            (50, None, 8, 0),
            (50, Some(90), 8, 0),
            (20, Some(90), 8, 0),
            (19, Some(10), 8, 2),
            (19, Some(9), 8, 0),
            (19, None, 8, 0),
            (10, None, 8, 0),
            (9, None, 8, 2),
            (9, Some(0), 1, 1),
            (9, None, 0, 0),
            (5, None, 9, 3),
            (4, None, 9, 9),
            (0, Some(100), 0, 0),
        ] {
            let reading = MemoryReading { total_bytes: 100 << 20, available_bytes: available << 20, stalled_percent };
            assert_eq!(instances_to_stop(&reading, idle), expected, "{reading:?} {idle}");
        }
    }
}
