//! Who asks: every route but the few that are open takes a bearer token that this host knows.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use ship_api::{ErrorCode, ErrorDetail};
use ship_store::{AuditEntry, AuditOutcome};

use super::server::Peer;
use super::{ApiError, Control};
use crate::access::Actor;
use crate::keyring::{Key, Refused};
use crate::rate::AddressLimit;
use crate::token::PlainToken;

/// How many wrong tokens an address may give at once, and after how long one more. Nobody guesses 256 bits at any rate: this keeps
/// scanners from filling logs, and a person or a pipeline with an old token never notices it.
const WRONG_TOKENS: NonZeroU32 = NonZeroU32::new(200).expect("it is not zero");
const WRONG_TOKEN_EVERY: Duration = Duration::from_secs(1);

/// How many logins an address may begin at once, and after how long one more. A person begins one and approves it.
const LOGINS: NonZeroU32 = NonZeroU32::new(10).expect("it is not zero");
const LOGIN_EVERY: Duration = Duration::from_secs(30);

/// How much of a path the audit log keeps, in bytes.
const PATH_KEPT: usize = 200;

/// What the audit log calls the attempt to be somebody.
const AUTHENTICATE: &str = "authenticate";

/// How often strangers may knock.
pub(crate) struct Doors {
    pub(super) wrong_tokens: AddressLimit,
    pub(super) logins: AddressLimit,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            wrong_tokens: AddressLimit::new(WRONG_TOKENS, WRONG_TOKEN_EVERY),
            logins: AddressLimit::new(LOGINS, LOGIN_EVERY),
        }
    }
}

/// Lets a request pass if it has a token that the host knows, and notes whose.
pub(super) async fn require_token(
    State(control): State<Arc<Control>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else {
        return Err(ApiError::new(ErrorCode::Internal, "the host does not know who asks"));
    };
    match authenticate(&control, request.headers()) {
        Ok(key) => {
            request.extensions_mut().insert(Actor { key, peer });
            Ok(next.run(request).await)
        }
        Err(stranger) => Err(turn_away(&control, peer, request.uri().path(), stranger)),
    }
}

/// Why nobody is known by what a request has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stranger {
    NoToken,
    NoneSuch,
    Unknown,
    Expired,
}

/// Whose the token in a request is. A right token is looked at before anything is counted, so that whoever has one is let in whatever
/// others do from the same address.
fn authenticate(control: &Control, headers: &HeaderMap) -> Result<Arc<Key>, Stranger> {
    let authorization = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    recognise(control, authorization.and_then(bearer).ok_or(Stranger::NoToken)?)
}

/// Lets somebody in who shows a token otherwise than in a request's head, at `path`.
pub(crate) fn admit(control: &Control, presented: &str, peer: IpAddr, path: &str) -> Result<Arc<Key>, ApiError> {
    recognise(control, presented).map_err(|stranger| turn_away(control, peer, path, stranger))
}

/// The answer to a code for the dashboard that is none, or not any more.
pub(crate) fn turn_away_code(control: &Control, peer: IpAddr) -> ApiError {
    let error = turn_away(control, peer, "/enter", Stranger::Unknown);
    if error.is_limit() {
        return error;
    }
    ErrorDetail::new(ErrorCode::Unauthorized, "the link was used, or is older than a minute")
        .with_hint("`ship dashboard` makes another")
        .into()
}

fn recognise(control: &Control, presented: &str) -> Result<Arc<Key>, Stranger> {
    let token = PlainToken::parse(presented).ok_or(Stranger::NoneSuch)?;
    control.keyring.admit(token.hash(), Timestamp::now()).map_err(|refused| match refused {
        Refused::Unknown => Stranger::Unknown,
        Refused::Expired => Stranger::Expired,
    })
}

fn turn_away(control: &Control, peer: IpAddr, path: &str, stranger: Stranger) -> ApiError {
    let is_guess = stranger != Stranger::NoToken;
    if is_guess && let Err(wait) = control.doors.wrong_tokens.take(peer) {
        return ApiError::new(ErrorCode::TooManyRequests, "too many wrong tokens came from this address")
            .retry_after(wait);
    }
    let error = match stranger {
        Stranger::NoToken => no_token(),
        Stranger::NoneSuch => unauthorized("the token is mistyped or cut off"),
        Stranger::Unknown => unauthorized("this host does not know the token"),
        Stranger::Expired => unauthorized("the token has expired"),
    };
    control.register.refused(AuditEntry {
        at: Timestamp::now(),
        token: None,
        peer: Some(peer),
        action: AUTHENTICATE,
        project: None,
        resource: Some(path[..path.floor_char_boundary(PATH_KEPT)].to_owned()),
        outcome: AuditOutcome::Refused,
        code: Some(error.code_word()),
    });
    error
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
