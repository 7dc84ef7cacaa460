//! How much processor time a function has.

/// The period of which a quota of processor time is a part, in microseconds: the kernel's own default.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// How much of all processors an instance has at the most, in hundredths. The kernel shares processors out between groups, and loses count with
/// one that begins and ends processes without pause: such an instance had all of them, for seconds. What is counted against a quota is
/// counted otherwise, so this much less is a turn for everybody else in each period.
const MOST_CPU_PERCENT: u64 = 90;

/// The period of that, in microseconds: how long others wait for their turn at the most.
const MOST_CPU_PERIOD_MICROS: u64 = 10_000;

/// So much processor time in each period, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quota {
    pub(super) micros: u64,
    pub(super) period_micros: u64,
}

impl Quota {
    /// What any instance has at the most.
    pub(super) const fn most(processors: u64) -> Self {
        let micros = processors * MOST_CPU_PERIOD_MICROS * MOST_CPU_PERCENT / 100;
        Self { micros, period_micros: MOST_CPU_PERIOD_MICROS }
    }

    /// What an instance has that may use so much. `None` if it is no less than any has.
    pub(super) fn of(thousandths: u32, processors: u64) -> Option<Self> {
        let micros = u64::from(thousandths) * CPU_PERIOD_MICROS / 1000;
        let most = processors * CPU_PERIOD_MICROS * MOST_CPU_PERCENT / 100;
        (micros < most).then_some(Self { micros, period_micros: CPU_PERIOD_MICROS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No instance has all processors, also where its owner says so; one that may use less has that.
    #[test]
    fn quotas() {
        let quota = |micros, period_micros| Quota { micros, period_micros };
        assert_eq!([1, 2, 64].map(Quota::most), [quota(9_000, 10_000), quota(18_000, 10_000), quota(576_000, 10_000)]);
        let of = |thousandths| Quota::of(thousandths, 2);
        assert_eq!([50, 1_500].map(of), [Some(quota(5_000, 100_000)), Some(quota(150_000, 100_000))]);
        assert_eq!([1_800, 2_000, 256_000].map(of), [None; 3]);
    }
}
