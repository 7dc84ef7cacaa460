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
    /// The next one, which answers nothing.
    pub(crate) further_handler: Option<Handler>,
    /// The first of those that are nearly one.
    pub(crate) near_handler: Option<NearHandler>,
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

/// What people call a function that answers requests, whatever it takes.
const NAMES_OF_HANDLERS: [&str; 2] = ["Handler", "handler"];

/// What was probably meant to answer requests, and does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NearHandler {
    /// Its name.
    pub(crate) name: String,
    /// The line it starts in, counted from 1.
    pub(crate) line: usize,
    /// What keeps it from being one.
    pub(crate) flaw: HandlerFlaw,
}

/// What keeps a function, as valid as it is, from answering requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandlerFlaw {
    /// It returns something.
    Returns,
    /// Its name does not begin with a capital letter.
    Unexported,
    /// It takes a writer and a request, with another `*` or in another order.
    Parameters,
    /// It has type parameters.
    Generic,
    /// It is a variable that holds a function.
    Variable,
    /// It takes a writer and nothing else.
    NoRequest,
    /// It is the `main` of a program.
    Program,
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
                TokenKind::Word("var") if depth == 0 => self.variable(token.at),
                _ => {}
            }
        }
        if let (Some(main), "main", None) = (&self.file.main_place, self.file.package.as_str(), &self.file.handler) {
            let line = self.line_of(main.start);
            let program = NearHandler { name: "main".to_owned(), line, flaw: HandlerFlaw::Program };
            self.file.near_handler.get_or_insert(program);
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
        let is_generic = self.peek() == Some(TokenKind::Symbol('['));
        if is_generic {
            self.enclosed();
        }
        if self.peek() != Some(TokenKind::Symbol('(')) {
            return;
        }
        let line = self.line_of(at);
        let parameters = self.parameters();
        let is_named_handler = NAMES_OF_HANDLERS.contains(&name);
        let Some(parameters) = parameters.or(is_named_handler.then_some(Parameters::Others)) else { return };
        let flaw = match (parameters, self.peek()) {
            (Parameters::Others, _) => HandlerFlaw::Parameters,
            (Parameters::Writer, _) => HandlerFlaw::NoRequest,
            _ if is_generic => HandlerFlaw::Generic,
            _ if !name.starts_with(char::is_uppercase) => HandlerFlaw::Unexported,
            (Parameters::Wanted, Some(TokenKind::Symbol('{'))) => {
                let handler = Handler { name: name.to_owned(), line };
                if self.file.handler.is_none() {
                    self.file.handler = Some(handler);
                } else {
                    self.file.further_handler.get_or_insert(handler);
                }
                return;
            }
            (Parameters::Wanted, _) => HandlerFlaw::Returns,
        };
        self.file.near_handler.get_or_insert_with(|| NearHandler { name: name.to_owned(), line, flaw });
    }

    /// A top-level variable, of which only the type is looked at; `var` itself was taken.
    fn variable(&mut self, at: usize) {
        let Some(TokenKind::Word(name)) = self.peek() else { return };
        let rest: Vec<TokenKind<'_>> = self.tokens[self.at + 1..].iter().take(4).map(|token| token.kind).collect();
        let typed = rest.strip_prefix(&[TokenKind::Symbol('=')]).unwrap_or(&rest);
        if name.starts_with(char::is_uppercase)
            && self.http.iter().any(|http| typed.starts_with(&http.type_named("HandlerFunc")))
        {
            let (name, line) = (name.to_owned(), self.line_of(at));
            self.file.near_handler.get_or_insert(NearHandler { name, line, flaw: HandlerFlaw::Variable });
        }
    }

    fn line_of(&self, at: usize) -> usize {
        self.source[..at].matches('\n').count() + 1
    }

    /// The tokens between the bracket that comes next and the one that closes it.
    fn enclosed(&mut self) -> &'s [Token<'s>] {
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

    /// What the parameters that come next are, if they are a writer and a request at all.
    fn parameters(&mut self) -> Option<Parameters> {
        let comma = |token: &Token<'_>| token.kind == TokenKind::Symbol(',');
        let types: Vec<Vec<TokenKind<'_>>> =
            self.enclosed().split(comma).filter(|tokens| !tokens.is_empty()).map(without_name).collect();
        if let [only] = types.as_slice() {
            let is_writer = self.http.iter().any(|http| *only == http.type_named("ResponseWriter"));
            return is_writer.then_some(Parameters::Writer);
        }
        let [first, second] = types.as_slice() else { return None };
        self.http.iter().find_map(|http| {
            let (writer, request) = (http.type_named("ResponseWriter"), http.type_named("Request"));
            if *first == writer && second.strip_prefix(&[TokenKind::Symbol('*')]) == Some(&request) {
                return Some(Parameters::Wanted);
            }
            let pointed_at =
                |kinds: &'_ [TokenKind<'s>]| kinds.strip_prefix(&[TokenKind::Symbol('*')]).unwrap_or(kinds).to_owned();
            let mut pointed_at = [pointed_at(first), pointed_at(second)];
            if pointed_at[0] == request {
                pointed_at.reverse();
            }
            (pointed_at == [writer, request]).then_some(Parameters::Others)
        })
    }
}

/// The parameters of a function that takes a writer and a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// Those of a handler.
    Wanted,
    /// Other ones.
    Others,
    /// A writer, and no request.
    Writer,
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

/// The type of a parameter, which may have a name.
fn without_name<'s>(parameter: &[Token<'s>]) -> Vec<TokenKind<'s>> {
    let mut kinds: Vec<TokenKind<'s>> = parameter.iter().map(|token| token.kind).collect();
    if let [TokenKind::Word(_), TokenKind::Word(_) | TokenKind::Symbol('*'), ..] = kinds.as_slice() {
        kinds.remove(0);
    }
    kinds
}

/// Whether a file says `name` anywhere but where it declares it.
pub(crate) fn mentions(source: &str, name: &str) -> bool {
    let mut before = None;
    Lexer::new(source).any(|token| {
        let declares = matches!(before, Some(TokenKind::Word("func" | "var" | "package")));
        before = Some(token.kind);
        token.kind == TokenKind::Word(name) && !declares
    })
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
