//! The words of a Go file. Comments, strings and characters are recognised so that nothing inside them is taken for code.

/// A word of a Go file, with the byte at which it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token<'s> {
    pub(super) at: usize,
    pub(super) kind: TokenKind<'s>,
}

/// What a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenKind<'s> {
    /// A name or a keyword.
    Word(&'s str),
    /// A string, without its quotes and with its escapes as written.
    Text(&'s str),
    /// Punctuation, one character each.
    Symbol(char),
    /// A number or a character: nothing that is looked at here.
    Value,
    /// The patterns behind `//go:embed`.
    Embed(&'s str),
}

/// Reads a file from left to right.
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    /// Takes characters while `wanted` holds.
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let length = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Takes the text up to `end`, and `end` itself.
    fn take_until(&mut self, end: &str) -> &'s str {
        let rest = self.rest();
        let length = rest.find(end).unwrap_or(rest.len());
        self.at += (length + end.len()).min(rest.len());
        &rest[..length]
    }

    /// Takes what stands between quotes, minding escaped ones. The opening quote was taken.
    fn take_quoted(&mut self, quote: u8) -> &'s str {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut length = 0;
        while length < bytes.len() && bytes[length] != quote && bytes[length] != b'\n' {
            length += if bytes[length] == b'\\' { 2 } else { 1 };
        }
        let length = (length..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        self.at += (length + 1).min(rest.len());
        while !self.source.is_char_boundary(self.at) {
            self.at += 1;
        }
        &rest[..length]
    }

    fn starts_line(&self) -> bool {
        self.at == 0 || self.source.as_bytes()[self.at - 1] == b'\n'
    }
}

impl<'s> Iterator for Lexer<'s> {
    type Item = Token<'s>;

    fn next(&mut self) -> Option<Token<'s>> {
        loop {
            self.take_while(|character| character.is_whitespace() || character == '\u{feff}');
            let at = self.at;
            let rest = self.rest();
            let first = rest.chars().next()?;
            if rest.starts_with("//") {
                let may_direct = self.starts_line();
                let line = self.take_until("\n");
                match line.strip_prefix("//go:embed") {
                    Some(patterns) if may_direct && patterns.starts_with([' ', '\t']) => {
                        return Some(Token { at, kind: TokenKind::Embed(patterns.trim()) });
                    }
                    _ => continue,
                }
            }
            if rest.starts_with("/*") {
                self.at += 2;
                self.take_until("*/");
                continue;
            }
            return Some(Token { at, kind: self.word(first) });
        }
    }
}

impl<'s> Lexer<'s> {
    fn word(&mut self, first: char) -> TokenKind<'s> {
        if first.is_alphabetic() || first == '_' {
            return TokenKind::Word(self.take_while(|character| character.is_alphanumeric() || character == '_'));
        }
        if first.is_ascii_digit() {
            self.take_while(|character| character.is_alphanumeric() || character == '_' || character == '.');
            return TokenKind::Value;
        }
        self.at += first.len_utf8();
        match first {
            '"' => TokenKind::Text(self.take_quoted(b'"')),
            '`' => TokenKind::Text(self.take_until("`")),
            '\'' => {
                self.take_quoted(b'\'');
                TokenKind::Value
            }
            symbol => TokenKind::Symbol(symbol),
        }
    }
}
