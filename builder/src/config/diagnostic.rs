//! A problem in `ship.toml` or `vercel.json`: its place, the line it stands in, and what is nearest to what was probably meant.

use std::fmt;
use std::ops::Range;

use super::ConfigFile;
use crate::excerpt::excerpt;

/// How different a word may be from a key to be taken for a slip of the pen (1 is equal, 0 has nothing in common).
const SIMILAR_ENOUGH: f64 = 0.7;

/// A known word may be listed where none is near, unless there are more than a person reads.
const MOST_LISTED: usize = 20;

/// A configuration holds something that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: ConfigFile,
    line: usize,
    column: usize,
    code: Option<&'static str>,
    message: String,
    excerpt: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.name(), self.line, self.column)?;
        if let Some(code) = self.code {
            write!(f, "{code}: ")?;
        }
        write!(f, "{}\n{}", self.message, self.excerpt)
    }
}

impl ConfigError {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column, in characters counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The stable code of the problem, Vercel's where it has one.
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The same problem with a code, unless it has one.
    pub(crate) fn coded(self, code: &'static str) -> Self {
        Self { code: self.code.or(Some(code)), ..self }
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The text of a configuration, for pointing into it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfigText<'t> {
    pub(crate) file: ConfigFile,
    pub(crate) text: &'t str,
}

impl ConfigText<'_> {
    /// An error at `span`, a range of bytes of the text.
    pub(crate) fn error(self, span: Range<usize>, message: impl Into<String>) -> ConfigError {
        let start = floor_boundary(self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_text = self.text[line_start..].lines().next().unwrap_or_default();
        let line = self.text[..line_start].matches('\n').count() + 1;
        let column = self.text[line_start..start].chars().count() + 1;
        let end = floor_boundary(self.text, span.end).clamp(start, (line_start + line_text.len()).max(start));
        let excerpt = excerpt(line_text, line, column - 1, self.text[start..end].chars().count());
        ConfigError { file: self.file, line, column, code: None, message: message.into(), excerpt }
    }

    /// The line of a place, counted from 1.
    pub(crate) fn line(self, at: usize) -> usize {
        self.text[..floor_boundary(self.text, at)].matches('\n').count() + 1
    }

    /// The key that says something in this file: `ship.toml` and `vercel.json` have their own.
    pub(crate) fn key<'k>(self, in_toml: &'k str, in_json: &'k str) -> &'k str {
        match self.file {
            ConfigFile::ShipToml => in_toml,
            ConfigFile::VercelJson | ConfigFile::NowJson => in_json,
        }
    }

    /// An error about a key that does not exist, with the nearest that does.
    pub(crate) fn unknown_key(self, span: Range<usize>, key: &str, known: &[&str]) -> ConfigError {
        self.error(span, unknown_word("key", key, known))
    }

    /// An error about a value that `what` cannot have, with the nearest that it can.
    pub(crate) fn unknown_value(self, span: Range<usize>, what: &str, value: &str, known: &[&str]) -> ConfigError {
        self.error(span, unknown_word(what, value, known))
    }

    /// What the reader found, in the words of this file.
    pub(crate) fn toml_error(self, error: &toml::de::Error) -> ConfigError {
        let message = in_our_words(error.message());
        let message = match self.file {
            ConfigFile::ShipToml => message,
            ConfigFile::VercelJson | ConfigFile::NowJson => {
                message.replace("a table", "an object").replace("a list", "an array")
            }
        };
        self.error(error.span().unwrap_or(0..0), message)
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn in_our_words(message: &str) -> String {
    for (start, what) in [("unknown field ", "key"), ("unknown variant ", "value")] {
        if let Some(rest) = message.strip_prefix(start) {
            let mut words = rest.split('`').skip(1).step_by(2);
            let unknown = words.next().unwrap_or_default();
            return unknown_word(what, unknown, &words.collect::<Vec<_>>());
        }
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return format!("the key {rest} is missing");
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    match wrong.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("expected {}, found {}", kind(expected), found_kind(found)),
        None => message.lines().next().unwrap_or_default().to_owned(),
    }
}

/// The words of serde for a type, in the words of TOML.
fn kind(expected: &str) -> &str {
    match expected {
        "i64" | "u16" | "u32" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a table",
        expected if expected.starts_with("struct ") => "a table",
        other => other,
    }
}

fn found_kind(found: &str) -> String {
    match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        other => other.replacen("integer ", "the number ", 1).replacen("floating point ", "the number ", 1).replacen(
            "string ",
            "the string ",
            1,
        ),
    }
}

/// The message for a key or value that does not exist, with the nearest that does.
fn unknown_word(what: &str, unknown: &str, known: &[&str]) -> String {
    match nearest(unknown, known) {
        Some(near) => format!("unknown {what} `{unknown}`, did you mean `{near}`?"),
        None if known.len() > MOST_LISTED => format!("unknown {what} `{unknown}`"),
        None => format!("unknown {what} `{unknown}`, expected one of {}", quoted(known)),
    }
}

/// The known word that is nearest to `word`, if any is near.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase().replace('-', "_");
    let score = |known: &str| {
        let contained = known.starts_with(word.as_str()) || word.starts_with(known);
        strsim::jaro_winkler(&word, known).max(if contained { SIMILAR_ENOUGH } else { 0.0 })
    };
    let best = known.iter().map(|known| (score(known), *known)).max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= SIMILAR_ENOUGH).then_some(best.1)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
