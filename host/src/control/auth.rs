//! Who may ask: every route but the API's own description takes a bearer token that this host knows.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use ship_api::{ErrorCode, ErrorDetail};
use ship_store::Store;

use super::{ApiError, Control};
use crate::token::{PlainToken, TokenHash};

/// Tells known tokens from unknown ones. Only hashes are compared, so the time a comparison takes says nothing of a token.
pub(crate) struct Authenticator {
    store: Store,
    known: RwLock<HashSet<TokenHash>>,
}

impl Authenticator {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, known: RwLock::default() }
    }

    fn knows(&self, hash: TokenHash) -> Result<bool, ship_store::StateError> {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(&hash) {
            return Ok(true);
        }
        let known = self.store.tokens().contains(&hash.0)?;
        if known {
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(hash);
        }
        Ok(known)
    }
}

/// Lets a request pass if it has a token that the host knows.
pub(super) async fn require_token(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let authorization = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(presented) = authorization.and_then(bearer) else {
        return Err(unauthorized("the request has no token"));
    };
    let Some(token) = PlainToken::parse(presented) else {
        return Err(unauthorized("what was given as the token is none: it is mistyped or cut off"));
    };
    if !control.authenticator.knows(token.hash())? {
        return Err(unauthorized("this host does not know the token"));
    }
    Ok(next.run(request).await)
}

/// The token in `Bearer TOKEN`. The scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized(message: &str) -> ApiError {
    ErrorDetail::new(ErrorCode::Unauthorized, message)
        .with_hint(
            "give the host's token with `--token` or SHIP_TOKEN; the host's ready line names the file that holds it",
        )
        .into()
}
