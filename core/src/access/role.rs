//! Roles: how much somebody may do.

use std::fmt;
use std::str::FromStr;

/// How much somebody may do. Each role may do all that those before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees what is deployed, and its logs.
    Viewer,
    /// Also publishes, promotes and rolls back: nothing that cannot be undone.
    Deployer,
    /// Also removes, reads secrets, gives access to others and looks after the host.
    Admin,
}

impl Role {
    /// All roles, the smallest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Deployer, Self::Admin];

    /// The word used on the wire, in the database and in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Deployer => "deployer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = || UnknownRole { found: text.to_owned() };
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(found)
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a role: expected `viewer`, `deployer` or `admin`")]
pub struct UnknownRole {
    found: String,
}
