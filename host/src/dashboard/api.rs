//! The control API, asked from within.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ship_api::{ErrorBody, ErrorCode, ErrorDetail};
use tower::ServiceExt as _;

use crate::access::Actor;
use crate::control::Peer;

/// The largest answer that a page is made of, in bytes. The largest there is lists a manifest's routes.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The routes of the control API. Who asks is known already; what they may is decided by the routes.
#[derive(Clone)]
pub(super) struct Api {
    routes: Router,
}

impl Api {
    pub(super) fn new(routes: Router) -> Self {
        Self { routes }
    }

    /// Asks as somebody, and gives the answer as it comes. An error of the API is one here.
    pub(super) async fn open(
        &self,
        actor: &Actor,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Response, ErrorDetail> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| unreadable("what is asked for cannot stand in an address"))?;
        request.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        request.extensions_mut().insert(Peer(actor.peer));
        request.extensions_mut().insert(actor.clone());
        let response = match self.routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES).await.unwrap_or_default();
        let body = serde_json::from_slice::<ErrorBody>(&bytes);
        Err(body.map_or_else(|_| unreadable("the host answered something else than it says"), |body| body.error))
    }

    /// Asks as somebody, and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        actor: &Actor,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ErrorDetail> {
        let body = if method == Method::GET || method == Method::DELETE {
            Body::empty()
        } else {
            Body::from(serde_json::to_vec(body).map_err(|_| unreadable("what is asked for cannot be written"))?)
        };
        let answer = self.open(actor, method, path, body).await?;
        let bytes = axum::body::to_bytes(answer.into_body(), ANSWER_BYTES).await;
        let bytes = bytes.map_err(|_| unreadable("the host's answer broke off"))?;
        serde_json::from_slice(&bytes).map_err(|_| unreadable("the host answered something else than it says"))
    }
}

fn unreadable(message: &str) -> ErrorDetail {
    ErrorDetail::new(ErrorCode::BadRequest, message)
}
