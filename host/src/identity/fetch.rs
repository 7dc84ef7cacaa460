//! Asking an issuer for its keys (OIDC Discovery 1.0, section 4).

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use reqwest::{Client, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

/// How long an issuer may take for each of its two answers. A job waits for them.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes. GitHub's and GitLab's have some thousands.
const MAX_BYTES: usize = 256 * 1024;

/// Where an issuer describes itself.
const DESCRIPTION: &str = "/.well-known/openid-configuration";

/// The keys of an issuer cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// There is no TLS.
    #[error("the host has no TLS to ask with")]
    NoClient,
    /// It did not answer, or not to the end.
    #[error("{url} did not answer: {reason}")]
    Unanswered { url: String, reason: String },
    /// It answered with something else. Nobody is followed to another place.
    #[error("{url} answered with {status}")]
    Refused { url: String, status: StatusCode },
    /// It did not stop.
    #[error("{url} answered with more than {MAX_BYTES} bytes")]
    TooLarge { url: String },
    /// What it answered is not understood.
    #[error("the answer of {url} is not what it should be")]
    Unreadable { url: String },
    /// It describes another issuer.
    #[error("{url} describes another issuer")]
    OtherIssuer { url: String },
    /// It keeps its keys elsewhere.
    #[error("{url} has its keys at another server")]
    KeysElsewhere { url: String },
}

/// What an issuer says of itself, as far as it matters here.
#[derive(serde::Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// What asks issuers, `None` if there is no TLS.
pub(super) fn client() -> Option<Client> {
    // Another provider may have been installed by an earlier client of this process: either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(TIMEOUT).connect_timeout(TIMEOUT);
    client.redirect(reqwest::redirect::Policy::none()).build().ok()
}

/// The keys of an issuer, as it publishes them now.
pub(super) async fn fetch(client: &Client, issuer: &str) -> Result<JwkSet, FetchError> {
    let url = format!("{}{DESCRIPTION}", issuer.trim_end_matches('/'));
    let description: Description = ask(client, &url).await?;
    if description.issuer != issuer {
        return Err(FetchError::OtherIssuer { url });
    }
    let is_same_server = |keys: &Url| url.parse().is_ok_and(|own: Url| own.origin() == keys.origin());
    let keys = description.jwks_uri.parse().ok().filter(is_same_server);
    let keys = keys.ok_or(FetchError::KeysElsewhere { url })?;
    ask(client, keys.as_str()).await
}

async fn ask<T: DeserializeOwned>(client: &Client, url: &str) -> Result<T, FetchError> {
    let unanswered = |error: reqwest::Error| {
        let reason = crate::error::with_causes(&error.without_url());
        FetchError::Unanswered { url: url.to_owned(), reason }
    };
    let answer = client.get(url).send().await.map_err(unanswered)?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Refused { url: url.to_owned(), status: answer.status() });
    }
    let bytes = read(answer).await.map_err(unanswered)?.ok_or_else(|| FetchError::TooLarge { url: url.to_owned() })?;
    serde_json::from_slice(&bytes).map_err(|_| FetchError::Unreadable { url: url.to_owned() })
}

/// The body, `None` if it is too large.
async fn read(mut answer: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if bytes.len() + piece.len() > MAX_BYTES {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}
