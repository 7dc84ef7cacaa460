//! Who wrote what is deployed.

use std::fmt;
use std::str::FromStr;

use crate::text::{serde_through_text, words};

/// The name of a commit's author, as version control knows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AuthorName(Box<str>);

impl AuthorName {
    /// The longest name, in characters. Git has no bound; what is longer is cut.
    pub const CHARACTERS: usize = 100;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AuthorName {
    type Err = ParseAuthorNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        words(text, Self::CHARACTERS).map(Self).ok_or(ParseAuthorNameError)
    }
}

impl fmt::Display for AuthorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AuthorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorName({})", self.0)
    }
}

serde_through_text!(AuthorName);

/// The text names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this names nobody: expected at least one character")]
pub struct ParseAuthorNameError;

#[cfg(test)]
mod tests {
    use super::*;

    /// What people are called stays; what a terminal would obey goes, and so does what is too long for a line.
    #[test]
    fn names() {
        let name = |text: &str| text.parse::<AuthorName>().map(|name| name.to_string());
        assert_eq!(name(" Ada Lovelace\n"), Ok("Ada Lovelace".to_owned()));
        assert_eq!(name("Гра́фіня\u{1b}[2J"), Ok("Гра́фіня[2J".to_owned()));
        assert_eq!(name(&"x".repeat(1_000)).unwrap().len(), AuthorName::CHARACTERS);
        assert_eq!((name(""), name(" \u{7}")), (Err(ParseAuthorNameError), Err(ParseAuthorNameError)));
    }
}
