//! What the host has counted, for Prometheus.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use ship_api::ErrorBody;

use super::State;
use crate::metrics::prometheus;

/// What the host has counted, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics",
    responses((status = 200, content_type = "text/plain"), (status = 401, body = ErrorBody)))]
pub(super) async fn metrics(axum::extract::State(control): State) -> Response {
    let counts = control.metrics.counts().await;
    ([(CONTENT_TYPE, prometheus::MEDIA_TYPE)], prometheus::render(&counts)).into_response()
}
