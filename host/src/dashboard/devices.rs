//! Machines that log in by a code: somebody who may types the code, sees whose it is, and approves it.

use axum::response::IntoResponse as _;
use axum::response::Response;
use http::{Method, StatusCode};
use minijinja::context;
use ship_api::{ApproveLoginRequest, ApprovedLogin, LoginView, ProjectList};
use ship_core::{Lifetime, LoginCode, ProjectName, Role};

use super::address::Query;
use super::failure::Failure;
use super::forms::{Posted, filled};
use super::seat::Seat;
use super::templates::data;

/// The code that somebody typed.
#[derive(serde::Deserialize)]
pub(super) struct CodeQuery {
    #[serde(default)]
    code: String,
}

/// The page that asks for a code, and says who waits with it.
pub(super) async fn show(seat: Seat, Query(CodeQuery { code }): Query<CodeQuery>) -> Result<Response, Failure> {
    let typed = code.trim().to_ascii_uppercase();
    if typed.is_empty() {
        return Ok(seat.page("device.html", context! {}));
    }
    let Ok(code) = typed.parse::<LoginCode>() else {
        let page = seat.page("device.html", context! { typed, is_none => true });
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    };
    let projects: ProjectList = seat.get("/v1/projects").await?;
    let values = context! { typed, projects => data(&projects.projects) };
    match seat.ask::<LoginView>(Method::GET, &format!("/v1/logins/{code}"), &()).await {
        Ok(login) => Ok(seat.page("device.html", context! { login => data(&login), ..values })),
        Err(error) => {
            let page = seat.page("device.html", context! { error => data(&error), ..values });
            Ok((StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::NOT_FOUND), page).into_response())
        }
    }
}

/// What the form sends that approves.
#[derive(serde::Deserialize)]
pub(super) struct Approval {
    code: LoginCode,
    role: Role,
    #[serde(default, deserialize_with = "filled")]
    project: Option<ProjectName>,
    #[serde(default, deserialize_with = "filled")]
    expires: Option<Lifetime>,
}

/// Lets the machine in.
pub(super) async fn approve(Posted { seat, form }: Posted<Approval>) -> Result<Response, Failure> {
    let Approval { code, role, project, expires } = form;
    let request = ApproveLoginRequest { role, project, expires };
    let approved: ApprovedLogin = seat.send(Method::POST, &format!("/v1/logins/{code}/approve"), &request).await?;
    Ok(seat.page("device.html", context! { approved => data(&approved) }))
}
