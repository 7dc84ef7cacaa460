//! The certificate for each name: those below `localhost` have one of their own. One for all of them would be `*.localhost`, which most
//! clients do not believe, since only one label stands behind the star.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::KeyProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};

use super::{CERTIFICATE_DAYS, NAME, limit};

/// How many names have a certificate of their own. A person makes up a few; what asks for more is no person.
const MAX_NAMES: usize = 256;

/// What signs certificates.
#[derive(Debug)]
pub(super) struct Signer {
    /// The authority.
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// The key of each certificate.
    pub(super) key: KeyPair,
}

impl Signer {
    /// A certificate for names and addresses.
    pub(super) fn sign(&self, names: Vec<String>) -> Result<CertificateDer<'static>, rcgen::Error> {
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, "ship dev");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        limit(&mut leaf, CERTIFICATE_DAYS);
        Ok(leaf.signed_by(&self.key, &self.issuer)?.der().clone())
    }
}

/// Chooses a certificate by the name that a client asks for.
#[derive(Debug)]
pub(super) struct CertificateByName {
    signer: Signer,
    key: Arc<dyn SigningKey>,
    /// For this machine and the address that is listened at.
    usual: Arc<CertifiedKey>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl CertificateByName {
    pub(super) fn new(
        signer: Signer,
        usual: CertificateDer<'static>,
        keys: &dyn KeyProvider,
    ) -> Result<Self, rustls::Error> {
        let key = keys.load_private_key(PrivatePkcs8KeyDer::from(signer.key.serialize_der()).into())?;
        let usual = Arc::new(CertifiedKey::new(vec![usual], Arc::clone(&key)));
        Ok(Self { signer, key, usual, made: Mutex::default() })
    }

    /// The certificate for a name below `localhost`, which is made when it is first asked for.
    fn of(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(name) {
            return Some(Arc::clone(known));
        }
        if made.len() == MAX_NAMES {
            return None;
        }
        let certificate = self.signer.sign(vec![name.to_owned()]).ok()?;
        let certified = Arc::new(CertifiedKey::new(vec![certificate], Arc::clone(&self.key)));
        made.insert(name.to_owned(), Arc::clone(&certified));
        Some(certified)
    }
}

impl ResolvesServerCert for CertificateByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let below = asked.filter(|name| name.strip_suffix(NAME).is_some_and(|rest| rest.ends_with('.')));
        below.and_then(|name| self.of(&name)).or_else(|| Some(Arc::clone(&self.usual)))
    }
}
