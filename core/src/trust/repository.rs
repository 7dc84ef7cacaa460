//! Where a job's code is kept.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// The longest name, in bytes.
const MAX_BYTES: usize = 255;

/// A repository as its platform names it: `acme/blue`, at GitLab also `acme/teams/blue`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RepositoryName(Box<str>);

impl RepositoryName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many names stand between the slashes.
    pub fn depth(&self) -> usize {
        self.0.split('/').count()
    }
}

impl FromStr for RepositoryName {
    type Err = ParseRepositoryNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(fits) && !name.bytes().all(|byte| byte == b'.');
        if text.contains('/') && text.len() <= MAX_BYTES && text.split('/').all(is_name) {
            return Ok(Self(text.into()));
        }
        Err(ParseRepositoryNameError { found: text.chars().take(100).collect() })
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepositoryName({})", self.0)
    }
}

serde_through_text!(RepositoryName);

/// The text names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` names no repository: expected its owner and its name, `acme/blue`")]
pub struct ParseRepositoryNameError {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository has an owner and a name, and nothing that stands for several.
    #[test]
    fn names() {
        for text in ["acme/blue", "a/b/c", "Acme-1/.github", "acme/blue_2.js"] {
            assert_eq!(text.parse::<RepositoryName>().unwrap().as_str(), text);
        }
        for text in
            ["", "blue", "acme/", "/blue", "acme//blue", "acme/*", "*/*", "acme/..", "acme/blue:x", "a b/c", "é/b"]
        {
            assert!(text.parse::<RepositoryName>().is_err(), "{text}");
        }
    }
}
