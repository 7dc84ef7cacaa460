//! Who may see the sites of a project: shown and changed.

use axum::Json;
use ship_api::{ErrorBody, ErrorCode, ProtectionRequest, ProtectionView};
use ship_core::ProjectName;
use ship_store::ProtectionRecord;

use super::extract::{Body, Path};
use super::guard::Noted;
use super::{ApiError, State};
use crate::blocking::blocking;
use crate::protection::{self, BypassChange, MIN_PASSWORD_CHARS, ProtectionChange, ProtectionError};

/// The most characters of a password: hashing takes as long as it is.
const MAX_PASSWORD_CHARS: usize = 1024;

/// Who may see the sites of a project.
#[utoipa::path(get, path = "/v1/projects/{project}/protection", params(("project" = String, Path)),
    responses((status = 200, body = ProtectionView), (status = 401, body = ErrorBody)))]
pub(super) async fn show(
    axum::extract::State(control): State,
    Path(project): Path<ProjectName>,
) -> Result<Json<ProtectionView>, ApiError> {
    let record = control.protections.gate(&project).record();
    Ok(Json(match record {
        Some(record) => view(project, &record, None),
        None => ProtectionView {
            project,
            mode: ship_core::ProtectionMode::default(),
            coverage: ship_core::ProtectionCoverage::default(),
            bypass_secret: None,
            changed_at: None,
        },
    }))
}

/// Changes who may see the sites of a project, from the next request on.
#[utoipa::path(put, path = "/v1/projects/{project}/protection", params(("project" = String, Path)),
    request_body = ProtectionRequest,
    responses((status = 200, body = ProtectionView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn set(
    axum::extract::State(control): State,
    Path(project): Path<ProjectName>,
    Noted(note): Noted,
    Body(request): Body<ProtectionRequest>,
) -> Result<Json<ProtectionView>, ApiError> {
    let ProtectionRequest { mode, coverage, password, rotate_bypass } = request;
    let chars = password.as_ref().map(|password| password.chars().count());
    if chars.is_some_and(|chars| !(MIN_PASSWORD_CHARS..=MAX_PASSWORD_CHARS).contains(&chars)) {
        let message = format!("a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters");
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    let bypass = if rotate_bypass { BypassChange::Rotate } else { BypassChange::Keep };
    let protections = control.protections.clone();
    let changed = blocking(move || {
        let password = password.map(|password| protection::hash(&password)).transpose()?;
        let change = ProtectionChange { mode, coverage, password, bypass };
        let (record, secret) = protections.change(&project, change, &note)?;
        Ok::<_, ApiError>(view(project, &record, secret))
    });
    changed.await.map(Json)
}

fn view(project: ProjectName, record: &ProtectionRecord, bypass_secret: Option<String>) -> ProtectionView {
    ProtectionView {
        project,
        mode: record.mode,
        coverage: record.coverage,
        bypass_secret,
        changed_at: Some(record.changed_at),
    }
}

impl From<ProtectionError> for ApiError {
    fn from(error: ProtectionError) -> Self {
        match error {
            ProtectionError::State(error) => error.into(),
            ProtectionError::Random(error) => error.into(),
            ProtectionError::NoPassword => Self::new(ErrorCode::BadRequest, error.to_string()),
        }
    }
}
