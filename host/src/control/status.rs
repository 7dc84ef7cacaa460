//! What the host says about itself, and how it is asked to stop.

use axum::Json;
use http::StatusCode;
use ship_api::{ErrorBody, HostStatus};

use super::{ApiError, State, views};
use crate::blocking::blocking;

/// What the host says about itself.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = HostStatus), (status = 401, body = ErrorBody)))]
pub(super) async fn status(axum::extract::State(control): State) -> Result<Json<HostStatus>, ApiError> {
    let store = control.store.clone();
    let projects = blocking(move || store.deployments().projects()).await?;
    Ok(Json(HostStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        sites: control.urls.listener(),
        control: format!("http://{}", control.own_address),
        domain: control.urls.domain().to_owned(),
        data: control.data.display().to_string(),
        started_at: control.started_at,
        isolation: control.runtime.isolation().await.ok().map(|isolation| isolation.as_str().to_owned()),
        control_groups: control.runtime.control_groups().map(|version| version.as_str().to_owned()),
        projects: projects.len() as u64,
        deployments: projects.iter().map(|project| project.deployments).sum(),
        certificates: control.acme.names().into_iter().map(views::certificate).collect(),
        instances: control.runtime.instances().into_iter().map(views::instance).collect(),
    }))
}

/// Finishes the requests in flight and exits.
#[utoipa::path(post, path = "/v1/shutdown", responses((status = 202), (status = 401, body = ErrorBody)))]
pub(super) async fn shutdown(axum::extract::State(control): State) -> StatusCode {
    control.closing.stop();
    StatusCode::ACCEPTED
}
