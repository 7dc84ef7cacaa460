//! What a Go file says about itself: its package, its imports, what it embeds, and the handler it exports.

use std::ops::Range;

use super::lexer::{Lexer, Token, TokenKind};

/// A Go file, as far as building it needs to know it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct GoFile {
    /// The package's name.
    pub(crate) package: String,
    /// Where that name stands.
    pub(crate) package_place: Range<usize>,
    /// The paths of the imported packages.
    pub(crate) imports: Vec<String>,
    /// The patterns of `//go:embed`.
    pub(crate) embeds: Vec<String>,
    /// The first function that can answer requests.
    pub(crate) handler: Option<Handler>,
    /// The first function that could, if it returned nothing.
    pub(crate) returning_handler: Option<Handler>,
    /// Where the name of a function `main` stands.
    pub(crate) main_place: Option<Range<usize>>,
}

/// An exported function with the parameters of a handler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Handler {
    /// Its name.
    pub(crate) name: String,
    /// The line it starts in, counted from 1.
    pub(crate) line: usize,
}

/// How a file calls the package `net/http`.
#[derive(Clone, PartialEq, Eq)]
enum HttpName<'s> {
    Qualified(&'s str),
    /// `import . "net/http"`.
    Dot,
}

/// Whether a file is one that the Go compiler takes into a package: tests are not.
pub(crate) fn is_go_source(name: &str) -> bool {
    name.strip_suffix(".go").is_some_and(|stem| !stem.ends_with("_test"))
}

/// Reads a file. What is no valid Go is read as far as it goes: the compiler knows better words for it.
pub(crate) fn scan(source: &str) -> GoFile {
    let tokens: Vec<Token<'_>> = Lexer::new(source).collect();
    let mut scan = Scan { source, tokens: &tokens, at: 0, http: Vec::new(), file: GoFile::default() };
    scan.run();
    scan.file
}

struct Scan<'s> {
    source: &'s str,
    tokens: &'s [Token<'s>],
    at: usize,
    http: Vec<HttpName<'s>>,
    file: GoFile,
}

impl<'s> Scan<'s> {
    fn run(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.take() {
            match token.kind {
                TokenKind::Symbol('(' | '{' | '[') => depth += 1,
                TokenKind::Symbol(')' | '}' | ']') => depth = depth.saturating_sub(1),
                TokenKind::Embed(patterns) => self.file.embeds.extend(split_patterns(patterns)),
                TokenKind::Word("package") if depth == 0 && self.file.package.is_empty() => self.package(),
                TokenKind::Word("import") if depth == 0 => self.imports(),
                TokenKind::Word("func") if depth == 0 => self.function(token.at),
                _ => {}
            }
        }
    }

    fn peek(&self) -> Option<TokenKind<'s>> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn take(&mut self) -> Option<Token<'s>> {
        let token = self.tokens.get(self.at).copied()?;
        self.at += 1;
        Some(token)
    }

    fn package(&mut self) {
        if let Some(Token { at, kind: TokenKind::Word(name) }) = self.tokens.get(self.at).copied() {
            self.at += 1;
            name.clone_into(&mut self.file.package);
            self.file.package_place = at..at + name.len();
        }
    }

    /// `import "a"`, `import x "a"` or `import ( … )`.
    fn imports(&mut self) {
        if self.peek() != Some(TokenKind::Symbol('(')) {
            self.import();
            return;
        }
        self.at += 1;
        while !matches!(self.peek(), None | Some(TokenKind::Symbol(')'))) {
            let before = self.at;
            self.import();
            self.at = self.at.max(before + 1);
        }
        self.at += 1;
    }

    fn import(&mut self) {
        let alias = match self.peek() {
            Some(TokenKind::Word(name)) => Some(HttpName::Qualified(name)),
            Some(TokenKind::Symbol('.')) => Some(HttpName::Dot),
            _ => None,
        };
        self.at += usize::from(alias.is_some());
        let Some(TokenKind::Text(path)) = self.peek() else { return };
        self.at += 1;
        self.file.imports.push(path.to_owned());
        if path == "net/http" {
            self.http.push(alias.unwrap_or(HttpName::Qualified("http")));
        }
    }

    /// A top-level function; `func` itself was taken.
    fn function(&mut self, at: usize) {
        let Some(Token { at: name_at, kind: TokenKind::Word(name) }) = self.tokens.get(self.at).copied() else {
            return;
        };
        self.at += 1;
        if name == "main" && self.peek() == Some(TokenKind::Symbol('(')) {
            self.file.main_place = Some(name_at..name_at + name.len());
        }
        let is_exported = name.starts_with(char::is_uppercase);
        if !is_exported || self.peek() != Some(TokenKind::Symbol('(')) {
            return;
        }
        let parameters = self.parenthesised();
        if !self.takes_writer_and_request(parameters) {
            return;
        }
        let line = self.source[..at].matches('\n').count() + 1;
        let handler = Handler { name: name.to_owned(), line };
        let slot = match self.peek() {
            Some(TokenKind::Symbol('{')) => &mut self.file.handler,
            _ => &mut self.file.returning_handler,
        };
        slot.get_or_insert(handler);
    }

    /// The tokens between the parenthesis that comes next and the one that closes it.
    fn parenthesised(&mut self) -> &'s [Token<'s>] {
        self.at += 1;
        let start = self.at;
        let mut depth = 1_usize;
        while let Some(token) = self.take() {
            match token.kind {
                TokenKind::Symbol('(' | '{' | '[') => depth += 1,
                TokenKind::Symbol(')' | '}' | ']') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return &self.tokens[start..self.at - 1];
            }
        }
        &self.tokens[start..]
    }

    fn takes_writer_and_request(&self, parameters: &[Token<'_>]) -> bool {
        let comma = |token: &Token<'_>| token.kind == TokenKind::Symbol(',');
        let parameters: Vec<&[Token<'_>]> = parameters.split(comma).filter(|tokens| !tokens.is_empty()).collect();
        let [writer, request] = parameters.as_slice() else { return false };
        self.http.iter().any(|http| {
            is_typed(writer, &http.type_named("ResponseWriter"))
                && is_typed(request, &[vec![TokenKind::Symbol('*')], http.type_named("Request")].concat())
        })
    }
}

impl<'s> HttpName<'s> {
    fn type_named(&self, name: &'s str) -> Vec<TokenKind<'s>> {
        match self {
            Self::Qualified(package) => {
                vec![TokenKind::Word(package), TokenKind::Symbol('.'), TokenKind::Word(name)]
            }
            Self::Dot => vec![TokenKind::Word(name)],
        }
    }
}

/// Whether a parameter, with or without a name, has this type.
fn is_typed(parameter: &[Token<'_>], wanted: &[TokenKind<'_>]) -> bool {
    let kinds: Vec<TokenKind<'_>> = parameter.iter().map(|token| token.kind).collect();
    match kinds.as_slice() {
        unnamed if unnamed == wanted => true,
        [TokenKind::Word(_), rest @ ..] => rest == wanted,
        _ => false,
    }
}

/// The patterns of one `//go:embed` line: separated by spaces, quoted where they hold one.
fn split_patterns(line: &str) -> Vec<String> {
    let mut patterns = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (pattern, after) = match first {
            '"' | '`' => rest[1..].split_once(first).unwrap_or((&rest[1..], "")),
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        patterns.push(pattern.strip_prefix("all:").unwrap_or(pattern).to_owned());
        rest = after.trim_start();
    }
    patterns
}

#[cfg(test)]
mod tests;
