//! The words of a source, read into literals and groups.

use super::lexer::{Lexer, Word};
use super::{SourceError, error};

/// What a source consists of.
pub(super) enum Token {
    Literal(String),
    Group { prefix: String, name: Option<String>, pattern: String, suffix: String, modifier: Option<char> },
}

/// Reads the words of a source.
pub(super) struct Parser<'s> {
    source: &'s str,
    words: std::iter::Peekable<std::vec::IntoIter<(usize, Word)>>,
}

impl<'s> Parser<'s> {
    pub(super) fn new(source: &'s str) -> Result<Self, SourceError> {
        let words = Lexer::new(source).words()?;
        Ok(Self { source, words: words.into_iter().peekable() })
    }

    pub(super) fn tokens(mut self) -> Result<Vec<Token>, SourceError> {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        while let Some((at, word)) = self.words.next() {
            match word {
                Word::Character(character @ ('/' | '.')) if self.is_at_parameter() => {
                    flush(&mut tokens, &mut literal);
                    tokens.push(self.parameter(character.to_string()));
                }
                Word::Character(character) | Word::Escaped(character) => literal.push(character),
                Word::Name(name) => {
                    flush(&mut tokens, &mut literal);
                    let pattern = self.pattern().unwrap_or_else(any_segment);
                    tokens.push(self.with_modifier(String::new(), Some(name), pattern, String::new()));
                }
                Word::Pattern(pattern) => {
                    flush(&mut tokens, &mut literal);
                    tokens.push(self.with_modifier(String::new(), None, pattern, String::new()));
                }
                Word::Open => {
                    flush(&mut tokens, &mut literal);
                    tokens.push(self.braces(at)?);
                }
                Word::Close => return Err(error(self.source, at, "it closes nothing")),
                Word::Modifier(_) => return Err(error(self.source, at, "a modifier follows a parameter or a group")),
            }
        }
        flush(&mut tokens, &mut literal);
        Ok(tokens)
    }

    fn is_at_parameter(&mut self) -> bool {
        matches!(self.words.peek(), Some((_, Word::Name(_) | Word::Pattern(_))))
    }

    /// A `/` or `.` right before a parameter belongs to it: with `*` and `?` it goes when the parameter goes.
    fn parameter(&mut self, prefix: String) -> Token {
        let name = self.name();
        let pattern = self.pattern().unwrap_or_else(any_segment);
        self.with_modifier(prefix, name, pattern, String::new())
    }

    /// `{prefix:name(pattern)suffix}` with a modifier; without a parameter it is an optional or repeated literal.
    fn braces(&mut self, opened_at: usize) -> Result<Token, SourceError> {
        let prefix = self.text();
        let name = self.name();
        let pattern = self.pattern().unwrap_or_else(|| name.as_ref().map_or_else(String::new, |_| any_segment()));
        let suffix = self.text();
        match self.words.next() {
            Some((_, Word::Close)) => Ok(self.with_modifier(prefix, name, pattern, suffix)),
            Some((at, _)) => Err(error(self.source, at, "between `{` and `}` stands one parameter and text around it")),
            None => Err(error(self.source, opened_at, "`{` is not closed")),
        }
    }

    fn with_modifier(&mut self, prefix: String, name: Option<String>, pattern: String, suffix: String) -> Token {
        let modifier = match self.words.next_if(|(_, word)| matches!(word, Word::Modifier(_))) {
            Some((_, Word::Modifier(modifier))) => Some(modifier),
            _ => None,
        };
        Token::Group { prefix, name, pattern, suffix, modifier }
    }

    fn name(&mut self) -> Option<String> {
        match self.words.next_if(|(_, word)| matches!(word, Word::Name(_))) {
            Some((_, Word::Name(name))) => Some(name),
            _ => None,
        }
    }

    fn pattern(&mut self) -> Option<String> {
        match self.words.next_if(|(_, word)| matches!(word, Word::Pattern(_))) {
            Some((_, Word::Pattern(pattern))) => Some(pattern),
            _ => None,
        }
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        while let Some((_, Word::Character(character) | Word::Escaped(character))) =
            self.words.next_if(|(_, word)| matches!(word, Word::Character(_) | Word::Escaped(_)))
        {
            text.push(character);
        }
        text
    }
}

/// What a parameter without a pattern matches.
fn any_segment() -> String {
    "[^/]+?".to_owned()
}

fn flush(tokens: &mut Vec<Token>, literal: &mut String) {
    if !literal.is_empty() {
        tokens.push(Token::Literal(std::mem::take(literal)));
    }
}
