//! `source` patterns as people write them in `redirects`, `rewrites`, `headers` and `cors`: the syntax of path-to-regexp 6
//! (`/blog/:slug`, `/api/(.*)`, `/:path*`), turned into the regular expressions of the route table.

mod lexer;
mod parser;

use std::fmt::Write as _;

use parser::{Parser, Token};

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

impl SourcePattern {
    /// Translates a source. The rules are those of `vercel.json`: strict about a trailing `/`, `/` separates segments.
    pub fn parse(source: &str) -> Result<Self, SourceError> {
        let tokens = Parser::new(source)?.tokens()?;
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

    /// The names that people gave, each with the number of its group.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, usize)> {
        let is_given = |name: &str| !name.starts_with(|first: char| first.is_ascii_digit());
        self.names.iter().zip(1..).map(|(name, group)| (name.as_str(), group)).filter(move |(name, _)| is_given(name))
    }

    /// A destination written with `:name` and `:name*`, as the groups of this pattern: `/p/:slug` becomes `/p/$1`. A name in
    /// `named`, caught by a condition of the route, becomes `$name`.
    pub fn destination(&self, destination: &str, named: &[String]) -> Result<String, DestinationError> {
        let mut translated = String::with_capacity(destination.len());
        let mut rest = destination;
        while let Some(at) = rest.find([':', '\\']) {
            translated.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if rest[at..].starts_with('\\') {
                let escaped = after.chars().next().filter(|next| SYNTAX.contains(*next)).unwrap_or('\\');
                translated.push(escaped);
                rest = after.strip_prefix(escaped).unwrap_or(after);
                continue;
            }
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
            rest = without_pattern(&after[name.len()..]);
            rest = rest.strip_prefix(['*', '+']).unwrap_or(rest);
        }
        translated.push_str(rest);
        Ok(translated)
    }

    /// The names of the parameters that a destination uses.
    pub fn names_in(destination: &str) -> impl Iterator<Item = &str> {
        let places = destination.match_indices(':').map(|(at, _)| at);
        let is_escaped = |at: usize| at > 0 && destination.as_bytes()[at - 1] == b'\\';
        let names = places.filter(move |at| !is_escaped(*at)).map(|at| parameter_name(&destination[at + 1..]));
        names.filter(|name| !name.is_empty())
    }
}

/// The characters that mean something in a source; behind a backslash they mean themselves.
const SYNTAX: &str = ":*+?(){}\\";

/// The name of the parameter that `text`, which follows a `:`, begins with. A port and the `//` of a URL are none.
fn parameter_name(text: &str) -> &str {
    let length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let name = &text[..length];
    if name.starts_with(|first: char| first.is_ascii_digit()) { "" } else { name }
}

/// What follows the pattern that `text` begins with: of `(\d+)/x` it is `/x`. In a destination a pattern says nothing.
fn without_pattern(text: &str) -> &str {
    let mut depth = 0;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if depth > 0 => {
                characters.next();
            }
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { text } else { &text[at + 1..] };
        }
    }
    text
}

fn push_group(regex: &mut String, prefix: &str, pattern: &str, suffix: &str, modifier: Option<char>) {
    let _ = match (prefix.is_empty() && suffix.is_empty(), modifier) {
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

fn error(source: &str, at: usize, reason: &'static str) -> SourceError {
    SourceError { source_pattern: source.to_owned(), at: at + 1, reason }
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
