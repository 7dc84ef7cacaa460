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

use super::door::QuicSecrets;
use super::ids::{Ids, id_of};
use super::line::Line;

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
