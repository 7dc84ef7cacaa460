//! The name of a trust.

use std::fmt;
use std::str::FromStr;

use crate::access::TokenId;
use crate::text::serde_through_text;

/// The public name of a trust, in the form of a token's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrustId(TokenId);

impl TrustId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<TokenId> for TrustId {
    fn from(id: TokenId) -> Self {
        Self(id)
    }
}

impl FromStr for TrustId {
    type Err = ParseTrustIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| ParseTrustIdError)
    }
}

impl fmt::Display for TrustId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_through_text!(TrustId);

/// The text is not the id of a trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of a trust: expected 10 of a to z and 0 to 9, as `ship tokens trust ls` shows them")]
pub struct ParseTrustIdError;
