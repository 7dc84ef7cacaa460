//! Hiding secret values in what a function prints, or a build.
//!
//! A line is looked at as it is kept, so it does not matter in how many pieces it was printed. A value of several lines is hidden line
//! by line, and also as it stands within JSON, a URL or a form. What a function prints in yet another form (base64, or a character per line) is its
//! own affair: it has the value.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem::Finder;
use ship_core::MASKED_FROM_CHARS;

use super::forms::forms;

/// What hides values. `Debug` does not show them.
#[derive(Default)]
pub struct Mask {
    hidden: Vec<Hidden>,
}

struct Hidden {
    finder: Finder<'static>,
    /// What stands in the value's place.
    label: String,
    /// Whether anything in it is written otherwise within JSON, a URL or a form.
    has_forms: bool,
}

impl Mask {
    /// Hides these values, each under its name.
    pub fn new<'p>(secrets: impl Iterator<Item = &'p (String, String)>) -> Self {
        let mut hidden = Vec::new();
        for (name, value) in secrets {
            let lines = value.lines().map(str::trim).filter(|line| line.chars().count() >= MASKED_FROM_CHARS);
            hidden.extend(lines.map(|line| Hidden {
                finder: Finder::new(line.as_bytes()).into_owned(),
                label: format!("[secret {name}]"),
                has_forms: !line.bytes().all(is_written_as_it_is),
            }));
        }
        Self { hidden }
    }

    /// A whole line without the values.
    pub fn hide<'l>(&self, line: &'l str) -> Cow<'l, str> {
        match self.apply(line.as_bytes(), CutLine::No) {
            Cow::Borrowed(_) => Cow::Borrowed(line),
            // What is hidden and what is shown in its place are text.
            Cow::Owned(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
        }
    }

    /// The line without the values. `cut` says that its end is missing, and with it perhaps the end of a value.
    pub(crate) fn apply<'l>(&self, line: &'l [u8], cut: CutLine) -> Cow<'l, [u8]> {
        let mut found: Vec<(usize, usize, &str)> = Vec::new();
        for hidden in &self.hidden {
            hidden.find(line, cut, |begin, end| found.push((begin, end, &hidden.label)));
        }
        // Most values are letters and digits, which look the same everywhere.
        if self.hidden.iter().any(|hidden| hidden.has_forms) {
            for form in forms(line) {
                for hidden in self.hidden.iter().filter(|hidden| hidden.has_forms) {
                    hidden.find(&form.bytes, cut, |begin, end| {
                        let (begin, end) = form.place(begin, end);
                        found.push((begin, end, &hidden.label));
                    });
                }
            }
        }
        if found.is_empty() {
            return Cow::Borrowed(line);
        }
        // Of values that overlap, the whole stretch is hidden, under the name of the first and longest.
        found.sort_unstable_by_key(|&(begin, end, _)| (begin, std::cmp::Reverse(end)));
        let (mut masked, mut shown_until) = (Vec::with_capacity(line.len()), 0);
        for (begin, end, label) in found {
            if begin >= shown_until {
                masked.extend_from_slice(&line[shown_until..begin]);
                masked.extend_from_slice(label.as_bytes());
            }
            shown_until = shown_until.max(end);
        }
        masked.extend_from_slice(&line[shown_until..]);
        Cow::Owned(masked)
    }
}

impl Hidden {
    /// Gives the places of the value in a line to `each`.
    fn find(&self, line: &[u8], cut: CutLine, mut each: impl FnMut(usize, usize)) {
        let value = self.finder.needle();
        self.finder.find_iter(line).for_each(|begin| each(begin, begin + value.len()));
        if cut == CutLine::AtItsBound
            && let Some(begin) = beginning_at_end(line, value)
        {
            each(begin, line.len());
        }
    }
}

/// Whether a byte stands for itself within JSON, URLs and forms, whoever writes them.
const fn is_written_as_it_is(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Whether a line is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CutLine {
    /// It is.
    No,
    /// It was longer than a line may be.
    AtItsBound,
}

/// Where a value begins that goes on beyond the end of the line, if one does by more than what may be shown.
fn beginning_at_end(line: &[u8], value: &[u8]) -> Option<usize> {
    let longest = value.len().saturating_sub(1).min(line.len());
    (MASKED_FROM_CHARS..=longest)
        .rev()
        .map(|length| line.len() - length)
        .find(|&begin| value.starts_with(&line[begin..]))
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} values)", self.hidden.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(pairs: &[(&str, &str)]) -> Mask {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Mask::new(pairs.iter())
    }

    fn applied(mask: &Mask, line: &str) -> String {
        String::from_utf8(mask.apply(line.as_bytes(), CutLine::No).into_owned()).unwrap()
    }

    /// Values go wherever they stand, under their names; short ones stay, and so does a line without any.
    #[test]
    fn values() {
        let mask = mask(&[("KEY", "abcdef"), ("SHORT", "abcde"), ("LONG", "xabcdefx"), ("WORD", "secret")]);
        assert_eq!(applied(&mask, "abcdef, and abcdef."), "[secret KEY], and [secret KEY].");
        assert_eq!(applied(&mask, "abcde stays"), "abcde stays");
        assert_eq!(applied(&mask, "-xabcdefx-"), "-[secret LONG]-", "the longer one hides the one in it");
        assert_eq!(applied(&mask, "a secret abcdef"), "a [secret WORD] [secret KEY]", "labels are not looked into");
        assert!(matches!(mask.apply(b"nothing here", CutLine::No), Cow::Borrowed(_)));
        assert_eq!(format!("{mask:?}"), "Mask(3 values)");
    }

    /// A value of several lines is hidden in each line that it has; one that a bound cuts off is hidden as far as it goes.
    #[test]
    fn lines_and_cuts() {
        let mask = mask(&[("PEM", "-----BEGIN-----\nMIIEvQ1\r\nshort\n")]);
        assert_eq!(applied(&mask, "MIIEvQ1"), "[secret PEM]");
        assert_eq!(applied(&mask, "short"), "short");
        let cut = mask.apply(b"log: -----BEGIN", CutLine::AtItsBound);
        assert_eq!(&*cut, b"log: [secret PEM]");
        assert_eq!(&*mask.apply(b"log: -----", CutLine::AtItsBound), b"log: -----", "that little says nothing");
    }

    /// A value is hidden as encoders write it, whichever they are, one within the other too; what is around it stays as it was printed.
    #[test]
    fn written_in_other_forms() {
        let mask = mask(&[
            ("PASS", r#"s3c/r3t "x"\é😀+<&"#),
            ("WORD", "plain-word"),
            ("PEM", "-----BEGIN KEY-----\nMII+/Q1\n"),
        ]);
        for written in [
            // JSON.stringify, json.dumps, json.Marshal, json_encode.
            r#"s3c/r3t \"x\"\\é😀+<&"#,
            r#"s3c/r3t \"x\"\\\u00e9\ud83d\ude00+<&"#,
            r#"s3c/r3t \"x\"\\é😀+\u003c\u0026"#,
            r#"s3c\/r3t \"x\"\\\u00E9\uD83D\uDE00+<&"#,
            // JSON in JSON.
            r#"s3c/r3t \\\"x\\\"\\\\é😀+<&"#,
            // encodeURIComponent, encodeURI, URLSearchParams, and one of these in JSON.
            "s3c%2Fr3t%20%22x%22%5C%C3%A9%F0%9F%98%80%2B%3C%26",
            "s3c/r3t%20%22x%22%5C%C3%A9%F0%9F%98%80+%3C&",
            "s3c%2fr3t+%22x%22%5c%c3%a9%f0%9f%98%80%2b%3c%26",
            "s3c\\/r3t%20%22x%22%5C%C3%A9%F0%9F%98%80+%3C\\u0026",
        ] {
            let line = format!(r#"{{"path":"C:\\dir","p":"{written}", 100% \d"#);
            assert_eq!(applied(&mask, &line), r#"{"path":"C:\\dir","p":"[secret PASS]", 100% \d"#, "{written}");
        }
        let pem = r#"{"pem":"-----BEGIN KEY-----\nMII+\/Q1\n"}"#;
        assert_eq!(applied(&mask, pem), r#"{"pem":"[secret PEM]\n[secret PEM]\n"}"#);
        let cut = mask.apply(br#"{"p":"s3c\/r3t \"x\"\\\u00e9\ud8"#, CutLine::AtItsBound);
        assert_eq!(&*cut, br#"{"p":"[secret PASS]"#);
    }

    proptest! {
        /// Whatever a value is made of, it is not left in what JSON, URLs and their mixtures make of it.
        #[test]
        fn no_form_is_left(value in r#"["'\\/<&%+é😀 a-c]{6,12}"#, around in r#"["\\%+ u0-2]{0,6}"#) {
            let value = value.trim().to_owned();
            prop_assume!(value.chars().count() >= MASKED_FROM_CHARS);
            let mask = mask(&[("X", &value)]);
            let json = serde_json::to_string(&value).unwrap();
            let twice = serde_json::to_string(&json).unwrap();
            let percent = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
            for written in [json[1..json.len() - 1].to_owned(), twice[1..twice.len() - 1].to_owned(), percent] {
                let masked = applied(&mask, &format!("{around} {written} {around}"));
                prop_assert!(!masked.contains(&written), "{masked}");
            }
        }

        /// However values overlap and repeat, none of them is left.
        #[test]
        fn none_is_left(values in proptest::collection::vec("[ab]{6,9}", 1..4), line in "[ab ]{0,60}") {
            let pairs: Vec<_> = values.iter().map(|value| ("X".to_owned(), value.clone())).collect();
            let masked = applied(&Mask::new(pairs.iter()), &line);
            for value in &values {
                prop_assert!(!masked.contains(value.as_str()), "{masked}");
            }
        }
    }
}
