//! The codes with which the control API says what went wrong.

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
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 25] = [
        Self::Unauthorized,
        Self::Forbidden,
        Self::IssuerUnreachable,
        Self::TooManyRequests,
        Self::NotFound,
        Self::BadRequest,
        Self::MethodNotAllowed,
        Self::DigestMismatch,
        Self::UploadLost,
        Self::MissingBlobs,
        Self::LabelTaken,
        Self::DomainTaken,
        Self::DomainUnproved,
        Self::AmbiguousReference,
        Self::IsProduction,
        Self::ProductionMoved,
        Self::NothingToRollBack,
        Self::FunctionStartFailed,
        Self::UpgradeFailed,
        Self::Upgrading,
        Self::PayloadTooLarge,
        Self::StorageFull,
        Self::BlobCorrupt,
        Self::HostKey,
        Self::Internal,
    ];

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

    /// What it means, in a sentence for those who look it up.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unauthorized => {
                "The request has no token, one that this host does not know, or one that has expired."
            }
            Self::Forbidden => "The token is known, and not good for this.",
            Self::IssuerUnreachable => {
                "The issuer of an identity cannot be asked for its keys, so the identity is neither right nor wrong."
            }
            Self::TooManyRequests => {
                "The address has given too many wrong tokens, or asks for too much. `Retry-After` says when to ask again."
            }
            Self::NotFound => "No such route, project or deployment, or one that the token is not for.",
            Self::BadRequest => "The request cannot be read.",
            Self::MethodNotAllowed => "The method does not fit the route.",
            Self::DigestMismatch => "The bytes are not those of the digest they were sent under. Nothing was kept.",
            Self::UploadLost => {
                "What an upload goes on with, the beginning of a blob or a blob to copy from, is not on the host any more. What is missing has to be asked again."
            }
            Self::MissingBlobs => "A deployment names blobs that the host does not have.",
            Self::LabelTaken => "A name in the deployment's URLs belongs to something else.",
            Self::DomainTaken => "A name of the world leads to another project, or did until lately.",
            Self::DomainUnproved => "Nothing in the DNS says that a name is whose it is said to be.",
            Self::AmbiguousReference => "The prefix of an id fits several deployments.",
            Self::IsProduction => "The deployment is what production points to.",
            Self::ProductionMoved => {
                "Production leads to something else than whoever moves it has seen. Nothing moved."
            }
            Self::NothingToRollBack => "There is no earlier production deployment.",
            Self::FunctionStartFailed => "A function of the deployment exited or stayed silent when it was started.",
            Self::UpgradeFailed => "Another host was to take over, and does not: this one serves on as before.",
            Self::Upgrading => {
                "Another process of the host has taken over in this moment. The same request at the same address reaches it."
            }
            Self::PayloadTooLarge => "The request's body is larger than allowed.",
            Self::StorageFull => "The host's disk is full.",
            Self::BlobCorrupt => "A stored blob's bytes are not those of its digest.",
            Self::HostKey => "The key that variables are sealed under is missing, wrong, or can be read by others.",
            Self::Internal => "A fault of the host itself.",
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;

    /// The list holds each code that the description of the API names, in its order.
    #[test]
    fn all_are_listed() {
        let schema = serde_json::to_value(ErrorCode::schema()).unwrap();
        assert_eq!(schema["enum"], serde_json::to_value(ErrorCode::ALL).unwrap());
    }
}
