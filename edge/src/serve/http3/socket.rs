//! The socket of several processes: each reads what is its own, from the kernel or from its successor.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::door::{QuicHandover, QuicSecrets};
use super::ids::{Ids, begins, id_of};
use super::line::Line;

/// The socket of several processes, as one of them sees it.
pub(super) struct SharedSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    ids: Ids,
    before: Option<Line>,
    after: OnceLock<Line>,
    handover: QuicHandover,
    reader: AtomicWaker,
}

impl SharedSocket {
    /// A socket that this process reads, with a line to the one before.
    pub(super) fn new(
        socket: Arc<dyn AsyncUdpSocket>,
        secrets: &QuicSecrets,
        before: Option<OwnedFd>,
        handover: QuicHandover,
    ) -> io::Result<Self> {
        let before = before.map(Line::new).transpose()?;
        let (ids, after, reader) = (Ids::of(secrets), OnceLock::new(), AtomicWaker::new());
        Ok(Self { socket, ids, before, after, handover, reader })
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

    /// What is to be done with a datagram.
    fn whose(&self, datagram: &[u8], readers: Readers) -> Whose<'_> {
        let Some(id) = id_of(datagram).filter(|id| !self.ids.is_own(id)) else { return Whose::Own };
        let is_others = self.ids.is_others(id);
        match self.before.as_ref().filter(|before| is_others && !before.is_gone()) {
            Some(before) => Whose::Before(before),
            None if readers == Readers::Two && !is_others && !begins(datagram) => Whose::After,
            None => Whose::Own,
        }
    }

    /// Who may read the socket: both processes do until this one has heard that the other does, and what the other's visitors say would be
    /// answered by a reset.
    fn readers(&self) -> Readers {
        if self.handover.is_begun() && !self.after.get().is_some_and(Line::is_gone) {
            Readers::Two
        } else {
            Readers::One
        }
    }

    /// Leaves in a buffer what is this process's, passes on what is another's, and drops what will be said again to a successor.
    fn keep_own(&self, readers: Readers, buffer: &mut [u8], meta: &mut RecvMeta) {
        let (stride, mut kept) = (meta.stride.max(1), 0);
        let whole = RecvMeta { len: meta.len, ..*meta };
        for from in (0..whole.len).step_by(stride) {
            let until = (from + stride).min(whole.len);
            let datagram = &buffer[from..until];
            match self.whose(datagram, readers) {
                Whose::Own => {
                    buffer.copy_within(from..until, kept);
                    kept += until - from;
                }
                Whose::Before(before) => before.pass_on(&whole, datagram),
                Whose::After => {}
            }
        }
        meta.len = kept;
    }
}

/// How many processes read a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    One,
    /// This one, and a successor that has begun or is about to.
    Two,
}

/// To which process a datagram belongs.
enum Whose<'s> {
    Own,
    Before(&'s Line),
    After,
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
        let readers = self.readers();
        if readers == Readers::Two || self.before.as_ref().is_some_and(|before| !before.is_gone()) {
            for (buffer, meta) in buffers.iter_mut().zip(metas).take(count) {
                self.keep_own(readers, buffer, meta);
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
mod tests;
