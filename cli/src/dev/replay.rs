//! Replaying a request: one that a deployment was asked is asked here, after each build.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Serialize;
use ship_api::LogQuery;
use ship_core::{LogSource, RequestId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project::{self, Project, Wanted};
use crate::settings::Settings;

/// How much of an answer is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 64 * 1024;

/// How long an answer may take in all.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request as the log keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct KeptRequest {
    /// Its id.
    pub(super) request: RequestId,
    /// The method.
    pub(super) method: String,
    /// The path with the query.
    pub(super) path: String,
    /// The status that it was answered with.
    pub(super) status_then: u16,
}

/// Where a kept request is sent.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    /// Where the dev server listens.
    pub(super) address: SocketAddr,
    /// What trusts its certificate, if it has one.
    pub(super) trust: Option<Arc<ClientConfig>>,
}

/// What was answered here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct ReplayedAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// The body as text, as far as it is shown.
    pub(super) body: String,
    pub(super) duration_ms: u64,
}

/// A request was not answered here.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    /// The dev server does not answer.
    #[error("the dev server cannot be reached")]
    Connection(#[from] std::io::Error),
    /// It broke off.
    #[error("the dev server broke off")]
    Broken(#[from] hyper::Error),
    /// What the log keeps is no request.
    #[error("the log keeps no request that can be sent again")]
    Request(#[from] http::Error),
    /// It took too long.
    #[error("there was no answer within {} s", PATIENCE.as_secs())]
    Timeout,
}

impl KeptRequest {
    /// Finds a request in the log of the project at `path`.
    pub(crate) async fn find(
        id: &RequestId,
        path: &Path,
        settings: &Settings,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let name = Project::open(path, settings)?.name;
        let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
        let name = project::on_host(&host.client, &name, Wanted::There).await?.name;
        let query = LogQuery { request: Some(*id), ..LogQuery::default() };
        let mut lines = host.client.logs(&name, &query).await?.lines;
        while let Some(line) = lines.try_next().await? {
            if let LogSource::Request { method, path, status, .. } = line.record.source {
                return Ok(Self { request: *id, method, path, status_then: status });
            }
        }
        let message = format!("the log of `{name}` has no request {id}");
        Err(CommandError::project(message).hint("`ship logs` shows the id of each request at the end of its line"))
    }

    /// What is not sent, because the log does not keep it.
    pub(super) fn caveat(&self) -> &'static str {
        match self.method.as_str() {
            "GET" | "HEAD" | "OPTIONS" => "its headers are not kept, so it is sent without any",
            _ => "its headers and its body are not kept, so it is sent without them",
        }
    }

    /// Asks the dev server.
    pub(super) async fn send(&self, destination: &Destination) -> Result<ReplayedAnswer, ReplayError> {
        let asked = async {
            let Destination { address, trust } = destination;
            let stream = TcpStream::connect(address).await?;
            match trust {
                None => self.ask(*address, stream).await,
                Some(trust) => {
                    let connector = TlsConnector::from(Arc::clone(trust));
                    // Its certificate is for this name whatever address it listens at.
                    let name = ServerName::try_from("localhost").expect("it is a name");
                    self.ask(*address, connector.connect(name, stream).await?).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| ReplayError::Timeout)?
    }

    async fn ask(
        &self,
        address: SocketAddr,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<ReplayedAnswer, ReplayError> {
        let started = Instant::now();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let method = Method::from_bytes(self.method.as_bytes()).map_err(http::Error::from)?;
        let request = Request::builder().method(method).uri(self.path.as_str()).header("host", address.to_string());
        let request = request.header("x-replayed", self.request.as_str()).body(Empty::<Bytes>::new())?;
        let answered = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, MAX_SHOWN_BYTES).collect().await;
            let body = body.map_or_else(|_| Bytes::from_static(b"(not shown)"), http_body_util::Collected::to_bytes);
            Ok::<_, ReplayError>(Response::from_parts(head, body))
        };
        let mut connection = std::pin::pin!(connection);
        let mut answered = std::pin::pin!(answered);
        let response = tokio::select! {
            response = &mut answered => response?,
            // Its end is an error of the answer, if it comes too early.
            ended = &mut connection => { ended?; answered.await? }
        };
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(ReplayedAnswer {
            status: response.status().as_u16(),
            headers: response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: String::from_utf8_lossy(response.body()).into_owned(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}
