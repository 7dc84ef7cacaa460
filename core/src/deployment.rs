//! Deployments: their ids and what they are aimed at.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::text::serde_through_text;

/// Base32 with the extended hexadecimal alphabet in lower case (RFC 4648, section 7; RFC 5155 uses it in DNS): every
/// character may stand in a host name, and ids sort as their digests do.
const BASE32: data_encoding::Encoding = data_encoding::BASE32_DNSSEC;

/// How many characters an id has: 160 bits of a digest in base32.
const ID_CHARS: usize = 32;

/// The id of a deployment: derived from the project and its canonical manifest, so the same content is the same deployment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId([u8; ID_CHARS]);

impl DeploymentId {
    /// The shortest prefix that stands in a deployment's own URL.
    pub const SHORT_CHARS: usize = 8;

    /// The id of what `bytes` describe.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut characters = [0; ID_CHARS];
        BASE32.encode_mut(&Digest::of(bytes).as_bytes()[..20], &mut characters);
        Self(characters)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its first `chars` characters, at most all of them.
    pub fn prefix(&self, chars: usize) -> &str {
        let text = self.as_str();
        &text[..chars.min(text.len())]
    }

    /// The eight characters that stand in the deployment's own URL.
    pub fn short(&self) -> &str {
        self.prefix(Self::SHORT_CHARS)
    }
}

fn is_id_text(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'))
}

impl FromStr for DeploymentId {
    type Err = ParseDeploymentIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseDeploymentIdError { found: text.to_owned() };
        let characters: [u8; ID_CHARS] = text.as_bytes().try_into().map_err(|_| wrong())?;
        if is_id_text(text) { Ok(Self(characters)) } else { Err(wrong()) }
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeploymentId({})", self.short())
    }
}

serde_through_text!(DeploymentId);

/// The beginning of a deployment id, as people type it: at least four characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeploymentIdPrefix(Box<str>);

impl DeploymentIdPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeploymentIdPrefix {
    type Err = ParseDeploymentIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (4..=ID_CHARS).contains(&text.len()) && is_id_text(text) {
            Ok(Self(text.into()))
        } else {
            Err(ParseDeploymentIdError { found: text.to_owned() })
        }
    }
}

/// The text is not a deployment id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a deployment id: expected up to 32 of 0 to 9 and a to v")]
pub struct ParseDeploymentIdError {
    found: String,
}

/// What a deployment was published for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Reachable by its own URL and its branch's.
    #[default]
    Preview,
    /// The project's own URL as well.
    Production,
}

impl Target {
    /// The word used on the wire and in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "preview" => Ok(Self::Preview),
            "production" => Ok(Self::Production),
            _ => Err(UnknownTarget { found: text.to_owned() }),
        }
    }
}

/// The text names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a target: expected `preview` or `production`")]
pub struct UnknownTarget {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids round-trip and stay within the alphabet; prefixes have a least length.
    #[test]
    fn ids() {
        let id = DeploymentId::of_bytes(b"manifest");
        assert_eq!(id.as_str().parse(), Ok(id));
        assert_eq!(id.short().len(), 8);
        assert!("".parse::<DeploymentIdPrefix>().is_err());
        assert!("abc".parse::<DeploymentIdPrefix>().is_err());
        assert!("abcz".parse::<DeploymentIdPrefix>().is_err());
        assert!(id.short().parse::<DeploymentIdPrefix>().is_ok());
    }
}
