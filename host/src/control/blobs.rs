//! Blobs: which are missing, and how they arrive.

pub(super) mod chunks;
pub(super) mod own;
mod receive;
mod uploads;

use axum::Json;
use axum::body::Body as RawBody;
use http::{HeaderMap, StatusCode};
use ship_api::{
    BegunBlob, ErrorBody, ErrorCode, FRAMED_PACK_MEDIA_TYPE, MissingBlobs, MissingBlobsRequest, PACK_VERSION,
    PackDecoder, UploadId, UploadReport,
};
use ship_core::{Digest, SiteLimits};

use self::receive::Destination;
pub(crate) use self::uploads::Uploads;
use super::extract::{Body, Path, Query};
use super::{ApiError, Control, State};
use crate::access::Actor;
use crate::blocking::blocking;
use crate::metrics::Phase;

/// How many digests one question may hold: those of the largest deployment, functions and manifest included.
const DIGESTS_ASKED: usize = 250_000;

/// Which upload something is about.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// The name that the client has given it, 32 hexadecimal digits: who connects again ends what is left of the connection before.
    #[param(value_type = Option<String>)]
    upload: Option<UploadId>,
}

impl UploadQuery {
    fn key(&self, actor: &Actor) -> Option<uploads::Key> {
        self.upload.map(|upload| (actor.key.token.id.clone(), upload))
    }
}

/// Which blobs the host lacks, and what it has of these from uploads that were cut. Those that it has stay for half an hour at least, so that
/// whoever asked can send the rest and publish.
#[utoipa::path(post, path = "/v1/blobs/missing", params(UploadQuery), request_body = MissingBlobsRequest,
    responses((status = 200, body = MissingBlobs), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn missing(
    axum::extract::State(control): State,
    actor: Actor,
    Query(query): Query<UploadQuery>,
    Body(request): Body<MissingBlobsRequest>,
) -> Result<Json<MissingBlobs>, ApiError> {
    if request.digests.len() > DIGESTS_ASKED {
        let message =
            format!("{} digests are more than the {DIGESTS_ASKED} that one question may hold", request.digests.len());
        return Err(ApiError::new(ErrorCode::PayloadTooLarge, message));
    }
    if let Some(key) = query.key(&actor) {
        control.uploads.end(&key).await;
    }
    let store = control.store.clone();
    let answer = blocking(move || {
        let project = actor.projects().only();
        let missing = match project {
            None => store.blobs().missing_for_upload(&request.digests),
            Some(project) => own::missing(&store, project, &request.digests)?,
        };
        let begun =
            store.blobs().begun(project, &missing).into_iter().map(|(digest, bytes)| BegunBlob { digest, bytes });
        Ok(MissingBlobs { begun: begun.collect(), missing, pack: PACK_VERSION })
    });
    answer.await.map(Json)
}

/// Takes many blobs in one stream (see the pack formats). What arrived whole before a stream broke off is kept, and of one in frames the beginning
/// of the blob in which it did.
#[utoipa::path(post, path = "/v1/blobs", params(UploadQuery),
    request_body(content(
        (Vec<u8> = "application/vnd.ship.pack"),
        (Vec<u8> = "application/vnd.ship.pack-frames"),
    )),
    responses((status = 200, body = UploadReport), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 507, body = ErrorBody)))]
pub(super) async fn upload(
    axum::extract::State(control): State,
    actor: Actor,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Json<UploadReport>, ApiError> {
    let media_type = headers.get(http::header::CONTENT_TYPE);
    let decoder = if media_type.is_some_and(|media_type| media_type == FRAMED_PACK_MEDIA_TYPE) {
        PackDecoder::framed()
    } else {
        PackDecoder::plain()
    };
    let under_way = match query.key(&actor) {
        Some(key) => Some(control.uploads.begin(key).await),
        None => None,
    };
    let receiving = receive::pack(destination(&control, &actor), decoder, body, under_way);
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
