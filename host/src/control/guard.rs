//! What stands before every route: who asks, what they want to do to what, and whether they may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use ship_api::{ErrorCode, ErrorDetail};
use ship_core::{Action, Effect, ProjectName, ProjectScope};
use ship_store::{AuditEntry, AuditNote, AuditOutcome, DeploymentRecord};

use super::routes::{Of, Rule};
use super::{ApiError, Control, auth, deployments};
use crate::access::{Actor, Denied, Resource, authorize};
use crate::blocking::blocking;

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
            let found = deployments::find(&control, actor.projects(), reference.clone()).await;
            let record = found.inspect_err(|error| {
                let entry = actor.entry(rule.action, None, AuditOutcome::Refused);
                // Who sees everything was refused nothing: there is no such deployment.
                if error.is_not_found() && actor.projects().only().is_some() {
                    let (resource, code) = (Some(reference), Some(error.code_word()));
                    control.register.refused(AuditEntry { resource, code, ..entry });
                }
            })?;
            let resource = Resource::Project(record.project.clone());
            request.extensions_mut().insert(Named(record));
            resource
        }
    };
    let project = match &resource {
        Resource::Project(project) => Some(project.clone()),
        Resource::Host | Resource::Own => None,
    };
    if let Err(denied) = authorize(&actor, rule.action, &resource) {
        let error = refusal(denied, &actor, rule.action, &resource);
        let entry = actor.entry(rule.action, project, AuditOutcome::Refused);
        control.register.refused(AuditEntry { code: Some(error.code_word()), ..entry });
        return Err(error);
    }
    match rule.action.effect() {
        Effect::Reads => Ok(next.run(request).await),
        Effect::Noted => {
            let note = AuditNote::new(actor.entry(rule.action, project, AuditOutcome::Done));
            request.extensions_mut().insert(Noted(note.clone()));
            noted(&control, note, next.run(request).await).await
        }
    }
}

/// The answer of a route that changes something. Where its own transaction has not noted the change, it is noted before anybody
/// hears that it was made.
async fn noted(control: &Control, note: AuditNote, response: Response) -> Result<Response, ApiError> {
    if response.status().is_success() && !note.is_settled() {
        let store = control.store.clone();
        blocking(move || store.audit().settle(&note)).await?;
    }
    Ok(response)
}

fn parameter<'p>(parameters: &'p RawPathParams, name: &str) -> Result<&'p str, ApiError> {
    let found = parameters.iter().find(|(parameter, _)| *parameter == name).map(|(_, value)| value);
    found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("the path names no {name}")))
}

/// What somebody is told who may not. Of what is hidden it says nothing but what was asked for.
fn refusal(denied: Denied, actor: &Actor, action: Action, resource: &Resource) -> ApiError {
    let scope = actor.scope();
    let own = match &scope.projects {
        ProjectScope::All => format!("the token is for all projects, as {}", scope.role),
        ProjectScope::One(project) => format!("the token is for `{project}`, as {}", scope.role),
    };
    let detail = match (denied, resource) {
        (Denied::Hidden, Resource::Project(project)) => {
            ErrorDetail::new(ErrorCode::NotFound, format!("the host has no project `{project}`")).with_hint(own)
        }
        (Denied::Hidden, Resource::Host | Resource::Own) => {
            ErrorDetail::new(ErrorCode::NotFound, "there is no such thing")
        }
        (Denied::Forbidden, Resource::Host) => {
            let message = format!("this takes a token for all projects with the role `{}`", action.least_role());
            ErrorDetail::new(ErrorCode::Forbidden, message).with_hint(own)
        }
        (Denied::Forbidden, Resource::Project(_) | Resource::Own) => {
            let message = format!("this takes a token with at least the role `{}`", action.least_role());
            ErrorDetail::new(ErrorCode::Forbidden, message).with_hint(own)
        }
    };
    detail.into()
}

/// What the audit log is to say if the route changes something.
#[derive(Clone)]
pub(super) struct Noted(pub(super) AuditNote);

impl<S: Send + Sync> FromRequestParts<S> for Noted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(auth::no_token)
    }
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
