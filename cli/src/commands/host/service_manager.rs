//! What a service manager is told, and what it hands over: the protocols of systemd (`sd_notify(3)`, `sd_listen_fds(3)`), which others
//! speak as well. Both are a few lines; a library for them would read the environment by itself.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use ship_host::GivenSockets;

use crate::error::CommandError;
use crate::settings::environment::{Environment, LISTEN_FDNAMES, LISTEN_FDS, LISTEN_PID, NOTIFY_SOCKET};

/// The first descriptor that a service manager hands over.
const FIRST_DESCRIPTOR: i32 = 3;

/// The most that are taken.
const MOST_DESCRIPTORS: i32 = 16;

/// The names of sockets, as `FileDescriptorName=` gives them.
const SITES: &str = "sites";
const CONTROL: &str = "control";
const TLS: &str = "tls";
const QUIC: &str = "quic";

/// In which order they come where none of them is named.
const PLACES: [&str; 4] = [SITES, CONTROL, TLS, QUIC];

/// Who looks after this process, if somebody does.
#[derive(Clone, Debug)]
pub(super) struct ServiceManager {
    address: Option<SocketAddr>,
}

impl ServiceManager {
    pub(super) fn of(environment: &Environment) -> Self {
        let address = environment.raw(NOTIFY_SOCKET).and_then(|name| match name.as_bytes() {
            #[cfg(target_os = "linux")]
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
            path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)).ok(),
        });
        Self { address }
    }

    /// Whether it wants to be told.
    pub(super) fn listens(&self) -> bool {
        self.address.is_some()
    }

    /// The host serves.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// Another process is the host now.
    pub(super) fn main_process(&self, pid: u32) {
        self.tell(&format!("MAINPID={pid}"));
    }

    fn tell(&self, message: &str) {
        let Some(address) = &self.address else { return };
        let told = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(message.as_bytes(), address));
        if let Err(error) = told {
            tracing::warn!(%error, message, "the service manager does not listen");
        }
    }
}

/// The sockets that a service manager listens at in this process's place: by their names, or else the first for visitors, the second for
/// the control API, the third for visitors who come through TLS, and the fourth, of datagrams, for those who come over QUIC.
pub(super) fn given_sockets(environment: &Environment) -> Result<GivenSockets, CommandError> {
    let number = |variable| environment.text(variable).and_then(|text| text.parse::<i32>().ok());
    // What is for another process of the same environment is none of this one's.
    let is_for_this = number(LISTEN_PID).is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id()));
    let count = number(LISTEN_FDS).filter(|_| is_for_this).unwrap_or(0);
    if count > MOST_DESCRIPTORS {
        return Err(CommandError::usage(format!("`{}` is {count}: a host takes four", LISTEN_FDS.name)));
    }
    let names: Vec<&str> = environment.text(LISTEN_FDNAMES).unwrap_or_default().split(':').collect();
    let mut given = GivenSockets::default();
    for (position, name) in places(usize::try_from(count).unwrap_or(0), &names)?.into_iter().enumerate() {
        let descriptor = FIRST_DESCRIPTOR + i32::try_from(position).unwrap_or(MOST_DESCRIPTORS);
        let socket: OwnedFd = ship_runtime::inherited(descriptor);
        match name {
            SITES => given.sites = Some(TcpListener::from(socket)),
            CONTROL => given.control = Some(TcpListener::from(socket)),
            TLS => given.tls = Some(TcpListener::from(socket)),
            _ => given.quic = Some(UdpSocket::from(socket)),
        }
    }
    Ok(given)
}

/// What each of `count` sockets is for.
fn places(count: usize, names: &[&str]) -> Result<Vec<&'static str>, CommandError> {
    let by_name = |name: &&str| PLACES.into_iter().find(|known| known == name);
    let places: Vec<&'static str> = if names.iter().any(|name| PLACES.contains(name)) {
        names.iter().take(count).filter_map(by_name).collect()
    } else {
        PLACES.into_iter().take(count).collect()
    };
    let is_twice = places.iter().enumerate().any(|(position, name)| places[..position].contains(name));
    if places.len() != count || is_twice {
        let message = format!("{count} sockets were given to this host, called `{}`", names.join(":"));
        return Err(CommandError::usage(message)
            .hint("one for `sites`, one for `control`, one for `tls` and one of datagrams for `quic`, by name or in this order"));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sockets are told apart by name where any has one that is known, and by their order otherwise.
    #[test]
    fn names_of_sockets() {
        let places = |count, names: &[&str]| places(count, names).map_err(|error| error.to_lines());
        assert_eq!(places(0, &[""]).unwrap(), [] as [&str; 0]);
        assert_eq!(places(1, &["ship.socket"]).unwrap(), [SITES]);
        assert_eq!(places(2, &["ship.socket", "ship.socket"]).unwrap(), [SITES, CONTROL]);
        assert_eq!(places(2, &["control", "sites"]).unwrap(), [CONTROL, SITES]);
        assert_eq!(places(3, &["ship.socket"]).unwrap(), [SITES, CONTROL, TLS]);
        assert_eq!(places(1, &["control"]).unwrap(), [CONTROL]);
        assert_eq!(places(2, &["tls", "sites"]).unwrap(), [TLS, SITES]);
        assert_eq!(places(4, &["a"]).unwrap(), [SITES, CONTROL, TLS, QUIC]);
        for (count, names) in [(5, &["a"; 5][..]), (2, &["sites", "other"]), (2, &["sites", "sites"])] {
            assert!(places(count, names).is_err(), "{names:?}");
        }
    }
}
