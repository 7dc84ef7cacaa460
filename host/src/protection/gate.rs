//! The gate of one project: the bypass secret, the cookie of those who were let in, and the password.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use http::Method;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;
use ship_core::{ProjectName, ProtectionCoverage, ProtectionMode};
use ship_edge::{Gate, Knock, MAX_LOGIN_BYTES, Refusal, Verdict};
use ship_store::ProtectionRecord;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::attempts::Attempts;
use super::{SiteKind, cookie, hash_of_secret, password};
use crate::blocking::blocking;

/// How long a visitor who was let in is not asked again, in seconds: a working day, and the same tab the next morning.
const COOKIE_SECS: u32 = 24 * 60 * 60;

/// How many passwords are looked at at once: each takes 19 MiB and a processor for a moment.
const PASSWORDS_AT_ONCE: usize = 2;

/// The media type of what a form sends.
const FORM: &str = "application/x-www-form-urlencoded";

/// What the gates of all projects share.
pub(super) struct Porter {
    attempts: Attempts,
    turns: Semaphore,
}

impl Default for Porter {
    fn default() -> Self {
        Self { attempts: Attempts::default(), turns: Semaphore::new(PASSWORDS_AT_ONCE) }
    }
}

/// The gate of a project.
pub(crate) struct ProjectGate {
    project: ProjectName,
    record: ArcSwapOption<ProtectionRecord>,
    porter: Arc<Porter>,
    /// Whose turn it is to change the settings.
    turn: Mutex<()>,
}

impl ProjectGate {
    pub(super) fn new(project: ProjectName, porter: Arc<Porter>) -> Self {
        Self { project, record: ArcSwapOption::empty(), porter, turn: Mutex::default() }
    }

    /// Whether somebody who asks for a site of this kind is stopped.
    pub(super) fn covers(&self, kind: SiteKind) -> bool {
        self.record.load().as_ref().is_some_and(|record| {
            record.mode != ProtectionMode::Off
                && (kind == SiteKind::Preview || record.coverage == ProtectionCoverage::Everything)
        })
    }

    /// The settings, if there are any.
    pub(crate) fn record(&self) -> Option<Arc<ProtectionRecord>> {
        self.record.load_full()
    }

    pub(super) fn set(&self, record: Option<ProtectionRecord>) {
        self.record.store(record.map(Arc::new));
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(record: &ProtectionRecord, host: &str) -> Verdict {
        let cookie = cookie::make(&record.cookie_key, host, now_secs() + u64::from(COOKIE_SECS));
        Verdict::Admit { cookie, max_age_secs: COOKIE_SECS }
    }

    async fn decide(&self, knock: Knock<'_>) -> Verdict {
        // It may have been opened since the request was led here.
        let Some(record) = self.record.load_full().filter(|record| record.mode != ProtectionMode::Off) else {
            return Verdict::Pass;
        };
        let opens = |secret: &String| bool::from(hash_of_secret(secret).ct_eq(&record.bypass));
        if knock.shown.bypass.iter().any(opens) {
            return if knock.shown.wants_cookie { Self::admit(&record, knock.host) } else { Verdict::Pass };
        }
        let now = now_secs();
        if knock.shown.cookies.iter().any(|shown| cookie::is_good(&record.cookie_key, knock.host, shown, now)) {
            return Verdict::Pass;
        }
        match (record.mode, &record.password) {
            (ProtectionMode::Password, Some(hash)) if is_login(&knock) => {
                self.log_in(&record, hash.clone(), knock).await
            }
            (ProtectionMode::Password, _) => Verdict::Refuse(Refusal::AskPassword),
            _ => Verdict::Refuse(Refusal::Closed),
        }
    }

    /// Looks at a password. Wrong ones are counted before they are looked at, so that many at once are no way around the limit.
    async fn log_in(&self, record: &ProtectionRecord, hash: String, knock: Knock<'_>) -> Verdict {
        let Ok(body) = Limited::new(knock.body, MAX_LOGIN_BYTES).collect().await else {
            return Verdict::Refuse(Refusal::AskPassword);
        };
        let Some(typed) = typed_password(&body.to_bytes()) else { return Verdict::Refuse(Refusal::AskPassword) };
        let peer = knock.visitor.peer.ip();
        if let Err(retry_after_secs) = self.porter.attempts.begin(&self.project, peer, Instant::now()) {
            return Verdict::Refuse(Refusal::TooManyAttempts { retry_after_secs });
        }
        let Ok(_turn) = self.porter.turns.acquire().await else { return Verdict::Refuse(Refusal::AskPassword) };
        if blocking(move || password::is_right(&typed, &hash)).await {
            self.porter.attempts.forgive(&self.project, peer);
            Self::admit(record, knock.host)
        } else {
            Verdict::Refuse(Refusal::WrongPassword)
        }
    }
}

impl Gate for ProjectGate {
    fn judge<'k>(&'k self, knock: Knock<'k>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'k>> {
        Box::pin(self.decide(knock))
    }
}

fn is_login(knock: &Knock<'_>) -> bool {
    let media_type = knock.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = media_type.is_some_and(|text| text.split(';').next().is_some_and(|name| name.trim() == FORM));
    *knock.method == Method::POST && is_form
}

/// The field `password` of a form.
fn typed_password(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let field = text.split('&').find_map(|pair| pair.strip_prefix("password="))?.replace('+', " ");
    percent_decode_str(&field).decode_utf8().ok().map(std::borrow::Cow::into_owned).filter(|typed| !typed.is_empty())
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a browser sends for a password, whatever stands in it.
    #[test]
    fn forms() {
        let typed = |body: &str| typed_password(body.as_bytes());
        assert_eq!(typed("password=a+b%2B%26%C3%BC&x=1").as_deref(), Some("a b+&ü"));
        assert_eq!(typed("x=1&password=abc").as_deref(), Some("abc"));
        for nothing in ["", "password", "password=", "passwords=abc", "password=%ff"] {
            assert_eq!(typed(nothing), None, "{nothing}");
        }
    }
}
