//! What a host begins with: its sockets and its data directory, its own or those of the host before it.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, UdpSocket as StdDatagrams};

use ship_core::{DeploymentId, FunctionName};
use ship_edge::QuicDoor;
use ship_store::{Durability, Store};
use tokio::net::TcpListener;

use crate::blocking::blocking;
use crate::error::HostError;
use crate::listen::{bind_datagrams, listen};
use crate::options::HostOptions;
use crate::tls::Http3;
use crate::upgrade::{Inheritance, InheritedQuic, Predecessor};

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
    /// For visitors who come over QUIC: one for datagrams, at the same port as the one for TLS.
    pub quic: Option<StdDatagrams>,
}

/// What a host listens at.
pub(crate) struct Sockets {
    pub(crate) sites: TcpListener,
    pub(crate) control: TcpListener,
    /// Where there is to be TLS.
    pub(crate) tls: Option<TcpListener>,
    /// Where there is to be QUIC, and the port could be had.
    pub(crate) quic: Option<QuicDoor>,
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
                let quic = quic_door(None, given.quic, tls.as_ref(), options);
                Ok(Footing { store, sockets: Sockets { sites, control, tls, quic }, before: None })
            }
            Self::After(predecessor) => {
                let inheritance = predecessor.inherit().await.map_err(HostError::Handover)?;
                let Inheritance { sites, control, tls, quic, lock, awake } = inheritance;
                let store = blocking(move || Store::inherit(&data, Durability::Durable, lock)).await?;
                let sites = watched(sites).map_err(HostError::Handover)?;
                let control = watched(control).map_err(HostError::Handover)?;
                let tls = tls_socket(tls, options).await?;
                let quic = quic_door(quic, None, tls.as_ref(), options);
                let sockets = Sockets { sites, control, tls, quic };
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

/// Where QUIC is spoken, if it is to be: at the port of TLS. Visitors come over TCP as well, so nothing fails where it cannot be had.
fn quic_door(
    inherited: Option<InheritedQuic>,
    given: Option<StdDatagrams>,
    tls: Option<&TcpListener>,
    options: &HostOptions,
) -> Option<QuicDoor> {
    let tls = tls.filter(|_| options.tls.as_ref().is_some_and(|tls| tls.http3 == Http3::Offered))?;
    let opened = match inherited {
        Some(InheritedQuic { socket, secrets, line }) => QuicDoor::after(socket, secrets, line),
        None => given.map_or_else(|| bind_datagrams(tls.local_addr()?), Ok).and_then(QuicDoor::new),
    };
    match opened {
        Ok(door) => Some(door),
        Err(error) => {
            tracing::warn!(%error, "there is no HTTP/3: its port of UDP cannot be had; `--no-http3` does without");
            None
        }
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
