//! Tokens and the audit log on the wire.

use jiff::Timestamp;
use ship_core::{Lifetime, LoginCode, ProjectName, Role, TokenId, TokenName, TrustId};
use utoipa::ToSchema;

/// What is known of a token, which is everything but the token.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct TokenView {
    /// Its public name.
    #[schema(value_type = String, example = "k3v9q2m8x1")]
    pub id: TokenId,
    /// What people call it.
    #[schema(value_type = String)]
    pub name: TokenName,
    /// How much it may.
    #[schema(value_type = String, example = "deployer")]
    pub role: Role,
    /// The one project that it is for; none is all.
    #[schema(value_type = Option<String>)]
    pub project: Option<ProjectName>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The id of the token that made it; none if the host did.
    #[schema(value_type = Option<String>)]
    pub created_by: Option<TokenId>,
    /// The trust that a job was given it for; absent if somebody made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub trust: Option<TrustId>,
    /// From when on it opens nothing; none is never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// Who the token is that asked.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct WhoAmI {
    /// The token.
    pub token: TokenView,
    /// The domain below which the host's sites stand.
    pub domain: String,
}

/// A way into the dashboard.
#[derive(Clone, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct SessionLink {
    /// A path at the address of the API. The browser that opens it first is logged in as who asked.
    pub path: String,
    /// How many seconds it waits for that.
    pub expires_secs: u64,
}

impl std::fmt::Debug for SessionLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLink").field("expires_secs", &self.expires_secs).finish_non_exhaustive()
    }
}

/// The tokens of a host.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct TokenList {
    /// The tokens, the oldest first.
    pub tokens: Vec<TokenView>,
}

/// A token to be made.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    /// What people will call it.
    #[schema(value_type = String)]
    pub name: TokenName,
    /// How much it may.
    #[schema(value_type = String, example = "deployer")]
    pub role: Role,
    /// The one project that it is for; all if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub project: Option<ProjectName>,
    /// How long it opens anything; 90 days if absent, and never longer than the token that makes it.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "90d")]
    pub expires: Option<Lifetime>,
}

/// A token that was made.
#[derive(Clone, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token itself, which is shown here and never again.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub view: TokenView,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("view", &self.view).finish_non_exhaustive()
    }
}

/// A token that was removed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct RemovedToken {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TokenId,
}

/// A machine without a token wants to log in.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginLoginRequest {
    /// What the machine calls itself, and what its token will be called.
    #[schema(value_type = String)]
    pub name: TokenName,
}

/// A login that waits for approval.
#[derive(Clone, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct BegunLogin {
    /// What the machine shows, and an admin approves.
    #[schema(value_type = String, example = "BCDF-GHJK")]
    pub code: LoginCode,
    /// What the machine asks for its token with. Nobody else sees it.
    pub secret: String,
    /// How many seconds the login waits.
    pub expires_secs: u64,
}

impl std::fmt::Debug for BegunLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BegunLogin").field("code", &self.code).finish_non_exhaustive()
    }
}

/// The machine asks for its token.
#[derive(Clone, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitLoginRequest {
    /// The secret that it was given.
    pub secret: String,
}

/// What came of a login so far.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct WaitedLogin {
    /// The token, once somebody has approved the login. Until then the machine asks again.
    pub created: Option<CreatedToken>,
}

/// Who waits with a code.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct LoginView {
    /// The code.
    #[schema(value_type = String, example = "BCDF-GHJK")]
    pub code: LoginCode,
    /// What the machine calls itself.
    #[schema(value_type = String)]
    pub name: TokenName,
    /// Its address.
    pub peer: String,
}

/// What a machine that logs in is let do.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveLoginRequest {
    /// How much.
    #[schema(value_type = String, example = "deployer")]
    pub role: Role,
    /// In which project; in all if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub project: Option<ProjectName>,
    /// For how long; 90 days if absent, and never longer than the token that approves it.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "90d")]
    pub expires: Option<Lifetime>,
}

/// A login that was approved.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ApprovedLogin {
    /// Whose.
    pub login: LoginView,
    /// How much its token may.
    #[schema(value_type = String, example = "deployer")]
    pub role: Role,
    /// In which project; none is all.
    #[schema(value_type = Option<String>)]
    pub project: Option<ProjectName>,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// The audit log, or a part of it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct AuditList {
    /// The entries, newest first.
    pub entries: Vec<AuditView>,
}

/// Something that was done, or that nobody was let do.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct AuditView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The id of the token; none where the host knew no such token.
    pub token: Option<String>,
    /// What the token was called then.
    pub token_name: Option<String>,
    /// From which address.
    pub peer: Option<String>,
    /// What.
    #[schema(example = "deployment.publish")]
    pub action: String,
    /// To which project.
    pub project: Option<String>,
    /// To what of it: the id of a deployment or of a token, or the path of a request.
    pub resource: Option<String>,
    /// `done` or `refused`.
    pub outcome: String,
    /// The code that a refused request was answered with.
    pub code: Option<String>,
}
