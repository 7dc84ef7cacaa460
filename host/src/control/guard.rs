//! What stands before every route: who asks, what they want to do to what, and whether they may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use ship_api::{ErrorCode, ErrorDetail};
use ship_core::{Action, ProjectName, ProjectScope};
use ship_store::DeploymentRecord;

use super::routes::{Of, Rule};
use super::{ApiError, Control, auth, deployments};
use crate::access::{Actor, Denied, Resource, authorize};

/// Lets a request through to its route if whoever asks may do what the route does.
pub(super) async fn guard(
    State((control, rule)): State<(Arc<Control>, Rule)>,
    parameters: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let actor = request.extensions().get::<Actor>().cloned().ok_or_else(auth::no_token)?;
    let resource = match rule.of {
        Of::Host => Resource::Host,
        Of::Own => Resource::Own,
        Of::Project => Resource::Project(parameter(&parameters, "project")?.parse::<ProjectName>()?),
        Of::Deployment => {
            let reference = parameter(&parameters, "reference")?.to_owned();
            let record = deployments::find(&control, actor.projects(), reference).await?;
            let resource = Resource::Project(record.project.clone());
            request.extensions_mut().insert(Named(record));
            resource
        }
    };
    authorize(&actor, rule.action, &resource).map_err(|denied| refusal(denied, &actor, rule.action, &resource))?;
    Ok(next.run(request).await)
}

fn parameter<'p>(parameters: &'p RawPathParams, name: &str) -> Result<&'p str, ApiError> {
    let found = parameters.iter().find(|(parameter, _)| *parameter == name).map(|(_, value)| value);
    found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("the path names no {name}")))
}

/// What somebody is told who may not. Of what is hidden it says nothing but what was asked for.
fn refusal(denied: Denied, actor: &Actor, action: Action, resource: &Resource) -> ApiError {
    let scope = &actor.token.scope;
    let own = match &scope.projects {
        ProjectScope::All => format!("the token is a {}'s", scope.role),
        ProjectScope::One(project) => format!("the token is a {}'s for the project `{project}`", scope.role),
    };
    let detail = match (denied, resource) {
        (Denied::Hidden, Resource::Project(project)) => {
            ErrorDetail::new(ErrorCode::NotFound, format!("the host has no project `{project}`")).with_hint(own)
        }
        (Denied::Hidden, Resource::Host | Resource::Own) => {
            ErrorDetail::new(ErrorCode::NotFound, "there is no such thing")
        }
        (Denied::Forbidden, Resource::Host) => {
            let message = format!("`{action}` takes an {}'s token for all projects", action.least_role());
            ErrorDetail::new(ErrorCode::Forbidden, message).with_hint(own)
        }
        (Denied::Forbidden, Resource::Project(_) | Resource::Own) => {
            let message = format!("`{action}` takes the token of a {} or more", action.least_role());
            ErrorDetail::new(ErrorCode::Forbidden, message).with_hint(own)
        }
    };
    detail.into()
}

/// The deployment that the path names, which whoever asks may see.
#[derive(Clone)]
pub(super) struct Named(pub(super) DeploymentRecord);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let nothing = || ApiError::new(ErrorCode::NotFound, "the path names no deployment");
        parts.extensions.get::<Self>().cloned().ok_or_else(nothing)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(auth::no_token)
    }
}
