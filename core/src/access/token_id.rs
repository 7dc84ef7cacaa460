//! The name of a token that is no secret: what lists and the audit log call it.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// The public name of a token. It says nothing of the token itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(Box<str>);

impl TokenId {
    /// How many characters an id has: 50 bits, so that ids never meet on a host.
    pub const CHARACTERS: usize = 10;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = ParseTokenIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if text.len() == Self::CHARACTERS && text.bytes().all(fits) {
            return Ok(Self(text.into()));
        }
        // Whoever gives a whole token where its id is meant should not find it in a message, and so in a log.
        Err(ParseTokenIdError)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({})", self.0)
    }
}

serde_through_text!(TokenId);

/// The text is not the id of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of a token: expected 10 of a to z and 0 to 9, as `ship tokens ls` shows them")]
pub struct ParseTokenIdError;
