//! What Vite tells an open page: frames of a WebSocket, as many of RFC 6455 as are needed to wait for a reload.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::NotThere;

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing is told when an edit is over.
const QUIET: Duration = Duration::from_millis(300);

/// Listens as the page does.
pub(crate) struct ViteEvents(BufReader<TcpStream>);

impl ViteEvents {
    /// Connects with the token that stands in the script which Vite puts into each page.
    pub(crate) fn listen(address: SocketAddr, client: &str) -> Result<Self, NotThere> {
        let rest = client.split_once("wsToken = \"").ok_or_else(|| NotThere("its client has no token".to_owned()))?.1;
        let token = rest.split('"').next().unwrap_or_default();
        Self::connect(address, token).map_err(|error| NotThere(format!("it takes no WebSocket: {error}")))
    }

    fn connect(address: SocketAddr, token: &str) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = [
            &format!("GET /?token={token} HTTP/1.1"),
            &format!("host: {address}"),
            "connection: upgrade",
            "upgrade: websocket",
            "sec-websocket-version: 13",
            // Any sixteen bytes; these are those of the RFC.
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-protocol: vite-hmr",
        ];
        stream.write_all(format!("{}\r\n\r\n", head.join("\r\n")).as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if !line.contains("101") {
            return Err(std::io::Error::other(line.trim().to_owned()));
        }
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        let mut events = Self(reader);
        // It says `connected` first.
        events.next_text()?;
        Ok(events)
    }

    /// Waits until nothing more is told of the edit before: several events come of one, and an edit that follows at once is taken for the same.
    pub(crate) fn rest(&mut self) -> Result<(), NotThere> {
        let told = |error: std::io::Error| NotThere(format!("its WebSocket fails: {error}"));
        self.0.get_ref().set_read_timeout(Some(QUIET)).map_err(told)?;
        while self.next_text().is_ok() {}
        self.0.get_ref().set_read_timeout(Some(PATIENCE)).map_err(told)
    }

    /// Waits until the page is told to load itself again.
    pub(crate) fn wait_for_reload(&mut self) -> Result<(), NotThere> {
        loop {
            let text = self.next_text().map_err(|error| NotThere(format!("it tells nothing of the edit: {error}")))?;
            if text.contains("full-reload") {
                return Ok(());
            }
        }
    }

    /// The next frame. A server's frames are not masked.
    fn next_text(&mut self) -> std::io::Result<String> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.0.read_exact(&mut long)?;
                u64::from(u16::from_be_bytes(long))
            }
            127 => {
                let mut longer = [0; 8];
                self.0.read_exact(&mut longer)?;
                u64::from_be_bytes(longer)
            }
            short => u64::from(short),
        };
        let mut text = Vec::new();
        self.0.by_ref().take(length).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
