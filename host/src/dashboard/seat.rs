//! Somebody who is logged in, and all that their pages ask of the host.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ship_api::ErrorDetail;
use ship_core::{Action, Digest, TokenId};

use super::failure::Failure;
use super::templates::{self, data};
use super::{Dashboard, assets};
use crate::access::{Actor, Resource, authorize};
use crate::control::Peer;
use crate::token::PlainToken;

/// The cookie that holds a session's secret. The prefix has browsers keep it for this host name alone, all its paths, and send it
/// through TLS or to this machine only; sites have other host names, and cannot set it.
pub(super) const COOKIE_NAME: &str = "__Host-ship-session";

/// Somebody who is logged in.
pub(super) struct Seat {
    dashboard: Arc<Dashboard>,
    actor: Actor,
    secret: PlainToken,
}

impl Seat {
    /// Reads something of the API.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, &()).await.map_err(|error| self.failure(&error))
    }

    /// Has something done by the API.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.ask(method, path, body).await.map_err(|error| self.failure(&error))
    }

    /// The same for a page that has something else to say where it fails.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ErrorDetail> {
        self.dashboard.api.ask(&self.actor, method, path, body).await
    }

    /// What the API answers to a `GET`, as it comes.
    pub(super) async fn open(&self, path: &str) -> Result<Response, ErrorDetail> {
        self.dashboard.api.open(&self.actor, Method::GET, path, Body::empty()).await
    }

    /// Whether it was taken with this token.
    pub(super) fn is_of(&self, token: &TokenId) -> bool {
        self.actor.key.token.id == *token
    }

    /// A page of a template and what it says.
    pub(super) fn page(&self, template: &str, values: Value) -> Response {
        let token = &self.actor.key.token;
        let may = |action, resource| authorize(&self.actor, action, &resource).is_ok();
        let me = context! {
            name => token.name.to_string(),
            role => token.scope.role.to_string(),
            project => token.scope.projects.only().map(ToString::to_string),
            // What is shown is decided here, what is done by the API alone.
            promotes => may(Action::Promote, Resource::Own),
            removes => may(Action::RemoveDeployment, Resource::Own),
            gives_access => may(Action::CreateToken, Resource::Own),
            audits => may(Action::ReadAudit, Resource::Own),
            keeps_host => may(Action::ReadStatus, Resource::Host),
        };
        templates::page(template, context! { me, proof => self.proof(), assets => assets::base(), ..values })
    }

    /// A page that says what was wrong.
    pub(super) fn failure(&self, error: &ErrorDetail) -> Failure {
        let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let page = self.page("failure.html", context! { error => data(error) });
        Failure::from((status, page).into_response())
    }

    /// What each form of this session shows, so that a form of somebody else is none. Who knows it does not know the secret.
    pub(super) fn proof(&self) -> String {
        proof_of(&self.secret)
    }
}

fn proof_of(secret: &PlainToken) -> String {
    Digest::of(format!("a form of {}", secret.expose_secret()).as_bytes()).to_hex()
}

/// The secret that a browser sends.
pub(super) fn secret_in(headers: &HeaderMap) -> Option<PlainToken> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value);
    values.find_map(PlainToken::parse)
}

/// Who sends a request, if they are logged in.
pub(super) async fn seat_of(dashboard: &Arc<Dashboard>, parts: &Parts) -> Option<Seat> {
    let secret = secret_in(&parts.headers)?;
    let Peer(peer) = parts.extensions.get::<Peer>().copied()?;
    let actor = dashboard.doorman.who(&secret, peer).await?;
    Some(Seat { dashboard: Arc::clone(dashboard), actor, secret })
}

impl FromRequestParts<Arc<Dashboard>> for Seat {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, Failure> {
        if let Some(seat) = seat_of(dashboard, parts).await {
            return Ok(seat);
        }
        // What was sent by a form is not sent again after the login, so that leads to the beginning.
        let wanted =
            parts.uri.path_and_query().filter(|_| parts.method == Method::GET).map_or("/", |path| path.as_str());
        let next = utf8_percent_encode(wanted, NON_ALPHANUMERIC);
        Err(Failure::from(Redirect::to(&format!("/login?next={next}")).into_response()))
    }
}

/// Somebody who may be logged in.
pub(super) struct Guest(pub(super) Option<Seat>);

impl FromRequestParts<Arc<Dashboard>> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, Infallible> {
        Ok(Self(seat_of(dashboard, parts).await))
    }
}
