//! The socket of several processes: each reads what is its own, from the kernel or from its successor.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, ConnectionId, ConnectionIdGenerator, UdpPoller};
use tokio::net::UnixDatagram;

use super::door::QuicSecrets;
use super::passed_on::{self, MOST_BYTES};

/// How long the ids of connections are, in bytes: chance, and what shows whose they are.
const ID_BYTES: usize = 8;
const CHANCE_BYTES: usize = 4;

/// The ids of connections that a process makes, and those that it knows.
#[derive(Clone)]
pub(super) struct Ids {
    own: ring::hmac::Key,
    others: Arc<[ring::hmac::Key]>,
}

impl Ids {
    pub(super) fn of(secrets: &QuicSecrets) -> Self {
        let mut keys = secrets.keys.iter().map(|key| ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key.to_be_bytes()));
        let own = keys.next().expect("a process has a key");
        Self { own, others: keys.collect() }
    }

    fn is_own(&self, id: &[u8]) -> bool {
        is_of(&self.own, id)
    }

    fn is_others(&self, id: &[u8]) -> bool {
        self.others.iter().any(|key| is_of(key, id))
    }
}

fn is_of(key: &ring::hmac::Key, id: &[u8]) -> bool {
    id.split_at_checked(CHANCE_BYTES).is_some_and(|(chance, shown)| {
        id.len() == ID_BYTES && ring::hmac::sign(key, chance).as_ref()[..ID_BYTES - CHANCE_BYTES] == *shown
    })
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_BYTES];
        // Where there is no chance to be had, connections fail; nothing else would be right.
        let _ = getrandom::fill(&mut id[..CHANCE_BYTES]);
        let shown = ring::hmac::sign(&self.own, &id[..CHANCE_BYTES]);
        id[CHANCE_BYTES..].copy_from_slice(&shown.as_ref()[..ID_BYTES - CHANCE_BYTES]);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Whose connection a datagram belongs to says an id at its beginning (RFC 9000, section 17.2 and 17.3): of a length that stands before
/// it, or of that which this host's ids have.
fn id_of(datagram: &[u8]) -> Option<&[u8]> {
    /// Of a packet with a long head: its kind, and the version.
    const BEFORE_LENGTH: usize = 5;
    if datagram.first()? & 0x80 == 0 {
        return datagram.get(1..=ID_BYTES);
    }
    let length = usize::from(*datagram.get(BEFORE_LENGTH)?);
    datagram.get(BEFORE_LENGTH + 1..)?.get(..length)
}

/// A line between two processes.
pub(super) struct Line {
    /// It keeps messages apart and has an end, but is otherwise like one of datagrams.
    socket: UnixDatagram,
    is_gone: AtomicBool,
}

impl Line {
    /// One end of a line.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = StdDatagram::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket)?, is_gone: AtomicBool::new(false) })
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Relaxed)
    }

    /// Passes a datagram on. One for which there is no room is lost, as in any network.
    fn pass_on(&self, meta: &RecvMeta, datagram: &[u8]) {
        let sent = self.socket.try_send(&passed_on::write(meta, datagram));
        if sent.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            self.is_gone.store(true, Relaxed);
        }
    }

    /// What was passed on, into as many places as there are. None, if nothing will ever come any more.
    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<usize> {
        let mut received = 0;
        while received == 0 && !self.is_gone() {
            if ready!(self.socket.poll_recv_ready(context)).is_err() {
                self.is_gone.store(true, Relaxed);
            }
            while let (Some(buffer), Some(meta)) = (buffers.get_mut(received), metas.get_mut(received)) {
                match self.receive(buffer, meta) {
                    Ok(Some(())) => received += 1,
                    Ok(None) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        self.is_gone.store(true, Relaxed);
                        break;
                    }
                }
            }
        }
        Poll::Ready(received)
    }

    /// One message. `None` if it is none that can be read: another version of this program wrote it.
    fn receive(&self, buffer: &mut [u8], meta: &mut RecvMeta) -> io::Result<Option<()>> {
        let mut message = [0; MOST_BYTES];
        let bytes = self.socket.try_recv(&mut message)?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((read, datagram)) = passed_on::read(&message[..bytes]) else { return Ok(None) };
        let Some(place) = buffer.get_mut(..datagram.len()) else { return Ok(None) };
        place.copy_from_slice(datagram);
        *meta = read;
        Ok(Some(()))
    }
}

/// The socket of several processes, as one of them sees it.
pub(super) struct SharedSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    ids: Ids,
    before: Option<Line>,
    after: OnceLock<Line>,
    reader: AtomicWaker,
}

impl SharedSocket {
    /// A socket that this process reads, with a line to the one before.
    pub(super) fn new(
        socket: Arc<dyn AsyncUdpSocket>,
        secrets: &QuicSecrets,
        before: Option<OwnedFd>,
    ) -> io::Result<Self> {
        let before = before.map(Line::new).transpose()?;
        Ok(Self { socket, ids: Ids::of(secrets), before, after: OnceLock::new(), reader: AtomicWaker::new() })
    }

    /// Leaves the socket to a successor: what is this process's comes over the line, until the other side is gone.
    pub(super) fn leave(&self, after: Line) {
        if self.after.set(after).is_err() {
            tracing::error!("a socket is left twice");
        }
        self.reader.wake();
    }

    fn poll_arrivals(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.reader.register(context.waker());
        if let Some(after) = self.after.get().filter(|after| !after.is_gone()) {
            let received = ready!(after.poll_receive(context, buffers, metas));
            if received > 0 {
                return Poll::Ready(Ok(received));
            }
        }
        self.socket.poll_recv(context, buffers, metas)
    }

    /// Leaves in a buffer what is this process's, and passes on what is another's.
    fn keep_own(&self, before: &Line, buffer: &mut [u8], meta: &mut RecvMeta) {
        let (stride, mut kept) = (meta.stride.max(1), 0);
        let whole = RecvMeta { len: meta.len, ..*meta };
        for from in (0..whole.len).step_by(stride) {
            let until = (from + stride).min(whole.len);
            let datagram = &buffer[from..until];
            let is_others = id_of(datagram).is_some_and(|id| !self.ids.is_own(id) && self.ids.is_others(id));
            if is_others && !before.is_gone() {
                before.pass_on(&whole, datagram);
            } else {
                buffer.copy_within(from..until, kept);
                kept += until - from;
            }
        }
        meta.len = kept;
    }
}

impl AsyncUdpSocket for SharedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.poll_arrivals(context, buffers, metas))?;
        if let Some(before) = self.before.as_ref().filter(|before| !before.is_gone()) {
            for (buffer, meta) in buffers.iter_mut().zip(metas).take(count) {
                self.keep_own(before, buffer, meta);
            }
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

impl fmt::Debug for SharedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http3::door::QuicDoor;

    fn secrets() -> QuicSecrets {
        let door = QuicDoor::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        door.offer().unwrap().0
    }

    /// Each process knows its own connections, and those of the processes before it.
    #[test]
    fn ids() {
        let (first, stranger) = (secrets(), secrets());
        let second = first.clone().next().unwrap();
        let third = second.clone().next().unwrap();
        let id = Ids::of(&second).generate_cid();
        let seen = |secrets: &QuicSecrets| (Ids::of(secrets).is_own(&id), Ids::of(secrets).is_others(&id));
        assert_eq!(seen(&first), (false, false));
        assert_eq!(seen(&second), (true, false));
        assert_eq!(seen(&third), (false, true));
        assert_eq!(seen(&stranger), (false, false));
    }

    /// The id stands where it stands, and a datagram that is too short has none.
    #[test]
    fn whose() {
        let short = b"\x40ABCDEFGHrest";
        assert_eq!(id_of(short), Some(&b"ABCDEFGH"[..]));
        assert_eq!(id_of(&short[..8]), None);
        let long = b"\xc0\x00\x00\x00\x01\x03ABC\x00rest";
        assert_eq!(id_of(long), Some(&b"ABC"[..]));
        assert_eq!(id_of(&long[..8]), None);
        assert_eq!(id_of(&[]), None);
    }
}
