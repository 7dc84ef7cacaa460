//! The `date` of an answer, written once a second.

use std::cell::RefCell;

use http::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// The line of one second.
struct DateLine {
    second: i64,
    line: String,
}

thread_local! {
    static NEWEST: RefCell<DateLine> = const { RefCell::new(DateLine { second: i64::MIN, line: String::new() }) };
}

/// Adds the header line for `at` (RFC 9110, section 5.6.7).
pub(super) fn write_date(at: Timestamp, head: &mut Vec<u8>) {
    NEWEST.with_borrow_mut(|newest| {
        if newest.second != at.as_second() {
            *newest = DateLine { second: at.as_second(), line: line_of(at) };
        }
        head.extend_from_slice(newest.line.as_bytes());
    });
}

/// The value for now.
pub(crate) fn date_value() -> HeaderValue {
    let mut line = Vec::new();
    write_date(Timestamp::now(), &mut line);
    let value = line.strip_prefix(b"date: ").and_then(|line| line.strip_suffix(b"\r\n"));
    HeaderValue::from_bytes(value.unwrap_or_default()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn line_of(at: Timestamp) -> String {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
    // It has a place for every year from 0 on, and the clock of a host shows none before 1970.
    format!("date: {}\r\n", date.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each second has its own line, also one that comes back.
    #[test]
    fn lines() {
        let line = |second| {
            let mut head = Vec::new();
            write_date(Timestamp::from_second(second).unwrap(), &mut head);
            String::from_utf8(head).unwrap()
        };
        let first = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        assert_eq!(line(784_111_777), first);
        assert_eq!(line(784_111_777), first);
        assert_eq!(line(784_111_778), "date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
        assert_eq!(line(784_111_777), first);
    }
}
