//! Answering visitors: the host name decides the deployment, the edge does the rest.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use ship_core::PlatformError;
use ship_edge::{Answer, Edge, EdgeBody, Visitor};

use crate::site_map::SiteMap;

/// What answers at the sites listener.
pub(crate) struct Sites {
    pub(crate) edge: Edge,
    pub(crate) map: SiteMap,
    pub(crate) domain: String,
}

impl Answer for Sites {
    type Body = EdgeBody;

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<EdgeBody> {
        let visitor = Visitor::http(peer);
        let Some(authority) = ship_edge::authority(&request) else {
            return self.edge.platform_error(PlatformError::MalformedRequest, &request, &visitor);
        };
        let Some(label) = ship_edge::host_label(authority, &self.domain) else {
            return self.edge.platform_error(PlatformError::DeploymentNotFound, &request, &visitor);
        };
        match self.map.site(&label).await {
            Some(Ok(site)) => self.edge.respond(&site, request, &visitor).await,
            Some(Err(error)) => {
                tracing::error!(%label, %error, "a deployment cannot be read");
                self.edge.platform_error(error.platform_error(), &request, &visitor)
            }
            None => self.edge.platform_error(PlatformError::DeploymentNotFound, &request, &visitor),
        }
    }
}
