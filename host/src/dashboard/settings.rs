//! What a project has besides its deployments: the names of the world that lead to it, and the names of its variables.

use axum::response::Response;
use minijinja::context;
use ship_api::{DomainList, ProtectionView, VariableList};
use ship_core::ProjectName;

use super::address::Path;
use super::failure::Failure;
use super::projects;
use super::seat::Seat;
use super::templates::data;

/// Domains, variables without their values, and who may see the project's sites.
pub(super) async fn show(seat: Seat, Path(name): Path<ProjectName>) -> Result<Response, Failure> {
    let project = projects::one(&seat, &name).await?;
    let domains: DomainList = seat.get(&format!("/v1/domains?project={name}")).await?;
    let variables: VariableList = seat.get(&format!("/v1/projects/{name}/env")).await?;
    let protection: ProtectionView = seat.get(&format!("/v1/projects/{name}/protection")).await?;
    Ok(seat.page(
        "settings.html",
        context! {
            project => data(&project),
            domains => data(&domains.domains),
            variables => data(&variables.variables),
            protection => data(&protection),
        },
    ))
}
