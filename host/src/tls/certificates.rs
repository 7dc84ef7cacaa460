//! The certificates there are, by the names that visitors ask for.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;

/// The certificates there are. Handshakes read them without a lock.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    /// Those of the operator's files, in the order of the command line.
    files: ArcSwap<Vec<Certificate>>,
}

impl Certificates {
    /// Puts these in place of those of the operator's files.
    pub(super) fn replace_files(&self, certificates: Vec<Certificate>) {
        self.files.store(Arc::new(certificates));
    }
}

impl ResolvesServerCert for Certificates {
    /// The first certificate for the name that a visitor asks for. Who asks for no name or a stranger's is shown none, not even
    /// another: a certificate says whom a host serves.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = ServerName::try_from(hello.server_name()?).ok()?;
        let files = self.files.load();
        files.iter().find(|certificate| certificate.is_for(&name)).map(|certificate| Arc::clone(&certificate.key))
    }
}
