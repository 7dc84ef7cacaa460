//! HTTP/3 from the other side: quinn and h3, with a thread of their own, so that a story can wait for them line by line.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ::http::{HeaderMap, Request, Response};
use bytes::{Buf as _, Bytes};
use h3::client::{RequestStream, SendRequest};
use h3::error::{Code, ConnectionError, StreamError};
use h3_quinn::{BidiStream, OpenStreams};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, VarInt};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::tls::TestAuthority;

/// A visitor's connection.
#[derive(Debug)]
pub struct Connection {
    farewell: Farewell,
    runtime: Runtime,
    authority: String,
    requests: Requests,
    driving: JoinHandle<ConnectionError>,
    quic: quinn::Connection,
}

/// Says that the visitor leaves when it is dropped: a host waits for those who have not said that they have their answer.
#[derive(Debug)]
struct Farewell {
    handle: tokio::runtime::Handle,
    quic: quinn::Connection,
    endpoint: Endpoint,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.quic.close(VarInt::from_u32(0x100), b"");
        let _ = self.handle.block_on(async { timeout(PATIENCE, self.endpoint.wait_idle()).await });
    }
}

struct Requests(SendRequest<OpenStreams, Bytes>);

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Requests(…)")
    }
}

/// An answer as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// What followed the body.
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a visitor speaks QUIC to the servers that `trusted` vouches for. `choose` may change how much it takes at once.
pub fn client_config(trusted: &TestAuthority, choose: impl FnOnce(&mut quinn::TransportConfig)) -> ClientConfig {
    let tls = trusted.client(&[&rustls::version::TLS13], &["h3"]).expect("the protocols are known");
    let crypto = QuicClientConfig::try_from(tls).expect("TLS 1.3 has what QUIC needs");
    let mut config = ClientConfig::new(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    choose(&mut transport);
    config.transport_config(Arc::new(transport));
    config
}

impl Connection {
    /// Connects to the port of `authority` on this machine.
    pub fn open(trusted: &TestAuthority, authority: &str) -> io::Result<Self> {
        Self::open_with(Ipv4Addr::LOCALHOST, trusted, authority, |_| {})
    }

    /// The same as a visitor who has another of this machine's addresses, and may take another amount at once.
    pub fn open_with(
        from: Ipv4Addr,
        trusted: &TestAuthority,
        authority: &str,
        choose: impl FnOnce(&mut quinn::TransportConfig),
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let config = client_config(trusted, choose);
        let (name, port) = authority.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
        let port: u16 = port.parse().map_err(io::Error::other)?;
        let opened = runtime.block_on(async {
            let endpoint = Endpoint::client(SocketAddr::from((from, 0)))?;
            let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let connecting = endpoint.connect_with(config, server, name).map_err(io::Error::other)?;
            let quic = timeout(PATIENCE, connecting).await.expect("no handshake ends").map_err(io::Error::other)?;
            let (mut driver, requests) =
                h3::client::new(h3_quinn::Connection::new(quic.clone())).await.map_err(io::Error::other)?;
            let driving = tokio::spawn(async move { std::future::poll_fn(|context| driver.poll_close(context)).await });
            Ok::<_, io::Error>((endpoint, quic, requests, driving))
        });
        let (endpoint, quic, requests, driving) = opened?;
        let (handle, closed) = (runtime.handle().clone(), quic.clone());
        let farewell = Farewell { handle, quic: closed, endpoint };
        Ok(Self { farewell, authority: authority.to_owned(), requests: Requests(requests), runtime, driving, quic })
    }

    /// QUIC itself, for what no client of HTTP/3 does.
    pub fn quic(&self) -> &quinn::Connection {
        &self.quic
    }

    /// Waits for something that happens on this connection.
    pub fn wait_for<T>(&self, event: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { timeout(PATIENCE, event).await }).expect("it never happens")
    }

    /// A request for `path`, without a body.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        let mut asked = self.ask("GET", path, &[])?;
        asked.finish()?;
        asked.answer()
    }

    /// Asks, and keeps the stream for a body.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Asked> {
        let mut request = Request::builder().method(method).uri(format!("https://{}{path}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).map_err(io::Error::other)?;
        let handle = self.runtime.handle().clone();
        let sent = handle.block_on(async { timeout(PATIENCE, self.requests.0.send_request(request)).await });
        let stream = sent.expect("the host takes no request").map_err(io::Error::other)?;
        Ok(Asked { handle, stream })
    }

    /// Waits until the host has ended the connection: with which code.
    pub fn ended(self) -> Option<u64> {
        let Self { farewell, runtime, driving, quic, .. } = self;
        let error =
            runtime.block_on(async { timeout(PATIENCE, quic.closed()).await }).expect("the host keeps the connection");
        driving.abort();
        drop(farewell);
        match error {
            quinn::ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
            _ => None,
        }
    }

    /// Goes away without a word.
    pub fn vanish(self) {
        let Self { farewell, runtime, .. } = self;
        std::mem::forget(farewell);
        runtime.shutdown_background();
    }

    /// Leaves, and says so.
    pub fn leave(self) {
        drop(self);
    }
}

/// A request that is under way.
pub struct Asked {
    handle: tokio::runtime::Handle,
    stream: RequestStream<BidiStream<Bytes>, Bytes>,
}

impl Asked {
    fn wait_for<T>(
        handle: &tokio::runtime::Handle,
        event: impl Future<Output = Result<T, StreamError>>,
    ) -> io::Result<T> {
        let happened = handle.block_on(async { timeout(PATIENCE, event).await });
        happened.expect("it never happens").map_err(io::Error::other)
    }

    /// Sends a piece of the body.
    pub fn send(&mut self, piece: impl Into<Bytes>) -> io::Result<()> {
        Self::wait_for(&self.handle, self.stream.send_data(piece.into()))
    }

    /// Sends what follows the body.
    pub fn send_trailers(&mut self, trailers: HeaderMap) -> io::Result<()> {
        Self::wait_for(&self.handle, self.stream.send_trailers(trailers))
    }

    /// Says that this was all. A host that has answered already may have stopped reading, without an error: its answer counts
    /// (RFC 9114, section 4.1.1).
    pub fn finish(&mut self) -> io::Result<()> {
        Self::wait_for(&self.handle, async {
            match self.stream.finish().await {
                Err(StreamError::RemoteTerminate { code, .. }) if code == Code::H3_NO_ERROR => Ok(()),
                finished => finished,
            }
        })
    }

    /// The head of the answer.
    pub fn head(&mut self) -> io::Result<Response<()>> {
        Self::wait_for(&self.handle, self.stream.recv_response())
    }

    /// The next piece of the answer's body; `None` at its end.
    pub fn piece(&mut self) -> io::Result<Option<Bytes>> {
        Self::wait_for(&self.handle, async {
            let piece = self.stream.recv_data().await?;
            Ok(piece.map(|mut piece| piece.copy_to_bytes(piece.remaining())))
        })
    }

    /// All of the answer.
    pub fn answer(mut self) -> io::Result<Answer> {
        let head = self.head()?;
        let mut body = Vec::new();
        while let Some(piece) = self.piece()? {
            body.extend_from_slice(&piece);
        }
        let trailers = Self::wait_for(&self.handle, self.stream.recv_trailers())?;
        let (parts, ()) = head.into_parts();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.into(), trailers })
    }

    /// Gives the request up, as a browser does whose page is left.
    pub fn cancel(mut self) {
        // With the stream goes the wish to be answered.
        self.stream.stop_stream(Code::H3_REQUEST_CANCELLED);
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked(…)")
    }
}
