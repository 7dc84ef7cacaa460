//! What the host says about itself, and how it is asked to stop.

use axum::Json;
use http::StatusCode;
use ship_api::{ErrorBody, HostStatus, InstanceView};
use ship_store::{StateError, Store};

use super::{ApiError, State, views};
use crate::blocking::blocking;

/// What the host says about itself.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = HostStatus), (status = 401, body = ErrorBody)))]
pub(super) async fn status(axum::extract::State(control): State) -> Result<Json<HostStatus>, ApiError> {
    let store = control.store.clone();
    let running = control.runtime.instances();
    let (projects, instances) = blocking(move || -> Result<_, StateError> {
        let instances = running.into_iter().map(|instance| of_project(instance, &store));
        Ok((store.deployments().projects()?, instances.collect::<Result<Vec<_>, _>>()?))
    })
    .await?;
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
        instances,
    }))
}

/// An instance with the project that it works for.
fn of_project(instance: ship_runtime::InstanceView, store: &Store) -> Result<InstanceView, StateError> {
    let record = store.deployments().get(&instance.deployment)?;
    Ok(InstanceView { project: record.map(|record| record.project), ..views::instance(instance) })
}

/// Finishes the requests in flight and exits.
#[utoipa::path(post, path = "/v1/shutdown", responses((status = 202), (status = 401, body = ErrorBody)))]
pub(super) async fn shutdown(axum::extract::State(control): State) -> StatusCode {
    control.closing.stop();
    StatusCode::ACCEPTED
}
