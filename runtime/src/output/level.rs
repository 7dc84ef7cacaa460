//! What level a line has: what it says of itself, else that of its stream.
//!
//! Programs say it in two ways. One is the prefix that systemd reads from what a service prints: `<4>` for a warning. The other is a
//! line that is a JSON object with a level in it, as structured loggers write them.

use serde::Deserialize;
use ship_core::{LogLevel, LogStream};

/// The level of a line, and the line without what said it.
pub(super) fn level_of(stream: LogStream, line: &[u8]) -> (LogLevel, &[u8]) {
    if let [b'<', priority @ b'0'..=b'7', b'>', message @ ..] = line {
        return (of_priority(*priority), message);
    }
    let of_stream = match stream {
        LogStream::Stdout => LogLevel::Info,
        LogStream::Stderr => LogLevel::Error,
    };
    (of_object(line).unwrap_or(of_stream), line)
}

/// The priorities of syslog, from 0, `emerg`, to 7, `debug`.
const fn of_priority(digit: u8) -> LogLevel {
    match digit {
        b'0'..=b'2' => LogLevel::Fatal,
        b'3' => LogLevel::Error,
        b'4' => LogLevel::Warning,
        _ => LogLevel::Info,
    }
}

/// The keys under which loggers write a level: pino, winston, slog, zap and bunyan; Google's; Python's.
#[derive(Deserialize)]
struct Object<'l> {
    #[serde(borrow, alias = "severity", alias = "levelname", alias = "log.level", alias = "lvl")]
    level: Level<'l>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Level<'l> {
    Word(&'l str),
    /// As pino and bunyan have it: 30 is `info`, 40 `warn`.
    Number(u64),
}

fn of_object(line: &[u8]) -> Option<LogLevel> {
    if !(line.starts_with(b"{") && line.trim_ascii_end().ends_with(b"}")) {
        return None;
    }
    match serde_json::from_slice::<Object<'_>>(line).ok()?.level {
        Level::Word(word) => LogLevel::of_word(word),
        Level::Number(0..40) => Some(LogLevel::Info),
        Level::Number(40..50) => Some(LogLevel::Warning),
        Level::Number(50..60) => Some(LogLevel::Error),
        Level::Number(_) => Some(LogLevel::Fatal),
    }
}

#[cfg(test)]
mod tests {
    use super::LogLevel::{Error, Fatal, Info, Warning};
    use super::*;

    /// A line's own word goes before its stream; what is no such word changes nothing and stays.
    #[test]
    fn levels() {
        let cases: [(&str, LogLevel, LogLevel, &str); 13] = [
            ("hello", Info, Error, "hello"),
            ("<4>careful", Warning, Warning, "careful"),
            ("<3>", Error, Error, ""),
            ("<7>detail", Info, Info, "detail"),
            ("<0>over", Fatal, Fatal, "over"),
            ("<8>none", Info, Error, "<8>none"),
            ("<3 you", Info, Error, "<3 you"),
            (r#"{"level":"WARN","msg":"slog"}"#, Warning, Warning, r#"{"level":"WARN","msg":"slog"}"#),
            (r#"{"time":1,"level":50}"#, Error, Error, r#"{"time":1,"level":50}"#),
            (r#"{"severity":"CRITICAL"}"#, Fatal, Fatal, r#"{"severity":"CRITICAL"}"#),
            (r#"{"level":"loud"}"#, Info, Error, r#"{"level":"loud"}"#),
            (r#"{"inner":{"level":"fatal"}}"#, Info, Error, r#"{"inner":{"level":"fatal"}}"#),
            (r#"{"level":"#, Info, Error, r#"{"level":"#),
        ];
        for (line, stdout, stderr, message) in cases {
            assert_eq!(level_of(LogStream::Stdout, line.as_bytes()), (stdout, message.as_bytes()), "{line}");
            assert_eq!(level_of(LogStream::Stderr, line.as_bytes()), (stderr, message.as_bytes()), "{line}");
        }
    }
}
