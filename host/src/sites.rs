//! Answering visitors: the host name decides the deployment, the edge does the rest.

use std::sync::Arc;

use http::header::STRICT_TRANSPORT_SECURITY;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use ship_core::PlatformError;
use ship_edge::{Answer, Edge, EdgeBody, Scheme, Visitor, host_label, request_authority};

use crate::site_map::SiteMap;

/// What browsers are told of a site that has TLS: for a year, it is never asked for in the clear.
const ALWAYS_SECURE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What answers at the sites listener.
pub(crate) struct Sites {
    pub(crate) edge: Arc<Edge>,
    pub(crate) map: SiteMap,
    pub(crate) domain: String,
    pub(crate) promise: SecurityPromise,
    /// `:7700`, or nothing for the default port of the scheme.
    pub(crate) port: String,
}

/// Whether browsers are told that a site is never to be asked for in the clear again (HSTS, RFC 6797).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SecurityPromise {
    /// They are, unless the site says something of its own. Its neighbours are not spoken for.
    Given,
    /// They are not: below `localhost` the promise would hold for every other program that this machine serves under the name.
    NotGiven,
}

impl SecurityPromise {
    pub(crate) fn below(domain: &str) -> Self {
        if domain == "localhost" || domain.ends_with(".localhost") { Self::NotGiven } else { Self::Given }
    }
}

impl Sites {
    /// Whether a host name is one that this host answers for, whether or not something is deployed there.
    pub(crate) fn is_own(&self, authority: &str) -> bool {
        host_label(authority, &self.domain).is_some()
    }

    async fn site(&self, request: Request<Incoming>, visitor: Visitor) -> Response<EdgeBody> {
        let Some(authority) = request_authority(request.uri(), request.headers()) else {
            return self.edge.platform_error(PlatformError::MalformedRequest, &request);
        };
        let Some(label) = host_label(authority, &self.domain) else { return self.edge.not_found_site(&request) };
        match self.map.site(&label).await {
            Some(Ok(site)) => self.edge.respond(&site, request, &visitor).await,
            Some(Err(error)) => {
                tracing::error!(%label, %error, "a deployment cannot be read");
                self.edge.platform_error(PlatformError::Internal, &request)
            }
            None => self.edge.not_found_site(&request),
        }
    }
}

impl Answer for Sites {
    async fn answer(&self, request: Request<Incoming>, visitor: Visitor) -> Response<EdgeBody> {
        let mut response = self.site(request, visitor).await;
        if visitor.scheme == Scheme::Https && self.promise == SecurityPromise::Given {
            response.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(ALWAYS_SECURE);
        }
        response
    }
}
