//! Names of the world: claimed for a project, proved, given up.

use axum::Json;
use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use ship_api::{DomainList, DomainRequest, DomainView, ErrorBody, ErrorCode, ErrorDetail};
use ship_core::{DomainName, ProjectName};
use ship_store::{Domain, DomainError};

use super::extract::{Body, Path, Query};
use super::guard::Noted;
use super::{ApiError, Control, State};
use crate::access::Actor;
use crate::blocking::blocking;
use crate::domains::ProofError;
use crate::error::HostError;

/// What a proof begins with, so that who finds it in a zone knows what it is for.
const PROOF_PREFIX: &str = "ship-domain-verification=";

/// What names are asked for.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
pub(super) struct DomainQuery {
    /// Of this project alone.
    #[param(value_type = Option<String>)]
    project: Option<ProjectName>,
}

/// The names of a project, or of all.
#[utoipa::path(get, path = "/v1/domains", params(DomainQuery),
    responses((status = 200, body = DomainList), (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    axum::extract::State(control): State,
    actor: Actor,
    Query(query): Query<DomainQuery>,
) -> Result<Json<DomainList>, ApiError> {
    let store = control.store.clone();
    let domains = blocking(move || store.domains().list(query.project.as_ref())).await?;
    let own = domains.iter().filter(|domain| actor.projects().holds(&domain.project));
    Ok(Json(DomainList { domains: own.map(|domain| view(&control, domain)).collect() }))
}

/// Claims a name for a project. It leads nowhere until it is proved.
#[utoipa::path(post, path = "/v1/projects/{project}/domains", params(("project" = String, Path)),
    request_body = DomainRequest,
    responses((status = 200, body = DomainView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn add(
    axum::extract::State(control): State,
    Noted(note): Noted,
    Path(project): Path<ProjectName>,
    Body(request): Body<DomainRequest>,
) -> Result<Json<DomainView>, ApiError> {
    let DomainRequest { name, redirect_to } = request;
    let below = control.urls.domain();
    if name.is_within(below) && name.as_str() != below {
        let message = format!("`{name}` is below the host's own domain, where projects have their names already");
        return Err(ErrorDetail::new(ErrorCode::BadRequest, message).into());
    }
    let (store, proof) = (control.store.clone(), new_proof()?);
    let domains = control.urls.domains().clone();
    let domain = blocking(move || {
        if store.deployments().list(Some(&project), 1)?.is_empty() {
            return Err(ApiError::new(ErrorCode::NotFound, format!("there is no project `{project}`")));
        }
        if let Some(target) = &redirect_to {
            let target = store.domains().get(target, &project)?;
            if target.redirect_to.is_some() || target.name == name {
                let message = format!("`{}` leads elsewhere itself", target.name);
                return Err(ApiError::new(ErrorCode::BadRequest, message));
            }
        }
        let domain = store.domains().noting(note.about(name.as_str())).claim(
            &name,
            &project,
            redirect_to.as_ref(),
            &proof,
            Timestamp::now(),
        )?;
        domains.reload(&store)?;
        Ok::<_, ApiError>(domain)
    });
    Ok(Json(view(&control, &domain.await?)))
}

/// Looks for the proof that a name is whose it is said to be, and serves it from then on.
#[utoipa::path(post, path = "/v1/projects/{project}/domains/{name}/verify",
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = DomainView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(super) async fn verify(
    axum::extract::State(control): State,
    Noted(note): Noted,
    Path((project, name)): Path<(ProjectName, DomainName)>,
) -> Result<Json<DomainView>, ApiError> {
    let store = control.store.clone();
    let known = {
        let (store, project, name) = (store.clone(), project.clone(), name.clone());
        blocking(move || store.domains().get(&name, &project)).await?
    };
    if known.verified_at.is_some() {
        return Ok(Json(view(&control, &known)));
    }
    control.proofs.check(&name, &known.proof).await.map_err(|error| unproved(&known, &error))?;
    let domains = control.urls.domains().clone();
    let domain = blocking(move || {
        let domain = store.domains().noting(note.about(name.as_str())).verified(&name, &project, Timestamp::now())?;
        domains.reload(&store)?;
        Ok::<_, ApiError>(domain)
    });
    let domain = domain.await?;
    control.publisher.map.announce(domain.name.as_str());
    Ok(Json(view(&control, &domain)))
}

/// Gives a name up.
#[utoipa::path(delete, path = "/v1/projects/{project}/domains/{name}",
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = DomainView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn remove(
    axum::extract::State(control): State,
    Noted(note): Noted,
    Path((project, name)): Path<(ProjectName, DomainName)>,
) -> Result<Json<DomainView>, ApiError> {
    let (store, domains) = (control.store.clone(), control.urls.domains().clone());
    let domain = blocking(move || {
        let domain = store.domains().noting(note.about(name.as_str())).release(&name, &project, Timestamp::now())?;
        domains.reload(&store)?;
        Ok::<_, ApiError>(domain)
    });
    Ok(Json(view(&control, &domain.await?)))
}

/// A proof that nobody can guess, made anew for each claim.
fn new_proof() -> Result<String, ApiError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|reason| ApiError::internal(&HostError::Random { reason }))?;
    Ok(format!("{PROOF_PREFIX}{}", BASE32_NOPAD.encode(&random).to_ascii_lowercase()))
}

fn unproved(domain: &Domain, error: &ProofError) -> ApiError {
    let message = format!("`{}` is not proved: {error}", domain.name);
    let hint = format!("set a TXT record at `{}` to `{}`, and ask again", domain.name.proof_name(), domain.proof);
    ErrorDetail::new(ErrorCode::DomainUnproved, message).with_hint(hint).into()
}

fn view(control: &Control, domain: &Domain) -> DomainView {
    let certificate = control.acme.names().remove(domain.name.as_str());
    DomainView {
        url: control.urls.of_name(domain.name.as_str()),
        unicode: domain.name.to_unicode(),
        record: domain.name.proof_name(),
        name: domain.name.clone(),
        project: domain.project.clone(),
        redirect_to: domain.redirect_to.clone(),
        proof: domain.proof.clone(),
        added_at: domain.added_at,
        verified_at: domain.verified_at,
        certificate: certificate.map(|report| super::views::certificate((domain.name.to_string(), report))),
    }
}

impl From<DomainError> for ApiError {
    fn from(error: DomainError) -> Self {
        match &error {
            DomainError::Taken(_) => Self::new(ErrorCode::DomainTaken, error.to_string()),
            DomainError::Resting { .. } => ErrorDetail::new(ErrorCode::DomainTaken, error.to_string())
                .with_hint("what still leads to this host under the name must not become another's site")
                .into(),
            DomainError::Unknown { .. } => ErrorDetail::new(ErrorCode::NotFound, error.to_string())
                .with_hint("`ship domains ls` shows those that there are, `ship domains add NAME` claims one")
                .into(),
            DomainError::LedTo { from, .. } => ErrorDetail::new(ErrorCode::BadRequest, error.to_string())
                .with_hint(format!("give `{from}` up first, or let it lead elsewhere with `ship domains add {from}`"))
                .into(),
            DomainError::State(_) => match error {
                DomainError::State(error) => error.into(),
                other => Self::internal(&other),
            },
        }
    }
}
