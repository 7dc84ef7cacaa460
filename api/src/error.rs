//! Errors of the control API: a stable code, a sentence, and where it helps the next step.

mod code;

use ship_core::Digest;

pub use self::code::ErrorCode;

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
