//! Serving visitors through TLS: the listener, its certificates, and what leads to it those who come in the clear.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustls::ServerConfig;
use ship_edge::{Closing, ConnectionLimits};
use ship_store::Store;
use tokio::net::TcpListener;

use crate::cores::Cores;
use crate::error::HostError;
use crate::redirect::SecureElsewhere;
use crate::site_map::SiteMap;
use crate::sites::Sites;
use crate::tls::{self, AcmeKeeper, AcmeReport, Certificates, FileWatch, TlsOptions};

/// Of the places that there are for visitors, one in so many is for those who come in the clear.
const PLAIN_SHARE: usize = 8;

/// What serves visitors through TLS.
pub(crate) struct Secure {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    files: FileWatch,
    acme: Option<AcmeKeeper>,
}

impl Secure {
    /// Reads the certificates with which visitors of `listener` are served.
    pub(crate) async fn start(options: &TlsOptions, listener: TcpListener) -> Result<Self, HostError> {
        let certificates = Arc::<Certificates>::default();
        let files = FileWatch::start(options.files.clone(), Arc::clone(&certificates));
        let files = files.await.map_err(HostError::Certificate)?;
        let config = tls::server_config(Arc::clone(&certificates))?;
        Ok(Self { listener, config, certificates, files, acme: None })
    }

    /// Another descriptor of the socket.
    pub(crate) fn duplicate(&self) -> Result<OwnedFd, HostError> {
        self.listener.as_fd().try_clone_to_owned().map_err(HostError::Cores)
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
        let limits = ConnectionLimits { max_connections: (limits.max_connections - for_plain).max(1), ..limits };
        let elsewhere = Arc::new(SecureElsewhere { sites: Arc::clone(&sites) });
        let keeping = async {
            if let Some(acme) = self.acme {
                acme.run(closing.door().clone()).await;
            }
        };
        let (plain, secure, (), ()) = tokio::join!(
            cores.serve(plain, elsewhere, plain_limits, closing.clone()),
            cores.serve_tls(self.listener, self.config, sites, limits, closing.clone()),
            self.files.run(closing.door().clone()),
            keeping,
        );
        plain.and(secure)
    }
}
