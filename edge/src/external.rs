//! Other hosts: a visitor's request on its way to a URL that a route names, and the answer on its way back, both streamed.
//!
//! Nothing is followed, kept or changed: a redirect of the other host is an answer like any other. Where a request may go is
//! decided on the very addresses that are connected to (see [`ExternalReach`]), after names are resolved.

mod address;
mod body;
mod client;
mod connector;

use std::time::Duration;

use http::header::{EXPECT, HOST};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version, request};
use ship_core::PlatformError;

use crate::body::EdgeBody;
use crate::failure::Failure;
use crate::inbound_body::InboundBody;
use crate::passage;
use crate::protocol::headers;
use crate::serve::Errand;
use crate::visitor::Visitor;
use crate::visitor_body::VisitorBody;
use client::ExternalClient;

pub use address::ExternalReach;
pub(crate) use body::ExternalBody;
pub(crate) use body::ExternalBodyError;

/// How long another host may take to begin its answer: what Vercel waits.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// Passes requests on to other hosts.
pub(crate) struct ExternalServer {
    client: ExternalClient,
    max_body_bytes: u64,
}

/// A request for another host.
pub(crate) struct ExternalRequest<'r> {
    /// Where it goes, with its query.
    pub(crate) url: &'r str,
    pub(crate) parts: request::Parts,
    pub(crate) body: VisitorBody,
    pub(crate) visitor: &'r Visitor,
}

impl ExternalServer {
    pub(crate) fn new(reach: ExternalReach, max_body_bytes: u64) -> Self {
        Self { client: ExternalClient::new(reach), max_body_bytes }
    }

    /// Closes the connections to other hosts.
    pub(crate) async fn stop(&self) {
        self.client.stop().await;
    }

    /// Asks another host.
    pub(crate) async fn pass(&self, request: ExternalRequest<'_>) -> Result<Response<EdgeBody>, Failure> {
        passage::check_size(&request.parts.headers, self.max_body_bytes)?;
        passage::check_circles(&request.parts.headers)?;
        Errand::begins(&request.parts.extensions);
        let target = target(request.url).ok_or(PlatformError::ExternalTargetError)?;
        let parts = prepare(request.parts, target, request.visitor)?;
        let (body, verdict) = InboundBody::new(request.body, self.max_body_bytes);
        let asked = self.client.ask(Request::from_parts(parts, body));
        let Ok(answer) = tokio::time::timeout(ANSWER_TIMEOUT, asked).await else {
            return Err(PlatformError::ExternalTargetTimeout.into());
        };
        match answer {
            Ok(mut response) => {
                headers::drop_hop_by_hop(response.headers_mut());
                headers::drop_platform(response.headers_mut());
                // How the other connection is spoken on is not this one's concern.
                *response.version_mut() = Version::HTTP_11;
                response.extensions_mut().clear();
                Ok(response.map(|body| EdgeBody::external(ExternalBody::new(body))))
            }
            Err(error) => {
                tracing::debug!(url = request.url, %error, "another host did not answer");
                Err(verdict.failure().unwrap_or_else(|| client::blame(&error).into()))
            }
        }
    }
}

/// The URL as a URI: without a fragment, which is never sent, and without a user, which would be the visitor's to choose.
fn target(url: &str) -> Option<Uri> {
    let uri: Uri = url.split('#').next()?.parse().ok()?;
    let is_web = matches!(uri.scheme(), Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let has_user = uri.authority()?.as_str().contains('@');
    (is_web && !has_user && !uri.host()?.is_empty()).then_some(uri)
}

/// The head as the other host gets it: its own name, no headers of this hop, and where the request came from.
fn prepare(mut parts: request::Parts, target: Uri, visitor: &Visitor) -> Result<request::Parts, PlatformError> {
    headers::drop_hop_by_hop(&mut parts.headers);
    // The body is read from the visitor as the other host takes it, which is what `100-continue` asks for.
    parts.headers.remove(EXPECT);
    headers::set_forwarded(&mut parts.headers, visitor.peer.ip(), visitor.scheme.as_str());
    passage::mark(&mut parts.headers);
    let authority = target.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority).map_err(|_| PlatformError::ExternalTargetError)?;
    parts.headers.insert(HOST, host);
    parts.uri = with_path(target);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    Ok(parts)
}

/// A URI whose path is at least `/`.
fn with_path(target: Uri) -> Uri {
    let mut parts = target.clone().into_parts();
    let path = target.path_and_query().map_or("/", PathAndQuery::as_str);
    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).unwrap_or(target)
}
