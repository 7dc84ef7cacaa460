//! Who may see the sites of a project.

use std::fmt;
use std::str::FromStr;

/// How the sites of a project are protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProtectionMode {
    /// Everybody may see them.
    #[default]
    Off,
    /// Whoever has the project's bypass secret.
    Token,
    /// Whoever knows a password, or has the bypass secret.
    Password,
}

impl ProtectionMode {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Token => "token",
            Self::Password => "password",
        }
    }
}

impl fmt::Display for ProtectionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProtectionMode {
    type Err = UnknownProtectionWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Off, Self::Token, Self::Password].into_iter().find(|mode| mode.as_str() == text);
        known.ok_or_else(|| UnknownProtectionWord { found: text.to_owned(), expected: "`off`, `token` or `password`" })
    }
}

/// Which sites of a project are protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProtectionCoverage {
    /// All but production's own: branches, and each deployment by its own URL.
    #[default]
    Previews,
    /// Production as well.
    Everything,
}

impl ProtectionCoverage {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Previews => "previews",
            Self::Everything => "everything",
        }
    }
}

impl fmt::Display for ProtectionCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProtectionCoverage {
    type Err = UnknownProtectionWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Previews, Self::Everything].into_iter().find(|coverage| coverage.as_str() == text);
        known.ok_or_else(|| UnknownProtectionWord { found: text.to_owned(), expected: "`previews` or `everything`" })
    }
}

/// The text says nothing of protection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct UnknownProtectionWord {
    found: String,
    expected: &'static str,
}
