//! Names of the world that lead to projects.

use jiff::Timestamp;
use ship_core::{DomainName, ProjectName};
use utoipa::ToSchema;

use super::CertificateView;

/// A name that a project is to have.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DomainRequest {
    /// The name, in letters of any script.
    #[schema(value_type = String)]
    pub name: DomainName,
    /// The name of the same project that its visitors are led to; they see the project's production where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub redirect_to: Option<DomainName>,
}

/// A name that leads to a project, or is to.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DomainView {
    /// The name as the DNS has it.
    #[schema(value_type = String)]
    pub name: DomainName,
    /// The name as people write it.
    pub unicode: String,
    /// The project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// The URL of its site.
    pub url: String,
    /// The name that its visitors are led to.
    #[schema(value_type = Option<String>)]
    pub redirect_to: Option<DomainName>,
    /// Where a TXT record proves that the name is its owner's.
    pub record: String,
    /// What that record has to say.
    pub proof: String,
    /// When the project claimed it.
    #[schema(value_type = String, format = DateTime)]
    pub added_at: Timestamp,
    /// Since when it is served; nothing before it is proved.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verified_at: Option<Timestamp>,
    /// The certificate that the host gets for it, where it gets any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateView>,
}

/// Names of the world.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DomainList {
    /// The names, sorted.
    pub domains: Vec<DomainView>,
}
