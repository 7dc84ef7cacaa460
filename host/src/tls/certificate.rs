//! A certificate with its key, and why files are none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

/// A certificate, those that vouch for it, and its key.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) key: Arc<CertifiedKey>,
}

/// Why there is no certificate in a pair of files.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is larger than any chain of certificates.
    #[error("{} is larger than any certificate: {bytes} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// There is no certificate in PEM in a file.
    #[error("{} holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no private key in PEM in a file.
    #[error("{} holds no private key in PEM (`-----BEGIN PRIVATE KEY-----`) without a password", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("{} is not the key of the certificate {}", key.display(), certificate.display())]
    OtherKey {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate or the key cannot be used at all.
    #[error("the certificate {} cannot be used with the key {}", certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl Certificate {
    /// What is in two files.
    pub(crate) fn from_pem(chain: (&Path, &[u8]), key: (&Path, &[u8])) -> Result<Self, CertificateError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.1).collect();
        let certificates = certificates.ok().filter(|certificates| !certificates.is_empty());
        let certificates = certificates.ok_or_else(|| CertificateError::NoCertificate { path: chain.0.to_owned() })?;
        let private =
            PrivateKeyDer::from_pem_slice(key.1).map_err(|_| CertificateError::NoKey { path: key.0.to_owned() })?;
        let certified = CertifiedKey::from_der(certificates, private, &ring::default_provider());
        let (certificate, key) = (chain.0.to_owned(), key.0.to_owned());
        let certified = certified.map_err(|source| match source {
            rustls::Error::InconsistentKeys(_) => CertificateError::OtherKey { certificate, key },
            source => CertificateError::Unusable { certificate, key, source },
        });
        Ok(Self { key: Arc::new(certified?) })
    }

    /// Whether visitors who ask for `name` may be shown it: it says the name, or a `*` in its first label's place.
    pub(crate) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let parsed = self.key.cert.first().and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
        parsed.is_some_and(|certificate| verify_server_name(&certificate, name).is_ok())
    }
}
