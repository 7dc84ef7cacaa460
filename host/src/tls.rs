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
    /// Whether they may come over QUIC, too.
    pub http3: Http3,
    /// How the host gets certificates for itself, for names that none of the files is for.
    pub acme: Option<AcmeOptions>,
}

/// Whether visitors may come over QUIC, at the same port of UDP, and are told so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Http3 {
    /// Where the port can be had.
    Offered,
    /// They may not.
    Off,
}

/// What is offered, the best first (ALPN). The last is spoken by authorities that look for a proof, and by nobody else.
const PROTOCOLS: [&[u8]; 3] = [b"h2", b"http/1.1", certificates::ACME_PROTOCOL];

/// What is offered over QUIC.
const HTTP3: &[u8] = b"h3";

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

/// How handshakes of QUIC are made, with these certificates. Nothing is taken before a handshake has ended: rustls takes no early data
/// unless it is told how much.
pub(crate) fn quic_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, HostError> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(HostError::Tls)?;
    let mut config = config.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = vec![HTTP3.to_vec()];
    config.ticketer = ring::Ticketer::new().map_err(HostError::Tls)?;
    Ok(Arc::new(config))
}
