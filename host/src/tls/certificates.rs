//! The certificates there are, by the names that visitors ask for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::mpsc;

use super::certificate::Certificate;

/// The protocol of handshakes in which an authority looks for a proof (RFC 8737).
pub(super) const ACME_PROTOCOL: &[u8] = b"acme-tls/1";

/// How many names that visitors asked for in vain wait to be looked at. A crowd of strangers fills it, and nothing else.
const MISSED_AT_ONCE: usize = 64;

/// The certificates there are. Handshakes read them without a lock.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    /// Those of the operator's files, in the order of the command line.
    files: ArcSwap<Vec<Certificate>>,
    /// Those that the host got for itself, by their name: a host name, or `*.` and a domain.
    obtained: ArcSwap<HashMap<String, Certificate>>,
    /// What authorities are shown, by name.
    proofs: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    missed: OnceLock<mpsc::Sender<String>>,
}

impl Certificates {
    /// Puts these in place of those of the operator's files.
    pub(super) fn replace_files(&self, certificates: Vec<Certificate>) {
        self.files.store(Arc::new(certificates));
    }

    /// Shows a certificate to who asks for its name from now on.
    pub(super) fn install(&self, name: &str, certificate: &Certificate) {
        self.obtained.rcu(|obtained| {
            let mut obtained = HashMap::clone(obtained);
            obtained.insert(name.to_owned(), certificate.clone());
            obtained
        });
    }

    /// Shows the one that was obtained for a name no more.
    pub(super) fn uninstall(&self, name: &str) {
        self.obtained.rcu(|obtained| {
            let mut obtained = HashMap::clone(obtained);
            obtained.remove(name);
            obtained
        });
    }

    /// Shows authorities a proof.
    pub(super) fn show_proof(&self, name: &str, proof: CertifiedKey) {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(proof));
    }

    /// Shows it no more.
    pub(super) fn hide_proof(&self, name: &str) {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The names that visitors ask for in vain from now on. Some are left out where there are many.
    pub(super) fn listen_for_missed(&self) -> mpsc::Receiver<String> {
        let (sender, missed) = mpsc::channel(MISSED_AT_ONCE);
        if self.missed.set(sender).is_err() {
            tracing::error!("two listen for names without a certificate, and one hears nothing");
        }
        missed
    }

    fn of_name(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let server = ServerName::try_from(name).ok()?;
        let files = self.files.load();
        if let Some(certificate) = files.iter().find(|certificate| certificate.is_for(&server)) {
            return Some(Arc::clone(&certificate.key));
        }
        let obtained = self.obtained.load();
        let wildcard = || name.split_once('.').and_then(|(_, domain)| obtained.get(&format!("*.{domain}")));
        let certificate = obtained.get(name).or_else(wildcard)?;
        Some(Arc::clone(&certificate.key))
    }
}

impl ResolvesServerCert for Certificates {
    /// The first certificate for the name that a visitor asks for. Who asks for no name or a stranger's is shown none, not even
    /// another: a certificate says whom a host serves.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        if hello.alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_PROTOCOL)) {
            return self.proofs.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        }
        let found = self.of_name(&name);
        if let (None, Some(missed)) = (&found, self.missed.get()) {
            // Full of others: the visitor will ask again.
            let _ = missed.try_send(name);
        }
        found
    }
}
