//! How finely time is cut, and for how long each cut is kept.

use super::sample::SLOT_BYTES;

/// A ring of samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// An hour, in steps of ten seconds.
    Hour,
    /// A day, in minutes.
    Day,
    /// Thirty days, in steps of ten minutes.
    Month,
}

impl Resolution {
    /// All of them, in the order in which they stand in a file.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// How long the time of one sample is, in seconds.
    pub const fn step_secs(self) -> i64 {
        match self {
            Self::Hour => 10,
            Self::Day => 60,
            Self::Month => 600,
        }
    }

    /// How many samples the ring has.
    pub const fn slots(self) -> u32 {
        match self {
            Self::Hour => 360,
            Self::Day => 1_440,
            Self::Month => 4_320,
        }
    }

    /// Where the ring begins in its file.
    pub(super) fn offset(self) -> u64 {
        let before = match self {
            Self::Hour => 0,
            Self::Day => Self::Hour.slots(),
            Self::Month => Self::Hour.slots() + Self::Day.slots(),
        };
        u64::from(before) * SLOT_BYTES as u64
    }

    /// When the time of the sample begins that a second belongs to.
    pub const fn begin_of(self, second: i64) -> i64 {
        second - second.rem_euclid(self.step_secs())
    }

    /// When the oldest sample begins that the ring still has at a second.
    pub fn oldest_at(self, second: i64) -> i64 {
        self.begin_of(second) - (i64::from(self.slots()) - 1) * self.step_secs()
    }

    /// Where the sample stands in the file whose time begins at a second.
    pub(super) fn place_of(self, begins: i64) -> u64 {
        let slot = begins.div_euclid(self.step_secs()).rem_euclid(i64::from(self.slots()));
        self.offset() + slot.cast_unsigned() * SLOT_BYTES as u64
    }
}
