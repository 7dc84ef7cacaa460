//! Care for what the host keeps: read again.

use axum::Json;
use ship_api::{ErrorBody, FsckView};

use super::{ApiError, State};
use crate::blocking::blocking;
use crate::care::examine;

/// Reads everything again that the host keeps. Blobs that are damaged are set aside, so that the next deploy sends them;
/// unpacked functions that are damaged are unpacked anew.
#[utoipa::path(post, path = "/v1/fsck",
    responses((status = 200, body = FsckView), (status = 401, body = ErrorBody)))]
pub(super) async fn fsck(axum::extract::State(control): State) -> Result<Json<FsckView>, ApiError> {
    // One at a time: a second one would only make both slower.
    let _turn = control.examining.lock().await;
    let store = control.store.clone();
    Ok(Json(blocking(move || examine(&store)).await?))
}
