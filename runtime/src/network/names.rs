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

/// How long the head of a question is, and of an answer, in bytes.
const HEAD_BYTES: usize = 12;

/// The longest name, in bytes.
const MOST_NAME_BYTES: usize = 255;

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

    /// Says of every name that there is none, until it is dropped, and tells which it was. Without an answer whoever asks would
    /// wait for seconds, and some take a refusal for no answer.
    pub(super) async fn refuse(&self, tell: impl Fn(&str)) -> Infallible {
        let mut buffer = vec![0; MOST_QUESTION_BYTES];
        loop {
            tokio::select! {
                question = self.datagrams.recv_from(&mut buffer) => {
                    let Ok((length, asker)) = question else { continue };
                    let Some((name, answer)) = no_such_name(&buffer[..length]) else { continue };
                    tell(&name);
                    // Without an answer it is asked again.
                    let _ = self.datagrams.send_to(&answer, asker).await;
                }
                // It is closed: whoever asks knows at once.
                stream = self.streams.accept() => drop(stream),
            }
        }
    }
}

/// The name that a question is about, and the answer that there is no such name. `None` if it is no question about one name.
fn no_such_name(question: &[u8]) -> Option<(String, Vec<u8>)> {
    let &[_, _, flags, _, 0, 1, ..] = question else { return None };
    let is_answer = flags & 0x80 != 0;
    let mut labels = Vec::new();
    let mut rest = question.get(HEAD_BYTES..).filter(|_| !is_answer)?;
    while let Some((&length @ 1..=63, after)) = rest.split_first() {
        labels.push(String::from_utf8_lossy(after.get(..length.into())?));
        rest = &after[length.into()..];
    }
    // The end of the name, the type and the class. What else a question brings along is not for the answer.
    let &[0, _, _, _, _, ..] = rest else { return None };
    let name_bytes = question.len() - rest.len() - HEAD_BYTES + 1;
    let mut answer = question[..HEAD_BYTES + name_bytes + 4].to_vec();
    // The kind of the question and whether it wanted recursion stay; NXDOMAIN, and no records.
    answer[2..HEAD_BYTES].copy_from_slice(&[0x80 | (flags & 0x79), 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
    (name_bytes <= MOST_NAME_BYTES).then(|| (labels.join("."), answer))
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

    /// The answer has the question, without what came along with it; what is cut off or no question has none.
    #[test]
    fn refusals() {
        let head = |flags: [u8; 2], more: u8| [&[7, 9][..], &flags, &[0, 1, 0, 0, 0, 0, 0, more]].concat();
        let asked = b"\x02db\x07example\x00\x00\x1c\x00\x01";
        let extension = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
        let question = [&head([1, 0x20], 1), &asked[..], &extension].concat();
        let answer = [&head([0x81, 0x83], 0), &asked[..]].concat();
        assert_eq!(no_such_name(&question), Some(("db.example".to_owned(), answer.clone())));
        assert_eq!(no_such_name(&answer), None);
        for length in 0..answer.len() {
            assert_eq!(no_such_name(&question[..length]), None, "{length}");
        }
        let long = [head([1, 0], 0), [&[63][..], &[b'a'; 63]].concat().repeat(4), vec![0; 5]].concat();
        assert_eq!(no_such_name(&long), None);
    }
}
