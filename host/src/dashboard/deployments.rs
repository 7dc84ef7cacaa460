//! The deployments of a project, and each by itself.

mod build_log;

use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use minijinja::context;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ship_api::{BuildView, ChangesView, DeploymentDetail, DeploymentList, RemovedView};
use ship_core::{DeploymentId, ProjectName};

use self::build_log::BuildLines;
use super::address::{Path, Query};
use super::charts::{SHOWN, Sizes};
use super::failure::Failure;
use super::forms::{Agreed, Posted};
use super::projects;
use super::seat::Seat;
use super::templates::data;

/// How many deployments stand on a page: some 20 kB.
const ON_A_PAGE: usize = 25;

/// Which of them.
#[derive(serde::Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    text: String,
    #[serde(default)]
    older_than: Option<DeploymentId>,
}

/// The deployments of a project, newest first.
pub(super) async fn list(
    seat: Seat,
    Path(name): Path<ProjectName>,
    Query(ListQuery { text, older_than }): Query<ListQuery>,
) -> Result<Response, Failure> {
    let project = projects::one(&seat, &name).await?;
    let searched = utf8_percent_encode(text.trim(), NON_ALPHANUMERIC).to_string();
    let older = older_than.map(|id| format!("&older_than={id}")).unwrap_or_default();
    // One more than fits tells whether there are more.
    let limit = ON_A_PAGE + 1;
    let path = format!("/v1/deployments?project={name}&limit={limit}&changes=true&text={searched}{older}");
    let mut listed = seat.get::<DeploymentList>(&path).await?.deployments;
    let has_more = listed.len() > ON_A_PAGE;
    listed.truncate(ON_A_PAGE);
    let last = listed.last().filter(|_| has_more).map(|last| last.deployment.id.to_string());
    let is_first = older_than.is_none();
    let sizes = if is_first && text.trim().is_empty() { sizes(&seat, &name).await? } else { None };
    Ok(seat.page(
        "deployments.html",
        context! {
            project => data(&project),
            deployments => data(&listed),
            sizes => data(&sizes),
            text => text.trim(), searched, last, is_first,
        },
    ))
}

/// How large the newest deployments are.
async fn sizes(seat: &Seat, name: &ProjectName) -> Result<Option<Sizes>, Failure> {
    let newest: DeploymentList = seat.get(&format!("/v1/deployments?project={name}&limit={SHOWN}")).await?;
    Ok(Sizes::of(&newest.deployments))
}

/// One deployment with what it holds.
pub(super) async fn show(seat: Seat, Path((name, id)): Path<(ProjectName, DeploymentId)>) -> Result<Response, Failure> {
    let project = projects::one(&seat, &name).await?;
    let detail: DeploymentDetail = seat.get(&format!("/v1/deployments/{id}")).await?;
    let changes: ChangesView = seat.get(&format!("/v1/deployments/{id}/changes")).await?;
    let build: BuildView = seat.get(&format!("/v1/deployments/{id}/build")).await?;
    let routes = serde_json::to_value(&detail.routes).unwrap_or_default();
    let routes: Vec<String> = routes.as_array().into_iter().flatten().map(ToString::to_string).collect();
    Ok(seat.page(
        "deployment.html",
        context! {
            project => data(&project),
            detail => data(&detail),
            changes => data(&changes),
            routes,
            route_count => detail.routes.len(),
            build => data(&build.log.as_ref().map(BuildLines::of)),
        },
    ))
}

/// Asks whether a deployment is to be removed.
pub(super) async fn confirm_removal(
    seat: Seat,
    Path((name, id)): Path<(ProjectName, DeploymentId)>,
) -> Result<Response, Failure> {
    let project = projects::one(&seat, &name).await?;
    let detail: DeploymentDetail = seat.get(&format!("/v1/deployments/{id}")).await?;
    Ok(seat.page(
        "confirm.html",
        context! {
            kind => "remove",
            project => data(&project),
            deployment => data(&detail),
            action => format!("/projects/{name}/deployments/{id}/remove"),
            back => format!("/projects/{name}/deployments/{id}"),
        },
    ))
}

/// Removes a deployment.
pub(super) async fn remove(
    Path((name, id)): Path<(ProjectName, DeploymentId)>,
    Posted { seat, form: Agreed {} }: Posted<Agreed>,
) -> Result<Response, Failure> {
    let _: RemovedView = seat.send(Method::DELETE, &format!("/v1/deployments/{id}"), &()).await?;
    Ok(Redirect::to(&format!("/projects/{name}")).into_response())
}
