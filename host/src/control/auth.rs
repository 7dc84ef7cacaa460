//! Who asks: every route but the few that are open takes a bearer token that this host knows.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use ship_api::{ErrorCode, ErrorDetail};
use ship_store::TokenRecord;

use super::server::Peer;
use super::{ApiError, Control};
use crate::access::Actor;
use crate::keyring::Refused;
use crate::token::PlainToken;

/// Lets a request pass if it has a token that the host knows, and notes whose.
pub(super) async fn require_token(
    State(control): State<Arc<Control>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else {
        return Err(ApiError::new(ErrorCode::Internal, "the host does not know who asks"));
    };
    let token = authenticate(&control, request.headers())?;
    request.extensions_mut().insert(Actor { token, peer });
    Ok(next.run(request).await)
}

fn authenticate(control: &Control, headers: &HeaderMap) -> Result<Arc<TokenRecord>, ApiError> {
    let authorization = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = authorization.and_then(bearer).ok_or_else(no_token)?;
    let token = PlainToken::parse(presented)
        .ok_or_else(|| unauthorized("what was given as the token is none: it is mistyped or cut off"))?;
    control.keyring.admit(token.hash(), Timestamp::now()).map_err(|refused| match refused {
        Refused::Unknown => unauthorized("this host does not know the token"),
        Refused::Expired => unauthorized("the token has expired"),
    })
}

/// The token in `Bearer TOKEN`. The scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The answer to a request that comes without a token.
pub(super) fn no_token() -> ApiError {
    unauthorized("the request has no token")
}

fn unauthorized(message: &str) -> ApiError {
    ErrorDetail::new(ErrorCode::Unauthorized, message)
        .with_hint(
            "give the host's token with `--token` or SHIP_TOKEN; the host's ready line names the file that holds it",
        )
        .into()
}
