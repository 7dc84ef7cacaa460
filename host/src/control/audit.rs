//! The audit log, as it is read.

use axum::Json;
use jiff::Timestamp;
use ship_api::{AuditList, AuditView, ErrorBody};
use ship_core::{LogMoment, ProjectName};
use ship_store::{AuditFilter, AuditRecord};

use super::extract::Query;
use super::{ApiError, State};
use crate::access::Actor;
use crate::blocking::blocking;

/// How many entries one answer holds at the most.
const LISTED: usize = 10_000;

/// How many entries an answer holds unless it is asked for more.
const LISTED_BY_DEFAULT: usize = 100;

/// Which entries are wanted.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only those about one project.
    #[param(value_type = Option<String>)]
    project: Option<ProjectName>,
    /// Only those from a time on: `1h` (ago), or RFC 3339.
    #[param(value_type = Option<String>)]
    since: Option<LogMoment>,
    /// How many at the most.
    limit: Option<usize>,
}

/// What was done, and what nobody was let do, newest first. The admin of one project reads what is about that project.
#[utoipa::path(get, path = "/v1/audit", params(AuditQuery),
    responses((status = 200, body = AuditList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub(super) async fn audit(
    axum::extract::State(control): State,
    actor: Actor,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditList>, ApiError> {
    let project = query.project.or_else(|| actor.projects().only().cloned());
    if project.as_ref().is_some_and(|project| !actor.projects().holds(project)) {
        return Ok(Json(AuditList { entries: Vec::new() }));
    }
    let since = query.since.map(|moment| moment.resolve(Timestamp::now()));
    let limit = query.limit.unwrap_or(LISTED_BY_DEFAULT).min(LISTED);
    control.register.catch_up().await;
    let store = control.store.clone();
    let records = blocking(move || store.audit().newest(&AuditFilter { project, since }, limit)).await?;
    Ok(Json(AuditList { entries: records.into_iter().map(view).collect() }))
}

fn view(record: AuditRecord) -> AuditView {
    AuditView {
        at: record.at,
        token: record.token,
        token_name: record.token_name,
        peer: record.peer,
        action: record.action,
        project: record.project,
        resource: record.resource,
        outcome: record.outcome,
        code: record.code,
    }
}
