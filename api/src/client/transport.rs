//! Requests and answers: addresses, the token, and what can go wrong on the way.

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

use crate::error::{ErrorBody, ErrorCode, ErrorDetail};

/// How long a host may take to accept a connection. On one's own machine it answers in microseconds or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a host may take to answer a question that changes nothing. Reading what it knows is a matter of milliseconds; what
/// checks, compresses or deletes may take as long as it takes.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// The same for a question that the host answers when it has made durable what it got, or has read a large file.
const LONG_ANSWER_TIMEOUT: Duration = Duration::from_mins(5);

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

/// A question to a host failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not a URL.
    #[error("`{url}` is not the address of a host: expected `http://` or `https://` and a name")]
    BadAddress {
        /// What was given.
        url: String,
    },
    /// The address holds a user, and perhaps a password, which messages would show.
    #[error("the address of a host holds no user and no password: who may do what is in its token")]
    AddressWithUser,
    /// The host did not take the connection.
    #[error("the host at {url} cannot be reached")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The host took the connection and dropped it before it answered.
    #[error("the connection to the host at {url} broke off")]
    Disconnected {
        /// Its address.
        url: String,
        /// How.
        #[source]
        source: reqwest::Error,
    },
    /// The host answered with an error.
    #[error("{}", detail.message)]
    Refused {
        /// The status of the answer.
        status: u16,
        /// What the host says about it.
        detail: Box<ErrorDetail>,
    },
    /// Something else than a host's control API answered with an error, for example a host's sites or a proxy.
    #[error("no host's control API is at {url}: what answers there says {status}")]
    OtherServer {
        /// Its address.
        url: String,
        /// The status of the answer.
        status: reqwest::StatusCode,
    },
    /// The answer is not what this version of the API says.
    #[error("the host's answer cannot be read")]
    UnreadableAnswer {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The answer broke off.
    #[error("the host's answer broke off")]
    BrokenAnswer {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A host that should answer, or that is followed and should say something now and then, said nothing.
    #[error("the host has not been heard of for a minute")]
    Silent,
    /// A host took nothing more of what was being sent, or said nothing to it.
    #[error("the upload stood still")]
    Stalled,
    /// A file could not be read while it was sent.
    #[error("{} cannot be read", path.display())]
    UnreadableFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it was when it was hashed.
    #[error("{} changed while it was sent", path.display())]
    FileChanged {
        /// The file.
        path: std::path::PathBuf,
    },
}

impl ClientError {
    /// Whether the way to the host was cut, or the host ended, rather than that it refused: the same may be possible a moment later.
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Disconnected { .. }
            | Self::BrokenAnswer { .. }
            | Self::Silent
            | Self::Stalled => true,
            // What a proxy says whose host is just being started again.
            Self::OtherServer { status, .. } => matches!(status.as_u16(), 502..=504),
            _ => false,
        }
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

    pub(super) async fn ask<Q, A>(&self, method: Method, path: &str, question: Option<&Q>) -> Result<A, ClientError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let request = || {
            let request = self.request(method.clone(), path);
            let request = if method == Method::GET { request.timeout(ANSWER_TIMEOUT) } else { request };
            match question {
                Some(question) => request.json(question),
                None => request,
            }
        };
        self.read(self.send_to_newest(request).await?).await
    }

    /// Asks what may take the host longer than what it only looks up, and not for ever.
    pub(super) async fn ask_patiently<Q, A>(
        &self,
        method: Method,
        path: &str,
        question: Option<&Q>,
    ) -> Result<A, ClientError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let request = || {
            let request = self.request(method.clone(), path).timeout(LONG_ANSWER_TIMEOUT);
            question.into_iter().fold(request, RequestBuilder::json)
        };
        self.read(self.send_to_newest(request).await?).await
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
            ClientError::Silent
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
    use tokio::net::TcpListener;

    use super::*;

    /// A host that takes a question and is stuck is not waited for without end.
    #[tokio::test(start_paused = true)]
    async fn silent_host() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let transport = Transport::new(ClientOptions { base_url, token: None }).unwrap();
        let asked = transport.ask::<(), ()>(Method::GET, "/v1/status", None);
        assert!(matches!(asked.await, Err(ClientError::Silent)));
    }
}
