//! How people name a deployment: by its id, the beginning of its id, its URL, or the first label of its URL.

use std::fmt;
use std::str::FromStr;

use ship_core::{DeploymentId, DeploymentIdPrefix, HostLabel};

/// A deployment as somebody names it. The host tries it as an id first and as a host label second; a URL has to be one of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeploymentReference {
    label: Box<str>,
    /// What stands behind the label in a host name, in lower case.
    domain: Option<Box<str>>,
}

impl DeploymentReference {
    /// The reference as an id or the beginning of one, if it can be that.
    pub fn as_id_prefix(&self) -> Option<DeploymentIdPrefix> {
        self.label.parse().ok().filter(|_| self.domain.is_none())
    }

    /// The reference as the first label of a URL, if it can be that.
    pub fn as_label(&self) -> Option<HostLabel> {
        self.label.parse().ok()
    }

    /// The domain that the label stands below, where a whole host name was given.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

impl FromStr for DeploymentReference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let without_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
        let authority = without_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        let name = authority.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let (label, domain) = name.split_once('.').map_or((&*name, None), |(label, domain)| (label, Some(domain)));
        let is_named = |domain: &str| domain.split('.').all(|label| label.parse::<HostLabel>().is_ok());
        if label.parse::<HostLabel>().is_err() || !domain.is_none_or(is_named) {
            return Err(ParseReferenceError { found: text.chars().take(200).collect() });
        }
        Ok(Self { label: label.into(), domain: domain.map(Into::into) })
    }
}

impl From<&DeploymentId> for DeploymentReference {
    fn from(id: &DeploymentId) -> Self {
        Self { label: id.as_str().into(), domain: None }
    }
}

impl fmt::Display for DeploymentReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)?;
        self.domain.as_ref().map_or(Ok(()), |domain| write!(f, ".{domain}"))
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

    /// A URL, with or without scheme, port and path, comes down to its host name.
    #[test]
    fn urls_and_ids() {
        let text = |text: &str| text.parse::<DeploymentReference>().map(|reference| reference.to_string());
        assert_eq!(text("http://site-git-main.localhost:7700/a?b").as_deref(), Ok("site-git-main.localhost"));
        assert_eq!(text("Site.example.com.").as_deref(), Ok("site.example.com"));
        assert_eq!(text("0a1b2c3d").as_deref(), Ok("0a1b2c3d"));
        assert!(text("").is_err());
        for wrong in ["../etc", "site..com", "site.-a", ".site"] {
            assert!(text(wrong).is_err(), "{wrong}");
        }
    }
}
