//! `source` patterns as people write them in `redirects`, `rewrites`, `headers` and `cors`: the syntax of path-to-regexp 6
//! (`/blog/:slug`, `/api/(.*)`, `/:path*`), turned into the regular expressions of the route table.

use std::fmt::Write as _;

/// A `source`, translated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourcePattern {
    regex: String,
    names: Vec<String>,
}

/// The text is not a source pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{source_pattern}` is wrong at character {at}: {reason}")]
pub struct SourceError {
    source_pattern: String,
    at: usize,
    reason: &'static str,
}

/// A destination names a parameter that its source does not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the destination `{destination}` uses `:{name}`, which neither its source nor a `has` condition catches")]
pub struct DestinationError {
    destination: String,
    name: String,
}

/// What a source consists of.
enum Token {
    Literal(String),
    Group { prefix: String, name: Option<String>, pattern: String, suffix: String, modifier: Option<char> },
}

impl SourcePattern {
    /// Translates a source. The rules are those of `vercel.json`: strict about a trailing `/`, `/` separates segments.
    pub fn parse(source: &str) -> Result<Self, SourceError> {
        let tokens = Parser { source, characters: source.chars().collect(), at: 0 }.tokens()?;
        // A browser never asks for an empty path: where all of a source may be absent, what is meant is the root.
        let may_be_empty = tokens.iter().all(|token| matches!(token, Token::Group { modifier: Some('*' | '?'), .. }));
        let mut regex = String::from(if may_be_empty { "^(?:/|" } else { "^" });
        let mut names = Vec::new();
        let mut unnamed = 0;
        for token in &tokens {
            match token {
                Token::Literal(text) => regex.push_str(&escape(text)),
                Token::Group { prefix, pattern, suffix, modifier, .. } if pattern.is_empty() => {
                    let modifier = modifier.map(String::from).unwrap_or_default();
                    let _ = write!(regex, "(?:{}{}){modifier}", escape(prefix), escape(suffix));
                }
                Token::Group { prefix, name, pattern, suffix, modifier } => {
                    names.push(name.clone().unwrap_or_else(|| {
                        unnamed += 1;
                        (unnamed - 1).to_string()
                    }));
                    push_group(&mut regex, &escape(prefix), pattern, &escape(suffix), *modifier);
                }
            }
        }
        regex.push_str(if may_be_empty { ")$" } else { "$" });
        Ok(Self { regex, names })
    }

    /// The regular expression. Its groups are numbered in the order of [`SourcePattern::names`], from 1.
    pub fn regex(&self) -> &str {
        &self.regex
    }

    /// The names of the groups, in order: a parameter's name, or a count from 0 for one without.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A destination written with `:name` and `:name*`, as the groups of this pattern: `/p/:slug` becomes `/p/$1`. A name in
    /// `named`, caught by a condition of the route, becomes `$name`.
    pub fn destination(&self, destination: &str, named: &[String]) -> Result<String, DestinationError> {
        let mut translated = String::with_capacity(destination.len());
        let mut rest = destination;
        while let Some(at) = rest.find(':') {
            let after = &rest[at + 1..];
            translated.push_str(&rest[..at]);
            let name = parameter_name(after);
            if name.is_empty() {
                translated.push(':');
                rest = after;
                continue;
            }
            match self.names.iter().position(|known| known == name) {
                Some(group) => {
                    let _ = write!(translated, "${}", group + 1);
                }
                None if named.iter().any(|known| known == name) => {
                    let _ = write!(translated, "${name}");
                }
                None => return Err(DestinationError { destination: destination.to_owned(), name: name.to_owned() }),
            }
            rest = after[name.len()..].strip_prefix(['*', '+']).unwrap_or(&after[name.len()..]);
        }
        translated.push_str(rest);
        Ok(translated)
    }
}

/// The name of the parameter that `text`, which follows a `:`, begins with. A port and the `//` of a URL are none.
fn parameter_name(text: &str) -> &str {
    let length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let name = &text[..length];
    if name.starts_with(|first: char| first.is_ascii_digit()) { "" } else { name }
}

fn push_group(regex: &mut String, prefix: &str, pattern: &str, suffix: &str, modifier: Option<char>) {
    let _ = match (prefix.is_empty() && suffix.is_empty(), modifier) {
        (true, Some(modifier @ ('*' | '+'))) => write!(regex, "((?:{pattern}){modifier})"),
        (true, modifier) => write!(regex, "({pattern}){}", modifier.map(String::from).unwrap_or_default()),
        (false, Some(modifier @ ('*' | '+'))) => {
            let optional = if modifier == '*' { "?" } else { "" };
            write!(regex, "(?:{prefix}((?:{pattern})(?:{suffix}{prefix}(?:{pattern}))*){suffix}){optional}")
        }
        (false, modifier) => {
            write!(regex, "(?:{prefix}({pattern}){suffix}){}", modifier.map(String::from).unwrap_or_default())
        }
    };
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if ".+*?=^!:${}()[]|/\\".contains(character) && character != '/' {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Reads a source from left to right.
struct Parser<'s> {
    source: &'s str,
    characters: Vec<char>,
    at: usize,
}

impl Parser<'_> {
    fn tokens(mut self) -> Result<Vec<Token>, SourceError> {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        while let Some(character) = self.peek() {
            match character {
                ':' | '(' => {
                    let prefix = take_prefix(&mut literal);
                    flush(&mut tokens, &mut literal);
                    tokens.push(self.group(prefix, String::new())?);
                }
                '{' => {
                    flush(&mut tokens, &mut literal);
                    tokens.push(self.braces()?);
                }
                '}' | ')' => return Err(self.error("it closes nothing")),
                '*' | '+' | '?' => return Err(self.error("a modifier follows a parameter or a group")),
                '\\' => {
                    self.at += 1;
                    literal.push(self.take().ok_or_else(|| self.error("nothing follows the backslash"))?);
                }
                character => {
                    self.at += 1;
                    literal.push(character);
                }
            }
        }
        flush(&mut tokens, &mut literal);
        Ok(tokens)
    }

    /// A parameter `:name`, `:name(pattern)` or a group `(pattern)`, with a modifier.
    fn group(&mut self, prefix: String, suffix: String) -> Result<Token, SourceError> {
        let (name, pattern) = self.name_and_pattern()?;
        let modifier = self.modifier();
        Ok(Token::Group { prefix, name, pattern, suffix, modifier })
    }

    /// `{prefix:name(pattern)suffix}` with a modifier; without a parameter it is an optional or repeated literal.
    fn braces(&mut self) -> Result<Token, SourceError> {
        self.at += 1;
        let prefix = self.literal_until(&[':', '(', '}']);
        let (name, pattern) = match self.peek() {
            Some(':' | '(') => self.name_and_pattern()?,
            _ => (None, String::new()),
        };
        let suffix = self.literal_until(&['}']);
        if self.take() != Some('}') {
            return Err(self.error("`{` is not closed"));
        }
        let modifier = self.modifier();
        Ok(Token::Group { prefix, name, pattern, suffix, modifier })
    }

    fn name_and_pattern(&mut self) -> Result<(Option<String>, String), SourceError> {
        let mut name = None;
        if self.peek() == Some(':') {
            self.at += 1;
            let word = self.word();
            if word.is_empty() {
                return Err(self.error("a name follows `:`"));
            }
            name = Some(word);
        }
        let pattern = if self.peek() == Some('(') { self.parenthesised()? } else { "[^/]+?".to_owned() };
        Ok((name, pattern))
    }

    fn parenthesised(&mut self) -> Result<String, SourceError> {
        let start = self.at;
        let mut depth = 0;
        while let Some(character) = self.take() {
            match character {
                '\\' => self.at += 1,
                '(' => {
                    depth += 1;
                    if depth > 1 && self.peek() != Some('?') {
                        return Err(self.error("a group inside a group begins with `?:`"));
                    }
                }
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(self.characters[start + 1..self.at - 1].iter().collect());
            }
        }
        self.at = start;
        Err(self.error("`(` is not closed"))
    }

    fn literal_until(&mut self, ends: &[char]) -> String {
        let mut literal = String::new();
        while let Some(character) = self.peek().filter(|character| !ends.contains(character)) {
            self.at += 1;
            literal.push(character);
        }
        literal
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(character) =
            self.peek().filter(|character| character.is_ascii_alphanumeric() || *character == '_')
        {
            self.at += 1;
            word.push(character);
        }
        word
    }

    fn modifier(&mut self) -> Option<char> {
        let modifier = self.peek().filter(|character| "*+?".contains(*character))?;
        self.at += 1;
        Some(modifier)
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
        SourceError { source_pattern: self.source.to_owned(), at: self.at + 1, reason }
    }
}

/// A `/` or `.` right before a parameter belongs to it: with `*` and `?` it goes when the parameter goes.
fn take_prefix(literal: &mut String) -> String {
    match literal.pop() {
        Some(character @ ('/' | '.')) => character.to_string(),
        Some(character) => {
            literal.push(character);
            String::new()
        }
        None => String::new(),
    }
}

fn flush(tokens: &mut Vec<Token>, literal: &mut String) {
    if !literal.is_empty() {
        tokens.push(Token::Literal(std::mem::take(literal)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::{CaseRule, Pattern};
    use super::*;

    /// What path-to-regexp 6.1 makes of the same sources (checked against the npm package).
    #[test]
    fn translations() {
        for (source, regex) in [
            ("/about", "^/about$"),
            ("/blog/:slug", "^/blog(?:/([^/]+?))$"),
            ("/api/(.*)", "^/api(?:/(.*))$"),
            ("/docs/:path+", "^/docs(?:/((?:[^/]+?)(?:/(?:[^/]+?))*))$"),
            (r"/post/:id(\d+)", r"^/post(?:/(\d+))$"),
            ("/a{-:b}?", "^/a(?:-([^/]+?))?$"),
            ("/x{/y}?", "^/x(?:/y)?$"),
            ("/((?!api).*)", "^(?:/((?!api).*))$"),
            ("/feed.xml", r"^/feed\.xml$"),
        ] {
            assert_eq!(SourcePattern::parse(source).unwrap().regex(), regex, "{source}");
        }
    }

    /// Destinations name the groups by their numbers, those of conditions by their names, and nothing else.
    #[test]
    fn destinations() {
        let source = SourcePattern::parse("/blog/:slug/:rest*").unwrap();
        let destination =
            |text: &str| source.destination(text, &["lang".to_owned()]).map_err(|error| error.to_string());
        assert_eq!(destination("/p/:slug/x/:rest*?a=:slug").as_deref(), Ok("/p/$1/x/$2?a=$1"));
        assert_eq!(destination("https://example.com:8080/:slug").as_deref(), Ok("https://example.com:8080/$1"));
        assert_eq!(destination("/:lang/x").as_deref(), Ok("/$lang/x"));
        let error = "the destination `/:y` uses `:y`, which neither its source nor a `has` condition catches";
        assert_eq!(destination("/:y"), Err(error.to_owned()));
    }

    /// A wrong source says where and why.
    #[test]
    fn errors() {
        let error = |source: &str| SourcePattern::parse(source).unwrap_err().to_string();
        assert_eq!(error("/a/(b"), "the pattern `/a/(b` is wrong at character 4: `(` is not closed");
        assert_eq!(error("/a/:"), "the pattern `/a/:` is wrong at character 5: a name follows `:`");
        assert_eq!(
            error("/a*"),
            "the pattern `/a*` is wrong at character 3: a modifier follows a parameter or a group"
        );
    }

    /// What is translated compiles and matches.
    #[test]
    fn matching() {
        let matches = |source: &str, path: &str| {
            let source = SourcePattern::parse(source).unwrap();
            Pattern::anchored(source.regex(), CaseRule::Sensitive).unwrap().is_match(path).unwrap()
        };
        assert!(matches("/:path*", "/"), "an empty path parameter takes its slash along, and `/` is the empty path");
        assert!(matches("/docs/:path*", "/docs"));
        assert!(matches("/docs/:path*", "/docs/a/b"));
        assert!(!matches("/docs/:path+", "/docs"));
        assert!(!matches("/about", "/about/"));
    }
}
