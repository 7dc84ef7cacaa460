//! Answering visitors: the host name decides the deployment, the edge does the rest.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use ship_core::PlatformError;
use ship_edge::{Answer, Edge, EdgeBody, Scheme, Visitor, host_label, request_authority};

use crate::site_map::SiteMap;

/// What answers at the sites listener.
pub(crate) struct Sites {
    pub(crate) edge: Arc<Edge>,
    pub(crate) map: SiteMap,
    pub(crate) domain: String,
}

impl Answer for Sites {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<EdgeBody> {
        let Some(authority) = request_authority(request.uri(), request.headers()) else {
            return self.edge.platform_error(PlatformError::MalformedRequest, &request);
        };
        let Some(label) = host_label(authority, &self.domain) else { return self.edge.not_found_site(&request) };
        match self.map.site(&label).await {
            Some(Ok(site)) => self.edge.respond(&site, request, &Visitor { peer, scheme: Scheme::Http }).await,
            Some(Err(error)) => {
                tracing::error!(%label, %error, "a deployment cannot be read");
                self.edge.platform_error(PlatformError::Internal, &request)
            }
            None => self.edge.not_found_site(&request),
        }
    }
}
