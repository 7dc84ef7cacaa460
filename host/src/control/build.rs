//! How deployments came to be: said once by whoever publishes, read by whoever may read logs.

use axum::Json;
use ship_api::{BuildLogView, BuildView, ErrorBody};
use ship_core::BuildLog;

use super::extract::Body;
use super::guard::Named;
use super::{ApiError, State};
use crate::blocking::blocking;

/// How a deployment came to be: who wrote it, and what its build said.
#[utoipa::path(get, path = "/v1/deployments/{reference}/build", params(("reference" = String, Path)),
    responses((status = 200, body = BuildView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn show(
    axum::extract::State(control): State,
    Named(record): Named,
) -> Result<Json<BuildView>, ApiError> {
    let store = control.store.clone();
    let log = blocking(move || store.deployments().build_log(&record.id)).await?;
    let log = log.as_ref().map(BuildLogView::from);
    Ok(Json(BuildView { author: record.author, subject: record.subject, log }))
}

/// Says how a deployment came to be. What was said of it before stays, and is the answer. Of a log the last 256 KiB are kept.
#[utoipa::path(put, path = "/v1/deployments/{reference}/build", params(("reference" = String, Path)),
    request_body = BuildView,
    responses((status = 200, body = BuildView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn describe(
    axum::extract::State(control): State,
    Named(record): Named,
    Body(said): Body<BuildView>,
) -> Result<Json<BuildView>, ApiError> {
    let store = control.store.clone();
    let kept = blocking(move || {
        let (deployments, log) = (store.deployments(), said.log.map(BuildLog::from));
        deployments.keep_build(&record.id, said.author.as_ref(), said.subject.as_ref(), log.as_ref())?;
        let kept = deployments.get(&record.id)?;
        let (author, subject) = kept.map_or((None, None), |record| (record.author, record.subject));
        let log = deployments.build_log(&record.id)?.as_ref().map(BuildLogView::from);
        Ok::<_, ApiError>(BuildView { author, subject, log })
    });
    Ok(Json(kept.await?))
}
