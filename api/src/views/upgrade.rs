//! Upgrades of the host.

use utoipa::ToSchema;

/// What a host is to become.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct UpgradeRequest {
    /// The program of the new host, by its absolute path on the host's machine. Without it, what stands now where the host was started
    /// from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

/// A new process serves.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct UpgradedView {
    /// Its process id.
    pub pid: u32,
    /// The version of ship that it is.
    pub version: String,
}
