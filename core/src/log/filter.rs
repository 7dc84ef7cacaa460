//! Which records of a log are wanted.

use jiff::Timestamp;

use super::{LogLevels, LogRecord, LogSource, StatusRanges};
use crate::deployment::DeploymentId;
use crate::path::FunctionName;
use crate::request_id::RequestId;

/// Which records of a log are wanted: those that fit all that is said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogFilter {
    /// Only those of this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only those of this request.
    pub request: Option<RequestId>,
    /// Only those about this function.
    pub function: Option<FunctionName>,
    /// Only those of these levels.
    pub levels: LogLevels,
    /// Only requests that were answered with one of these statuses.
    pub statuses: StatusRanges,
    /// Only those from this time on.
    pub since: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
    /// Only those with this text in the message, the path or the error's code, whatever its case.
    pub text: Option<String>,
}

impl LogFilter {
    /// Whether `record` is wanted.
    pub fn matches(&self, record: &LogRecord) -> bool {
        self.deployment.is_none_or(|id| record.deployment == id)
            && self.request.is_none_or(|id| record.requests.contains(&id))
            && self.levels.allow(record.level)
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && self.function.as_ref().is_none_or(|name| record.source.function() == Some(name))
            && (self.statuses.are_all() || record.source.status().is_some_and(|status| self.statuses.contain(status)))
            && self.text.as_ref().is_none_or(|text| says(&record.source, text))
    }
}

fn says(source: &LogSource, text: &str) -> bool {
    match source {
        LogSource::Request { path, error, .. } => {
            contains(path, text) || error.as_ref().is_some_and(|error| contains(error, text))
        }
        LogSource::Function { message, .. } | LogSource::Platform { message, .. } => contains(message, text),
    }
}

fn contains(message: &str, text: &str) -> bool {
    if message.is_ascii() && text.is_ascii() {
        let (message, text) = (message.as_bytes(), text.as_bytes());
        return text.is_empty() || message.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text));
    }
    message.to_lowercase().contains(&text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::{LogLevel, LogStream};
    use super::*;

    fn record(source: LogSource, level: LogLevel) -> LogRecord {
        let at = "2026-04-14T12:00:00Z".parse().unwrap();
        let requests = vec![RequestId::from_parts(1, [0; 10])];
        LogRecord { at, level, deployment: DeploymentId::of_bytes(b"a"), requests, source }
    }

    /// Each part of a filter leaves out what does not fit, and what it says nothing about passes.
    #[test]
    fn parts() {
        let request = record(
            LogSource::Request {
                method: "GET".into(),
                host: "a.localhost".into(),
                path: "/api/Date?x=Ä".into(),
                status: 503,
                duration_micros: 1,
                function: Some("api/date".parse().unwrap()),
                cold_start: false,
                init_micros: None,
                memory_mb: None,
                trace: None,
                cache: None,
                error: Some("FUNCTION_THROTTLED".into()),
            },
            LogLevel::Error,
        );
        let message = "all is well".to_owned();
        let (function, stream) = ("api/time".parse().unwrap(), LogStream::Stdout);
        let line = record(LogSource::Function { function, stream, message, truncated: false }, LogLevel::Info);
        let none = LogFilter::default;
        let at = Some(line.at);
        let cases = [
            (none(), [true, true]),
            (LogFilter { deployment: Some(DeploymentId::of_bytes(b"b")), ..none() }, [false, false]),
            (LogFilter { request: Some(RequestId::from_parts(2, [0; 10])), ..none() }, [false, false]),
            (LogFilter { function: Some("api/date".parse().unwrap()), ..none() }, [true, false]),
            (LogFilter { levels: "error,fatal".parse().unwrap(), ..none() }, [true, false]),
            (LogFilter { levels: "info".parse().unwrap(), ..none() }, [false, true]),
            (LogFilter { statuses: "5xx".parse().unwrap(), ..none() }, [true, false]),
            (LogFilter { statuses: "404".parse().unwrap(), ..none() }, [false, false]),
            (LogFilter { since: at, ..none() }, [true, true]),
            (LogFilter { until: at, ..none() }, [false, false]),
            (LogFilter { text: Some("api/date?X=ä".into()), ..none() }, [true, false]),
            (LogFilter { text: Some("throttled".into()), ..none() }, [true, false]),
            (LogFilter { text: Some("ALL IS".into()), ..none() }, [false, true]),
        ];
        for (filter, expected) in cases {
            assert_eq!([&request, &line].map(|record| filter.matches(record)), expected, "{filter:?}");
        }
    }
}
