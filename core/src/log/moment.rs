//! A moment in the past, as people name it: `1h`, `2d`, `2026-04-14`, `2026-04-14T12:00:00Z`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::text::serde_through_text;

/// A moment: so long ago, or a point in time. What is said as an age is resolved by the clock of the host, whose records it is
/// about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogMoment {
    /// This long before now.
    Ago(SignedDuration),
    /// At this time.
    At(Timestamp),
}

/// The units of an age and their seconds.
const UNITS: [(&str, i64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];

impl LogMoment {
    /// The point in time, seen from `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(age) => now.checked_sub(age).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for LogMoment {
    type Err = ParseLogMomentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let age = || {
            let (digits, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
            let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
            Some(Self::Ago(SignedDuration::from_secs(digits.parse::<i64>().ok()?.checked_mul(*seconds)?)))
        };
        let date = || Offset::UTC.to_timestamp(text.parse::<Date>().ok()?.to_datetime(Time::midnight())).ok();
        // A date alone is also understood by the parser of points in time, with a time zone that nobody has named.
        let at = || text.contains('T').then(|| text.parse().ok()).flatten().or_else(date).map(Self::At);
        age().or_else(at).ok_or_else(|| ParseLogMomentError { found: text.to_owned() })
    }
}

impl fmt::Display for LogMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(age) => write!(f, "{}s", age.as_secs()),
            Self::At(at) => at.fmt(f),
        }
    }
}

serde_through_text!(LogMoment);

/// The text names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` names no time: write 30m, 1h, 2d, 2026-04-14 or 2026-04-14T12:00:00Z")]
pub struct ParseLogMomentError {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ages and points in time, and what is neither.
    #[test]
    fn forms() {
        let now: Timestamp = "2026-04-14T12:00:00Z".parse().unwrap();
        let resolved = |text: &str| text.parse::<LogMoment>().unwrap().resolve(now).to_string();
        assert_eq!(resolved("90s"), "2026-04-14T11:58:30Z");
        assert_eq!(resolved("30m"), "2026-04-14T11:30:00Z");
        assert_eq!(resolved("1h"), "2026-04-14T11:00:00Z");
        assert_eq!(resolved("2d"), "2026-04-12T12:00:00Z");
        assert_eq!(resolved("1w"), "2026-04-07T12:00:00Z");
        assert_eq!(resolved("2026-04-01"), "2026-04-01T00:00:00Z");
        assert_eq!(resolved("2026-04-01T02:00:00+02:00"), "2026-04-01T00:00:00Z");
        assert_eq!(resolved("9999999999w"), Timestamp::MIN.to_string());
        for wrong in ["", "h", "1", "1y", "-1h", "yesterday", "2026-13-01", "99999999999999999999d"] {
            let error = wrong.parse::<LogMoment>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{wrong}` names no time")), "{error}");
        }
        assert_eq!("2h".parse::<LogMoment>().unwrap().to_string(), "7200s");
    }
}
