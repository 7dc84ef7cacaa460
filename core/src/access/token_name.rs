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
        let text = text.trim();
        let is_plain = !text.chars().any(char::is_control);
        if !text.is_empty() && text.chars().count() <= Self::CHARACTERS && is_plain {
            return Ok(Self(text.into()));
        }
        Err(ParseTokenNameError)
    }
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
