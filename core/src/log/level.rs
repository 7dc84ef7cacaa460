//! How much a log record matters, in the words of Vercel's log drains.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// How much a record matters. Requests have the level of their status, lines that of their stream or what they say themselves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// As it should be: standard output, and answers below 400.
    #[default]
    Info,
    /// `console.warn`, answers from 400 to 499, and what the platform left out of a log.
    Warning,
    /// Standard error, answers from 500 on, and requests that ran into a limit.
    Error,
    /// A process that ended by itself, or never came up.
    Fatal,
}

impl LogLevel {
    /// The level of an answer with this status.
    pub const fn of_status(status: u16) -> Self {
        match status {
            500.. => Self::Error,
            400..500 => Self::Warning,
            _ => Self::Info,
        }
    }

    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The level that loggers call by this word: also `warn`, `debug`, `critical` and their kin, in any case.
    pub fn of_word(word: &str) -> Option<Self> {
        const WORDS: [(LogLevel, &[&str]); 4] = [
            (LogLevel::Info, &["info", "information", "debug", "trace", "verbose", "notice", "log", "default"]),
            (LogLevel::Warning, &["warning", "warn"]),
            (LogLevel::Error, &["error", "err"]),
            (LogLevel::Fatal, &["fatal", "critical", "alert", "emergency", "emerg", "crit", "panic"]),
        ];
        let is_word = |known: &&str| known.eq_ignore_ascii_case(word);
        WORDS.iter().find(|(_, words)| words.iter().any(is_word)).map(|(level, _)| *level)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogLevel {
    type Err = ParseLogLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "info" => Ok(Self::Info),
            "warning" | "warn" => Ok(Self::Warning),
            "error" => Ok(Self::Error),
            "fatal" => Ok(Self::Fatal),
            _ => Err(ParseLogLevelError { found: text.to_owned() }),
        }
    }
}

/// Some levels, written `error,fatal`. None at all means that the level does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogLevels(Vec<LogLevel>);

impl LogLevels {
    /// Whether `level` is among them, or does not matter.
    pub fn allow(&self, level: LogLevel) -> bool {
        self.0.is_empty() || self.0.contains(&level)
    }

    /// Whether the level does not matter.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<LogLevel> for LogLevels {
    fn from_iter<I: IntoIterator<Item = LogLevel>>(levels: I) -> Self {
        Self(levels.into_iter().collect())
    }
}

impl fmt::Display for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|level| level.as_str()).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for LogLevels {
    type Err = ParseLogLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|word| word.trim().parse()).collect()
    }
}

serde_through_text!(LogLevels);

/// The text names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no level: they are info, warning, error and fatal")]
pub struct ParseLogLevelError {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::LogLevel::{Error, Fatal, Info, Warning};
    use super::*;

    /// The level of an answer follows from its status, and loggers' words lead to the nearest level.
    #[test]
    fn levels() {
        let of_status = [200, 304, 400, 499, 500, 599].map(LogLevel::of_status);
        assert_eq!(of_status, [Info, Info, Warning, Warning, Error, Error]);
        let words = ["WARN", "debug", "Critical", "err", "loud"].map(LogLevel::of_word);
        assert_eq!(words, [Some(Warning), Some(Info), Some(Fatal), Some(Error), None]);
    }

    /// A list of levels round-trips, and an empty one allows all.
    #[test]
    fn lists() {
        let levels: LogLevels = "error, warn".parse().unwrap();
        assert_eq!(levels.to_string(), "error,warning");
        assert!(levels.allow(LogLevel::Warning) && !levels.allow(LogLevel::Info));
        assert!(LogLevels::default().allow(LogLevel::Info));
        let error = "error,loud".parse::<LogLevels>().unwrap_err();
        assert_eq!(error.to_string(), "`loud` is no level: they are info, warning, error and fatal");
    }
}
