//! The keys of issuers, kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Client;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fetch::{self, FetchError};

/// How long keys are believed that an issuer has published: one that it takes back is good for no longer.
const KEPT: Duration = Duration::from_hours(1);

/// How often an issuer is asked at the most, whatever keys strangers name and whether it answers or not.
const ASKED_EVERY: Duration = Duration::from_secs(30);

/// How many keys of an issuer are looked at. GitHub and GitLab have a few.
const KEYS: usize = 100;

/// How many issuers' keys are kept. There are only those that admins have declared.
const ISSUERS: usize = 100;

/// The keys of all issuers.
#[derive(Default)]
pub(super) struct IssuerKeys {
    /// Made at first need: it reads the machine's root certificates.
    client: OnceLock<Option<Client>>,
    of: std::sync::Mutex<HashMap<String, Arc<Mutex<Published>>>>,
}

/// There is no key to verify an identity with.
#[derive(Debug)]
pub(super) enum KeyError {
    /// The issuer has published none of that name, or one that is for something else.
    Unknown,
    /// The issuer's keys are not to be had.
    Fetch(FetchError),
}

/// What an issuer has published.
#[derive(Default)]
struct Published {
    /// Its keys, and when they were read.
    keys: Option<(Instant, Vec<Jwk>)>,
    /// When it was asked last, and why that failed if it did.
    asked: Option<(Instant, Option<FetchError>)>,
}

impl IssuerKeys {
    /// The key of an issuer that verifies what an algorithm has signed. One question to an issuer is under way at a time, and whoever
    /// else needs its keys waits for that one.
    pub(super) async fn find(&self, issuer: &str, id: &str, algorithm: Algorithm) -> Result<DecodingKey, KeyError> {
        let published = self.of(issuer);
        let mut published = published.lock().await;
        if published.key(id).is_none() && published.may_be_asked() {
            published.take(self.ask(issuer).await, issuer);
        }
        match (published.key(id), &published.asked) {
            (Some(key), _) => usable(key, algorithm).ok_or(KeyError::Unknown),
            // It may be a key that the issuer has published since.
            (None, Some((_, Some(error)))) => Err(KeyError::Fetch(error.clone())),
            (None, _) => Err(KeyError::Unknown),
        }
    }

    fn of(&self, issuer: &str) -> Arc<Mutex<Published>> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= ISSUERS && !of.contains_key(issuer) {
            of.clear();
        }
        Arc::clone(of.entry(issuer.to_owned()).or_default())
    }

    async fn ask(&self, issuer: &str) -> Result<Vec<Jwk>, FetchError> {
        let client = self.client.get_or_init(fetch::client).as_ref().ok_or(FetchError::NoClient)?;
        let JwkSet { mut keys } = fetch::fetch(client, issuer).await?;
        keys.truncate(KEYS);
        Ok(keys)
    }
}

impl Published {
    /// The key of a name, as long as it is believed.
    fn key(&self, id: &str) -> Option<&Jwk> {
        let (_, keys) = self.keys.as_ref().filter(|(at, _)| at.elapsed() < KEPT)?;
        keys.iter().find(|key| key.common.key_id.as_deref() == Some(id))
    }

    fn may_be_asked(&self) -> bool {
        self.asked.as_ref().is_none_or(|(at, _)| at.elapsed() >= ASKED_EVERY)
    }

    /// Notes an answer. Keys that were read before stay where there is none.
    fn take(&mut self, answer: Result<Vec<Jwk>, FetchError>, issuer: &str) {
        let now = Instant::now();
        let error = match answer {
            Ok(keys) => {
                self.keys = Some((now, keys));
                None
            }
            Err(error) => {
                tracing::warn!(issuer, %error, "an issuer's keys cannot be read");
                Some(error)
            }
        };
        self.asked = Some((now, error));
    }
}

/// The key, if it is one for signatures by this algorithm: what an issuer has published for one is never used with another.
fn usable(key: &Jwk, algorithm: Algorithm) -> Option<DecodingKey> {
    let (fits, named) = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256) => (true, KeyAlgorithm::RS256),
        (AlgorithmParameters::EllipticCurve(point), Algorithm::ES256) => {
            (point.curve == EllipticCurve::P256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let is_for_signatures = key.common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature);
    let is_named = key.common.key_algorithm.is_none_or(|other| other == named);
    if fits && is_for_signatures && is_named { DecodingKey::from_jwk(key).ok() } else { None }
}
