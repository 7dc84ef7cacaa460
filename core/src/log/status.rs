//! Which statuses are asked for: `500`, `5xx`, `400-499`, or several of these.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::text::serde_through_text;

/// Some statuses, written `404,5xx,400-403`. None at all means that the status does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusRanges(Vec<RangeInclusive<u16>>);

impl StatusRanges {
    /// Whether `status` is among them.
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    /// Whether the status does not matter.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for StatusRanges {
    type Err = ParseStatusRangesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let range = |word: &str| range(word.trim()).ok_or_else(|| ParseStatusRangesError { found: word.to_owned() });
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

fn range(word: &str) -> Option<RangeInclusive<u16>> {
    if let Some(class) = word.strip_suffix("xx").or_else(|| word.strip_suffix("XX")) {
        let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
        return Some(class * 100..=class * 100 + 99);
    }
    let status = |digits: &str| digits.trim().parse().ok().filter(|status| (100..=599).contains(status));
    match word.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (status(first)?, status(last)?);
            (first <= last).then_some(first..=last)
        }
        None => status(word).map(|status| status..=status),
    }
}

impl fmt::Display for StatusRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        f.write_str(&self.0.iter().map(word).collect::<Vec<_>>().join(","))
    }
}

serde_through_text!(StatusRanges);

/// The text names no statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` names no status: write 404, 5xx or 400-499")]
pub struct ParseStatusRangesError {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Single statuses, classes and ranges, and what is none of them.
    #[test]
    fn forms() {
        let ranges: StatusRanges = "404, 5xx,400-403".parse().unwrap();
        assert_eq!(ranges.to_string(), "404,500-599,400-403");
        assert_eq!(
            [200, 400, 403, 404, 405, 500, 599].map(|status| ranges.contain(status)),
            [false, true, true, true, false, true, true]
        );
        for wrong in ["", "6xx", "0xx", "xx", "99", "600", "499-400", "4x", "404,", "abc"] {
            assert!(wrong.parse::<StatusRanges>().is_err(), "{wrong}");
        }
    }
}
