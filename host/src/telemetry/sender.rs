//! Sending to a collector, and trying again where that may help.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::TelemetryOptions;

/// How long a collector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The pauses before each further try.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Sends to one collector.
pub(super) struct Sender {
    client: Client,
    endpoint: String,
}

/// A collector did not take what it was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// It cannot be reached, or did not answer in time.
    #[error("the collector did not answer")]
    Unanswered(#[source] reqwest::Error),
    /// It refused.
    #[error("the collector answered with {0}")]
    Refused(StatusCode),
}

impl SendError {
    /// Whether it may be taken later: <https://opentelemetry.io/docs/specs/otlp/#failures-1>.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Refused(status) => matches!(status.as_u16(), 429 | 502..=504),
        }
    }
}

impl Sender {
    /// `None` if a header cannot be one, or there is no TLS.
    pub(super) fn new(options: &TelemetryOptions) -> Option<Self> {
        // Another provider may have been installed by an earlier client of this process: either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            headers.insert(name.parse::<HeaderName>().ok()?, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let client = Client::builder().default_headers(headers).timeout(TIMEOUT);
        let client = client.redirect(reqwest::redirect::Policy::none()).build().ok()?;
        Some(Self { client, endpoint: options.endpoint.trim_end_matches('/').to_owned() })
    }

    /// Sends a document to a path below the endpoint, once more after each pause as long as that may help.
    pub(super) async fn send(&self, path: &str, document: &Value) -> Result<(), SendError> {
        let mut pauses = PAUSES.iter();
        loop {
            let error = match self.send_once(path, document).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match pauses.next().filter(|_| error.may_pass()) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error),
            }
        }
    }

    /// Sends a document once.
    pub(super) async fn send_once(&self, path: &str, document: &Value) -> Result<(), SendError> {
        let request = self.client.post(format!("{}{path}", self.endpoint)).body(document.to_string());
        let status = request.send().await.map_err(SendError::Unanswered)?.status();
        if status.is_success() { Ok(()) } else { Err(SendError::Refused(status)) }
    }
}
