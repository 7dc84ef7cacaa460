//! Projects: listed, removed, and where their production leads.

use axum::Json;
use ship_api::{
    AliasMoveView, ErrorBody, ErrorCode, ProjectList, ProjectView, PromoteRequest, RemovedView, RollbackRequest,
};
use ship_core::{HostLabel, ProjectName};
use ship_store::DeploymentRecord;

use super::extract::{Body, Path};
use super::guard::Noted;
use super::{ApiError, State, deployments, views};
use crate::access::Actor;
use crate::blocking::blocking;

/// The projects of the host.
#[utoipa::path(get, path = "/v1/projects", responses((status = 200, body = ProjectList), (status = 401, body = ErrorBody)))]
pub(super) async fn list(axum::extract::State(control): State, actor: Actor) -> Result<Json<ProjectList>, ApiError> {
    let store = control.store.clone();
    let projects = blocking(move || store.deployments().projects()).await?;
    let view = |project: ship_store::ProjectSummary| ProjectView {
        url: control.urls.of(&HostLabel::production(&project.name)),
        name: project.name,
        production: project.production,
        deployments: project.deployments,
        updated_at: project.updated_at,
    };
    let own = projects.into_iter().filter(|project| actor.projects().holds(&project.name));
    Ok(Json(ProjectList { projects: own.map(view).collect() }))
}

/// Removes a project with all its deployments.
#[utoipa::path(delete, path = "/v1/projects/{project}", params(("project" = String, Path)),
    responses((status = 200, body = RemovedView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn remove(
    axum::extract::State(control): State,
    Noted(note): Noted,
    Path(project): Path<ProjectName>,
) -> Result<Json<RemovedView>, ApiError> {
    let deployments = control.publisher.remove_project(project.clone(), note).await?;
    Ok(Json(RemovedView { project, deployments }))
}

/// Moves production to a deployment.
#[utoipa::path(post, path = "/v1/projects/{project}/promote", params(("project" = String, Path)),
    request_body = PromoteRequest,
    responses((status = 200, body = AliasMoveView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(super) async fn promote(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Path(project): Path<ProjectName>,
    Body(request): Body<PromoteRequest>,
) -> Result<Json<AliasMoveView>, ApiError> {
    let record = of_project(deployments::find(&control, actor.projects(), request.deployment).await?, &project)?;
    let moved = control.publisher.promote(project, record.id, (request.check, request.expected), note).await?;
    Ok(Json(views::alias_move(&moved, &control.urls)))
}

/// Moves production back: to the deployment before the current one, or to the one named.
#[utoipa::path(post, path = "/v1/projects/{project}/rollback", params(("project" = String, Path)),
    request_body = RollbackRequest,
    responses((status = 200, body = AliasMoveView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(super) async fn rollback(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Path(project): Path<ProjectName>,
    Body(request): Body<RollbackRequest>,
) -> Result<Json<AliasMoveView>, ApiError> {
    let to = match request.deployment {
        Some(reference) => {
            Some(of_project(deployments::find(&control, actor.projects(), reference).await?, &project)?.id)
        }
        None => None,
    };
    let moved = control.publisher.roll_back(project, to, (request.check, request.expected), note).await?;
    Ok(Json(views::alias_move(&moved, &control.urls)))
}

fn of_project(record: DeploymentRecord, project: &ProjectName) -> Result<DeploymentRecord, ApiError> {
    if record.project == *project {
        return Ok(record);
    }
    let message =
        format!("the project `{project}` has no deployment `{}`: it belongs to `{}`", record.id, record.project);
    Err(ApiError::new(ErrorCode::NotFound, message))
}
