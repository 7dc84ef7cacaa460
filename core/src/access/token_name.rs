//! What people call a token.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// What people call a token: a person, a machine, a purpose. It is shown wherever the token is spoken of.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenName(Box<str>);

impl TokenName {
    /// The longest name, in characters: what fits into a line of a list.
    pub const CHARACTERS: usize = 60;

    /// The name of the token that a host makes for its owner.
    pub fn owner() -> Self {
        Self("owner".into())
    }

    /// The name of the token of a job that has none of its own.
    pub fn job() -> Self {
        Self("job".into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = ParseTokenNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Left out and not refused, so that names from before can still be read.
        let text: String = text.chars().filter(|character| !turns_text(*character)).collect();
        let text = text.trim();
        let is_plain = !text.chars().any(char::is_control);
        if !text.is_empty() && text.chars().count() <= Self::CHARACTERS && is_plain {
            return Ok(Self(text.into()));
        }
        Err(ParseTokenNameError)
    }
}

/// Whether a character has what is behind it read in another direction: a name with one could look like another name, and turn the line that it
/// stands in.
const fn turns_text(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenName({})", self.0)
    }
}

serde_through_text!(TokenName);

/// The text cannot name a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this cannot name a token: expected 1 to 60 characters, none of them a control character")]
pub struct ParseTokenNameError;

#[cfg(test)]
mod tests {
    use super::*;

    /// A name is what it looks like: characters that turn the direction of text are left out, and control characters refused.
    #[test]
    fn names() {
        let name = |text: &str| text.parse::<TokenName>().map(|name| name.as_str().to_owned());
        assert_eq!(name(" ci of Größe \u{5d0} ").as_deref(), Ok("ci of Größe \u{5d0}"));
        assert_eq!(name("ci\u{202e}nimda\u{2069}").as_deref(), Ok("cinimda"));
        for refused in ["", " ", "\u{202e}", "a\nb", "a\u{1b}b", &"a".repeat(61)] {
            assert_eq!(name(refused), Err(ParseTokenNameError), "{refused:?}");
        }
    }
}
