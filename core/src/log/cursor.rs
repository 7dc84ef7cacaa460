//! Where a reader of a log is.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// A place between two records of one project's log. It outlives the host that gave it, so that whoever follows a log can go on
/// where they were.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LogCursor {
    /// The number of the segment.
    pub segment: u64,
    /// How many bytes of the segment are before it.
    pub offset_bytes: u64,
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.segment, self.offset_bytes)
    }
}

impl FromStr for LogCursor {
    type Err = ParseLogCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (segment, offset_bytes) = text.split_once('-')?;
            Some(Self { segment: segment.parse().ok()?, offset_bytes: offset_bytes.parse().ok()? })
        };
        parse().ok_or(ParseLogCursorError)
    }
}

serde_through_text!(LogCursor);

/// The text is no place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place in a log is two numbers with a hyphen between them")]
pub struct ParseLogCursorError;
