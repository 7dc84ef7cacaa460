//! Trusts: which jobs of continuous integration get a token without a secret; declared, listed and removed.

use std::sync::Arc;

use axum::Json;
use http::StatusCode;
use jiff::Timestamp;
use ship_api::{AddTrustRequest, ErrorBody, ErrorCode, ErrorDetail, RemovedTrust, TrustList, TrustView};
use ship_core::{ConditionsError, Issuer, JobConditions, Lifetime, ProjectScope, Scope, TrustId};
use ship_store::{TrustError, TrustRecord};

use super::extract::{Body, Path};
use super::guard::Noted;
use super::tokens::{as_kept, covered};
use super::{ApiError, Control, State};
use crate::access::Actor;
use crate::blocking::blocking;
use crate::token::new_token_id;

/// The domain of a host that is somebody's own machine.
const LOCAL_DOMAIN: &str = "localhost";

/// The trusts that are good for no more than the token that asks.
#[utoipa::path(get, path = "/v1/trusts", responses((status = 200, body = TrustList), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub(super) async fn list(axum::extract::State(control): State, actor: Actor) -> Result<Json<TrustList>, ApiError> {
    let store = control.store.clone();
    let trusts = blocking(move || store.trusts().all()).await?;
    let own = trusts.iter().filter(|trust| actor.scope().covers(&scope(trust)));
    Ok(Json(TrustList { trusts: own.map(|trust| view(&control, trust)).collect() }))
}

/// Trusts jobs that an issuer vouches for. They get no more than the token has that says so, and for no longer.
#[utoipa::path(post, path = "/v1/trusts", request_body = AddTrustRequest,
    responses((status = 201, body = TrustView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub(super) async fn add(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Body(request): Body<AddTrustRequest>,
) -> Result<(StatusCode, Json<TrustView>), ApiError> {
    let trust = declared(&control, &actor, request)?;
    covered(&actor, &scope(&trust))?;
    let what = format!("{} as {}", trust.id, trust.role);
    let note = note.of(Some(trust.project.clone())).about(what);
    let (store, added) = (control.store.clone(), trust.clone());
    blocking(move || store.trusts().noting(note).add(&added)).await?;
    Ok((StatusCode::CREATED, Json(view(&control, &trust))))
}

fn declared(control: &Control, actor: &Actor, request: AddTrustRequest) -> Result<TrustRecord, ApiError> {
    let AddTrustRequest { issuer, subject, repository, branch, environment, role, project, lifetime } = request;
    askable(control, actor, &issuer)?;
    let conditions = JobConditions { subject, repository, branch, environment };
    conditions.check(&issuer)?;
    let lifetime = lifetime.unwrap_or(Lifetime::OF_JOB);
    if lifetime > Lifetime::LONGEST_OF_JOB {
        let message = format!("the token of a job lives for {} at the most", Lifetime::LONGEST_OF_JOB);
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    Ok(TrustRecord {
        id: new_token_id().map_err(|error| ApiError::internal(&error))?.into(),
        issuer,
        conditions,
        role,
        project,
        lifetime,
        created_at: as_kept(Timestamp::now()),
        created_by: actor.key.token.id.clone(),
        expires_at: actor.key.token.expires_at,
    })
}

/// Whether the host may be made to ask an issuer for its keys. Whoever has to do with one project alone sends it nowhere but to the
/// public ones.
fn askable(control: &Control, actor: &Actor, issuer: &Issuer) -> Result<(), ApiError> {
    if issuer.is_plain() && control.urls.domain() != LOCAL_DOMAIN {
        let message =
            format!("`{issuer}` is asked for its keys without TLS, which only a host of `{LOCAL_DOMAIN}` does");
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    if !issuer.is_well_known() && actor.projects().only().is_some() {
        let message = "an issuer other than `github` and `gitlab` takes a token for all projects";
        return Err(ApiError::new(ErrorCode::Forbidden, message));
    }
    Ok(())
}

/// Trusts jobs no longer. From this answer on the tokens that they have open nothing.
#[utoipa::path(delete, path = "/v1/trusts/{id}", params(("id" = String, Path)),
    responses((status = 200, body = RemovedTrust), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn remove(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Path(id): Path<TrustId>,
) -> Result<Json<RemovedTrust>, ApiError> {
    let shared = Arc::clone(&control);
    let removed = blocking(move || {
        let trusts = shared.store.trusts();
        let trust = trusts.all()?.into_iter().find(|trust| trust.id == id);
        let trust = trust.filter(|trust| actor.scope().covers(&scope(trust))).ok_or_else(|| unknown(&id))?;
        let note = note.of(Some(trust.project)).about(id.as_str());
        // A token that is made at the same time is either made before, and ended here, or not made.
        let _turn = shared.exchanging();
        let tokens = trusts.noting(note).remove(&id)?.ok_or_else(|| unknown(&id))?;
        for token in &tokens {
            shared.keyring.remove(token);
        }
        Ok::<_, ApiError>(RemovedTrust { id, tokens })
    });
    Ok(Json(removed.await?))
}

fn unknown(id: &TrustId) -> ApiError {
    ErrorDetail::new(ErrorCode::NotFound, format!("the host has no trust `{id}`"))
        .with_hint("`ship tokens trust ls` shows those there are")
        .into()
}

/// What the tokens of a trust are good for.
pub(super) fn scope(trust: &TrustRecord) -> Scope {
    Scope { role: trust.role, projects: ProjectScope::One(trust.project.clone()) }
}

fn view(control: &Control, trust: &TrustRecord) -> TrustView {
    let JobConditions { subject, repository, branch, environment } = trust.conditions.clone();
    TrustView {
        id: trust.id.clone(),
        issuer: trust.issuer.clone(),
        audience: control.identities.audience().to_owned(),
        subject,
        repository,
        branch,
        environment,
        role: trust.role,
        project: trust.project.clone(),
        lifetime: trust.lifetime,
        created_at: trust.created_at,
        created_by: trust.created_by.clone(),
        expires_at: trust.expires_at,
    }
}

impl From<ConditionsError> for ApiError {
    fn from(error: ConditionsError) -> Self {
        ErrorDetail::new(ErrorCode::BadRequest, error.to_string())
            .with_hint("name the repository: `--repository OWNER/NAME`")
            .into()
    }
}

impl From<TrustError> for ApiError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::State(error) => error.into(),
            TrustError::TooMany => Self::new(ErrorCode::BadRequest, error.to_string()),
        }
    }
}
