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
    /// The answer is complete.
    Answered {
        /// Whether it is a success with a body that was expected.
        is_good: bool,
        /// Whether it is the last on this connection.
        is_last: bool,
    },
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

    /// Reads what there is. A body is held against those that are expected, if any are.
    pub(super) fn receive(&mut self, bodies: &[String]) -> io::Result<Progress> {
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
            if let Some((head, body)) = complete(received) {
                let is_expected = bodies.is_empty() || bodies.iter().any(|expected| expected.as_bytes() == body);
                let is_good = head.starts_with(b"HTTP/1.1 2") && is_expected;
                let is_last = value(head, b"connection:").is_some_and(|value| value.eq_ignore_ascii_case("close"));
                return Ok(Progress::Answered { is_good, is_last });
            }
        }
    }
}

/// The head and the body of an answer that is all there. A body in chunks is not put together.
fn complete(received: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (&received[..end], &received[end + 4..]);
    let is_complete = match value(head, b"content-length:").and_then(|value| value.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => received.ends_with(b"\r\n0\r\n\r\n"),
    };
    is_complete.then_some((head, body))
}

/// The value of a header, of which the name is given with its colon.
fn value<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h str> {
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name))?;
    std::str::from_utf8(&line[name.len()..]).ok().map(str::trim)
}
