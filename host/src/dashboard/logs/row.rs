//! A log record as a row of a page.

use ship_core::{LogRecord, LogSource, RequestId};

use crate::dashboard::text::harmless;

/// How many characters of a message are shown among others: sixty rows of that stay below 50 KB.
const LINE_CHARACTERS: usize = 400;

/// How many are shown of a request's own lines.
const TEXT_CHARACTERS: usize = 8_000;

/// How many characters of a path are shown.
const PATH_CHARACTERS: usize = 160;

/// How much of a message is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Width {
    /// What fits a row.
    Line,
    /// Much of it.
    Text,
}

impl Width {
    const fn characters(self) -> usize {
        match self {
            Self::Line => LINE_CHARACTERS,
            Self::Text => TEXT_CHARACTERS,
        }
    }
}

/// A log record as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(super) struct Row {
    at: String,
    clock: String,
    level: &'static str,
    /// The status of a request, or where something comes from.
    mark: String,
    text: String,
    /// How many characters are left out at its end.
    left_out: usize,
    function: Option<String>,
    duration_micros: Option<u64>,
    is_cold: bool,
    error: Option<String>,
    request: Option<String>,
}

impl Row {
    pub(super) fn new(record: &LogRecord, width: Width) -> Self {
        let mut row = Self {
            at: record.at.to_string(),
            clock: record.at.strftime("%H:%M:%S%.3f").to_string(),
            level: record.level.as_str(),
            mark: String::new(),
            text: String::new(),
            left_out: 0,
            function: record.source.function().map(ToString::to_string),
            duration_micros: None,
            is_cold: false,
            error: None,
            request: match &record.requests[..] {
                [only] => Some(RequestId::to_string(only)),
                _ => None,
            },
        };
        match &record.source {
            LogSource::Request { method, host, path, status, duration_micros, cold_start, error, .. } => {
                row.mark = status.to_string();
                row.say(&format!("{method} {host}{path}"), PATH_CHARACTERS);
                row.duration_micros = Some(*duration_micros);
                row.is_cold = *cold_start;
                row.error = error.as_deref().map(|error| harmless(error, PATH_CHARACTERS));
            }
            LogSource::Function { message, .. } => {
                "printed".clone_into(&mut row.mark);
                row.say(message, width.characters());
            }
            LogSource::Platform { message, .. } => {
                "ship".clone_into(&mut row.mark);
                row.say(message, width.characters());
            }
        }
        row
    }

    fn say(&mut self, text: &str, most: usize) {
        self.text = harmless(text, most);
        self.left_out = text.chars().count().saturating_sub(most);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ship_core::{LogLevel, LogStream};

    use super::*;

    /// A megabyte on one line is the beginning of it and how much is missing; what would move other text is a picture.
    #[test]
    fn long_and_strange() {
        let message = format!("\u{1b}[31m<b>\u{202e}{}", "x".repeat(1_000_000));
        let source = LogSource::Function {
            function: "api/date".parse().unwrap(),
            stream: LogStream::Stdout,
            message,
            truncated: false,
        };
        let deployment = "0".repeat(32).parse().unwrap();
        let record =
            LogRecord { at: Timestamp::UNIX_EPOCH, level: LogLevel::Info, deployment, requests: vec![], source };
        let row = Row::new(&record, Width::Line);
        assert!(row.text.starts_with("<b><U+202E>xxx") && row.text.len() < 500, "{}", row.text);
        assert!(row.left_out > 999_000);
        assert_eq!((row.clock.as_str(), row.level, row.mark.as_str()), ("00:00:00.000", "info", "printed"));
        assert!(Row::new(&record, Width::Text).text.len() > 7_000);
    }
}
