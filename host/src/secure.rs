//! Serving visitors through TLS: the listener, its certificates, and what leads to it those who come in the clear.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use rustls::ServerConfig;
use ship_edge::{Closing, ConnectionLimits, QuicDoor};
use ship_store::Store;
use tokio::net::TcpListener;

use crate::cores::Cores;
use crate::error::HostError;
use crate::redirect::SecureElsewhere;
use crate::site_map::SiteMap;
use crate::sites::Sites;
use crate::tls::{self, AcmeKeeper, AcmeReport, Certificates, FileWatch, TlsOptions};
use crate::upgrade::QuicCopy;

/// Of the places that there are for visitors, one in so many is for those who come in the clear.
const PLAIN_SHARE: usize = 8;

/// Of the places that there are for visitors through TLS, one in so many is for those who come over QUIC. Neither can take the others'
/// places, and who finds none over QUIC comes over TCP.
const QUIC_SHARE: usize = 4;

/// How long browsers remember that a site is there over QUIC: what RFC 7838 takes where nothing is said.
const ALTERNATIVE_FOR: Duration = Duration::from_hours(24);

/// What serves visitors through TLS.
pub(crate) struct Secure {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    quic: Option<Quic>,
    certificates: Arc<Certificates>,
    files: FileWatch,
    acme: Option<AcmeKeeper>,
}

/// What serves visitors over QUIC.
struct Quic {
    door: QuicDoor,
    config: Arc<ServerConfig>,
}

impl Secure {
    /// Reads the certificates with which visitors of `listener`, and of `door` if there is one, are served.
    pub(crate) async fn start(
        options: &TlsOptions,
        listener: TcpListener,
        door: Option<QuicDoor>,
    ) -> Result<Self, HostError> {
        let certificates = Arc::<Certificates>::default();
        let files = FileWatch::start(options.files.clone(), Arc::clone(&certificates));
        let files = files.await.map_err(HostError::Certificate)?;
        let config = tls::server_config(Arc::clone(&certificates))?;
        let of_quic = |door| Ok::<_, HostError>(Quic { door, config: tls::quic_config(Arc::clone(&certificates))? });
        let quic = door.map(of_quic).transpose()?;
        Ok(Self { listener, config, quic, certificates, files, acme: None })
    }

    /// Another descriptor of the socket.
    pub(crate) fn duplicate(&self) -> Result<OwnedFd, HostError> {
        self.listener.as_fd().try_clone_to_owned().map_err(HostError::Cores)
    }

    /// What a successor needs to speak QUIC from here on.
    pub(crate) fn duplicate_quic(&self) -> Result<Option<QuicCopy>, HostError> {
        let copy = |quic: &Quic| {
            let (secrets, socket) = quic.door.offer().map_err(HostError::Cores)?;
            Ok(QuicCopy { secrets, socket, handover: quic.door.handover() })
        };
        self.quic.as_ref().map(copy).transpose()
    }

    /// What visitors over TCP are told of QUIC, where it is spoken (RFC 7838, RFC 9114 section 3.1.1).
    pub(crate) fn alternative(&self) -> Result<Option<HeaderValue>, HostError> {
        if self.quic.is_none() {
            return Ok(None);
        }
        let said = format!("h3=\":{}\"; ma={}", self.address()?.port(), ALTERNATIVE_FOR.as_secs());
        Ok(HeaderValue::from_maybe_shared(Bytes::from(said)).ok())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr, HostError> {
        self.listener.local_addr().map_err(HostError::Cores)
    }

    /// Has certificates ordered for names that there are none for, if the operator wants that.
    pub(crate) async fn keep_certificates(
        &mut self,
        options: &TlsOptions,
        store: &Store,
        map: &SiteMap,
        domain: &str,
    ) -> Result<AcmeReport, HostError> {
        let Some(acme) = &options.acme else { return Ok(AcmeReport::default()) };
        let certificates = Arc::clone(&self.certificates);
        let (keeper, report) = AcmeKeeper::start(acme, store.clone(), map.clone(), domain, certificates).await?;
        self.acme = Some(keeper);
        Ok(report)
    }

    /// Serves visitors through TLS, and leads those who come to `plain` there, until `closing`.
    pub(crate) async fn serve(
        self,
        cores: &Cores,
        plain: TcpListener,
        sites: Arc<Sites>,
        limits: ConnectionLimits,
        closing: &Closing,
    ) -> Result<(), HostError> {
        let for_plain = (limits.max_connections / PLAIN_SHARE).max(1);
        let plain_limits = ConnectionLimits { max_connections: for_plain, ..limits };
        let for_secure = (limits.max_connections - for_plain).max(1);
        let for_quic = if self.quic.is_some() { (for_secure / QUIC_SHARE).max(1) } else { 0 };
        let quic_limits = ConnectionLimits { max_connections: for_quic, ..limits };
        let limits = ConnectionLimits { max_connections: (for_secure - for_quic).max(1), ..limits };
        let elsewhere = Arc::new(SecureElsewhere { sites: Arc::clone(&sites) });
        let keeping = async {
            if let Some(acme) = self.acme {
                acme.run(closing.door().clone()).await;
            }
        };
        let speaking_quic = async {
            let Some(Quic { door, config }) = self.quic else { return };
            let served = cores.serve_http3(door, config, Arc::clone(&sites), quic_limits, closing.clone()).await;
            if let Err(error) = served {
                tracing::error!(%error, "HTTP/3 is not spoken any more");
            }
        };
        let (plain, secure, (), (), ()) = tokio::join!(
            cores.serve(plain, elsewhere, plain_limits, closing.clone()),
            cores.serve_tls(self.listener, self.config, Arc::clone(&sites), limits, closing.clone()),
            self.files.run(closing.door().clone()),
            keeping,
            speaking_quic,
        );
        plain.and(secure)
    }
}
