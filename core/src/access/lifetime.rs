//! How long a token opens anything.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::text::serde_through_text;

const DAY_SECONDS: i64 = 86_400;

/// The units of a lifetime and their seconds.
const UNITS: [(&str, i64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", DAY_SECONDS), ("w", 7 * DAY_SECONDS)];

/// How long a token opens anything: `90d`, `12h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lifetime {
    seconds: i64,
}

impl Lifetime {
    /// A quarter: short enough that a token that somebody has forgotten, or lost without noticing, ends by itself, and long enough
    /// that renewing it is no weekly chore.
    pub const DEFAULT: Self = Self { seconds: 90 * DAY_SECONDS };

    /// A year and a day, for what is renewed once a year.
    pub const LONGEST: Self = Self { seconds: 366 * DAY_SECONDS };

    /// A quarter of an hour, for the token of a job: longer than a deploy takes.
    pub const OF_JOB: Self = Self { seconds: 15 * 60 };

    /// An hour, for jobs that build for long with the token in hand. Whoever finds it afterwards has nothing.
    pub const LONGEST_OF_JOB: Self = Self { seconds: 60 * 60 };

    /// When a token that is made now ends.
    pub fn end(self, now: Timestamp) -> Timestamp {
        now.checked_add(SignedDuration::from_secs(self.seconds)).unwrap_or(Timestamp::MAX)
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl FromStr for Lifetime {
    type Err = ParseLifetimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = || {
            let (digits, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
            let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
            digits.parse::<i64>().ok()?.checked_mul(*seconds)
        };
        let lifetime = seconds().filter(|seconds| *seconds > 0).map(|seconds| Self { seconds });
        lifetime
            .filter(|lifetime| *lifetime <= Self::LONGEST)
            .ok_or_else(|| ParseLifetimeError { found: text.chars().take(50).collect() })
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest =
            UNITS.iter().rev().filter(|(unit, _)| *unit != "w").find(|(_, seconds)| self.seconds % seconds == 0);
        let (unit, seconds) = largest.unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.seconds / seconds)
    }
}

serde_through_text!(Lifetime);

/// The text is no lifetime of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not how long a token may live: expected `90d`, `12h` or the like, at most 366 days")]
pub struct ParseLifetimeError {
    found: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is no time, none at all, or too long is refused.
    #[test]
    fn bounds() {
        for text in ["", "d", "0d", "-1d", "1", "1y", "1.5d", "367d", "99999999999999999999s", "9223372036854775807w"] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
        assert_eq!("90d".parse(), Ok(Lifetime::DEFAULT));
        assert_eq!("366d".parse(), Ok(Lifetime::LONGEST));
        assert_eq!(Lifetime::DEFAULT.end(Timestamp::UNIX_EPOCH).to_string(), "1970-04-01T00:00:00Z");
    }

    proptest! {
        /// What is written is read as the same time.
        #[test]
        fn round_trip(number in 1_i64..1_000, unit in 0..UNITS.len()) {
            let text = format!("{number}{}", UNITS[unit].0);
            if let Ok(lifetime) = text.parse::<Lifetime>() {
                prop_assert_eq!(lifetime.to_string().parse(), Ok(lifetime));
            }
        }
    }
}
