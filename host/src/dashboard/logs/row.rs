//! A log record as a row of a page.

use ship_core::{LogRecord, LogSource, LogStream, RequestId};

use crate::dashboard::text::harmless;

/// How many characters of a message are shown among others: sixty rows of that stay below 50 kB.
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

/// What a page shows of each record.
#[derive(Clone, Debug)]
pub(super) struct View {
    width: Width,
    /// The host name, with its port, that nearly all requests of a project have: it is not repeated.
    home: Box<str>,
}

impl View {
    /// The view of a project whose production is at `url`.
    pub(super) fn new(width: Width, url: &str) -> Self {
        Self { width, home: url.split_once("://").map_or(url, |(_, host)| host).into() }
    }
}

/// A log record as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(super) struct Row {
    at: String,
    date: String,
    clock: String,
    level: &'static str,
    /// The status of a request, or which of a function's outputs a line was written to.
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
    pub(super) fn new(record: &LogRecord, view: &View) -> Self {
        let mut row = Self {
            at: record.at.to_string(),
            date: record.at.strftime("%b %-d").to_string(),
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
                let host = if **host == *view.home { "" } else { host };
                row.say(&format!("{method} {host}{path}"), PATH_CHARACTERS);
                row.duration_micros = Some(*duration_micros);
                row.is_cold = *cold_start;
                row.error = error.as_deref().map(|error| harmless(error, PATH_CHARACTERS));
            }
            LogSource::Function { message, stream, .. } => {
                let stream = match stream {
                    LogStream::Stdout => "stdout",
                    LogStream::Stderr => "stderr",
                };
                stream.clone_into(&mut row.mark);
                row.say(message, view.width.characters());
            }
            LogSource::Platform { message, .. } => {
                "ship".clone_into(&mut row.mark);
                row.say(message, view.width.characters());
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
        let view = |width| View::new(width, "http://garden.localhost:7700");
        let row = Row::new(&record, &view(Width::Line));
        assert!(row.text.starts_with("<b><U+202E>xxx") && row.text.len() < 500, "{}", row.text);
        assert!(row.left_out > 999_000);
        assert_eq!(
            (row.date.as_str(), row.clock.as_str(), row.level, row.mark.as_str()),
            ("Jan 1", "00:00:00.000", "info", "stdout")
        );
        assert!(Row::new(&record, &view(Width::Text)).text.len() > 7_000);
    }

    /// The host name is told where it is not the one that nearly all requests have.
    #[test]
    fn hosts() {
        let text = |host: &str| {
            let record = serde_json::json!({
                "at": "2026-04-14T12:03:04Z", "level": "info", "deployment": "0".repeat(32), "requests": [],
                "source": "request", "method": "GET", "host": host, "path": "/a", "status": 200, "duration_micros": 1,
            });
            let record: LogRecord = serde_json::from_value(record).unwrap();
            Row::new(&record, &View::new(Width::Line, "http://garden.localhost:7700")).text
        };
        assert_eq!(text("garden.localhost:7700"), "GET /a");
        assert_eq!(text("garden-git-main.localhost:7700"), "GET garden-git-main.localhost:7700/a");
    }
}
