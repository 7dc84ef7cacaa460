//! Identities: what a platform of continuous integration says of a job and signs (OIDC), verified.
//!
//! Nothing that an identity says is believed before its signature is checked, but for the name of its issuer, and that only chooses among
//! the issuers that admins have declared: a stranger makes the host ask nobody else.

mod cryptography;
mod fetch;
mod keys;

use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use ship_core::{Digest, JobClaims};
use ship_store::{TrustRecord, UsedIdentity};

use self::fetch::FetchError;
use self::keys::{IssuerKeys, KeyError};

/// The largest identity, in bytes. Those of GitHub and GitLab have some two thousand.
const MAX_BYTES: usize = 16 * 1024;

/// What signs identities: what GitHub and GitLab use, and its smaller brother. Neither takes a secret that both sides know, with which
/// whoever reads a public key could sign.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 30;

/// What an audience begins with.
const AUDIENCE_SCHEME: &str = "ship://";

/// Verifies identities.
pub(crate) struct Identities {
    audience: String,
    keys: IssuerKeys,
}

/// An identity that its issuer has signed, for this host, and for now.
#[derive(Debug)]
pub(crate) struct Vouched {
    /// What it says.
    pub(crate) claims: JobClaims,
    /// What keeps it from being used twice.
    pub(crate) used: UsedIdentity,
}

/// An identity is none that this host takes. The sentences are for the audit log alone: whoever tries hears the same for all of them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// It is no signed token, or one that is not understood.
    #[error("it cannot be read")]
    Unreadable,
    /// It is signed in a way that is not taken, or not at all.
    #[error("its algorithm is neither RS256 nor ES256")]
    Algorithm,
    /// Nobody has declared trust in whoever it names.
    #[error("no trust names its issuer")]
    UnknownIssuer,
    /// The issuer has no such key.
    #[error("its issuer has no such key")]
    UnknownKey,
    /// Somebody else signed it.
    #[error("its signature is wrong")]
    Signature,
    /// It is for somebody else, or for others as well.
    #[error("its audience is another")]
    Audience,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    Early,
    /// Something is missing that every identity has.
    #[error("a claim is missing or is not what it should be")]
    Claims,
    /// It cannot be verified, because the issuer's keys are not to be had.
    #[error("the keys of its issuer cannot be read")]
    Issuer(#[source] FetchError),
}

impl Identities {
    /// Takes identities for the host of a domain.
    pub(crate) fn of_domain(domain: &str) -> Self {
        cryptography::install();
        Self { audience: format!("{AUDIENCE_SCHEME}{domain}"), keys: IssuerKeys::default() }
    }

    /// Whom identities have to be for.
    pub(crate) fn audience(&self) -> &str {
        &self.audience
    }

    /// Verifies an identity, if one of the trusts is in its issuer. Which of them it fits is not looked at.
    pub(crate) async fn verify(&self, identity: &str, trusts: &[TrustRecord]) -> Result<Vouched, IdentityError> {
        let header = readable(identity)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(IdentityError::Algorithm);
        }
        let key_id = header.kid.ok_or(IdentityError::UnknownKey)?;
        let said: JobClaims =
            jsonwebtoken::dangerous::insecure_decode_claims(identity).map_err(|_| IdentityError::Unreadable)?;
        let trusted = trusts.iter().map(|trust| trust.issuer.url());
        let issuer =
            trusted.into_iter().find(|url| said.text("iss") == Some(*url)).ok_or(IdentityError::UnknownIssuer)?;
        let key = self.keys.find(issuer, &key_id, header.alg).await.map_err(|error| match error {
            KeyError::Unknown => IdentityError::UnknownKey,
            KeyError::Fetch(error) => IdentityError::Issuer(error),
        })?;
        let verified = jsonwebtoken::decode(identity, &key, &self.validation(issuer, header.alg));
        let claims: JobClaims = verified.map_err(|error| reason(error.kind()))?.claims;
        self.check(issuer, claims)
    }

    fn validation(&self, issuer: &str, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }

    /// What the library does not look at: one audience and no other, when it was issued, and the name that it is used up by.
    fn check(&self, issuer: &str, claims: JobClaims) -> Result<Vouched, IdentityError> {
        if !claims.is_only_for(&self.audience) {
            return Err(IdentityError::Audience);
        }
        let now = Timestamp::now().as_second();
        let leeway = LEEWAY_SECONDS.cast_signed();
        let (Some(begun), Some(end)) = (claims.seconds("iat"), claims.seconds("exp")) else {
            return Err(IdentityError::Claims);
        };
        if begun > now + leeway {
            return Err(IdentityError::Early);
        }
        let name = claims.text("jti").filter(|name| !name.is_empty()).ok_or(IdentityError::Claims)?;
        if claims.text("iss") != Some(issuer) || claims.subject().is_none() {
            return Err(IdentityError::Claims);
        }
        let hash = *Digest::of(format!("{issuer}\n{name}").as_bytes()).as_bytes();
        let until = Timestamp::from_second(end.saturating_add(2 * leeway)).unwrap_or(Timestamp::MAX);
        Ok(Vouched { claims, used: UsedIdentity { hash, until } })
    }
}

fn readable(identity: &str) -> Result<jsonwebtoken::Header, IdentityError> {
    if identity.len() > MAX_BYTES {
        return Err(IdentityError::Unreadable);
    }
    // A header that an extension of the standard must be known for is nothing that can be judged here (RFC 7515, section 4.1.11).
    jsonwebtoken::decode_header(identity).ok().filter(|header| header.crit.is_none()).ok_or(IdentityError::Unreadable)
}

fn reason(kind: &ErrorKind) -> IdentityError {
    match kind {
        ErrorKind::InvalidSignature => IdentityError::Signature,
        ErrorKind::ExpiredSignature => IdentityError::Expired,
        ErrorKind::ImmatureSignature => IdentityError::Early,
        ErrorKind::InvalidAudience => IdentityError::Audience,
        ErrorKind::InvalidAlgorithm => IdentityError::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::InvalidIssuer => {
            IdentityError::Claims
        }
        _ => IdentityError::Unreadable,
    }
}
