//! Upgrades: another process takes over, and changes wait for it.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use ship_api::{ErrorBody, ErrorCode, ErrorDetail, UpgradeRequest, UpgradedView};

use super::extract::Body;
use super::{ApiError, Control, State};
use crate::upgrade::UpgradeError;

/// What changes nothing that a successor has to know, although its method says that it may: taking blobs and
/// looking at them, which both processes do, and what is about the processes themselves.
const CHANGES_NO_STATE: [&str; 4] = ["/v1/blobs", "/v1/fsck", "/v1/shutdown", "/v1/upgrade"];

/// Starts another host that takes over from this one, without a lost request. The answer comes when it serves.
#[utoipa::path(post, path = "/v1/upgrade", request_body = UpgradeRequest,
    responses((status = 200, body = UpgradedView), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(super) async fn upgrade(
    axum::extract::State(control): State,
    Body(request): Body<UpgradeRequest>,
) -> Result<Json<UpgradedView>, ApiError> {
    let upgraded = control.upgrader.upgrade(request.program.map(PathBuf::from)).await?;
    Ok(Json(UpgradedView { pid: upgraded.pid, version: upgraded.version }))
}

/// Lets a request that may change the state pass once it may, and holds back the successor until it is done. When there is one, the
/// request is for it.
pub(super) async fn hold_changes(
    axum::extract::State(control): axum::extract::State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if !changes_state(request.method(), request.uri().path()) {
        return Ok(next.run(request).await);
    }
    match control.changes.begin().await {
        Ok(_change) => Ok(next.run(request).await),
        Err(_moved) => Err(moved()),
    }
}

/// The answer to a change that another process makes now.
pub(super) fn moved() -> ApiError {
    let message = "another process of the host makes this change: it was upgraded in this moment";
    ErrorDetail::new(ErrorCode::Upgrading, message).with_hint("ask again at once").into()
}

fn changes_state(method: &Method, path: &str) -> bool {
    let is_below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    *method != Method::GET && *method != Method::HEAD && !CHANGES_NO_STATE.into_iter().any(is_below)
}

impl From<UpgradeError> for ApiError {
    fn from(error: UpgradeError) -> Self {
        if matches!(error, UpgradeError::NotMine) {
            return Self::new(ErrorCode::Upgrading, error.to_string());
        }
        let causes = match &error {
            UpgradeError::Refused(refusal) => refusal.causes.clone(),
            error => std::error::Error::source(error).map(ToString::to_string).into_iter().collect(),
        };
        let message = std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
        ErrorDetail::new(ErrorCode::UpgradeFailed, message).with_hint("the host serves on as before").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is not known to change nothing is held.
    #[test]
    fn what_is_held() {
        let held = |method, path| changes_state(&method, path);
        assert!(held(Method::POST, "/v1/projects/site/deployments") && held(Method::DELETE, "/v1/projects/site"));
        assert!(held(Method::PUT, "/v1/new") && held(Method::POST, "/v1/blobsy"));
        assert!(!held(Method::GET, "/v1/projects") && !held(Method::HEAD, "/v1/projects"));
        assert!(!held(Method::POST, "/v1/blobs") && !held(Method::PUT, "/v1/blobs/00"));
        assert!(!held(Method::POST, "/v1/upgrade") && !held(Method::POST, "/v1/shutdown"));
    }
}
