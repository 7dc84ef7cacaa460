//! Logging in by a code that somebody approves.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use http::StatusCode;
use jiff::Timestamp;
use ship_api::{
    ApproveLoginRequest, ApprovedLogin, BeginLoginRequest, BegunLogin, CreatedToken, ErrorBody, ErrorCode, ErrorDetail,
    LoginView, WaitLoginRequest, WaitedLogin,
};
use ship_core::{Action, LoginCode, ProjectScope, Scope};
use ship_store::{AuditEntry, AuditNote, AuditOutcome};

use super::extract::{Body, Path};
use super::guard::Noted;
use super::server::Peer;
use super::tokens::{self, Making};
use super::{ApiError, Control, State};
use crate::access::Actor;
use crate::logins::{Asked, Begun, Grant, PATIENCE};
use crate::token::PlainToken;

/// How long one question for the token waits for the approval: shorter than what stands between takes a connection for dead.
const WAIT: Duration = Duration::from_secs(20);

/// Begins a login of a machine that has no token.
#[utoipa::path(post, path = "/v1/logins", request_body = BeginLoginRequest,
    responses((status = 201, body = BegunLogin), (status = 400, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(super) async fn begin(
    axum::extract::State(control): State,
    axum::Extension(Peer(peer)): axum::Extension<Peer>,
    Body(request): Body<BeginLoginRequest>,
) -> Result<(StatusCode, Json<BegunLogin>), ApiError> {
    let too_many = |wait| {
        ApiError::new(ErrorCode::TooManyRequests, "too many logins have begun and were not finished").retry_after(wait)
    };
    control.doors.logins.take(peer).map_err(too_many)?;
    let begun = control.logins.begin(Asked { name: request.name, peer }).map_err(|error| ApiError::internal(&error))?;
    let Begun { code, secret } = begun.ok_or_else(|| too_many(PATIENCE))?;
    let begun = BegunLogin { code, secret: secret.expose_secret().to_owned(), expires_secs: PATIENCE.as_secs() };
    Ok((StatusCode::CREATED, Json(begun)))
}

/// Waits for the approval of a login, for a while. The token is in the first answer after the approval, and in no other.
#[utoipa::path(post, path = "/v1/logins/wait", request_body = WaitLoginRequest,
    responses((status = 200, body = WaitedLogin), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(super) async fn wait(
    axum::extract::State(control): State,
    axum::Extension(Peer(peer)): axum::Extension<Peer>,
    Body(request): Body<WaitLoginRequest>,
) -> Result<Json<WaitedLogin>, ApiError> {
    let gone = || {
        ErrorDetail::new(ErrorCode::NotFound, "the login is over, or there never was one")
            .with_hint("`ship login` begins another")
            .into()
    };
    let secret = PlainToken::parse(&request.secret).map(|secret| secret.hash());
    let Some((secret, mut grant)) = secret.and_then(|secret| Some((secret, control.logins.follow(secret)?))) else {
        control.doors.wrong_tokens.take(peer).map_err(|wait| {
            ApiError::new(ErrorCode::TooManyRequests, "too many wrong secrets came from this address").retry_after(wait)
        })?;
        return Err(gone());
    };
    let approved = tokio::select! {
        heard = tokio::time::timeout(WAIT, grant.wait_for(Option::is_some)) => match heard {
            Ok(approved) => approved.is_ok(),
            Err(_) => return Ok(Json(WaitedLogin { created: None })),
        },
        () = control.closing.door().cancelled() => return Ok(Json(WaitedLogin { created: None })),
    };
    let _change = control.changes.begin().await.map_err(|_moved| gone())?;
    let (asked, grant) = control.logins.take(secret).filter(|_| approved).ok_or_else(gone)?;
    Ok(Json(WaitedLogin { created: Some(make(&control, asked, grant).await?) }))
}

/// Makes the token of an approved login. In the audit log it is made by who approved it, and the peer is the machine that has it.
async fn make(control: &Arc<Control>, asked: Asked, grant: Grant) -> Result<CreatedToken, ApiError> {
    let approver = control.keyring.get(&grant.approved_by);
    // Whoever has lost their token meanwhile lets nobody in any more.
    let approver = approver.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "who approved the login is gone"))?;
    let note = AuditNote::new(AuditEntry {
        at: Timestamp::now(),
        token: Some((approver.token.id.clone(), approver.token.name.clone())),
        peer: Some(asked.peer),
        action: Action::CreateToken.as_str(),
        project: None,
        resource: None,
        outcome: AuditOutcome::Done,
        code: None,
    });
    let Grant { scope, expires_at, approved_by } = grant;
    let making = Making { name: asked.name, scope, expires_at, created_by: approved_by, trust: None };
    tokens::make(control, making, note).await
}

/// Who waits with a code.
#[utoipa::path(get, path = "/v1/logins/{code}", params(("code" = String, Path)),
    responses((status = 200, body = LoginView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn inspect(
    axum::extract::State(control): State,
    Path(code): Path<LoginCode>,
) -> Result<Json<LoginView>, ApiError> {
    let asked = control.logins.asked(code).ok_or_else(|| nobody(code))?;
    Ok(Json(LoginView { code, name: asked.name, peer: asked.peer.to_string() }))
}

/// Lets the machine in that shows a code.
#[utoipa::path(post, path = "/v1/logins/{code}/approve", params(("code" = String, Path)),
    request_body = ApproveLoginRequest,
    responses((status = 200, body = ApprovedLogin), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn approve(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Path(code): Path<LoginCode>,
    Body(request): Body<ApproveLoginRequest>,
) -> Result<Json<ApprovedLogin>, ApiError> {
    let scope = Scope { role: request.role, projects: ProjectScope::from(request.project) };
    let expires_at = tokens::grantable(&actor, &scope, request.expires)?;
    let asked = control.logins.asked(code).ok_or_else(|| nobody(code))?;
    let store = control.store.clone();
    let note = note.of(scope.projects.only().cloned()).about(format!("{} at {}", asked.name, asked.peer));
    // Noted first: what cannot be noted is not approved.
    crate::blocking::blocking(move || store.audit().settle(&note)).await?;
    let project = scope.projects.only().cloned();
    let grant = Grant { scope, expires_at, approved_by: actor.key.token.id.clone() };
    let asked = control.logins.approve(code, grant).ok_or_else(|| nobody(code))?;
    Ok(Json(ApprovedLogin {
        login: LoginView { code, name: asked.name, peer: asked.peer.to_string() },
        role: request.role,
        project,
        expires_at,
    }))
}

fn nobody(code: LoginCode) -> ApiError {
    ErrorDetail::new(ErrorCode::NotFound, format!("nobody waits with the code `{code}`"))
        .with_hint("a code is good for ten minutes and for one login; `ship login` shows another")
        .into()
}
