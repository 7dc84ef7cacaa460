//! Certificates for this machine alone: an authority of its own, made once for an account, and a certificate that it signs for each run.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::embedded::create_private;

/// How long the authority is good for, in years.
const AUTHORITY_YEARS: i64 = 10;

/// How long a certificate is good for, in days: browsers refuse more than 397, and each run makes another.
const CERTIFICATE_DAYS: i64 = 90;

/// How far clocks may be apart, in days.
const CLOCK_SLACK_DAYS: i64 = 1;

/// The authority of this account.
#[derive(Debug)]
pub(crate) struct LocalAuthority {
    folder: PathBuf,
}

/// A certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalCertificateError {
    /// A file cannot be read or written.
    #[error("the local authority in {} cannot be used", folder.display())]
    Files {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is in them is no certificate or key.
    #[error("the local authority in {} is damaged: remove that folder, and another is made", folder.display())]
    Damaged {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// What is in the certificate's file is none.
    #[error("{} holds no certificate: remove its folder, and another is made", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// TLS refuses it.
    #[error("the local certificate cannot be used")]
    Tls(#[from] rustls::Error),
}

/// Whether the authority was there before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AuthorityAge {
    /// It was.
    Old,
    /// It was made now, and nobody trusts it yet.
    New,
}

impl LocalAuthority {
    /// The authority in `folder`, which may still have to be made.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The file that browsers are told to trust.
    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("ca-key.pem")
    }

    /// Makes it unless it is there.
    pub(crate) fn make(&self) -> Result<AuthorityAge, LocalCertificateError> {
        if self.certificate_file().is_file() && self.key_file().is_file() {
            return Ok(AuthorityAge::Old);
        }
        let files = |source| LocalCertificateError::Files { folder: self.folder.clone(), source };
        let damaged = |source| LocalCertificateError::Damaged { folder: self.folder.clone(), source };
        let key = KeyPair::generate().map_err(damaged)?;
        let certificate = authority().self_signed(&key).map_err(damaged)?;
        create_private(&self.folder).map_err(files)?;
        write_private(&self.key_file(), &key.serialize_pem()).map_err(files)?;
        write_private(&self.certificate_file(), &certificate.pem()).map_err(files)?;
        Ok(AuthorityAge::New)
    }

    /// Makes a certificate for `address` and for the names of this machine, with a key of its own.
    pub(crate) fn certify(&self, address: IpAddr) -> Result<Certified, LocalCertificateError> {
        let files = |source| LocalCertificateError::Files { folder: self.folder.clone(), source };
        let damaged = |source| LocalCertificateError::Damaged { folder: self.folder.clone(), source };
        let key = KeyPair::from_pem(&std::fs::read_to_string(self.key_file()).map_err(files)?).map_err(damaged)?;
        let issuer = Issuer::new(authority(), key);
        let names = ["localhost".to_owned(), "*.localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let names: Vec<String> = names.into_iter().chain(std::iter::once(address.to_string())).collect();
        let mut leaf = CertificateParams::new(names).map_err(damaged)?;
        leaf.distinguished_name.push(DnType::CommonName, "ship dev");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        limit(&mut leaf, CERTIFICATE_DAYS);
        let key = KeyPair::generate().map_err(damaged)?;
        let certificate = leaf.signed_by(&key, &issuer).map_err(damaged)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        // HTTP/1.1 alone: WebSockets of development servers are made with its `Upgrade`.
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut trusted = RootCertStore::empty();
        trusted.add(self.certificate()?)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Ok(Certified { server: Arc::new(server), client: Arc::new(client) })
    }

    /// The authority's own certificate, as it is kept.
    fn certificate(&self) -> Result<CertificateDer<'static>, LocalCertificateError> {
        let file = self.certificate_file();
        CertificateDer::from_pem_file(&file).map_err(|error| match error {
            pem::Error::Io(source) => LocalCertificateError::Files { folder: self.folder.clone(), source },
            _ => LocalCertificateError::NoCertificate { file },
        })
    }
}

/// A certificate of the authority in use.
#[derive(Clone, Debug)]
pub(crate) struct Certified {
    /// What serves TLS with it.
    pub(crate) server: Arc<ServerConfig>,
    /// What trusts the authority, and nobody else.
    pub(crate) client: Arc<ClientConfig>,
}

/// What the authority's certificate says of it. Whoever signs with its key is named so.
fn authority() -> CertificateParams {
    let mut authority = CertificateParams::default();
    authority.distinguished_name = rcgen::DistinguishedName::new();
    authority.distinguished_name.push(DnType::CommonName, "ship dev, for this machine alone");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut authority, AUTHORITY_YEARS * 365);
    authority
}

/// Gives a certificate so many days, from a little ago.
fn limit(certificate: &mut CertificateParams, days: i64) {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let day = |from_today: i64| {
        let date = today.saturating_add(from_today.days());
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    certificate.not_before = day(-CLOCK_SLACK_DAYS);
    certificate.not_after = day(days);
}

/// Writes a file that only this account can read, whole or not at all.
fn write_private(path: &std::path::Path, text: &str) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(part, path)
}
