//! Certificates for this machine alone: an authority of its own, made once for an account, and a certificate that it signs for each run.

mod by_name;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use self::by_name::{CertificateByName, Signer};
use crate::embedded::create_private;

/// How long the authority is good for, in years.
const AUTHORITY_YEARS: i64 = 10;

/// How long a certificate is good for, in days: browsers refuse more than 397, and each run makes another.
const CERTIFICATE_DAYS: i64 = 90;

/// How far clocks may be apart, in days.
const CLOCK_SLACK_DAYS: i64 = 1;

/// The name that the authority may vouch for, with all below it.
const NAME: &str = "localhost";

/// The networks whose addresses it may vouch for: this machine, and those that no stranger's site is in.
const NETWORKS: [&str; 8] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

/// How a certificate's file holds the name of the constraints on what it may vouch for (2.5.29.30).
const NAME_CONSTRAINTS: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x1e];

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
    /// It was made now, in the place of one that could vouch for any site.
    Replaced,
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
        let age = match self.certificate_file().is_file() && self.key_file().is_file() {
            true if self.is_bounded()? => return Ok(AuthorityAge::Old),
            true => AuthorityAge::Replaced,
            false => AuthorityAge::New,
        };
        let files = |source| LocalCertificateError::Files { folder: self.folder.clone(), source };
        let damaged = |source| LocalCertificateError::Damaged { folder: self.folder.clone(), source };
        let key = KeyPair::generate().map_err(damaged)?;
        let certificate = authority().self_signed(&key).map_err(damaged)?;
        create_private(&self.folder).map_err(files)?;
        write_private(&self.key_file(), &key.serialize_pem()).map_err(files)?;
        write_private(&self.certificate_file(), &certificate.pem()).map_err(files)?;
        Ok(age)
    }

    /// Whether its certificate says what it may vouch for. Those of earlier versions do not, and whoever had the key could be any site.
    fn is_bounded(&self) -> Result<bool, LocalCertificateError> {
        Ok(self.certificate()?.windows(NAME_CONSTRAINTS.len()).any(|bytes| bytes == NAME_CONSTRAINTS))
    }

    /// Makes certificates for `address` and for the names of this machine, with a key of their own.
    pub(crate) fn certify(&self, address: IpAddr) -> Result<Certified, LocalCertificateError> {
        let files = |source| LocalCertificateError::Files { folder: self.folder.clone(), source };
        let damaged = |source| LocalCertificateError::Damaged { folder: self.folder.clone(), source };
        let key = KeyPair::from_pem(&std::fs::read_to_string(self.key_file()).map_err(files)?).map_err(damaged)?;
        // With a name that its authority may not vouch for, a certificate is nobody's.
        let further = may_vouch_for(address).then(|| address.to_string());
        let names = [NAME.to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()].into_iter().chain(further).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let signer = Signer { issuer: Issuer::new(authority(), key), key: KeyPair::generate().map_err(damaged)? };
        let usual = signer.sign(names).map_err(damaged)?;
        let certificates = CertificateByName::new(signer, usual, provider.key_provider)?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
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
    let networks = networks().map(GeneralSubtree::IpAddress);
    let permitted_subtrees = std::iter::once(GeneralSubtree::DnsName(NAME.to_owned())).chain(networks).collect();
    authority.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut authority, AUTHORITY_YEARS * 365);
    authority
}

fn networks() -> impl Iterator<Item = CidrSubnet> {
    NETWORKS.iter().map(|network| network.parse().expect("it is a network"))
}

/// Whether the authority may vouch for an address.
pub(crate) fn may_vouch_for(address: IpAddr) -> bool {
    networks().any(|network| match (network, address) {
        (CidrSubnet::V4(network, mask), IpAddr::V4(address)) => is_within(address.octets(), network, mask),
        (CidrSubnet::V6(network, mask), IpAddr::V6(address)) => is_within(address.octets(), network, mask),
        _ => false,
    })
}

fn is_within<const BYTES: usize>(address: [u8; BYTES], network: [u8; BYTES], mask: [u8; BYTES]) -> bool {
    (0..BYTES).all(|byte| address[byte] & mask[byte] == network[byte])
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

#[cfg(test)]
mod tests {
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    /// Whether somebody who trusts the authority believes a certificate for `name` that is made with its key.
    fn is_believed(authority: &LocalAuthority, name: &str) -> bool {
        let key = KeyPair::from_pem(&fs_err::read_to_string(authority.key_file()).unwrap()).unwrap();
        let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
        limit(&mut leaf, CERTIFICATE_DAYS);
        let signed = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(super::authority(), key)).unwrap();
        let mut trusted = RootCertStore::empty();
        trusted.add(authority.certificate().unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), provider).build().unwrap();
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(signed.der(), &[], &name, &[], UnixTime::now()).is_ok()
    }

    /// The authority vouches for this machine and private networks, whoever has its key, and for nobody else.
    #[test]
    fn what_it_vouches_for() {
        let folder = tempfile::tempdir().unwrap();
        let authority = LocalAuthority::in_folder(folder.path().join("local-ca"));
        assert_eq!(authority.make().unwrap(), AuthorityAge::New);
        for name in ["localhost", "a.b.localhost", "127.0.0.1", "::1", "192.168.1.20"] {
            assert!(is_believed(&authority, name), "{name}");
        }
        for name in ["example.com", "localhost.example.com", "8.8.8.8", "2001:db8::1"] {
            assert!(!is_believed(&authority, name), "{name}");
        }
        assert_eq!(authority.make().unwrap(), AuthorityAge::Old);
    }

    /// An authority that could vouch for any site gives way to one that cannot.
    #[test]
    fn one_without_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LocalAuthority::in_folder(folder.path().to_owned());
        let key = KeyPair::generate().unwrap();
        let mut boundless = super::authority();
        boundless.name_constraints = None;
        let boundless = boundless.self_signed(&key).unwrap();
        fs_err::write(kept.key_file(), key.serialize_pem()).unwrap();
        fs_err::write(kept.certificate_file(), boundless.pem()).unwrap();
        assert!(is_believed(&kept, "example.com"));
        assert_eq!(kept.make().unwrap(), AuthorityAge::Replaced);
        assert!(!is_believed(&kept, "example.com") && is_believed(&kept, "localhost"));
    }

    /// This machine and private networks are vouched for; public addresses, and no address at all, are not.
    #[test]
    fn addresses() {
        let vouched = ["127.0.0.1", "127.9.9.9", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.20", "fd12::1", "fe80::1"];
        assert!(vouched.iter().all(|address| may_vouch_for(address.parse().unwrap())));
        let others = ["0.0.0.0", "::", "8.8.8.8", "172.32.0.1", "2001:db8::1", "::ffff:127.0.0.1"];
        assert!(!others.iter().any(|address| may_vouch_for(address.parse().unwrap())));
    }
}
