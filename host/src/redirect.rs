//! Visitors who come in the clear where there is TLS: they are led to it.

use std::sync::Arc;

use http::{Request, Response};
use ship_core::{PlatformError, UrlPath};
use ship_edge::{Answer, EdgeBody, Visitor, VisitorBody, host_name, request_authority};

use crate::sites::Sites;

/// Where a certificate authority looks, in the clear, for proof that a name is somebody's (RFC 8555, section 8.3): a site that answers
/// there can get certificates of its own.
const ACME_PREFIX: &str = "/.well-known/acme-challenge/";

/// What answers in the clear where sites are served through TLS.
pub(crate) struct SecureElsewhere {
    pub(crate) sites: Arc<Sites>,
}

impl Answer for SecureElsewhere {
    async fn answer(&self, request: Request<VisitorBody>, visitor: Visitor) -> Response<EdgeBody> {
        let edge = &self.sites.edge;
        let Some(authority) = request_authority(request.uri(), request.headers()) else {
            return edge.platform_error(PlatformError::MalformedRequest, &request);
        };
        // As the site itself would read it: `..` in a path that begins with the prefix leads to everything else.
        let Ok(path) = UrlPath::parse(request.uri().path()) else {
            return edge.platform_error(PlatformError::MalformedRequest, &request);
        };
        if path.as_str().starts_with(ACME_PREFIX) {
            return self.sites.answer(request, visitor).await;
        }
        let Some(name) = host_name(authority).filter(|_| self.sites.is_own(authority)) else {
            return edge.not_found_site(&request);
        };
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        edge.redirect(&format!("{}{target}", self.sites.urls.of_name(&name)), &request)
    }
}
