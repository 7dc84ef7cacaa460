//! Who is logged in: a browser has a secret, the host its hash and which token it is as good as.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ship_api::ErrorDetail;
use ship_store::SessionRecord;

use crate::access::Actor;
use crate::blocking::blocking;
use crate::control::{ApiError, Control};
use crate::keyring::Key;
use crate::token::PlainToken;

/// How long a session lasts, if its token does: a working week.
pub(super) const SESSION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Lets people in and out.
pub(super) struct Doorman {
    control: Arc<Control>,
}

impl Doorman {
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control }
    }

    /// Whom a secret stands for, if anybody: its session goes on, and its token opens the host.
    pub(super) async fn who(&self, secret: &PlainToken, peer: IpAddr) -> Option<Actor> {
        let (store, hash, now) = (self.control.store.clone(), secret.hash().0, Timestamp::now());
        let token = blocking(move || store.sessions().token_of(hash, now)).await;
        let token = token.inspect_err(|error| tracing::error!(%error, "sessions cannot be read")).ok()??;
        let key = self.control.keyring.admit_session(&token, now)?;
        Some(Actor { key, peer })
    }

    /// Begins a session for whoever has a token.
    pub(super) async fn admit(&self, token: &str, peer: IpAddr) -> Result<PlainToken, ErrorDetail> {
        let key = crate::control::admit(&self.control, token, peer, "/login").map_err(ApiError::into_detail)?;
        self.begin(&key).await.map_err(ApiError::into_detail)
    }

    /// Begins a session for a browser that shows a code, once.
    pub(super) async fn admit_with_code(&self, code: &str, peer: IpAddr) -> Result<PlainToken, ErrorDetail> {
        let now = Timestamp::now();
        let token = PlainToken::parse(code).and_then(|code| self.control.entries.take(code.hash()));
        match token.and_then(|token| self.control.keyring.admit_session(&token, now)) {
            Some(key) => self.begin(&key).await.map_err(ApiError::into_detail),
            None => Err(crate::control::turn_away_code(&self.control, peer).into_detail()),
        }
    }

    async fn begin(&self, key: &Key) -> Result<PlainToken, ApiError> {
        let secret = PlainToken::generate()?;
        let now = Timestamp::now();
        let ends = now.checked_add(SESSION).unwrap_or(Timestamp::MAX);
        let record = SessionRecord {
            hash: secret.hash().0,
            token: key.token.id.clone(),
            created_at: now,
            expires_at: key.token.expires_at.map_or(ends, |end| end.min(ends)),
        };
        let _change = self.control.begin_change().await?;
        let store = self.control.store.clone();
        blocking(move || store.sessions().begin(&record)).await?;
        Ok(secret)
    }

    /// Ends a session.
    pub(super) async fn dismiss(&self, secret: &PlainToken) -> Result<(), ErrorDetail> {
        let _change = self.control.begin_change().await.map_err(ApiError::into_detail)?;
        let (store, hash) = (self.control.store.clone(), secret.hash().0);
        let ended = blocking(move || store.sessions().end(hash)).await;
        ended.map(drop).map_err(|error| ApiError::from(error).into_detail())
    }
}
