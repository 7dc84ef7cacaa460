//! Errors of the control API: a stable code, a sentence, and where it helps the next step.

use ship_core::Digest;

/// The body of every response of the control API that is not a success.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong with a request to the control API.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct ErrorDetail {
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence that names the thing.
    pub message: String,
    /// What to do next, where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The blobs that the host lacks, with `MISSING_BLOBS`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub missing: Vec<Digest>,
    /// The last lines that a function printed, with `FUNCTION_START_FAILED`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
}

impl ErrorDetail {
    /// An error with a code and a sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, missing: Vec::new(), output: Vec::new() }
    }

    /// The same error with a next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The stable codes of the control API.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The request has no token, one that this host does not know, or one that has expired.
    Unauthorized,
    /// The token is known, and not good for this.
    Forbidden,
    /// The issuer of an identity cannot be asked for its keys, so the identity is neither right nor wrong.
    IssuerUnreachable,
    /// The address has given too many wrong tokens, or asks for too much. `Retry-After` says when to ask again.
    TooManyRequests,
    /// No such route, project or deployment, or one that the token is not for.
    NotFound,
    /// The request cannot be read.
    BadRequest,
    /// The method does not fit the route.
    MethodNotAllowed,
    /// The bytes are not those of the digest they were sent under. Nothing was kept.
    DigestMismatch,
    /// What an upload goes on with, the beginning of a blob or a blob to copy from, is not on the host any more. What is missing has to be asked again.
    UploadLost,
    /// A deployment names blobs that the host does not have.
    MissingBlobs,
    /// A name in the deployment's URLs belongs to something else.
    LabelTaken,
    /// A name of the world leads to another project, or did until lately.
    DomainTaken,
    /// Nothing in the DNS says that a name is whose it is said to be.
    DomainUnproved,
    /// The prefix of an id fits several deployments.
    AmbiguousReference,
    /// The deployment is what production points to.
    IsProduction,
    /// Production leads to something else than whoever moves it has seen. Nothing moved.
    ProductionMoved,
    /// There is no earlier production deployment.
    NothingToRollBack,
    /// A function of the deployment exited or stayed silent when it was started.
    FunctionStartFailed,
    /// Another host was to take over, and does not: this one serves on as before.
    UpgradeFailed,
    /// Another process of the host has taken over in this moment. The same request at the same address reaches it.
    Upgrading,
    /// The request's body is larger than allowed.
    PayloadTooLarge,
    /// The host's disk is full.
    StorageFull,
    /// A stored blob's bytes are not those of its digest.
    BlobCorrupt,
    /// The key that variables are sealed under is missing, wrong, or can be read by others.
    HostKey,
    /// A fault of the host itself.
    Internal,
}

impl ErrorCode {
    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::DigestMismatch => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::UploadLost
            | Self::MissingBlobs
            | Self::LabelTaken
            | Self::DomainTaken
            | Self::DomainUnproved
            | Self::AmbiguousReference
            | Self::IsProduction
            | Self::ProductionMoved
            | Self::NothingToRollBack => 409,
            Self::PayloadTooLarge => 413,
            Self::FunctionStartFailed | Self::UpgradeFailed => 422,
            Self::TooManyRequests => 429,
            Self::BlobCorrupt | Self::HostKey | Self::Internal => 500,
            Self::IssuerUnreachable => 502,
            Self::Upgrading => 503,
            Self::StorageFull => 507,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wire form of an error holds only what there is to say.
    #[test]
    fn wire_form() {
        let error = ErrorDetail::new(ErrorCode::DigestMismatch, "the bytes differ").with_hint("deploy again");
        let json = serde_json::to_string(&ErrorBody { error }).unwrap();
        assert_eq!(json, r#"{"error":{"code":"DIGEST_MISMATCH","message":"the bytes differ","hint":"deploy again"}}"#);
    }
}
