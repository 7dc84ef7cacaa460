//! The wire types of protection.

use std::fmt;

use jiff::Timestamp;
use ship_core::{ProjectName, ProtectionCoverage, ProtectionMode};
use utoipa::ToSchema;

/// A change of who may see the sites of a project. What is not named stays.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectionRequest {
    /// `off`, `token` or `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "password")]
    pub mode: Option<ProtectionMode>,
    /// `previews` or `everything`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "previews")]
    pub coverage: Option<ProtectionCoverage>,
    /// A new password, of 8 to 1,024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Whether another bypass secret takes the place of the one there is.
    pub rotate_bypass: bool,
}

impl fmt::Debug for ProtectionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectionRequest").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Who may see the sites of a project.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ProtectionView {
    /// The project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// `off`, `token` or `password`.
    #[schema(value_type = String, example = "password")]
    pub mode: ProtectionMode,
    /// `previews`, all sites but production's own, or `everything`.
    #[schema(value_type = String, example = "previews")]
    pub coverage: ProtectionCoverage,
    /// A new bypass secret, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bypass_secret: Option<String>,
    /// When it was changed, if it ever was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
}
