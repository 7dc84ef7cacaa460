//! Visitors who come through TLS, and the certificate that they trust.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a visitor waits before the story is called stuck.
const PATIENCE: Duration = Duration::from_secs(30);

fn certificate() -> &'static CertifiedKey<KeyPair> {
    static CERTIFICATE: OnceLock<CertifiedKey<KeyPair>> = OnceLock::new();
    CERTIFICATE.get_or_init(|| generate_simple_self_signed(["site.localhost".to_owned()]).unwrap())
}

/// A server for `name`, which offers what a host does.
pub(crate) fn server_config(name: &str) -> Arc<ServerConfig> {
    assert_eq!(name, "site.localhost");
    let chain: Vec<CertificateDer<'static>> = vec![certificate().cert.der().clone()];
    let key = PrivateKeyDer::try_from(certificate().signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut server = server.with_no_client_auth().with_single_cert(chain, key).unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(server)
}

/// Connects to a host with these protocols to choose from.
pub(crate) async fn connect(address: SocketAddr, protocols: &[&str]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate().cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("site.localhost").unwrap();
    let socket = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, socket).await.unwrap()
}

/// A visitor who speaks HTTP/2.
pub(crate) struct Visitor {
    pub(crate) requests: SendRequest<http_body_util::combinators::BoxBody<Bytes, std::io::Error>>,
    connection: JoinHandle<hyper::Result<()>>,
}

impl Visitor {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, |_| {}).await
    }

    pub(crate) async fn connect_with(
        address: SocketAddr,
        choose: impl FnOnce(&mut http2::Builder<TokioExecutor>),
    ) -> Self {
        let stream = connect(address, &["h2"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut builder = http2::Builder::new(TokioExecutor::new());
        choose(&mut builder);
        let (requests, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        Self { requests, connection: tokio::spawn(connection) }
    }

    /// Asks, and gives the head of the answer.
    pub(crate) async fn open(&mut self, path: &str) -> hyper::Result<Response<Incoming>> {
        let empty = Empty::new().map_err(|never| match never {}).boxed();
        let request = Request::get(format!("https://site.localhost{path}")).body(empty).unwrap();
        self.send(request).await
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<http_body_util::combinators::BoxBody<Bytes, std::io::Error>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.requests.ready().await?;
        tokio::time::timeout(PATIENCE, self.requests.send_request(request)).await.expect("no answer comes")
    }

    /// Asks, and gives status and body of the answer.
    pub(crate) async fn get(&mut self, path: &str) -> (u16, String) {
        let response = self.open(path).await.unwrap();
        let status = response.status().as_u16();
        let body = tokio::time::timeout(PATIENCE, response.into_body().collect()).await.expect("no end comes");
        (status, String::from_utf8_lossy(&body.unwrap().to_bytes()).into_owned())
    }

    /// Waits until the host has ended the connection.
    pub(crate) async fn ended(self) -> hyper::Result<()> {
        let Self { requests, connection } = self;
        let ended = tokio::time::timeout(PATIENCE, connection).await.expect("the host keeps the connection").unwrap();
        drop(requests);
        ended
    }
}
