//! TLS from the other side: an authority that a story makes for itself, and connections that trust it and nobody else.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

/// Somebody who vouches for servers.
#[derive(Clone, Debug)]
pub struct TestAuthority {
    roots: Arc<RootCertStore>,
    pem: String,
    issuer: Option<Arc<Issuer<'static, KeyPair>>>,
}

impl Default for TestAuthority {
    fn default() -> Self {
        Self::new()
    }
}

impl TestAuthority {
    /// A new one, which nobody knows.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("the system gives random bytes");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("the parameters are valid");
        let roots = roots(certificate.der().clone());
        Self { roots, pem: certificate.pem(), issuer: Some(Arc::new(Issuer::new(params, key))) }
    }

    /// One that is known by its certificate alone, in PEM.
    pub fn known_by(pem: &[u8]) -> Self {
        let certificate = CertificateDer::from_pem_slice(pem).expect("it is a certificate");
        Self { roots: roots(certificate), pem: String::from_utf8_lossy(pem).into_owned(), issuer: None }
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes a certificate for `names` and its key into a folder, in place of those that are there: `tls.crt` and `tls.key`.
    pub fn write(&self, folder: &Path, names: &[&str]) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("the system gives random bytes");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("they are names");
        let issuer = self.issuer.as_ref().expect("the story has this authority's key");
        let certificate = params.signed_by(&key, issuer).expect("the parameters are valid");
        fs::create_dir_all(folder).expect("the folder is writable");
        let place = |name: &str, text: String| {
            let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
            fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).expect("the folder is writable");
            path
        };
        (place("tls.crt", certificate.pem()), place("tls.key", key.serialize_pem()))
    }

    /// A client that trusts it and nobody else.
    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> io::Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let client = client.map_err(io::Error::other)?;
        let mut client = client.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(client))
    }

    /// Speaks TLS on a connection with the server that `authority` names, which has to be vouched for.
    pub fn connect(&self, stream: TcpStream, authority: &str, protocols: &[&str]) -> io::Result<Wire> {
        let client = self.client(rustls::DEFAULT_VERSIONS, protocols)?;
        let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(client, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Wire::Secure(Box::new(stream)))
    }
}

fn roots(certificate: CertificateDer<'static>) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("it is a certificate");
    Arc::new(roots)
}

/// A connection, in the clear or through TLS.
#[derive(Debug)]
pub enum Wire {
    /// In the clear.
    Plain(TcpStream),
    /// Through TLS.
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// The connection that goes through TLS.
    #[track_caller]
    pub fn secure(&mut self) -> &mut StreamOwned<ClientConnection, TcpStream> {
        let Self::Secure(stream) = self else { panic!("this connection is in the clear") };
        stream
    }

    /// The certificate that the server showed, if it did.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let Self::Secure(stream) = self else { return None };
        Some(stream.conn.peer_certificates()?.first()?.to_vec())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}
