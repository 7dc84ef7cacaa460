//! The control API behind the same accept loop as the sites, so that it has the same limits on connections and headers.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use ship_edge::{Answer, EdgeBody, Visitor, VisitorBody};
use tower::ServiceExt as _;

use super::patience::Patient;
use super::{Control, router};

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What answers at the control listener.
pub(crate) struct ControlAnswer {
    router: Router,
}

impl ControlAnswer {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        Self { router: router(control) }
    }
}

impl Answer for ControlAnswer {
    async fn answer(&self, mut request: Request<VisitorBody>, visitor: Visitor) -> Response<EdgeBody> {
        // A client of IPv4 at a listener of both families is the same client.
        request.extensions_mut().insert(Peer(visitor.peer.ip().to_canonical()));
        match self.router.clone().oneshot(request.map(|body| Body::new(Patient::new(body)))).await {
            Ok(response) => response.map(EdgeBody::other),
            Err(never) => match never {},
        }
    }
}
