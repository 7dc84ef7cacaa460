//! The projects, and where their production leads.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::{Method, StatusCode};
use minijinja::{Value, context};
use ship_api::{
    AliasMoveView, CheckFunctions, DeploymentDetail, ErrorCode, ErrorDetail, ProjectList, ProjectView, PromoteRequest,
    RollbackRequest,
};
use ship_core::{DeploymentId, ProjectName};

use super::address::{Path, Query};
use super::failure::Failure;
use super::forms::Posted;
use super::seat::Seat;
use super::templates::data;

/// How many projects stand on a page: some 40 kB.
const ON_A_PAGE: usize = 100;

/// Which projects are looked for.
#[derive(serde::Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    text: String,
}

/// The projects, those that were published to last first.
pub(super) async fn list(seat: Seat, Query(ListQuery { text }): Query<ListQuery>) -> Result<Response, Failure> {
    let mut projects = seat.get::<ProjectList>("/v1/projects").await?.projects;
    let (total, text) = (projects.len(), text.trim().to_ascii_lowercase());
    projects.retain(|project| project.name.as_str().contains(&text));
    projects.sort_by_key(|project| std::cmp::Reverse(project.updated_at));
    projects.truncate(ON_A_PAGE);
    Ok(seat.page("projects.html", context! { projects => data(&projects), total, text }))
}

/// One of them.
pub(super) async fn one(seat: &Seat, name: &ProjectName) -> Result<ProjectView, Failure> {
    let list: ProjectList = seat.get("/v1/projects").await?;
    let found = list.projects.into_iter().find(|project| project.name == *name);
    found.ok_or_else(|| {
        seat.failure(&ErrorDetail::new(ErrorCode::NotFound, format!("the host has no project `{name}`")))
    })
}

/// Asks whether production is to lead to a deployment.
pub(super) async fn confirm_promote(
    seat: Seat,
    Path((project, id)): Path<(ProjectName, DeploymentId)>,
) -> Result<Response, Failure> {
    let project = one(&seat, &project).await?;
    let detail: DeploymentDetail = seat.get(&format!("/v1/deployments/{id}")).await?;
    Ok(seat.page("confirm.html", asking_to_promote(&project, &detail)))
}

fn asking_to_promote(project: &ProjectView, detail: &DeploymentDetail) -> Value {
    context! {
        kind => "promote",
        project => data(project),
        deployment => data(detail),
        action => format!("/projects/{}/promote", project.name),
        back => format!("/projects/{}", project.name),
    }
}

/// What a form that moves production sends.
#[derive(serde::Deserialize)]
pub(super) struct Move {
    /// Where to; for a rollback the deployment before the current one if absent.
    #[serde(default)]
    deployment: Option<DeploymentId>,
    /// Where production led when the page was made.
    #[serde(default)]
    expected: Option<DeploymentId>,
}

/// Moves production to a deployment, if it still leads where the page said.
pub(super) async fn promote(
    Path(project): Path<ProjectName>,
    Posted { seat, form }: Posted<Move>,
) -> Result<Response, Failure> {
    let Some(id) = form.deployment else {
        return Err(seat.failure(&ErrorDetail::new(ErrorCode::BadRequest, "the form names no deployment")));
    };
    let request = PromoteRequest { deployment: id.to_string(), check: CheckFunctions::Start, expected: form.expected };
    let path = format!("/v1/projects/{project}/promote");
    match seat.ask::<AliasMoveView>(Method::POST, &path, &request).await {
        Ok(_) => Ok(Redirect::to(&format!("/projects/{project}")).into_response()),
        Err(error) if error.code == ErrorCode::ProductionMoved => {
            let project = one(&seat, &project).await?;
            let detail: DeploymentDetail = seat.get(&format!("/v1/deployments/{id}")).await?;
            let page = seat.page("confirm.html", context! { moved => true, ..asking_to_promote(&project, &detail) });
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(error) => Err(seat.failure(&error)),
    }
}

/// Asks whether production is to go back.
pub(super) async fn confirm_rollback(seat: Seat, Path(project): Path<ProjectName>) -> Result<Response, Failure> {
    let project = one(&seat, &project).await?;
    Ok(seat.page("confirm.html", asking_to_roll_back(&project)))
}

fn asking_to_roll_back(project: &ProjectView) -> Value {
    context! {
        kind => "rollback",
        project => data(project),
        action => format!("/projects/{}/rollback", project.name),
        back => format!("/projects/{}", project.name),
    }
}

/// Moves production back to what it was before, if it still leads where the page said.
pub(super) async fn roll_back(
    Path(project): Path<ProjectName>,
    Posted { seat, form }: Posted<Move>,
) -> Result<Response, Failure> {
    let (deployment, expected) = (form.deployment.map(|id| id.to_string()), form.expected);
    let request = RollbackRequest { deployment, check: CheckFunctions::Start, expected };
    let path = format!("/v1/projects/{project}/rollback");
    match seat.ask::<AliasMoveView>(Method::POST, &path, &request).await {
        Ok(_) => Ok(Redirect::to(&format!("/projects/{project}")).into_response()),
        Err(error) if error.code == ErrorCode::ProductionMoved => {
            let project = one(&seat, &project).await?;
            let page = seat.page("confirm.html", context! { moved => true, ..asking_to_roll_back(&project) });
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(error) => Err(seat.failure(&error)),
    }
}
