//! What a host begins with: its sockets and its data directory, its own or those of the host before it.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use ship_core::{DeploymentId, FunctionName};
use ship_store::{Durability, Store};
use tokio::net::TcpListener;

use crate::blocking::blocking;
use crate::error::HostError;
use crate::listen::listen;
use crate::options::HostOptions;
use crate::upgrade::{Inheritance, Predecessor};

/// Where a host's sockets and its data directory come from.
#[derive(Debug)]
pub enum Beginning {
    /// It opens them itself, but for sockets that it is given.
    Alone(GivenSockets),
    /// It takes over from a host that lives.
    After(Predecessor),
}

/// Sockets that a service manager listens at, so that visitors can wait while there is no host.
#[derive(Debug, Default)]
pub struct GivenSockets {
    /// For visitors.
    pub sites: Option<StdListener>,
    /// For the control API.
    pub control: Option<StdListener>,
    /// For visitors who come through TLS.
    pub tls: Option<StdListener>,
}

/// What a host listens at.
pub(crate) struct Sockets {
    pub(crate) sites: TcpListener,
    pub(crate) control: TcpListener,
    /// Where there is to be TLS.
    pub(crate) tls: Option<TcpListener>,
}

/// What a host stands on.
pub(crate) struct Footing {
    pub(crate) store: Store,
    pub(crate) sockets: Sockets,
    /// The functions that are awake in the host before, and that host.
    pub(crate) before: Option<(Predecessor, Vec<(DeploymentId, FunctionName)>)>,
}

impl Beginning {
    /// Takes the sockets and the data directory.
    pub(crate) async fn take(self, options: &HostOptions) -> Result<Footing, HostError> {
        let data = options.data.clone();
        match self {
            Self::Alone(given) => {
                let store = blocking(move || Store::open(&data, Durability::Durable)).await?;
                let sites = given_or_own(given.sites, options, options.sites, "--listen").await?;
                let control = given_or_own(given.control, options, options.control, "--control").await?;
                let tls = tls_socket(given.tls, options).await?;
                Ok(Footing { store, sockets: Sockets { sites, control, tls }, before: None })
            }
            Self::After(predecessor) => {
                let inheritance = predecessor.inherit().await.map_err(HostError::Handover)?;
                let Inheritance { sites, control, tls, lock, awake } = inheritance;
                let store = blocking(move || Store::inherit(&data, Durability::Durable, lock)).await?;
                let sites = watched(sites).map_err(HostError::Handover)?;
                let control = watched(control).map_err(HostError::Handover)?;
                let tls = tls_socket(tls, options).await?;
                let sockets = Sockets { sites, control, tls };
                Ok(Footing { store, sockets, before: Some((predecessor, awake)) })
            }
        }
    }
}

/// The socket for TLS, if there is to be TLS.
async fn tls_socket(given: Option<StdListener>, options: &HostOptions) -> Result<Option<TcpListener>, HostError> {
    match &options.tls {
        Some(tls) => given_or_own(given, options, tls.address, "--tls-listen").await.map(Some),
        None => Ok(None),
    }
}

async fn given_or_own(
    given: Option<StdListener>,
    options: &HostOptions,
    address: SocketAddr,
    flag: &'static str,
) -> Result<TcpListener, HostError> {
    match given {
        Some(socket) => watched(socket).map_err(HostError::GivenSocket),
        None => listen(address, flag, options.ports).await,
    }
}

/// A socket that may have been made by somebody else. One that does not listen is an error here and not with the first visitor.
fn watched(socket: StdListener) -> io::Result<TcpListener> {
    if !rustix::net::sockopt::socket_acceptconn(&socket)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"));
    }
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}
