//! Whether a function asks for its answers to be kept: most never do, and their visitors pay nothing for those that do.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What is known of whether a function asks for its answers to be kept.
#[derive(Default)]
pub(crate) struct CachingHabit(AtomicU8);

/// What is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    /// It has not answered yet.
    Unknown,
    /// It has answered, and never did.
    Never,
    /// It has, at least for some of its answers.
    AtTimes,
}

impl CachingHabit {
    const NEVER: u8 = 1;
    const AT_TIMES: u8 = 2;

    /// What is known now.
    pub(crate) fn asks(&self) -> Asks {
        match self.0.load(Relaxed) {
            Self::NEVER => Asks::Never,
            Self::AT_TIMES => Asks::AtTimes,
            _ => Asks::Unknown,
        }
    }

    /// It has asked for an answer to be kept.
    pub(super) fn has_asked(&self) {
        if self.0.load(Relaxed) != Self::AT_TIMES {
            self.0.store(Self::AT_TIMES, Relaxed);
        }
    }

    /// It has answered without asking.
    pub(super) fn has_not_asked(&self) {
        // What it asked for once it may ask for again.
        let _ = self.0.compare_exchange(0, Self::NEVER, Relaxed, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function that has asked once may ask again; of one that has not, the first answer that asks is believed.
    #[test]
    fn habits() {
        let habit = CachingHabit::default();
        assert_eq!(habit.asks(), Asks::Unknown);
        habit.has_not_asked();
        assert_eq!(habit.asks(), Asks::Never);
        habit.has_asked();
        habit.has_not_asked();
        assert_eq!(habit.asks(), Asks::AtTimes);
    }
}
