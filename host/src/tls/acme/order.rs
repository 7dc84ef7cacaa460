//! One order of one certificate: the name is proved, the certificate fetched.

use std::path::PathBuf;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, KeyAuthorization, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use super::hook::{DnsHook, HookAction};
use crate::tls::certificates::Certificates;

/// How long the authority may take to look at a proof, and to sign.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_mins(2));

/// A certificate as an authority gives it.
pub(super) struct Issued {
    /// In PEM, with those that vouch for it.
    pub(super) chain: String,
    /// In PEM.
    pub(super) private_key: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeError {
    /// The authority cannot be asked, or refuses.
    #[error(transparent)]
    Acme(#[from] instant_acme::Error),
    /// The authority did not believe the proof.
    #[error("the authority did not find the proof: {0}")]
    Refused(String),
    /// It offers no kind of proof that the host can give.
    #[error("the authority offers no {0} for this name")]
    NoChallenge(&'static str),
    /// A proof cannot be made.
    #[error("a proof cannot be made")]
    Proof(#[from] rcgen::Error),
    /// A proof cannot be shown.
    #[error("a proof cannot be shown")]
    ShowProof(#[from] rustls::Error),
    /// The program that changes the zone failed.
    #[error("{} {action} failed: {reason}", program.display())]
    Hook {
        /// The program.
        program: PathBuf,
        /// What it was asked for.
        action: &'static str,
        /// What it said.
        reason: String,
    },
    /// What was kept of the account cannot be read.
    #[error("the account that was kept cannot be used")]
    Account(#[source] serde_json::Error),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] ship_store::StateError),
    /// It took too long.
    #[error("it took more than {} s", .0.as_secs())]
    Timeout(Duration),
    /// As many certificates as previews may cause were obtained.
    #[error("{0} certificates were obtained within a week, so those of previews wait")]
    PreviewsWait(u64),
    /// The certificate that the authority sent is none, or not for its key.
    #[error("what the authority sent cannot be used")]
    Unusable,
}

/// Orders a certificate for a name.
pub(super) async fn order(
    account: &Account,
    name: &str,
    certificates: &Certificates,
    hook: Option<&DnsHook>,
) -> Result<Issued, AcmeError> {
    let identifiers = [Identifier::Dns(name.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut proofs = Vec::new();
    let proved = prove(&mut order, name, certificates, hook, &mut proofs).await;
    for proof in proofs {
        proof.take_away(certificates, hook).await;
    }
    proved?;
    let private_key = order.finalize().await?;
    Ok(Issued { chain: order.poll_certificate(&PATIENCE).await?, private_key })
}

/// Shows that the name is this host's, and waits until the authority has seen it.
async fn prove(
    order: &mut Order,
    name: &str,
    certificates: &Certificates,
    hook: Option<&DnsHook>,
    proofs: &mut Vec<Proof>,
) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let (kind, kind_name) = match name.strip_prefix("*.") {
            Some(_) => (ChallengeType::Dns01, "dns-01"),
            None => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        };
        let mut challenge = authorization.challenge(kind).ok_or(AcmeError::NoChallenge(kind_name))?;
        let proof = Proof::of(name, &challenge.key_authorization());
        proofs.push(proof.clone());
        proof.show(certificates, hook).await?;
        challenge.set_ready().await?;
    }
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(_) => Err(AcmeError::Refused(reason(order).await.unwrap_or_else(|| "it does not say why".to_owned()))),
        Err(error) => match reason(order).await {
            Some(reason) => Err(AcmeError::Refused(reason)),
            None => Err(error.into()),
        },
    }
}

/// What the authority says of a proof that it did not believe.
async fn reason(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let authorization = authorization.ok()?;
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Some(problem.to_string());
        }
    }
    None
}

/// What shows that a name is this host's.
#[derive(Clone)]
enum Proof {
    /// A certificate that only handshakes of authorities see (RFC 8737).
    Handshake { name: String, digest: Vec<u8> },
    /// A TXT record (RFC 8555, section 8.4).
    Record { name: String, value: String },
}

impl Proof {
    fn of(name: &str, authorization: &KeyAuthorization) -> Self {
        match name.strip_prefix("*.") {
            Some(domain) => {
                Self::Record { name: format!("_acme-challenge.{domain}"), value: authorization.dns_value() }
            }
            None => Self::Handshake { name: name.to_owned(), digest: authorization.digest().as_ref().to_vec() },
        }
    }

    async fn show(&self, certificates: &Certificates, hook: Option<&DnsHook>) -> Result<(), AcmeError> {
        match (self, hook) {
            (Self::Handshake { name, digest }, _) => {
                certificates.show_proof(name, handshake_proof(name, digest)?);
                Ok(())
            }
            (Self::Record { name, value }, Some(hook)) => hook.run(HookAction::Present, name, value).await,
            (Self::Record { .. }, None) => Err(AcmeError::NoChallenge("dns-01")),
        }
    }

    async fn take_away(&self, certificates: &Certificates, hook: Option<&DnsHook>) {
        match (self, hook) {
            (Self::Handshake { name, .. }, _) => certificates.hide_proof(name),
            (Self::Record { name, value }, Some(hook)) => {
                if let Err(error) = hook.run(HookAction::Cleanup, name, value).await {
                    tracing::warn!(%error, "a proof stays in the zone");
                }
            }
            (Self::Record { .. }, None) => {}
        }
    }
}

fn handshake_proof(name: &str, digest: &[u8]) -> Result<CertifiedKey, AcmeError> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let private = ring::sign::any_supported_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    // Not checked as others are: a critical extension that only authorities understand is the point of it.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], private))
}
