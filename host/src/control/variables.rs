//! Variables of projects: set, listed without their values, removed, and read where that was allowed when they were set.

use axum::Json;
use jiff::Timestamp;
use ship_api::{
    ErrorBody, ErrorCode, ErrorDetail, ReadableVariable, ReadableVariables, RemovedVariablesView, SetVariableRequest,
    SetVariableView, VariableList, VariableView,
};
use ship_core::{BranchName, ProjectName, VariableKind, VariableName, VariableScope, VariableTarget};
use ship_store::{AuditNote, SealedVariable, Store, VariableChange, VariableRecord};

use super::extract::{Body, Path, Query};
use super::guard::Noted;
use super::{ApiError, State};
use crate::blocking::blocking;
use crate::reads::listed;

/// The variables of a project, without their values.
#[utoipa::path(get, path = "/v1/projects/{project}/env", params(("project" = String, Path)),
    responses((status = 200, body = VariableList), (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    axum::extract::State(control): State,
    Path(project): Path<ProjectName>,
) -> Result<Json<VariableList>, ApiError> {
    let (store, name) = (control.store.clone(), project.clone());
    let records = blocking(move || store.variables().list(&name)).await?;
    Ok(Json(VariableList { project, variables: records.into_iter().map(view).collect() }))
}

/// Sets a variable for some targets. Deployments see it when they are published the next time.
#[utoipa::path(put, path = "/v1/projects/{project}/env/{name}",
    params(("project" = String, Path), ("name" = String, Path)), request_body = SetVariableRequest,
    responses((status = 200, body = SetVariableView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn set(
    axum::extract::State(control): State,
    Path((project, name)): Path<(ProjectName, String)>,
    Noted(note): Noted,
    Body(request): Body<SetVariableRequest>,
) -> Result<Json<SetVariableView>, ApiError> {
    let name = parse_name(&name)?;
    let scopes = scopes(&request.targets, request.branch.as_ref())?;
    let store = control.store.clone();
    let set = blocking(move || {
        let (value, kind) = (&request.value, request.kind);
        let change =
            VariableChange { project: &project, name: &name, scopes: &scopes, kind, value, at: Timestamp::now() };
        let records = store.variables().noting(note.about(what(&name, kind, &scopes))).set(&change)?;
        Ok::<_, ApiError>(SetVariableView { set: records.into_iter().map(view).collect(), project })
    });
    Ok(Json(set.await?))
}

/// Which of a variable is removed.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// The targets, with commas between them; all if absent.
    targets: Option<String>,
    /// Of previews, only what is set for this branch.
    #[param(value_type = Option<String>)]
    branch: Option<BranchName>,
}

/// Removes a variable. Deployments that see it keep it until they are published the next time.
#[utoipa::path(delete, path = "/v1/projects/{project}/env/{name}",
    params(("project" = String, Path), ("name" = String, Path), RemoveQuery),
    responses((status = 200, body = RemovedVariablesView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn remove(
    axum::extract::State(control): State,
    Path((project, name)): Path<(ProjectName, String)>,
    Noted(note): Noted,
    Query(RemoveQuery { targets, branch }): Query<RemoveQuery>,
) -> Result<Json<RemovedVariablesView>, ApiError> {
    let name = parse_name(&name)?;
    let targets = targets.map(|targets| parse_targets(&targets)).transpose()?;
    let is_meant = move |scope: &VariableScope| {
        targets.as_ref().is_none_or(|targets| targets.contains(&scope.target()))
            && branch.as_ref().is_none_or(|branch| scope.branch() == Some(branch))
    };
    let store = control.store.clone();
    let removed = blocking(move || {
        let variables = store.variables().noting(note.about(name.as_str()));
        let removed = variables.remove(&project, &name, is_meant, Timestamp::now())?;
        if removed.is_empty() {
            let message = format!("`{name}` is not set for that in the project `{project}`");
            let detail = ErrorDetail::new(ErrorCode::NotFound, message);
            return Err(detail.with_hint("`ship env ls` shows what is set").into());
        }
        Ok::<_, ApiError>(RemovedVariablesView { removed: removed.into_iter().map(view).collect(), project })
    });
    Ok(Json(removed.await?))
}

/// What is read.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadQuery {
    /// `production`, `preview` or `development`.
    #[param(value_type = String)]
    target: VariableTarget,
    /// The branch, for previews.
    #[param(value_type = Option<String>)]
    branch: Option<BranchName>,
}

/// The values of a target that may be read: those that were set as plain, and those for development. Each read is recorded.
#[utoipa::path(get, path = "/v1/projects/{project}/readable-env", params(("project" = String, Path), ReadQuery),
    responses((status = 200, body = ReadableVariables), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn readable(
    axum::extract::State(control): State,
    Path(project): Path<ProjectName>,
    Noted(note): Noted,
    Query(ReadQuery { target, branch }): Query<ReadQuery>,
) -> Result<Json<ReadableVariables>, ApiError> {
    blocking(move || read(&control.store, &project, target, branch.as_ref(), &note)).await.map(Json)
}

fn read(
    store: &Store,
    project: &ProjectName,
    target: VariableTarget,
    branch: Option<&BranchName>,
    note: &AuditNote,
) -> Result<ReadableVariables, ApiError> {
    let all = store.variables().effective(project, target, branch)?;
    let (plain, secret): (Vec<SealedVariable>, Vec<SealedVariable>) =
        all.into_iter().partition(|variable| variable.record.kind == VariableKind::Plain);
    let opened = store.variables().open(project, &plain)?;
    match opened.as_slice() {
        [] => note.withdraw(),
        // Noted first: what cannot be noted is not shown.
        opened => store.audit().settle(&note.about(listed(opened.iter().map(|variable| &variable.name))))?,
    }
    let values = opened.into_iter().map(|variable| ReadableVariable { name: variable.name, value: variable.value });
    let secret = secret.into_iter().map(|variable| variable.record.name);
    Ok(ReadableVariables { values: values.collect(), secret: secret.collect() })
}

fn parse_name(text: &str) -> Result<VariableName, ApiError> {
    text.parse().map_err(|error| ApiError::new(ErrorCode::BadRequest, format!("{error}")))
}

fn parse_targets(text: &str) -> Result<Vec<VariableTarget>, ApiError> {
    let parsed = text.split(',').map(str::parse).collect::<Result<Vec<_>, _>>();
    parsed.map_err(|error: ship_core::UnknownVariableTarget| ApiError::new(ErrorCode::BadRequest, error.to_string()))
}

fn scopes(targets: &[VariableTarget], branch: Option<&BranchName>) -> Result<Vec<VariableScope>, ApiError> {
    let mut targets = targets.to_vec();
    targets.sort_unstable();
    targets.dedup();
    if targets.is_empty() {
        return Err(ApiError::new(ErrorCode::BadRequest, "no target is named"));
    }
    let scope = |target| VariableScope::new(target, branch.cloned());
    let scopes = targets.into_iter().map(scope).collect::<Result<_, _>>();
    scopes.map_err(|error| ApiError::new(ErrorCode::BadRequest, error.to_string()))
}

/// What the audit log says of a variable that is set: also for whom, and whether it may be read from now on.
fn what(name: &VariableName, kind: VariableKind, scopes: &[VariableScope]) -> String {
    let scopes = scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match kind {
        VariableKind::Secret => format!("{name} for {scopes}"),
        VariableKind::Plain => format!("{name}, plain, for {scopes}"),
    }
}

fn view(record: VariableRecord) -> VariableView {
    VariableView {
        target: record.scope.target(),
        branch: record.scope.branch().cloned(),
        name: record.name,
        kind: record.kind,
        set_at: record.set_at,
    }
}
