//! How people name a deployment: by its id, the beginning of its id, its URL, or the first label of its URL.

use std::fmt;
use std::str::FromStr;

use ship_core::{DeploymentIdPrefix, HostLabel};

/// A deployment as somebody names it. The host tries it as an id first and as a host label second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeploymentReference {
    text: Box<str>,
}

impl DeploymentReference {
    /// The reference as an id or the beginning of one, if it can be that.
    pub fn as_id_prefix(&self) -> Option<DeploymentIdPrefix> {
        self.text.parse().ok()
    }

    /// The reference as the first label of a URL, if it can be that.
    pub fn as_label(&self) -> Option<HostLabel> {
        self.text.parse().ok()
    }
}

impl FromStr for DeploymentReference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let without_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = without_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        let label = authority.split(['.', ':']).next().unwrap_or_default().to_ascii_lowercase();
        if label.parse::<HostLabel>().is_err() {
            return Err(ParseReferenceError { found: text.chars().take(200).collect() });
        }
        Ok(Self { text: label.into() })
    }
}

impl fmt::Display for DeploymentReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text names no deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` names no deployment: expected an id, the first characters of one, or a URL")]
pub struct ParseReferenceError {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A URL, with or without scheme, port and path, comes down to its first label.
    #[test]
    fn urls_and_ids() {
        let text = |text: &str| text.parse::<DeploymentReference>().map(|reference| reference.to_string());
        assert_eq!(text("http://site-git-main.localhost:7700/a?b").as_deref(), Ok("site-git-main"));
        assert_eq!(text("Site.example.com").as_deref(), Ok("site"));
        assert_eq!(text("0a1b2c3d").as_deref(), Ok("0a1b2c3d"));
        assert!(text("").is_err());
        assert!(text("../etc").is_err());
    }
}
