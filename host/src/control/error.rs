//! Errors become answers here: domain errors know no status code, and what a client may learn is decided in one place.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ship_api::{ErrorBody, ErrorCode, ErrorDetail};
use ship_core::route::PatternError;
use ship_core::{ParseProjectNameError, PathClash};
use ship_edge::FunctionSpecError;
use ship_runtime::{Failure, FailureReason, InvokeError, SpawnError, StartError};
use ship_store::{
    BlobError, PublishError, RemoveError, RollbackError, StageError, StateError, UnpackError, VariablesError,
};

use crate::error::HostError;

use crate::access::Actor;
use crate::error::with_causes;

/// An error of the control API.
#[derive(Debug)]
pub(crate) struct ApiError {
    detail: Box<ErrorDetail>,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ErrorDetail::new(code, message).into()
    }

    /// The same error, and after how long it is worth to ask again.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The code, as it stands in answers.
    pub(crate) fn code_word(&self) -> String {
        serde_json::to_value(self.detail.code)
            .ok()
            .and_then(|code| code.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The sentence.
    pub(crate) fn message(&self) -> &str {
        &self.detail.message
    }

    /// Whether it is only that too much was asked.
    pub(crate) fn is_limit(&self) -> bool {
        self.detail.code == ErrorCode::TooManyRequests
    }

    /// What stands in the answer.
    pub(crate) fn into_detail(self) -> ErrorDetail {
        *self.detail
    }

    /// Whether there is no such thing, or none that may be seen.
    pub(crate) fn is_not_found(&self) -> bool {
        self.detail.code == ErrorCode::NotFound
    }

    /// The same error as somebody may see it: what others have is not named to who has to do with one project alone.
    pub(crate) fn seen_by(self, actor: &Actor) -> Self {
        if self.detail.code != ErrorCode::LabelTaken || actor.projects().only().is_none() {
            return self;
        }
        ErrorDetail::new(ErrorCode::LabelTaken, "a name in the deployment's URLs is taken on this host")
            .with_hint("choose another name: `--project NAME`, or `name` in ship.toml")
            .into()
    }

    /// What only the host's own log says in full.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let chain = with_causes(error);
        tracing::error!(error = chain, "a control request failed");
        ErrorDetail::new(ErrorCode::Internal, "the host could not do this").with_hint("the host's log says why").into()
    }

    /// There is no room left. On which file is the operator's business.
    fn storage_full() -> Self {
        Self::new(ErrorCode::StorageFull, "the host's disk is full")
    }

    /// An error if there are functions that do not start; `hint` says what that means and what can be done.
    pub(crate) fn function_starts(mut failures: Vec<StartError>, hint: &str) -> Result<(), Self> {
        failures.sort_by(|one, other| one.function.cmp(&other.function));
        for failure in &failures {
            tracing::warn!(error = with_causes(failure), "a function was tried and does not start");
        }
        let told = |message: String, output: Vec<String>| {
            let mut detail = ErrorDetail::new(ErrorCode::FunctionStartFailed, message).with_hint(hint);
            detail.output = output;
            Err(detail.into())
        };
        match &failures[..] {
            [] => Ok(()),
            [one] => told(format!("{one}: {}", why_not_started(one)), one.output().to_vec()),
            several => {
                let lines = several.iter().flat_map(|failure| {
                    let first = format!("`{}`: {}", failure.function, why_not_started(failure));
                    std::iter::once(first).chain(failure.output().iter().map(|line| format!("  {line}")))
                });
                told(format!("{} functions do not start", several.len()), lines.collect())
            }
        }
    }
}

/// Why a function did not start.
fn why_not_started(error: &StartError) -> String {
    match &error.source {
        InvokeError::Failed(failure) | InvokeError::InitTimeout(failure) => why_not_run(failure),
        other => other.to_string(),
    }
}

/// What is told of a process that did not run. Where the host keeps its programs is its operator's business, and in its log.
fn why_not_run(failure: &Failure) -> String {
    let FailureReason::Spawn(SpawnError::Program { program, source }) = &failure.reason else {
        return with_causes(failure);
    };
    let name = program.file_name().unwrap_or_default().display();
    format!("{failure}: cannot run `{name}`: {source}")
}

impl From<ErrorDetail> for ApiError {
    fn from(detail: ErrorDetail) -> Self {
        Self { detail: Box::new(detail), retry_after: None }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.detail.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(ErrorBody { error: *self.detail })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            // In whole seconds, and never so early that the answer is the same.
            response.headers_mut().insert(http::header::RETRY_AFTER, (wait.as_secs() + 1).into());
        }
        response
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::StorageFull(_) => {
                tracing::error!(error = with_causes(&error), "the disk is full");
                Self::storage_full()
            }
            error => Self::internal(&error),
        }
    }
}

impl From<PathClash> for ApiError {
    fn from(clash: PathClash) -> Self {
        ErrorDetail::new(ErrorCode::BadRequest, clash.to_string()).with_hint("rename one of the two").into()
    }
}

impl From<PatternError> for ApiError {
    fn from(error: PatternError) -> Self {
        Self::new(ErrorCode::BadRequest, error.to_string())
    }
}

impl From<ParseProjectNameError> for ApiError {
    fn from(error: ParseProjectNameError) -> Self {
        Self::new(ErrorCode::BadRequest, error.to_string())
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        let code = match &error {
            BlobError::DigestMismatch { .. } => ErrorCode::DigestMismatch,
            BlobError::NotBegun { .. } => ErrorCode::UploadLost,
            BlobError::TooLarge { .. } => ErrorCode::PayloadTooLarge,
            BlobError::StorageFull { .. } => {
                tracing::error!(error = with_causes(&error), "the disk is full");
                return Self::storage_full();
            }
            BlobError::Corrupt { .. } => ErrorCode::BlobCorrupt,
            _ => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<StageError> for ApiError {
    fn from(error: StageError) -> Self {
        match error {
            StageError::MissingBlobs(missing) => {
                let message = format!("{} blobs of the deployment are not on the host", missing.len());
                let mut detail = ErrorDetail::new(ErrorCode::MissingBlobs, message)
                    .with_hint("deploy again: only what is missing is sent");
                detail.missing = missing;
                detail.into()
            }
            StageError::WrongSize { .. } => Self::new(ErrorCode::BadRequest, error.to_string()),
            StageError::Blob(error) => error.into(),
            StageError::State(error) => error.into(),
        }
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        if let PublishError::State(error) = error {
            return error.into();
        }
        match &error {
            PublishError::LabelTaken { .. } => ErrorDetail::new(ErrorCode::LabelTaken, error.to_string())
                .with_hint("choose another name: `--project NAME`, or `name` in ship.toml")
                .into(),
            PublishError::ProductionMoved { .. } => ErrorDetail::new(ErrorCode::ProductionMoved, error.to_string())
                .with_hint("look at what production leads to now, and decide again")
                .into(),
            PublishError::UnknownDeployment { .. } => Self::new(ErrorCode::NotFound, error.to_string()),
            _ => Self::internal(&error),
        }
    }
}

impl From<RollbackError> for ApiError {
    fn from(error: RollbackError) -> Self {
        match error {
            RollbackError::Publish(error) => error.into(),
            RollbackError::NoProduction { .. } => Self::new(ErrorCode::NothingToRollBack, error.to_string()),
            RollbackError::NothingBefore { .. } => ErrorDetail::new(ErrorCode::NothingToRollBack, error.to_string())
                .with_hint("`ship promote ID` moves production to any deployment that `ship ls` shows")
                .into(),
        }
    }
}

impl From<RemoveError> for ApiError {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::IsProduction { .. } => ErrorDetail::new(ErrorCode::IsProduction, error.to_string())
                .with_hint("promote another deployment first (`ship promote ID`), or remove the whole project (`ship rm --project NAME`)")
                .into(),
            RemoveError::UnknownDeployment { .. } | RemoveError::UnknownProject { .. } => {
                Self::new(ErrorCode::NotFound, error.to_string())
            }
            RemoveError::Publish(error) => error.into(),
        }
    }
}

impl From<HostError> for ApiError {
    fn from(error: HostError) -> Self {
        Self::internal(&error)
    }
}

impl From<VariablesError> for ApiError {
    fn from(error: VariablesError) -> Self {
        match error {
            VariablesError::State(error) => error.into(),
            VariablesError::Environment(_) | VariablesError::TooMany { .. } => {
                Self::new(ErrorCode::BadRequest, error.to_string())
            }
            error if error.is_storage_full() => {
                tracing::error!(error = with_causes(&error), "the disk is full");
                Self::storage_full()
            }
            error if error.is_about_key() => {
                tracing::error!(error = with_causes(&error), "variables cannot be sealed or opened");
                ErrorDetail::new(ErrorCode::HostKey, "the host's key is missing, wrong or open to others")
                    .with_hint(
                        "its log says what is wrong with `secrets.key` in the data directory; if that is lost, write a new key and set \
                         variables again: docs/environment-variables.md",
                    )
                    .into()
            }
            error => Self::internal(&error),
        }
    }
}

impl From<UnpackError> for ApiError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Blob(error) => error.into(),
            error => Self::new(ErrorCode::BadRequest, error.to_string()),
        }
    }
}

impl From<FunctionSpecError> for ApiError {
    fn from(error: FunctionSpecError) -> Self {
        match error {
            FunctionSpecError::Unpack(error) => error.into(),
            FunctionSpecError::Variables(error) => error.into(),
            FunctionSpecError::Stopping => Self::internal(&error),
        }
    }
}

/// The answer at a path that the API does not have.
pub(super) async fn no_such_route(uri: http::Uri) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("the API has no route `{}`", uri.path()))
}

/// The answer to a method that a route does not have.
pub(super) async fn method_not_allowed(method: http::Method, uri: http::Uri) -> ApiError {
    ApiError::new(ErrorCode::MethodNotAllowed, format!("`{}` does not take {method}", uri.path()))
}
