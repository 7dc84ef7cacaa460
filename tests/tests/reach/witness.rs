//! Servers of this machine that nobody should reach.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

/// How often ports are tried until one is free everywhere.
const TRIES: usize = 100;

/// A port at which this machine listens, on both of its loopback addresses and with both protocols.
pub(crate) struct Witness {
    port: u16,
    streams: [TcpListener; 2],
    datagrams: [UdpSocket; 2],
}

impl Witness {
    pub(crate) fn open() -> Self {
        (0..TRIES).find_map(|_| Self::try_open().ok()).expect("a port is free everywhere")
    }

    fn try_open() -> std::io::Result<Self> {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        let [four, six] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let streams = [first, TcpListener::bind((six, port))?];
        let datagrams = [UdpSocket::bind((four, port))?, UdpSocket::bind((six, port))?];
        streams.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
        datagrams.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        Ok(Self { port, streams, datagrams })
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Everything that has arrived, of whoever sends nothing any more. A connection on which nothing came counts as well.
    pub(crate) fn heard(&self) -> BTreeSet<String> {
        let streams = self.streams.iter().flat_map(|listener| waiting(|| listener.accept())).map(|(mut stream, _)| {
            stream.set_nonblocking(false).expect("it is a socket");
            let mut said = String::new();
            let _ = stream.read_to_string(&mut said);
            said
        });
        let datagrams = self.datagrams.iter().flat_map(|socket| {
            waiting(|| {
                let mut said = [0; 128];
                let (length, _): (usize, SocketAddr) = socket.recv_from(&mut said)?;
                Ok(String::from_utf8_lossy(&said[..length]).into_owned())
            })
        });
        streams.chain(datagrams).collect()
    }
}

/// What can be had without waiting.
fn waiting<T>(mut next: impl FnMut() -> std::io::Result<T>) -> Vec<T> {
    let mut all = Vec::new();
    loop {
        match next() {
            Ok(one) => all.push(one),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return all,
            // What the kernel says of somebody who was not there.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}"),
        }
    }
}
