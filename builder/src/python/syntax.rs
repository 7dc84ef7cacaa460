//! What is wrong with a Python file: the place, the reason, and the line itself.

use std::fmt;

use ruff_text_size::TextSize;

use crate::excerpt::excerpt;

/// A place in a file at which Python's grammar is broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// The file, relative to the project.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in characters counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    excerpt: String,
}

impl SyntaxError {
    /// An error at the byte `at` of `text`, the content of `file`.
    pub(super) fn new(file: &str, text: &str, at: TextSize, message: &str) -> Self {
        // What ends too early is shown where it ends, not in the empty line behind that.
        let end = text.trim_end().len();
        let at = (0..=at.to_usize().min(end)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let line = line_of(text, at);
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line_text = text[line_start..].lines().next().unwrap_or_default();
        let column = text[line_start..at].chars().count() + 1;
        let excerpt = excerpt(line_text, line, column - 1, 1);
        Self { file: file.to_owned(), line, column, message: lower_first(message), excerpt }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, excerpt } = self;
        write!(f, "{file}:{line}:{column}: {message}\n{excerpt}")
    }
}

/// The line, counted from 1, in which the byte `at` stands.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count() + 1
}

fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    let second_is_lower = message.chars().nth(1).is_none_or(|second| !second.is_uppercase());
    match characters.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(characters).collect(),
        _ => message.to_owned(),
    }
}
