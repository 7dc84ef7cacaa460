//! HTTP/2 as frames: a client that does nothing by itself, so that it can do everything wrongly.
//!
//! Written for the stories alone. It compresses no headers and reads none but the status, which servers write as one byte.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::Ipv4Addr;

use crate::http::{connect, connect_from};
use crate::tls::{TestAuthority, Wire};

/// What a client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The kinds of frames.
#[expect(missing_docs, reason = "they are called what RFC 9113 calls them")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// The flags of frames.
#[expect(missing_docs, reason = "they are called what RFC 9113 calls them")]
pub mod flag {
    pub const NONE: u8 = 0;
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// A frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it is, of [`kind`].
    pub kind: u8,
    /// Of [`flag`].
    pub flags: u8,
    /// The stream that it belongs to; 0 is the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// A connection in HTTP/2.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<Wire>,
}

impl Connection {
    /// Connects to the port of `authority` on this machine, and says what a client says first.
    pub fn open(trusted: &TestAuthority, authority: &str) -> io::Result<Self> {
        Self::open_with(trusted, authority, &[])
    }

    /// The same with settings: numbers and values.
    pub fn open_with(trusted: &TestAuthority, authority: &str, settings: &[(u16, u32)]) -> io::Result<Self> {
        Self::over(trusted.connect(connect(authority)?, authority, &["h2"])?, settings)
    }

    /// The same as a visitor who has another of this machine's addresses.
    pub fn open_from(from: Ipv4Addr, trusted: &TestAuthority, authority: &str) -> io::Result<Self> {
        Self::over(trusted.connect(connect_from(from, authority)?, authority, &["h2"])?, &[])
    }

    fn over(wire: Wire, settings: &[(u16, u32)]) -> io::Result<Self> {
        let mut connection = Self { stream: BufReader::new(wire) };
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(number, value)| [&number.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        let first = [PREFACE, &encoded(kind::SETTINGS, flag::NONE, 0, &settings)].concat();
        connection.write(&first)?;
        Ok(connection)
    }

    /// Sends bytes, whatever they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wire = self.stream.get_mut();
        wire.write_all(bytes).and_then(|()| wire.flush())
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.write(&encoded(kind, flags, stream, payload))
    }

    /// The next frame, or `None` where the server has closed the connection. What the server asks to be acknowledged is.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        let mut head = [0; 9];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let (length, kind, flags) = (number(&head[..3]), head[3], head[4]);
        let mut payload = vec![0; usize::try_from(length).unwrap_or(0)];
        self.stream.read_exact(&mut payload)?;
        let frame = Frame { kind, flags, stream: number(&head[5..]) & 0x7fff_ffff, payload };
        if matches!(frame.kind, kind::SETTINGS | kind::PING) && frame.flags & flag::ACK == 0 {
            let answer: &[u8] = if frame.kind == kind::PING { &frame.payload } else { &[] };
            // A server that has gone by now has sent what is still read.
            let _ = self.send(frame.kind, flag::ACK, 0, answer);
        }
        Ok(Some(frame))
    }

    /// The next frame of a kind; `None` where the connection ends before.
    pub fn next_of(&mut self, kind: u8) -> io::Result<Option<Frame>> {
        loop {
            match self.next_frame()? {
                Some(frame) if frame.kind != kind => {}
                other => return Ok(other),
            }
        }
    }

    /// The body of a stream, up to its end, where its status is 200.
    #[track_caller]
    pub fn body(&mut self, stream: u32) -> String {
        /// `:status: 200` in the static table (RFC 7541, appendix A).
        const OK: u8 = 0x88;
        let mut body = Vec::new();
        loop {
            let frame = self.next_frame().expect("the server answers").expect("the connection stays");
            match (frame.stream == stream, frame.kind) {
                (true, kind::HEADERS) => assert_eq!(frame.payload.first(), Some(&OK), "the status is 200"),
                (true, kind::DATA) => body.extend_from_slice(&frame.payload),
                (true, other) => panic!("a frame of kind {other} ends the stream: {:?}", frame.payload),
                (false, _) => continue,
            }
            if frame.flags & flag::END_STREAM != 0 {
                return String::from_utf8_lossy(&body).into_owned();
            }
        }
    }
}

/// A frame as bytes.
pub fn encoded(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Headers, none of them compressed (RFC 7541, section 6.2.2).
pub fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.extend(length(text.len()));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The length of a text, with a prefix of seven bits (RFC 7541, section 5.1).
fn length(bytes: usize) -> Vec<u8> {
    const MOST: usize = 0x7f;
    if bytes < MOST {
        return vec![u8::try_from(bytes).unwrap_or(0)];
    }
    let (mut written, mut rest) = (vec![0x7f], bytes - MOST);
    while rest >= 0x80 {
        written.push(u8::try_from(rest % 0x80).unwrap_or(0) | 0x80);
        rest /= 0x80;
    }
    written.push(u8::try_from(rest).unwrap_or(0));
    written
}

/// The head of a `GET`.
pub fn get(authority: &str, path: &str) -> Vec<u8> {
    headers(&[(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path)])
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}
