//! Requests and answers: addresses, the token, and how long an answer may take.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;

use super::error::ClientError;
use crate::error::{ErrorBody, ErrorCode};

/// How long a host may take to accept a connection. On one's own machine it answers in microseconds or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a host may take to answer a question that changes nothing. Reading what it knows is a matter of milliseconds; what
/// checks, compresses or deletes may take as long as it takes.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// The same for a question that the host answers when it has made durable what it got, or has read a large file.
pub(super) const LONG_ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

/// How long a host may be silent before it is asked on another connection whether it is there, and how long it may take to say so.
/// A process that is stopped, and a proxy that is stuck, hold connections open as if somebody were behind them.
const SILENCE: Duration = Duration::from_secs(10);
const SIGN_OF_LIFE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a network may be silent before it is asked whether the host is still there, and how often that is asked.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;

/// How long what was sent may stay on its way. Linux would try for a quarter of an hour; but a host that takes nothing while its disk
/// is busy looks the same from here.
#[cfg(target_os = "linux")]
const DELIVERY_TIMEOUT: Duration = Duration::from_mins(5);

/// How long to wait before a host that is being upgraded is asked again.
const UPGRADE_PAUSE: Duration = Duration::from_millis(20);

/// How often it is asked again. The new process answers at once; another upgrade may follow the first.
const UPGRADE_RETRIES: u32 = 250;

/// The longest line of a log stream: a log message has at most 256 KiB, and JSON may write each byte in six.
const MAX_LINE_BYTES: usize = 2 * 1024 * 1024;

/// Which host, and as whom.
#[derive(Clone)]
pub struct ClientOptions {
    /// The address of the control API, `http://127.0.0.1:7701`.
    pub base_url: String,
    /// The token, if there is one.
    pub token: Option<String>,
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientOptions").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    base_url: Arc<str>,
    is_loopback: bool,
    token: Option<Arc<str>>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Transport {
    pub(super) fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let base_url = options.base_url.trim_end_matches('/');
        let bad_address = || ClientError::BadAddress { url: options.base_url.clone() };
        let url: reqwest::Url = base_url.parse().map_err(|_| bad_address())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ClientError::AddressWithUser);
        }
        let http = http_client(&url).ok_or_else(bad_address)?;
        let is_loopback = is_loopback(&url);
        Ok(Self { http, base_url: base_url.into(), is_loopback, token: options.token.map(Into::into) })
    }

    /// Whether the address is one of this machine's own. What answers there may still be far away, behind a tunnel.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// The whole address of a path of the host.
    pub(super) fn address_of(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// A request with the token, to be sent by [`Transport::send`].
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.address_of(path));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request and turns every answer that is no success into an error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|source| self.unanswered(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = response.bytes().await.map_err(|source| self.unanswered(source))?;
        let body: ErrorBody = serde_json::from_slice(&bytes)
            .map_err(|_| ClientError::OtherServer { url: self.base_url.to_string(), status })?;
        Err(ClientError::Refused { status: status.as_u16(), detail: Box::new(body.error) })
    }

    /// Asks what the host only has to look up, or what changes something and takes as long as it takes.
    pub(super) async fn ask<Q, A>(&self, method: Method, path: &str, question: Option<&Q>) -> Result<A, ClientError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let patience = (method == Method::GET).then_some(ANSWER_TIMEOUT);
        self.ask_within(patience, method, path, question).await
    }

    /// Asks what may take the host longer than what it only looks up, and not for ever.
    pub(super) async fn ask_patiently<Q, A>(
        &self,
        method: Method,
        path: &str,
        question: Option<&Q>,
        patience: Duration,
    ) -> Result<A, ClientError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        self.ask_within(Some(patience), method, path, question).await
    }

    /// Asks for as long as the host shows that it is there, at the most `patience`.
    async fn ask_within<Q, A>(
        &self,
        patience: Option<Duration>,
        method: Method,
        path: &str,
        question: Option<&Q>,
    ) -> Result<A, ClientError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let request = || {
            let request = self.request(method.clone(), path);
            let request = patience.into_iter().fold(request, RequestBuilder::timeout);
            question.into_iter().fold(request, RequestBuilder::json)
        };
        let answer = async { self.read(self.send_to_newest(request).await?).await };
        tokio::select! {
            answer = answer => answer,
            () = self.falls_silent() => Err(ClientError::Silent { url: self.base_url.to_string() }),
        }
    }

    /// Returns when the host does not even say any more that it is there.
    async fn falls_silent(&self) {
        loop {
            tokio::time::sleep(SILENCE).await;
            let sign = self.request(Method::GET, "/v1/whoami").timeout(SIGN_OF_LIFE_TIMEOUT).send().await;
            // Any answer is one; and who is turned away goes on with the connection that there is: a host that ends finishes what it has begun.
            if sign.is_err_and(|error| error.is_timeout()) {
                return;
            }
        }
    }

    pub(super) async fn tell(&self, method: Method, path: &str) -> Result<(), ClientError> {
        self.send_to_newest(|| self.request(method.clone(), path)).await.map(drop)
    }

    /// Sends a request, and again where a host says that another process took over from it before it did anything.
    async fn send_to_newest(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        let mut retries = 0..UPGRADE_RETRIES;
        loop {
            let answer = self.send(request()).await;
            let is_upgrading = |error: &ClientError| matches!(error, ClientError::Refused { detail, .. } if detail.code == ErrorCode::Upgrading);
            if !answer.as_ref().is_err_and(is_upgrading) || retries.next().is_none() {
                return answer;
            }
            tokio::time::sleep(UPGRADE_PAUSE).await;
        }
    }

    pub(super) async fn read<A: DeserializeOwned>(&self, response: Response) -> Result<A, ClientError> {
        let bytes = response.bytes().await.map_err(|source| self.unanswered(source))?;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::UnreadableAnswer { source })
    }

    /// An answer of which the head is here.
    pub(super) async fn stream(&self, path: &str) -> Result<StreamedAnswer, ClientError> {
        Ok(StreamedAnswer(self.send(self.request(Method::GET, path)).await?))
    }

    /// What it means that a question got no answer.
    pub(super) fn unanswered(&self, source: reqwest::Error) -> ClientError {
        let url = self.base_url.to_string();
        if source.is_connect() {
            ClientError::Unreachable { url, source }
        } else if source.is_timeout() {
            ClientError::Silent { url }
        } else {
            ClientError::Disconnected { url, source }
        }
    }
}

/// An answer that is read as it comes.
pub(super) struct StreamedAnswer(Response);

impl StreamedAnswer {
    pub(super) fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// Its bytes, as they arrive.
    pub(super) fn into_pieces(self) -> impl Stream<Item = Result<Bytes, reqwest::Error>> + Send + Unpin + use<> {
        Box::pin(self.0.bytes_stream())
    }

    /// Its lines, as they arrive.
    pub(super) fn into_lines(self) -> impl Stream<Item = Result<String, ClientError>> + Send + Unpin + use<> {
        let reader = StreamReader::new(self.0.bytes_stream().map_err(std::io::Error::other));
        let lines = FramedRead::new(reader, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
        lines.map_err(|source| ClientError::BrokenAnswer { source: Box::new(source) })
    }
}

/// The HTTP client for an address. Reading the machine's root certificates takes longer than a whole deploy that changes
/// nothing, so a plain `http` address, which never needs them, gets a client that trusts none.
fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn http_client(url: &reqwest::Url) -> Option<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE)
        .tcp_keepalive_retries(KEEPALIVE_RETRIES)
        .redirect(reqwest::redirect::Policy::none());
    // Only Linux can bound it.
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(DELIVERY_TIMEOUT);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    match url.scheme() {
        "http" => {
            let tls = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .ok()?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            builder.tls_backend_preconfigured(tls).no_proxy().build().ok()
        }
        "https" => {
            // Another provider may have been installed by an earlier client of this process: either will do.
            let _ = rustls::crypto::ring::default_provider().install_default();
            builder.build().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A host that takes a question and is stuck is not waited for without end.
    #[tokio::test(start_paused = true)]
    async fn silent_host() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let transport = Transport::new(ClientOptions { base_url, token: None }).unwrap();
        let asked = transport.ask::<(), ()>(Method::GET, "/v1/status", None);
        assert!(matches!(asked.await, Err(ClientError::Silent { .. })));
    }

    /// What may take long is given up after 15 seconds in which the host does not even say that it is there; one that does say so has all the
    /// time that it was given.
    #[tokio::test(start_paused = true)]
    async fn silent_at_work() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let transport = Transport::new(ClientOptions { base_url, token: None }).unwrap();
        let asked_for = async || {
            let began = tokio::time::Instant::now();
            let asked = transport.ask_patiently::<(), ()>(Method::POST, "/v1/work", None, LONG_ANSWER_TIMEOUT).await;
            assert!(matches!(asked, Err(ClientError::Silent { .. })), "{asked:?}");
            began.elapsed().as_secs()
        };
        assert_eq!(asked_for().await, 15);
        let alive = async {
            let mut stuck = Vec::new();
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 1024];
                let length = connection.read(&mut head).await.unwrap_or_default();
                if head[..length].starts_with(b"GET /v1/whoami ") {
                    connection
                        .write_all(b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                        .await
                        .unwrap();
                }
                stuck.push(connection);
            }
        };
        let waited = tokio::select! { waited = asked_for() => waited, () = alive => unreachable!("it has no end") };
        assert_eq!(waited, LONG_ANSWER_TIMEOUT.as_secs());
    }
}
