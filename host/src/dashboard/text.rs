//! How values read on a page: sizes, times, ids, and text of strangers.

use std::fmt::Write as _;

use jiff::{Timestamp, Unit};
use minijinja::Environment;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Gives templates all of it.
pub(super) fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("bytes", bytes);
    environment.add_filter("ago", |at: &str| at.parse().map_or_else(|_| at.to_owned(), |at| ago(at, Timestamp::now())));
    environment.add_filter("day", |at: &str| at.parse().map_or_else(|_| at.to_owned(), day));
    environment.add_filter("short", |id: &str| id.chars().take(8).collect::<String>());
    environment.add_filter("urlencode", |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
    environment.add_filter("cut", cut);
    environment.add_filter("harmless", |text: &str| harmless(text, usize::MAX));
    environment.add_filter("micros", micros);
    environment.add_filter("count", count);
    environment.add_filter("some", some);
}

/// The beginning of a text of strangers, and whether there is more of it.
fn cut(text: &str, most: usize) -> String {
    let mut shown = harmless(text, most);
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// A number of bytes, in the unit that fits.
pub(super) fn bytes(number: f64) -> String {
    let mut number = number;
    for unit in ["B", "kB", "MB", "GB"] {
        if number < 1_000.0 {
            return if unit == "B" || number >= 100.0 {
                format!("{number:.0} {unit}")
            } else {
                format!("{number:.1} {unit}")
            };
        }
        number /= 1_000.0;
    }
    format!("{number:.1} TB")
}

/// How long ago something was, by the host's clock, as are the times that it writes. A time that is yet to come is written out: a clock
/// was set, and nobody knows which is right.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    let some = |number: i64, unit| format!("{} ago", some(number.unsigned_abs(), unit));
    match seconds {
        ..-60 => day(at),
        -60..10 => "just now".to_owned(),
        10..60 => some(seconds, "second"),
        60..3_600 => some(seconds / 60, "minute"),
        3_600..86_400 => some(seconds / 3_600, "hour"),
        86_400..2_592_000 => some(seconds / 86_400, "day"),
        _ => day(at),
    }
}

fn day(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time of so many seconds that something is counted in: `minute`, `10 minutes`.
pub(super) fn span(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..=0 => (1, "second"),
        _ if seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
        _ if seconds % 60 == 0 => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if number == 1 { unit.to_owned() } else { format!("{number} {unit}s") }
}

/// A duration in microseconds.
pub(super) fn micros(number: f64) -> String {
    match number {
        ..1_000.0 => format!("{number:.0} µs"),
        ..10_000.0 => format!("{:.1} ms", number / 1_000.0),
        ..1_000_000.0 => format!("{:.0} ms", number / 1_000.0),
        _ => format!("{:.1} s", number / 1_000_000.0),
    }
}

/// A whole number, with a space at each thousand.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join("\u{202f}")
}

/// A number of things: `1 file`, `2 files`.
fn some(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Text of strangers, at most so many characters of it: colours for terminals are left out, and what would move or hide other text is
/// shown as what it is.
pub(super) fn harmless(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut rest = text.chars();
    let mut left = most;
    while left > 0
        && let Some(character) = rest.next()
    {
        match character {
            '\u{1b}' if rest.as_str().starts_with('[') => skip_sequence(&mut rest),
            '\t' => shown.push('\t'),
            // Each control character has a picture of its own (Unicode, Control Pictures).
            '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}')),
            '\u{7f}' => shown.push('\u{2421}'),
            _ if is_invisible(character) => drop(write!(shown, "<U+{:04X}>", u32::from(character))),
            _ => shown.push(character),
        }
        left -= 1;
    }
    shown
}

/// Skips the rest of a terminal's control sequence (ECMA-48, section 5.4).
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    rest.next();
    for character in rest.by_ref() {
        if ('@'..='~').contains(&character) {
            break;
        }
    }
}

/// What has no width, or turns the direction of what follows.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal would do is not done and not shown; what hides is shown; markup is left to the template.
    #[test]
    fn strangers() {
        assert_eq!(harmless("\u{1b}[31;1mred\u{1b}[0m plain", 99), "red plain");
        assert_eq!(harmless("a\0b\rc\u{7f}\td", 99), "a␀b␍c␡\td");
        assert_eq!(harmless("abc\u{202e}fed <b>", 99), "abc<U+202E>fed <b>");
        assert_eq!(harmless("\u{1b}]0;title\u{7}", 99), "␛]0;title␇");
        assert_eq!(harmless("äöü", 2), "äö");
        assert_eq!(harmless("\u{1b}[", 99), "");
    }

    /// Values as people read them.
    #[test]
    fn values() {
        assert_eq!([0.0, 999.0, 1_234.0, 123_456.0, 5e9].map(bytes), ["0 B", "999 B", "1.2 kB", "123 kB", "5.0 GB"]);
        assert_eq!([12.0, 1_234.0, 56_789.0, 2_500_000.0].map(micros), ["12 µs", "1.2 ms", "57 ms", "2.5 s"]);
        assert_eq!([10, 60, 1_200, 3_600].map(span), ["10 seconds", "minute", "20 minutes", "hour"]);
        assert_eq!([1, 1_234, 1_000_000].map(count), ["1", "1\u{202f}234", "1\u{202f}000\u{202f}000"]);
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let read = |second: i64| ago(at(second), at(0));
        assert_eq!(
            [3, -3, -61, -7_200, -864_000].map(read),
            ["just now", "just now", "1 minute ago", "2 hours ago", "10 days ago"]
        );
        assert_eq!([120, -8_640_000].map(read), ["2027-01-15 08:02 UTC", "2026-10-07 08:00 UTC"]);
    }
}
