//! Identities of jobs against tokens: how continuous integration comes in without a secret of the host's.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use http::StatusCode;
use jiff::Timestamp;
use ship_api::{CreatedToken, ErrorBody, ErrorCode, ErrorDetail, ExchangeRequest};
use ship_core::{JobClaims, ProjectName, TokenName};
use ship_store::{AuditEntry, AuditNote, AuditOutcome, ExchangeError, TrustRecord, UsedIdentity};

use super::extract::Body;
use super::server::Peer;
use super::tokens::{Making, created, draw};
use super::{ApiError, Control, State, trusts, upgrade};
use crate::blocking::blocking;
use crate::identity::{IdentityError, Vouched};

/// What the audit log calls it.
const EXCHANGE: &str = "token.exchange";

/// How much of what an identity says stands in the audit log, in characters.
const SAID_CHARACTERS: usize = 300;

/// Exchanges the identity of a job for a token. Each identity is good for one. Whatever is wrong with one, the answer is the same 401; the
/// audit log says what it was.
#[utoipa::path(post, path = "/v1/exchange", request_body = ExchangeRequest,
    responses((status = 201, body = CreatedToken), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 429, body = ErrorBody), (status = 502, body = ErrorBody)))]
pub(super) async fn exchange(
    axum::extract::State(control): State,
    axum::Extension(Peer(peer)): axum::Extension<Peer>,
    Body(request): Body<ExchangeRequest>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let attempt = attempt(&control, peer, &request).await;
    let token = attempt.map_err(|refusal| match refusal {
        Refusal::Other(error) => error,
        refusal => turn_away(&control, peer, &refusal),
    })?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// Why a job gets no token.
enum Refusal {
    /// Its identity is none.
    Identity(IdentityError),
    /// It is who it says, and nobody trusts it with this. What it says.
    Untrusted(String),
    /// Its identity was exchanged before. What it says.
    Used(String),
    /// It is not the job's fault, or none that has to do with who it is.
    Other(ApiError),
}

async fn attempt(control: &Arc<Control>, peer: IpAddr, request: &ExchangeRequest) -> Result<CreatedToken, Refusal> {
    let store = control.store.clone();
    let trusts = blocking(move || store.trusts().all()).await.map_err(|error| Refusal::Other(error.into()))?;
    let vouched = control.identities.verify(&request.identity, &trusts).await.map_err(Refusal::Identity)?;
    let Vouched { claims, used } = vouched;
    let trust = choose(trusts, &claims, request.project.as_ref())?;
    // Begun only now, so that an upgrade need not wait for an issuer's answer.
    let _change = control.changes.begin().await.map_err(|_moved| Refusal::Other(upgrade::moved()))?;
    make(control, peer, trust, &claims, used).await
}

/// The trust that a job fits: of several for one project the one that gives most, as if each had been asked for.
fn choose(trusts: Vec<TrustRecord>, claims: &JobClaims, project: Option<&ProjectName>) -> Result<TrustRecord, Refusal> {
    let now = Timestamp::now();
    let mut fitting: Vec<TrustRecord> = trusts
        .into_iter()
        .filter(|trust| claims.text("iss") == Some(trust.issuer.url()))
        .filter(|trust| trust.expires_at.is_none_or(|end| end > now))
        .filter(|trust| project.is_none_or(|project| trust.project == *project))
        .filter(|trust| trust.conditions.hold(trust.issuer.platform(), claims))
        .collect();
    fitting.sort_by_key(|trust| trust.role);
    let Some(trust) = fitting.pop() else { return Err(Refusal::Untrusted(said(None, claims))) };
    if fitting.iter().any(|other| other.project != trust.project) {
        let message = "the job is trusted with several projects";
        let detail = ErrorDetail::new(ErrorCode::BadRequest, message).with_hint("say which with `--project NAME`");
        return Err(Refusal::Other(detail.into()));
    }
    Ok(trust)
}

async fn make(
    control: &Arc<Control>,
    peer: IpAddr,
    trust: TrustRecord,
    claims: &JobClaims,
    used: UsedIdentity,
) -> Result<CreatedToken, Refusal> {
    let end = trust.lifetime.end(Timestamp::now());
    let making = Making {
        name: name(&trust, claims),
        scope: trusts::scope(&trust),
        expires_at: trust.expires_at.map_or(end, |of_trust| of_trust.min(end)),
        created_by: trust.created_by.clone(),
        trust: Some(trust.id.clone()),
    };
    let (token, record) = draw(making).map_err(Refusal::Other)?;
    let words = said(Some(&trust), claims);
    let note = AuditNote::new(AuditEntry {
        token: Some((record.id.clone(), record.name.clone())),
        project: Some(trust.project.clone()),
        ..entry(peer, AuditOutcome::Done, words.clone())
    });
    let (shared, added) = (Arc::clone(control), record.clone());
    let exchanged = blocking(move || {
        // Whoever removes the trust at the same time removes this token too, or it is not made.
        let _turn = shared.exchanging();
        shared.store.trusts().noting(note).exchange(&trust.id, &added, used)?;
        shared.keyring.add(added);
        Ok(())
    });
    exchanged.await.map_err(|error| match error {
        ExchangeError::Used => Refusal::Used(words),
        ExchangeError::Gone => Refusal::Untrusted(words),
        ExchangeError::TooMany => Refusal::Other(ApiError::new(ErrorCode::TooManyRequests, error.to_string())),
        ExchangeError::State(error) => Refusal::Other(error.into()),
    })?;
    Ok(created(&token, record))
}

/// What the token of a job is called: `acme/blue run 42`.
fn name(trust: &TrustRecord, claims: &JobClaims) -> TokenName {
    let platform = trust.issuer.platform();
    let whose = claims.repository(platform).or_else(|| claims.subject()).unwrap_or_default();
    let run = claims.run(platform).map(|run| format!(" run {run}")).unwrap_or_default();
    let whose = whose.chars().take(TokenName::CHARACTERS.saturating_sub(run.chars().count()));
    let text: String = whose.chain(run.chars()).filter(|character| !character.is_control()).collect();
    let text: String = text.chars().take(TokenName::CHARACTERS).collect();
    text.parse().unwrap_or_else(|_| TokenName::job())
}

/// What is noted of a job: the trust, its subject, its repository and its run, as far as they are known.
fn said(trust: Option<&TrustRecord>, claims: &JobClaims) -> String {
    let platform = trust.map(|trust| trust.issuer.platform());
    let of = |read: fn(&JobClaims, ship_core::Platform) -> Option<&str>| {
        platform.and_then(|platform| read(claims, platform))
    };
    let words = [
        trust.map(|trust| format!("trust {}", trust.id)),
        claims.subject().map(str::to_owned),
        of(JobClaims::repository).map(|repository| format!("repository {repository}")),
        of(JobClaims::run).map(|run| format!("run {run}")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    words.join(", ").chars().take(SAID_CHARACTERS).collect()
}

fn entry(peer: IpAddr, outcome: AuditOutcome, resource: String) -> AuditEntry {
    AuditEntry {
        at: Timestamp::now(),
        token: None,
        peer: Some(peer),
        action: EXCHANGE,
        project: None,
        resource: Some(resource),
        outcome,
        code: None,
    }
}

/// The answer to who gets no token. It counts as a wrong token, and what was wrong stands in the audit log alone.
fn turn_away(control: &Control, peer: IpAddr, refusal: &Refusal) -> ApiError {
    if let Err(wait) = control.doors.wrong_tokens.take(peer) {
        return ApiError::new(ErrorCode::TooManyRequests, "too many wrong identities came from this address")
            .retry_after(wait);
    }
    let (error, reason) = match refusal {
        Refusal::Identity(error @ IdentityError::Issuer(_)) => (unreachable(), error.to_string()),
        Refusal::Identity(error) => (untaken(control), error.to_string()),
        Refusal::Untrusted(said) => (untaken(control), format!("no trust fits {said}")),
        Refusal::Used(said) => (untaken(control), format!("it was exchanged before: {said}")),
        Refusal::Other(_) => (untaken(control), String::new()),
    };
    let refused = entry(peer, AuditOutcome::Refused, reason);
    control.register.refused(AuditEntry { code: Some(error.code_word()), ..refused });
    error
}

fn untaken(control: &Control) -> ApiError {
    let audience = control.identities.audience();
    ErrorDetail::new(ErrorCode::Unauthorized, "the host does not take this identity for a token")
        .with_hint(format!(
            "it takes those for `{audience}`, once, of jobs that an admin trusts; `ship audit` says what is wrong with this one"
        ))
        .into()
}

fn unreachable() -> ApiError {
    ErrorDetail::new(ErrorCode::IssuerUnreachable, "the host cannot read the keys of the identity's issuer")
        .with_hint("the host's log says why; it asks again after half a minute")
        .into()
}
