//! What a deployment changed.

use ship_core::DeploymentId;
use utoipa::ToSchema;

/// How much a deployment changed, compared to the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ChangeCounts {
    /// The deployment that it is compared to: the one before it on its branch, else in its project. Nothing if it is the first.
    #[schema(value_type = Option<String>)]
    pub against: Option<DeploymentId>,
    /// Files that the one before did not have.
    pub files_added: u64,
    /// Files with another content.
    pub files_changed: u64,
    /// Files that only the one before has.
    pub files_removed: u64,
    /// Functions that are new, or whose artifact is another one.
    pub functions_rebuilt: u64,
    /// Functions that only the one before has.
    pub functions_removed: u64,
}

/// What a deployment changed, compared to the one before it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ChangesView {
    /// How much.
    pub counts: ChangeCounts,
    /// Files, by their paths.
    pub files: Differences,
    /// Functions, by their names; those whose artifact is another one are changed.
    pub functions: Differences,
}

/// Names of what differs, of each kind the first so many.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct Differences {
    /// What the deployment before did not have.
    pub added: Vec<String>,
    /// What has another content.
    pub changed: Vec<String>,
    /// What only the deployment before has.
    pub removed: Vec<String>,
}
