//! The dashboard: what a person sees of a host in a browser, and does there.
//!
//! It is a client of the control API that lives in the same process. Each number on its pages was asked of a route of the API, and each
//! change made through one, by [`seat::Seat`], as the token that the visitor's session is as good as. So who may see or do what is decided
//! where it is decided for everybody, and no page can show more than a script could ask for. It holds no state but who is logged in.
//!
//! Pages are whole without a script: links and forms do everything. The modules in `assets/` keep an open page up to date.

mod address;
mod api;
mod assets;
mod audit;
mod charts;
mod deployments;
mod devices;
mod doorman;
mod entries;
mod failure;
mod forms;
mod logs;
mod origin;
mod projects;
mod seat;
mod session;
mod settings;
mod shield;
mod templates;
mod text;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::Method;
use ship_api::{ErrorCode, ErrorDetail};

use self::api::Api;
use self::doorman::Doorman;
pub(crate) use self::entries::{Entries, PATIENCE};
use self::seat::seat_of;
use crate::control::Control;

/// What the pages share.
pub(crate) struct Dashboard {
    api: Api,
    doorman: Doorman,
}

/// The state that each page gets.
type State = axum::extract::State<Arc<Dashboard>>;

impl Dashboard {
    /// A dashboard over the routes of the API behind the question who asks.
    pub(crate) fn new(control: &Arc<Control>, api: Router) -> Arc<Self> {
        Arc::new(Self { api: Api::new(api), doorman: Doorman::new(Arc::clone(control)) })
    }
}

/// Answers with a page where somebody who is logged in asks for one that there is not. Whatever else has no route is the API's.
pub(crate) async fn no_such_page(dashboard: State, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let is_page = parts.method == Method::GET && !parts.uri.path().starts_with("/v1/");
    let seat = if is_page { seat_of(&dashboard, &parts).await } else { None };
    let Some(seat) = seat else { return next.run(Request::from_parts(parts, body)).await };
    let message = format!("there is no page `{}`", parts.uri.path());
    let mut answer = seat.failure(&ErrorDetail::new(ErrorCode::NotFound, message)).into_response();
    shield::protect(&mut answer);
    answer
}

/// The pages.
pub(crate) fn router(dashboard: Arc<Dashboard>) -> Router {
    let project = Router::new()
        .route("/projects/{project}", get(deployments::list))
        .route("/projects/{project}/logs", get(logs::show))
        .route("/projects/{project}/logs/live", get(logs::live))
        .route("/projects/{project}/metrics", get(charts::of_project))
        .route("/projects/{project}/settings", get(settings::show))
        .route("/projects/{project}/promote", post(projects::promote))
        .route("/projects/{project}/rollback", get(projects::confirm_rollback).post(projects::roll_back))
        .route("/projects/{project}/deployments/{id}", get(deployments::show))
        .route("/projects/{project}/deployments/{id}/promote", get(projects::confirm_promote))
        .route(
            "/projects/{project}/deployments/{id}/remove",
            get(deployments::confirm_removal).post(deployments::remove),
        );
    Router::new()
        .route("/", get(projects::list))
        .route("/login", get(session::form).post(session::log_in))
        .route("/enter", get(session::enter))
        .route("/logout", post(session::log_out))
        .route("/host", get(charts::of_host))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}/remove", get(tokens::confirm_removal).post(tokens::remove))
        .route("/device", get(devices::show).post(devices::approve))
        .route("/audit", get(audit::list))
        .merge(project)
        .layer(axum::middleware::from_fn(origin::require_own))
        .route("/assets/{version}/{name}", get(assets::serve))
        .layer(axum::middleware::from_fn(shield::harden))
        .with_state(dashboard)
}
