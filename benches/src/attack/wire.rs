//! Connections that are written to without waiting for what comes back.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ship_tests::http2::{encoded, flag, kind};
use ship_tests::{TestAuthority, Wire, http};

/// What a client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Who is attacked.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) authority: &'p str,
    pub(super) trusted: &'p TestAuthority,
    pub(super) from: Ipv4Addr,
}

impl Place<'_> {
    /// A connection that says nothing yet.
    pub(super) fn connect(&self) -> io::Result<TcpStream> {
        http::connect_from(self.from, self.authority)
    }

    /// One through TLS, for one of these protocols.
    pub(super) fn secure(&self, protocol: &str) -> io::Result<Flood> {
        let mut wire = self.trusted.connect(self.connect()?, self.authority, &[protocol])?;
        wire.secure().sock.set_nonblocking(true)?;
        Ok(Flood(wire))
    }

    /// One of HTTP/2, with settings: numbers and values.
    pub(super) fn http2(&self, settings: &[(u16, u32)]) -> io::Result<Flood> {
        let mut flood = self.secure("h2")?;
        let numbers = settings.iter().map(|(number, value)| [&number.to_be_bytes()[..], &value.to_be_bytes()].concat());
        let settings = encoded(kind::SETTINGS, flag::NONE, 0, &numbers.collect::<Vec<_>>().concat());
        flood.write(&[PREFACE, &settings].concat())?;
        Ok(flood)
    }
}

/// A connection through TLS whose server is given bytes as fast as it takes them. What it says is thrown away.
pub(super) struct Flood(Wire);

impl Flood {
    /// Sends all of the bytes. An error once the server has ended the connection.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.secure().conn.writer().write_all(bytes)?;
        loop {
            let stream = self.0.secure();
            if stream.conn.wants_write()
                && let Err(error) = stream.conn.write_tls(&mut stream.sock)
            {
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Err(error);
                }
                poll(&mut [PollFd::new(&stream.sock, PollFlags::OUT | PollFlags::IN)], None)?;
            }
            self.throw_away()?;
            if !self.0.secure().conn.wants_write() {
                return Ok(());
            }
        }
    }

    /// Waits until the server says something, and throws it away.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        poll(&mut [PollFd::new(&self.0.secure().sock, PollFlags::IN)], None)?;
        self.throw_away()
    }

    /// Whether the server has not ended the connection. Nothing of what it says is taken.
    pub(super) fn is_there(&mut self) -> io::Result<()> {
        let mut events = [PollFd::new(&self.0.secure().sock, PollFlags::RDHUP)];
        poll(&mut events, Some(&Timespec::default()))?;
        let is_over = events[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR);
        if is_over { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn throw_away(&mut self) -> io::Result<()> {
        let stream = self.0.secure();
        let mut scratch = [0; 16 * 1024];
        loop {
            match stream.conn.read_tls(&mut stream.sock) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => stream.conn.process_new_packets().map(|_| ()).map_err(io::Error::other)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            while stream.conn.reader().read(&mut scratch).is_ok_and(|bytes| bytes > 0) {}
        }
    }
}
