//! One keep-alive connection: a request out, an answer in, again.

use std::io::{self, Read as _, Write as _};
use std::time::Instant;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::Target;

/// How much room there is for an answer at first; a larger one makes more.
const FIRST_ROOM: usize = 64 * 1024;

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn open(target: &Target) -> io::Result<Self> {
        // Connecting waits; only afterwards the connection must not.
        match target {
            Target::Tcp(address) => {
                let stream = std::net::TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Ok(Self::Tcp(TcpStream::from_std(stream)))
            }
            Target::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                Ok(Self::Unix(UnixStream::from_std(stream)))
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A request is far smaller than a socket's buffer, which is empty while its answer is waited for.
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// The answer is not all there yet.
    Waiting,
    /// The answer is complete and a success.
    Success,
    /// The answer is complete and no success.
    Failure,
}

/// A connection and the answer it is reading.
pub(super) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    filled: usize,
    /// When the request at hand was sent, or was due.
    pub(super) since: Instant,
}

impl Connection {
    /// Connects and asks to be told when there is something to read.
    pub(super) fn open(target: &Target, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut stream = Stream::open(target)?;
        registry.register(stream.source(), token, Interest::READABLE)?;
        Ok(Self { stream, buffer: vec![0; FIRST_ROOM], filled: 0, since: Instant::now() })
    }

    /// Sends a request that counts from `since`.
    pub(super) fn send(&mut self, request: &[u8], since: Instant) -> io::Result<()> {
        self.since = since;
        self.filled = 0;
        self.stream.write_all(request)
    }

    /// Reads what there is.
    pub(super) fn receive(&mut self) -> io::Result<Progress> {
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Waiting),
                Err(error) => return Err(error),
            }
            let received = &self.buffer[..self.filled];
            if is_complete(received) {
                let success = received.starts_with(b"HTTP/1.1 2");
                return Ok(if success { Progress::Success } else { Progress::Failure });
            }
        }
    }
}

fn is_complete(received: &[u8]) -> bool {
    let Some(head) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    match content_length(&received[..head]) {
        Some(length) => received.len() >= head + 4 + length,
        None => received.ends_with(b"\r\n0\r\n\r\n"),
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))?;
    std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok()
}
