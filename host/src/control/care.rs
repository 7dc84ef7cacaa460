//! Care for what the host keeps: read again, and rid of what nobody needs.

use axum::Json;
use ship_api::{ErrorBody, ErrorCode, FsckView, GcRequest, GcView};

use super::extract::Body;
use super::guard::Noted;
use super::{ApiError, State};
use crate::care::examine;

/// Reads everything again that the host keeps. Blobs that are damaged are set aside, so that the next deploy sends them;
/// unpacked functions that are damaged are unpacked anew.
#[utoipa::path(post, path = "/v1/fsck",
    responses((status = 200, body = FsckView), (status = 401, body = ErrorBody)))]
pub(super) async fn fsck(axum::extract::State(control): State) -> Result<Json<FsckView>, ApiError> {
    // One at a time: a second one would only make both slower.
    let _turn = control.examining.lock().await;
    let found = examine(control.store.clone(), control.closing.hurry()).await?;
    found.map(Json).ok_or_else(|| ApiError::new(ErrorCode::Internal, "the host stops"))
}

/// Removes the deployments that do not stay, and then what no deployment needs; or says what would be removed.
#[utoipa::path(post, path = "/v1/gc", request_body = GcRequest,
    responses((status = 200, body = GcView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 500, body = ErrorBody), (status = 507, body = ErrorBody)))]
pub(super) async fn gc(
    axum::extract::State(control): State,
    Noted(note): Noted,
    Body(request): Body<GcRequest>,
) -> Result<Json<GcView>, ApiError> {
    let collected = control.collector.collect(request, note.clone()).await?;
    if collected.dry_run || collected.is_nothing() {
        note.withdraw();
    }
    Ok(Json(collected))
}
