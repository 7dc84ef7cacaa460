//! How numbers, times and foreign text are written.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {one}{end}")
}

/// `240 µs`, `3.1 ms`, `12.8 s`.
pub(crate) fn duration(time: Duration) -> String {
    let micros = time.as_micros();
    let seconds = time.as_secs_f64();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{:.1} ms", seconds * 1e3),
        100_000..1_000_000 => format!("{:.0} ms", seconds * 1e3),
        1_000_000..100_000_000 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// `512 B`, `12.3 kB`, `4.5 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    let mut value = bytes as f64 / 1e3;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        // What would be written as 1000.0 is written in the next unit.
        if value < 999.95 {
            break;
        }
        value /= 1e3;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

/// `2026-04-14 12:03:04`, in UTC.
pub(crate) fn short_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-04-14 12:03:04.123`, in UTC.
pub(crate) fn exact_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// `12:03:04.123`, in UTC: of what happens while somebody looks.
pub(crate) fn clock_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S%.3f").to_string()
}

/// A word as a shell reads it: as it is, or in quotes.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/+:@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Text from outside without what a terminal would obey: control characters other than tab and line end are spelled out, and so is what
/// changes the direction of text, which shows it in another order than it stands in.
pub(crate) fn plain(text: &str) -> String {
    if !text.chars().any(obeyed) {
        return text.to_owned();
    }
    let spell = |character: char| {
        if obeyed(character) { character.escape_unicode().collect() } else { String::from(character) }
    };
    text.chars().map(spell).collect()
}

fn obeyed(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control() && !matches!(character, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes and times have one unit and few digits.
    #[test]
    fn sizes_and_times() {
        let sizes: Vec<String> = [0, 999, 1_000, 12_345, 999_949, 999_950, 4_500_000, 7_000_000_000].map(size).into();
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "12.3 kB", "999.9 kB", "1.0 MB", "4.5 MB", "7.0 GB"]);
        let times: Vec<String> =
            [240, 3_100, 250_000, 12_800_000, 312_000_000].map(|micros| duration(Duration::from_micros(micros))).into();
        assert_eq!(times, ["240 µs", "3.1 ms", "250 ms", "12.8 s", "312 s"]);
        assert_eq!((count(1, "file"), count(0, "file")), ("1 file".into(), "0 files".into()));
    }

    /// What a shell would take apart is quoted.
    #[test]
    fn shell_words() {
        assert_eq!(shell_word("a-b/c.d"), "a-b/c.d");
        assert_eq!(shell_word("Ada's site"), r"'Ada'\''s site'");
        assert_eq!(shell_word(""), "''");
    }

    /// Times are in UTC, as the documents are.
    #[test]
    fn times() {
        let at: Timestamp = "2026-04-14T12:03:04.123456Z".parse().unwrap();
        assert_eq!(short_time(at), "2026-04-14 12:03:04");
        assert_eq!((exact_time(at), clock_time(at)), ("2026-04-14 12:03:04.123".into(), "12:03:04.123".into()));
    }

    /// A function cannot move the cursor of whoever reads its log, nor turn what they read.
    #[test]
    fn no_escape_sequences() {
        assert_eq!(plain("a\u{1b}[2Jb\tc\r"), "a\\u{1b}[2Jb\tc\\u{d}");
        assert_eq!(plain("größe"), "größe");
        assert_eq!(plain("\u{202e}edoc"), "\\u{202e}edoc");
    }
}
