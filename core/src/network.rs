//! Where a function may connect to.

use std::fmt;
use std::str::FromStr;

/// Where a function may connect to. What each word means in addresses is decided by the runtime, in one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkAccess {
    /// The public internet: not this machine's own services, no private ranges, no metadata addresses.
    #[default]
    Public,
    /// Wherever the host itself can.
    All,
    /// Nowhere.
    None,
}

impl NetworkAccess {
    /// All there are.
    pub const KNOWN: [Self; 3] = [Self::Public, Self::All, Self::None];

    /// The word used on the wire, in output and in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

impl fmt::Display for NetworkAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NetworkAccess {
    type Err = UnknownNetworkAccess;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::KNOWN.into_iter().find(|access| access.as_str() == text);
        known.ok_or_else(|| UnknownNetworkAccess { found: text.to_owned() })
    }
}

/// The text is no word for where a function may connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is none of `public`, `all` and `none`")]
pub struct UnknownNetworkAccess {
    found: String,
}
