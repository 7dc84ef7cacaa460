//! The characters of a source, read into words: which of them mean something.

use super::{SourceError, error};

/// What a source is read into first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// A character that means itself.
    Character(char),
    /// The same behind a backslash: it is never the prefix of a parameter.
    Escaped(char),
    /// `:name`.
    Name(String),
    /// `(pattern)`.
    Pattern(String),
    /// `*`, `+` or `?`.
    Modifier(char),
    /// `{`.
    Open,
    /// `}`.
    Close,
}

/// Reads the characters of a source.
pub(super) struct Lexer<'s> {
    source: &'s str,
    characters: Vec<char>,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, characters: source.chars().collect(), at: 0 }
    }

    /// The words, each with the place of its first character.
    pub(super) fn words(mut self) -> Result<Vec<(usize, Word)>, SourceError> {
        let mut words = Vec::new();
        while let Some(character) = self.peek() {
            let at = self.at;
            self.at += 1;
            let word = match character {
                '*' | '+' | '?' => Word::Modifier(character),
                '\\' => Word::Escaped(self.take().ok_or_else(|| self.error("nothing follows the backslash"))?),
                '{' => Word::Open,
                '}' => Word::Close,
                ':' => Word::Name(self.name()?),
                '(' => Word::Pattern(self.pattern()?),
                // The regular expression that Vercel first takes a source for has no place for it either.
                ')' => return Err(error(self.source, at, "it closes nothing")),
                character => Word::Character(character),
            };
            words.push((at, word));
        }
        Ok(words)
    }

    fn name(&mut self) -> Result<String, SourceError> {
        let mut name = String::new();
        while let Some(character) = self.peek().filter(|next| next.is_ascii_alphanumeric() || *next == '_') {
            self.at += 1;
            name.push(character);
        }
        if name.is_empty() {
            return Err(self.error("a name follows `:`"));
        }
        Ok(name)
    }

    fn pattern(&mut self) -> Result<String, SourceError> {
        let start = self.at;
        if self.peek() == Some('?') {
            return Err(self.error("a pattern does not begin with `?`"));
        }
        let mut depth = 1;
        while let Some(character) = self.take() {
            match character {
                '\\' => self.at += 1,
                '(' if self.peek() != Some('?') => {
                    return Err(self.error("a group inside a group begins with `?:`"));
                }
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let pattern: String = self.characters[start..self.at - 1].iter().collect();
                return if pattern.is_empty() { Err(self.error("the pattern is empty")) } else { Ok(pattern) };
            }
        }
        Err(error(self.source, start - 1, "`(` is not closed"))
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += 1;
        Some(character)
    }

    fn error(&self, reason: &'static str) -> SourceError {
        error(self.source, self.at, reason)
    }
}
