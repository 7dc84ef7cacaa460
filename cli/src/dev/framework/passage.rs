//! Passing requests to the framework's server: streamed in both directions, as they are, with `WebSocket` connections.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, UPGRADE,
};
use http::uri::{Authority, Parts as UriParts, Scheme as UriScheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use ship_edge::{ClientConnections, EdgeBody, Visitor, VisitorBody, request_authority};
use tokio_util::sync::CancellationToken;

use super::page::WithScript;

/// What concerns one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// How long a connection is kept that nobody needs: less than the 5 s of Node's servers.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Passes requests on.
pub(in crate::dev) struct Passage {
    client: Client<HttpConnector, VisitorBody>,
    connections: ClientConnections,
}

/// The framework's server did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the framework's server does not answer")]
pub(in crate::dev) struct PassageError(#[from] hyper_util::client::legacy::Error);

impl Passage {
    /// A passage whose connections end with `stop`.
    pub(in crate::dev) fn new(stop: CancellationToken) -> Self {
        let connections = ClientConnections::until(stop);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(connections.clone()).pool_idle_timeout(IDLE_TIMEOUT).build(connector);
        Self { client, connections }
    }

    /// Waits until all connections have ended, after `stop`.
    pub(in crate::dev) async fn closed(&self) {
        self.connections.closed().await;
    }

    /// Passes a request to the server at `port`. Its pages get `script`.
    pub(in crate::dev) async fn pass(
        &self,
        mut request: Request<VisitorBody>,
        port: u16,
        visitor: &Visitor,
        script: String,
    ) -> Result<Response<EdgeBody>, PassageError> {
        let upgrade = request.extensions_mut().remove::<OnUpgrade>().filter(|_| asks_for_websocket(request.headers()));
        prepare(&mut request, port, visitor, upgrade.is_some());
        let mut response = self.client.request(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(visitor) = upgrade
        {
            self.join(visitor, hyper::upgrade::on(&mut response));
            return Ok(response.map(|_| EdgeBody::empty()));
        }
        let connection = listed(response.headers());
        for name in connection {
            response.headers_mut().remove(name);
        }
        response.extensions_mut().clear();
        *response.version_mut() = Version::HTTP_11;
        Ok(with_script(response, script))
    }

    /// Joins two connections until either ends.
    fn join(&self, visitor: OnUpgrade, framework: OnUpgrade) {
        self.connections.drive(async move {
            let joined = async {
                let (visitor, framework) = tokio::try_join!(visitor, framework)?;
                let (mut visitor, mut framework) = (TokioIo::new(visitor), TokioIo::new(framework));
                tokio::io::copy_bidirectional(&mut visitor, &mut framework).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            };
            if let Err(error) = joined.await {
                tracing::debug!(%error, "a WebSocket ended with an error");
            }
        });
    }
}

/// Whether a request asks for a WebSocket.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The headers that concern one connection only.
fn listed(headers: &HeaderMap) -> Vec<HeaderName> {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
    HOP_BY_HOP.into_iter().map(HeaderName::from_static).chain(named).collect()
}

/// Makes a request fit for the other server: the name that the visitor asked for stays, since servers compare it with where a page
/// came from.
fn prepare(request: &mut Request<VisitorBody>, port: u16, visitor: &Visitor, is_websocket: bool) {
    let authority = request_authority(request.uri(), request.headers()).map(str::to_owned);
    let hop = listed(request.headers());
    let upgrade = request.headers().get(UPGRADE).cloned();
    let headers = request.headers_mut();
    for name in hop {
        headers.remove(name);
    }
    if let Some(upgrade) = upgrade.filter(|_| is_websocket) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
    // A script can only be put into a page that can be read.
    if headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html")) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(authority) = authority.and_then(|name| HeaderValue::from_str(&name).ok()) {
        headers.insert(HOST, authority.clone());
        headers.insert("x-forwarded-host", authority);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static(visitor.scheme.as_str()));
    if let Ok(peer) = HeaderValue::from_str(&visitor.peer.ip().to_string()) {
        headers.insert("x-forwarded-for", peer);
    }
    *request.uri_mut() = at_port(std::mem::take(request.uri_mut()), port);
    *request.version_mut() = Version::HTTP_11;
}

/// The same path of the server at `port`.
fn at_port(uri: Uri, port: u16) -> Uri {
    let mut parts = UriParts::default();
    parts.scheme = Some(UriScheme::HTTP);
    parts.authority = format!("127.0.0.1:{port}").parse::<Authority>().ok();
    parts.path_and_query = uri.into_parts().path_and_query.or_else(|| "/".parse().ok());
    Uri::from_parts(parts).unwrap_or_default()
}

/// A page with the script; anything else as it is.
fn with_script(response: Response<Incoming>, script: String) -> Response<EdgeBody> {
    let headers = response.headers();
    let is_page = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_readable = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let has_content = response.status() != StatusCode::NOT_MODIFIED && response.status() != StatusCode::NO_CONTENT;
    if !is_page || !is_readable || !has_content {
        return response.map(EdgeBody::other);
    }
    let mut response = response.map(|body| EdgeBody::other(WithScript::new(body, Bytes::from(script))));
    response.headers_mut().remove(CONTENT_LENGTH);
    // It is another page than the one that this is the tag of.
    response.headers_mut().remove(http::header::ETAG);
    response
}
