//! What a deployment changed, compared to the one before it.

use axum::Json;
use ship_api::{ChangesView, ErrorBody};

use super::guard::Named;
use super::{ApiError, State};
use crate::blocking::blocking;
use crate::comparison::compare;

/// What a deployment changed, compared to the one that was published before it: on its branch, else in its project. Of names the first
/// 200 of each kind.
#[utoipa::path(get, path = "/v1/deployments/{reference}/changes", params(("reference" = String, Path)),
    responses((status = 200, body = ChangesView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn changes(
    axum::extract::State(control): State,
    Named(record): Named,
) -> Result<Json<ChangesView>, ApiError> {
    let store = control.store.clone();
    Ok(Json(blocking(move || compare(&store, &record)).await?))
}
