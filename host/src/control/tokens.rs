//! Tokens: who one is, which there are, made and removed.

use std::sync::Arc;

use axum::Json;
use http::StatusCode;
use jiff::Timestamp;
use ship_api::{
    CreateTokenRequest, CreatedToken, ErrorBody, ErrorCode, ErrorDetail, RemovedToken, TokenList, TokenView, WhoAmI,
};
use ship_core::{Lifetime, Scope, TokenId, TokenName, TrustId};
use ship_store::{AuditNote, TokenRecord};

use super::extract::{Body, Path};
use super::guard::Noted;
use super::{ApiError, Control, State};
use crate::access::Actor;
use crate::blocking::blocking;
use crate::keyring::Key;
use crate::token::{PlainToken, new_token_id};

/// Who the token is that asks.
#[utoipa::path(get, path = "/v1/whoami", responses((status = 200, body = WhoAmI), (status = 401, body = ErrorBody)))]
pub(super) async fn whoami(axum::extract::State(control): State, actor: Actor) -> Json<WhoAmI> {
    Json(WhoAmI { token: view(&actor.key), domain: control.urls.domain().to_owned() })
}

/// The tokens that are good for no more than the one that asks. The tokens themselves are nowhere.
#[utoipa::path(get, path = "/v1/tokens", responses((status = 200, body = TokenList), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub(super) async fn list(axum::extract::State(control): State, actor: Actor) -> Json<TokenList> {
    let keys = control.keyring.all();
    let own = keys.iter().filter(|key| actor.scope().covers(&key.token.scope));
    Json(TokenList { tokens: own.map(|key| view(key)).collect() })
}

/// Makes a token. This answer is the only place where it ever stands.
#[utoipa::path(post, path = "/v1/tokens", request_body = CreateTokenRequest,
    responses((status = 201, body = CreatedToken), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub(super) async fn create(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Body(request): Body<CreateTokenRequest>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let scope = Scope { role: request.role, projects: request.project.into() };
    let expires_at = grantable(&actor, &scope, request.expires)?;
    let created_by = actor.key.token.id.clone();
    let making = Making { name: request.name, scope, expires_at, created_by, trust: None };
    Ok((StatusCode::CREATED, Json(make(&control, making, note).await?)))
}

/// Until when somebody can give a token of this scope to somebody else, or why they cannot. What is given ends with what it was given
/// from.
pub(super) fn grantable(actor: &Actor, scope: &Scope, wanted: Option<Lifetime>) -> Result<Timestamp, ApiError> {
    covered(actor, scope)?;
    let wanted = wanted.unwrap_or_default().end(Timestamp::now());
    Ok(actor.key.token.expires_at.map_or(wanted, |own_end| own_end.min(wanted)))
}

/// Whether somebody can give a scope to somebody else.
pub(super) fn covered(actor: &Actor, scope: &Scope) -> Result<(), ApiError> {
    if actor.scope().covers(scope) {
        return Ok(());
    }
    let own = actor.projects().only().map(|project| format!("`--project {project}`"));
    let detail = ErrorDetail::new(ErrorCode::Forbidden, "a token can be good for no more than the one that makes it");
    Err(own.into_iter().fold(detail, ErrorDetail::with_hint).into())
}

/// A token that is to be made.
pub(super) struct Making {
    pub(super) name: TokenName,
    pub(super) scope: Scope,
    pub(super) expires_at: Timestamp,
    pub(super) created_by: TokenId,
    /// The trust that a job gets it for.
    pub(super) trust: Option<TrustId>,
}

/// Makes a token: in the database with its note first, then in memory.
pub(super) async fn make(control: &Control, making: Making, note: AuditNote) -> Result<CreatedToken, ApiError> {
    let (token, record) = draw(making)?;
    let what = format!("{} as {}", record.id, record.scope.role);
    let note = note.of(record.scope.projects.only().cloned()).about(what);
    let (store, keyring, added) = (control.store.clone(), Arc::clone(&control.keyring), record.clone());
    blocking(move || {
        store.tokens().noting(note).add(&added)?;
        keyring.add(added);
        Ok::<_, ApiError>(())
    })
    .await?;
    Ok(created(&token, record))
}

/// A new token, and what is kept of it, which nobody knows yet.
pub(super) fn draw(making: Making) -> Result<(PlainToken, TokenRecord), ApiError> {
    let Making { name, scope, expires_at, created_by, trust } = making;
    let token = PlainToken::generate().map_err(|error| ApiError::internal(&error))?;
    let record = TokenRecord {
        id: new_token_id().map_err(|error| ApiError::internal(&error))?,
        hash: token.hash().0,
        name,
        scope,
        created_at: as_kept(Timestamp::now()),
        created_by: Some(created_by),
        trust,
        expires_at: Some(as_kept(expires_at)),
        last_used_at: None,
    };
    Ok((token, record))
}

/// The answer in which a token stands.
pub(super) fn created(token: &PlainToken, record: TokenRecord) -> CreatedToken {
    CreatedToken { token: token.expose_secret().to_owned(), view: view(&Key::new(record)) }
}

/// A time as precise as the store keeps it, so that a token looks the same after the host was started again.
pub(super) fn as_kept(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// Removes a token. From this answer on it opens nothing.
#[utoipa::path(delete, path = "/v1/tokens/{id}", params(("id" = String, Path)),
    responses((status = 200, body = RemovedToken), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn remove(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Path(id): Path<TokenId>,
) -> Result<Json<RemovedToken>, ApiError> {
    let unknown = || {
        ApiError::from(
            ErrorDetail::new(ErrorCode::NotFound, format!("the host has no token `{id}`"))
                .with_hint("`ship tokens ls` shows those there are"),
        )
    };
    let key = control.keyring.get(&id).filter(|key| actor.scope().covers(&key.token.scope)).ok_or_else(unknown)?;
    let note = note.of(key.token.scope.projects.only().cloned()).about(id.as_str());
    let (store, keyring, removed) = (control.store.clone(), Arc::clone(&control.keyring), id.clone());
    blocking(move || {
        store.tokens().noting(note).remove(&removed)?;
        keyring.remove(&removed);
        Ok::<_, ApiError>(())
    })
    .await?;
    Ok(Json(RemovedToken { id }))
}

fn view(key: &Key) -> TokenView {
    let token = &key.token;
    TokenView {
        id: token.id.clone(),
        name: token.name.clone(),
        role: token.scope.role,
        project: token.scope.projects.only().cloned(),
        created_at: token.created_at,
        created_by: token.created_by.clone(),
        trust: token.trust.clone(),
        expires_at: token.expires_at,
        last_used_at: key.last_used_at(),
    }
}
