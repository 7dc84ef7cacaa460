//! A visitor who speaks HTTP by hand, so that it can be spoken wrongly.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a visitor waits before the story is called stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection of a visitor.
pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    /// Sends these bytes. A host that has closed the connection already is none of the visitor's failures.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await;
    }

    /// Sends these bytes; whether the host's end of the connection still takes them.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Says that nothing more is sent, and reads on.
    pub(crate) async fn end_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// All that arrives until the host closes the connection.
    pub(crate) async fn rest(mut self) -> Received {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await;
        // A connection that is reset has ended as well; what arrived before counts.
        let _ = read.expect("the host neither answers nor closes the connection");
        Received { bytes }
    }

    /// What arrives until `end` is the end of it.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            let byte = tokio::time::timeout(PATIENCE, self.stream.read_u8()).await.expect("nothing more arrives");
            bytes.push(byte.unwrap_or_else(|_| panic!("closed after {:?}", String::from_utf8_lossy(&bytes))));
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// All that a connection gave.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
}

impl Received {
    /// Head and body, with what differs each time replaced.
    pub(crate) fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let id = text.lines().find_map(|line| line.strip_prefix("x-ship-id: ")).unwrap_or("no id");
        let date = text.lines().find_map(|line| line.strip_prefix("date: ")).unwrap_or("no date");
        text.replace(id, "[id]").replace(date, "[date]").replace("\r\n", "\n")
    }

    /// The status of the first response.
    pub(crate) fn status(&self) -> u16 {
        let line = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(12)]).into_owned();
        line.rsplit(' ').next().and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    }

    pub(crate) fn head(&self) -> String {
        let end = self.bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(self.bytes.len());
        String::from_utf8_lossy(&self.bytes[..end]).replace("\r\n", "\n")
    }

    pub(crate) fn body(&self) -> &[u8] {
        let end = self.bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(self.bytes.len(), |at| at + 4);
        &self.bytes[end..]
    }

    /// How many responses there are.
    pub(crate) fn responses(&self) -> usize {
        self.bytes.windows(9).filter(|window| window == b"HTTP/1.1 ").count()
    }
}
