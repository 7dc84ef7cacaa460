//! Trusts on the wire, and the exchange of identities for tokens.

use jiff::Timestamp;
use ship_core::{BranchName, Issuer, Lifetime, ProjectName, RepositoryName, Role, SubjectPattern, TokenId, TrustId};
use utoipa::ToSchema;

/// Jobs of continuous integration that are to be trusted.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddTrustRequest {
    /// Who vouches for them: `github`, `gitlab`, `gitlab=https://git.example.com`, or another address.
    #[schema(value_type = String, example = "github")]
    pub issuer: Issuer,
    /// What their subject is, or with a `*` at the end what it begins with. A repository must be fixed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "repo:acme/blue:ref:refs/heads/*")]
    pub subject: Option<SubjectPattern>,
    /// The repository that they belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "acme/blue")]
    pub repository: Option<RepositoryName>,
    /// The branch of the repository whose own jobs they are; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "main")]
    pub branch: Option<BranchName>,
    /// The environment that they deploy to; any or none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "production")]
    pub environment: Option<String>,
    /// How much they may.
    #[schema(value_type = String, example = "deployer")]
    pub role: Role,
    /// In which project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// How long a token of theirs opens anything: 15 minutes if absent, an hour at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "15m")]
    pub lifetime: Option<Lifetime>,
}

/// Jobs that are trusted.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct TrustView {
    /// The name of the trust.
    #[schema(value_type = String, example = "k3v9q2m8x1")]
    pub id: TrustId,
    /// Who vouches for them.
    #[schema(value_type = String, example = "github")]
    pub issuer: Issuer,
    /// Whom their identities have to be for: this host.
    #[schema(example = "ship://example.com")]
    pub audience: String,
    /// What their subject is, or begins with where it ends in `*`; none is any.
    #[schema(value_type = Option<String>)]
    pub subject: Option<SubjectPattern>,
    /// The repository that they belong to; none is what the subject says.
    #[schema(value_type = Option<String>, example = "acme/blue")]
    pub repository: Option<RepositoryName>,
    /// The branch whose own jobs they are; none is any.
    #[schema(value_type = Option<String>, example = "main")]
    pub branch: Option<BranchName>,
    /// The environment that they deploy to; none is any.
    pub environment: Option<String>,
    /// How much they may.
    #[schema(value_type = String, example = "deployer")]
    pub role: Role,
    /// In which project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// How long a token of theirs opens anything.
    #[schema(value_type = String, example = "15m")]
    pub lifetime: Lifetime,
    /// When the trust was declared.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The id of the token that declared it.
    #[schema(value_type = String)]
    pub created_by: TokenId,
    /// From when on nobody gets a token for it; none is never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// The trusts of a host.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct TrustList {
    /// The trusts, the oldest first.
    pub trusts: Vec<TrustView>,
}

/// A trust that was removed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct RemovedTrust {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TrustId,
    /// The tokens that were given for it, which open nothing any more.
    #[schema(value_type = Vec<String>)]
    pub tokens: Vec<TokenId>,
}

/// A job asks for a token.
#[derive(Clone, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRequest {
    /// What its platform says of it and has signed: a JSON Web Token.
    pub identity: String,
    /// The project that the token is to be for, where the job is trusted with several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub project: Option<ProjectName>,
}

impl std::fmt::Debug for ExchangeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExchangeRequest").field("project", &self.project).finish_non_exhaustive()
    }
}
