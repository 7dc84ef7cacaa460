//! Questions about names: a cell asks its own address, and the host asks whom the machine asks.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// The port of the domain name system.
const PORT: u16 = 53;

/// How many questions of an instance are under way at once. What is beyond is asked again by whoever asked.
const MOST_AT_ONCE: usize = 64;

/// How long an answer may take: longer than a resolver waits before it asks again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest question over UDP that is heard, in bytes: many times what a name takes.
const MOST_QUESTION_BYTES: usize = 2048;

/// The longest answer over UDP, in bytes.
const MOST_BYTES: usize = 65_535;

/// Answers the questions of one cell.
#[derive(Debug)]
pub(super) struct NameService {
    datagrams: Arc<UdpSocket>,
    streams: TcpListener,
}

impl NameService {
    /// Takes the sockets on which questions arrive.
    pub(super) fn new(datagrams: OwnedFd, streams: OwnedFd) -> io::Result<Self> {
        let (datagrams, streams) = (std::net::UdpSocket::from(datagrams), std::net::TcpListener::from(streams));
        datagrams.set_nonblocking(true)?;
        streams.set_nonblocking(true)?;
        Ok(Self { datagrams: Arc::new(UdpSocket::from_std(datagrams)?), streams: TcpListener::from_std(streams)? })
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(&self) -> Infallible {
        let mut under_way = JoinSet::new();
        let mut buffer = vec![0; MOST_QUESTION_BYTES];
        loop {
            tokio::select! {
                question = self.datagrams.recv_from(&mut buffer) => {
                    let Ok((length, asker)) = question else { continue };
                    if under_way.len() < MOST_AT_ONCE {
                        let (question, back) = (buffer[..length].to_vec(), Arc::clone(&self.datagrams));
                        under_way.spawn(async move {
                            // Without an answer it is asked again.
                            let _ = tokio::time::timeout(PATIENCE, pass_on(&question, asker, &back)).await;
                        });
                    }
                }
                stream = self.streams.accept() => {
                    let Ok((stream, _)) = stream else { continue };
                    if under_way.len() < MOST_AT_ONCE {
                        under_way.spawn(async move {
                            let _ = tokio::time::timeout(PATIENCE, join(stream)).await;
                        });
                    }
                }
                Some(_) = under_way.join_next() => {}
            }
        }
    }
}

async fn pass_on(question: &[u8], asker: SocketAddr, back: &UdpSocket) -> io::Result<()> {
    let server = name_server();
    let unspecified =
        if server.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { "::".parse().map_err(io::Error::other)? };
    // A port of its own for each question: whoever wants to answer in another's place has to guess it.
    let socket = UdpSocket::bind((unspecified, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; MOST_BYTES];
    let length = socket.recv(&mut answer).await?;
    back.send_to(&answer[..length], asker).await?;
    Ok(())
}

async fn join(mut stream: TcpStream) -> io::Result<()> {
    let mut server = TcpStream::connect(name_server()).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

/// Whom the machine asks. Read each time: it changes when a machine moves between networks.
fn name_server() -> SocketAddr {
    let settings = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    SocketAddr::new(first_server(&settings).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), PORT)
}

fn first_server(settings: &str) -> Option<IpAddr> {
    settings.lines().find_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first server of the machine's settings is asked.
    #[test]
    fn settings() {
        let text =
            "# made by hand\nsearch example.com\nnameserver fe80::1%eth0\nnameserver 10.0.0.2\nnameserver 1.1.1.1\n";
        assert_eq!(first_server(text), Some("10.0.0.2".parse().unwrap()));
        assert_eq!(first_server(""), None);
    }
}
