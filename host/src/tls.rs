//! TLS for visitors: the certificates there are, and which of them a visitor is shown.

mod acme;
mod certificate;
mod certificates;
mod files;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;

pub use self::acme::AcmeOptions;
pub(crate) use self::acme::{AcmeKeeper, AcmeReport, NameReport};
pub use self::certificate::CertificateError;
pub(crate) use self::certificates::Certificates;
pub use self::files::CertificateFiles;
pub(crate) use self::files::FileWatch;
use crate::error::HostError;

/// How visitors are served through TLS.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Where.
    pub address: SocketAddr,
    /// Certificates of the operator's own.
    pub files: Vec<CertificateFiles>,
    /// How the host gets certificates for itself, for names that none of the files is for.
    pub acme: Option<AcmeOptions>,
}

/// What is offered, the best first (ALPN). The last is spoken by authorities that look for a proof, and by nobody else.
const PROTOCOLS: [&[u8]; 3] = [b"h2", b"http/1.1", certificates::ACME_PROTOCOL];

/// How handshakes are made, with these certificates.
pub(crate) fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, HostError> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(HostError::Tls)?;
    let mut config = config.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    // Visitors who come again keep what was agreed on, sealed: the host keeps nothing for them.
    config.ticketer = ring::Ticketer::new().map_err(HostError::Tls)?;
    Ok(Arc::new(config))
}
