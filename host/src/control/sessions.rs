//! The way into the dashboard for whoever has a token.

use axum::Json;
use http::StatusCode;
use ship_api::{ErrorBody, SessionLink};

use super::{ApiError, State};
use crate::access::Actor;
use crate::dashboard::PATIENCE;

/// A path at this address that logs the browser in that opens it first, as whoever asks. It is good once, and for a minute.
#[utoipa::path(post, path = "/v1/sessions",
    responses((status = 201, body = SessionLink), (status = 401, body = ErrorBody)))]
pub(super) async fn begin(
    axum::extract::State(control): State,
    actor: Actor,
) -> Result<(StatusCode, Json<SessionLink>), ApiError> {
    let code = control.entries.begin(actor.key.token.id.clone())?;
    let path = format!("/enter?code={}", code.expose_secret());
    Ok((StatusCode::CREATED, Json(SessionLink { path, expires_secs: PATIENCE.as_secs() })))
}
