//! The ports that a host takes.

use std::net::SocketAddr;
use std::os::fd::AsFd as _;

use http::HeaderValue;
use ship_edge::Scheme;
use ship_store::Store;
use tokio::net::TcpListener;

use crate::beginning::Sockets;
use crate::domains::Domains;
use crate::error::HostError;
use crate::options::HostOptions;
use crate::secure::Secure;
use crate::site_map::SiteMap;
use crate::tls::AcmeReport;
use crate::upgrade::SocketCopies;
use crate::urls::Urls;

/// What a host listens with.
pub(super) struct Listeners {
    /// For visitors in the clear. Where there is TLS, they are only led to it.
    pub(super) sites: TcpListener,
    pub(super) sites_address: SocketAddr,
    /// For visitors through TLS.
    pub(super) secure: Option<Secure>,
    pub(super) control: TcpListener,
    pub(super) control_address: SocketAddr,
}

impl Listeners {
    /// Takes what there is to listen at, and reads the certificates.
    pub(super) async fn open(options: &HostOptions, sockets: Sockets) -> Result<Self, HostError> {
        let Sockets { sites, control, tls, quic } = sockets;
        let sites_address = local_address(&sites, options.sites)?;
        let control_address = local_address(&control, options.control)?;
        let secure = match (&options.tls, tls) {
            (Some(options), Some(listener)) => Some(Secure::start(options, listener, quic).await?),
            _ => None,
        };
        Ok(Self { sites, sites_address, secure, control, control_address })
    }

    /// Other descriptors of the sockets, for a process that takes over.
    pub(super) fn duplicate(&self) -> Result<SocketCopies, HostError> {
        let copy = |socket: &TcpListener, address| {
            socket.as_fd().try_clone_to_owned().map_err(|source| HostError::Listen { address, source })
        };
        Ok(SocketCopies {
            sites: copy(&self.sites, self.sites_address)?,
            control: copy(&self.control, self.control_address)?,
            tls: self.secure.as_ref().map(Secure::duplicate).transpose()?,
            quic: self.secure.as_ref().map(Secure::duplicate_quic).transpose()?.flatten(),
        })
    }

    /// What visitors through TLS are told of QUIC.
    pub(super) fn alternative(&self) -> Result<Option<HeaderValue>, HostError> {
        Ok(self.secure.as_ref().map(Secure::alternative).transpose()?.flatten())
    }

    /// How labels become URLs: through TLS where there is TLS, and under names of their own.
    pub(super) fn urls(&self, options: &HostOptions, store: &Store) -> Result<Urls, HostError> {
        let domains = Domains::default();
        domains.reload(store)?;
        let (scheme, address) = match &self.secure {
            Some(secure) => (Scheme::Https, secure.address()?),
            None => (Scheme::Http, self.sites_address),
        };
        Ok(Urls::new(&options.domain, scheme, address, domains))
    }

    /// Has certificates ordered for names that there are none for, if the operator wants that.
    pub(super) async fn keep_certificates(
        &mut self,
        options: &HostOptions,
        store: &Store,
        map: &SiteMap,
    ) -> Result<AcmeReport, HostError> {
        match (&mut self.secure, &options.tls) {
            (Some(secure), Some(tls)) => secure.keep_certificates(tls, store, map, &options.domain).await,
            _ => Ok(AcmeReport::default()),
        }
    }
}

fn local_address(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, HostError> {
    listener.local_addr().map_err(|source| HostError::Listen { address: asked, source })
}
