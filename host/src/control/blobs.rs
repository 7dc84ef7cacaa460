//! Blobs: which are missing, and how they arrive.

pub(super) mod own;
mod receive;

use axum::Json;
use axum::body::Body as RawBody;
use http::{HeaderMap, StatusCode};
use ship_api::{ErrorBody, ErrorCode, MissingBlobs, MissingBlobsRequest, UploadReport};
use ship_core::{Digest, SiteLimits};

use self::receive::Destination;
use super::extract::{Body, Path};
use super::{ApiError, Control, State};
use crate::access::Actor;
use crate::blocking::blocking;
use crate::metrics::Phase;

/// How many digests one question may hold: those of the largest deployment, functions and manifest included.
const DIGESTS_ASKED: usize = 250_000;

/// Which blobs the host lacks. Those that it has stay for half an hour at least, so that whoever asked can send the rest and
/// publish.
#[utoipa::path(post, path = "/v1/blobs/missing", request_body = MissingBlobsRequest,
    responses((status = 200, body = MissingBlobs), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn missing(
    axum::extract::State(control): State,
    actor: Actor,
    Body(request): Body<MissingBlobsRequest>,
) -> Result<Json<MissingBlobs>, ApiError> {
    if request.digests.len() > DIGESTS_ASKED {
        let message =
            format!("{} digests are more than the {DIGESTS_ASKED} that one question may hold", request.digests.len());
        return Err(ApiError::new(ErrorCode::PayloadTooLarge, message));
    }
    let store = control.store.clone();
    let missing = blocking(move || match actor.projects().only() {
        None => Ok(store.blobs().missing_for_upload(&request.digests)),
        Some(project) => own::missing(&store, project, &request.digests),
    });
    Ok(Json(MissingBlobs { missing: missing.await? }))
}

/// Takes many blobs in one stream (see the pack format). What arrived whole before a stream broke off is kept.
#[utoipa::path(post, path = "/v1/blobs", request_body(content = Vec<u8>, content_type = "application/vnd.ship.pack"),
    responses((status = 200, body = UploadReport), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 507, body = ErrorBody)))]
pub(super) async fn upload(
    axum::extract::State(control): State,
    actor: Actor,
    body: RawBody,
) -> Result<Json<UploadReport>, ApiError> {
    let receiving = receive::pack(destination(&control, &actor), body);
    control.metrics.deploys.time(Phase::Upload, receiving).await.map(Json)
}

/// Takes one blob.
#[utoipa::path(put, path = "/v1/blobs/{digest}", params(("digest" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadReport), (status = 201, body = UploadReport), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 507, body = ErrorBody)))]
pub(super) async fn put(
    axum::extract::State(control): State,
    actor: Actor,
    Path(digest): Path<Digest>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<(StatusCode, Json<UploadReport>), ApiError> {
    let length = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let Some(size_bytes) = length else {
        return Err(ApiError::new(ErrorCode::BadRequest, "a blob is sent with its `content-length`"));
    };
    if size_bytes > SiteLimits::DEFAULT.blob_bytes {
        let message =
            format!("{size_bytes} bytes are more than the {} that a blob may have", SiteLimits::DEFAULT.blob_bytes);
        return Err(ApiError::new(ErrorCode::PayloadTooLarge, message));
    }
    let report = receive::blob(destination(&control, &actor), digest, size_bytes, body).await?;
    let status = if report.stored_blobs > 0 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(report)))
}

/// Where what somebody sends goes.
fn destination(control: &Control, actor: &Actor) -> Destination {
    Destination { store: control.store.clone(), project: actor.projects().only().cloned() }
}
