//! How much processor time a function has.

/// The period of which a quota of processor time is a part, in microseconds: the kernel's own default. In shorter ones, who waits beside a
/// function that only computes waits longer.
const PERIOD_MICROS: u64 = 100_000;

/// How much of all processors an instance has at the most, in hundredths. The kernel shares processors out between groups, and loses count with
/// one that begins and ends processes without pause: such an instance had all of them, for up to a second and more. What is counted against
/// a quota is counted otherwise, so this much less is a turn for everybody else in each period.
const MOST_PERCENT: u64 = 95;

/// How much of all processors an instance has that begins processes without pause, in thousandths: a fork bomb's neighbours have the usual 99th
/// percentile at a fortieth, twice of it at a twentieth, and six times of it at a tenth.
const STORM_THOUSANDTHS: u64 = 25;

/// The least that the kernel takes for a quota, in microseconds.
const LEAST_MICROS: u64 = 1000;

/// So much processor time in each period, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quota {
    pub(super) micros: u64,
    pub(super) period_micros: u64,
}

impl Quota {
    /// What any instance has at the most.
    pub(super) const fn most(processors: u64) -> Self {
        Self { micros: processors * PERIOD_MICROS * MOST_PERCENT / 100, period_micros: PERIOD_MICROS }
    }

    /// What one has that begins processes without pause.
    pub(super) fn in_a_storm(processors: u64) -> Self {
        let micros = (processors * PERIOD_MICROS * STORM_THOUSANDTHS / 1000).max(LEAST_MICROS);
        Self { micros, period_micros: PERIOD_MICROS }
    }

    /// What an instance has that may use so much.
    pub(super) fn of(thousandths: u32, processors: u64) -> Self {
        let said = Self { micros: u64::from(thousandths) * PERIOD_MICROS / 1000, period_micros: PERIOD_MICROS };
        let most = Self::most(processors);
        if said.micros < most.micros { said } else { most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No instance has all processors, also where its owner says so; one that may use less has that.
    #[test]
    fn quotas() {
        let quota = |micros| Quota { micros, period_micros: 100_000 };
        assert_eq!([1, 2, 64].map(Quota::most), [95_000, 190_000, 6_080_000].map(quota));
        let of = |thousandths| Quota::of(thousandths, 2);
        assert_eq!([50, 1_500, 2_000, 256_000].map(of), [5_000, 150_000, 190_000, 190_000].map(quota));
        assert_eq!([1, 2, 64].map(Quota::in_a_storm), [2_500, 5_000, 160_000].map(quota));
    }
}
