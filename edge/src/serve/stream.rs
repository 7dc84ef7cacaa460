//! A visitor's socket, which notes what it is waiting for.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use rustix::fs::sendfile;
use rustix::net::{SendFlags, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio_rustls::server::TlsStream;

use super::frame_guard::{FrameGuard, too_many_pieces};
use super::head_guard::HeadGuard;
use super::shares::Seat;
use super::state::ConnectionState;
use super::{Place, refusal};

/// How much of what a visitor still sends is read after the response has ended. Beyond it the connection is reset.
const MAX_LINGERING_BYTES: usize = 1024 * 1024;

/// The same of a visitor who has sent too much already: no more than what was under way when they were told.
const MAX_LINGERING_FLOOD_BYTES: usize = 128 * 1024;

/// What a visitor is reached through: a socket, or TLS over one.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The kernel's socket, if what is written to it reaches the visitor as it is.
    fn bare(&self) -> Option<&TcpStream>;
}

impl Socket for TcpStream {
    fn bare(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Socket for TlsStream<TcpStream> {
    fn bare(&self) -> Option<&TcpStream> {
        None
    }
}

/// A visitor's socket. It holds its place among the connections for as long as it is open, also behind an upgrade.
pub(super) struct VisitorStream<S> {
    socket: S,
    state: Arc<ConnectionState>,
    guard: Guard,
    refusal: Option<Refusal>,
    lingered_bytes: Option<usize>,
    place: Place,
}

impl<S: Socket> VisitorStream<S> {
    /// A socket on which HTTP/1.1 is spoken.
    pub(super) fn new(socket: S, state: Arc<ConnectionState>, place: Place) -> Self {
        Self::guarded(socket, state, place, Guard::Heads(HeadGuard::default()))
    }

    /// A socket on which HTTP/2 is spoken.
    pub(super) fn of_frames(socket: S, state: Arc<ConnectionState>, place: Place) -> Self {
        Self::guarded(socket, state, place, Guard::Frames(FrameGuard::new()))
    }

    fn guarded(socket: S, state: Arc<ConnectionState>, place: Place, guard: Guard) -> Self {
        Self { socket, state, guard, refusal: None, lingered_bytes: None, place }
    }

    /// The connection among those of its address.
    pub(super) fn seat(&self) -> Option<&Arc<Seat>> {
        self.place.seat.as_ref()
    }

    /// Writes hyper's own answer to an unreadable head as one of this platform. `None` if `bytes` are not such an answer.
    fn poll_refusal(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.refusal.is_none() && matches!(self.guard, Guard::Heads(_)) && self.state.waits_for_request() {
            self.refusal = refusal::mark(bytes).map(|marked| Refusal { marked, sent_bytes: 0 });
        }
        let refusal = self.refusal.as_mut()?;
        while refusal.sent_bytes < refusal.marked.len() {
            let rest = &refusal.marked[refusal.sent_bytes..];
            match Pin::new(&mut self.socket).poll_write(context, rest) {
                Poll::Ready(Ok(sent)) if sent > 0 => refusal.sent_bytes += sent,
                unsent => return Some(unsent),
            }
        }
        self.refusal = None;
        Some(Poll::Ready(Ok(bytes.len())))
    }

    /// Reads until the turn is over; then the others of the thread are next. What visitors send in HTTP/2 can be nothing but work, without
    /// a request to wait for; in HTTP/1.1 a connection waits for its answer, or for whoever takes the body.
    fn poll_read_fairly(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.state.turn_is_over() {
            // Not merely woken again: whoever yields comes after those whose bytes have arrived in the meantime.
            return pin!(yield_now()).poll(context).map(Ok);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        self.state.reads(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }

    /// Whether the next bytes of the visitor begin a request of HTTP/1.1, with no answer on its way, and the connection goes on after it.
    pub(super) fn is_between_requests(&self) -> bool {
        let is_at_head = matches!(&self.guard, Guard::Heads(heads) if heads.is_at_head());
        is_at_head && self.refusal.is_none() && self.state.waits_for_request() && !self.state.is_leaving()
    }

    /// Whether the visitor, who sends nothing more, has asked for all they wanted and may be waiting for an answer that is made here.
    pub(super) fn may_only_read(&self) -> bool {
        matches!(&self.guard, Guard::Heads(heads) if heads.is_at_head()) && self.state.answers_alone()
    }

    /// Reads what has arrived, as it is. Whoever takes it for a request has it [admitted](Self::admit).
    pub(super) fn poll_arrival(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }

    /// Looks at bytes before hyper does.
    pub(super) fn admit(&mut self, arrived: &mut [u8]) {
        let Guard::Heads(heads) = &mut self.guard else { return };
        if !arrived.is_empty() && self.state.waits_for_request() {
            self.state.head_arrives();
        }
        heads.check(arrived);
    }

    /// Notes that a request has come whose answer is on its way.
    pub(super) fn answer_begins(&self) {
        self.state.request_begins();
    }

    /// Notes that a request was answered, and the next is waited for.
    pub(super) fn answered(&self) {
        self.state.request_answered();
    }

    /// Notes that a function was asked whose answer is written here, and not by hyper.
    pub(super) fn call_begins(&self) {
        self.state.request_begins();
        self.state.call_begins();
    }

    /// Notes that it has answered, or is not waited for any more.
    pub(super) fn call_ends(&self) {
        self.state.call_ends();
    }

    /// Whether the next answer is the connection's last.
    pub(super) fn is_leaving(&self) -> bool {
        self.state.is_leaving()
    }

    /// Writes two pieces as one.
    pub(super) fn poll_write_both(
        &mut self,
        context: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = if second.is_empty() {
            Pin::new(&mut self.socket).poll_write(context, first)
        } else {
            Pin::new(&mut self.socket).poll_write_vectored(context, &[IoSlice::new(first), IoSlice::new(second)])
        };
        self.note_write(&written);
        written
    }

    /// Writes what content is to follow at once, so that both leave together. `None` where a visitor is sent no files.
    pub(super) fn poll_write_before_file(
        &mut self,
        context: &mut Context<'_>,
        head: &[u8],
    ) -> Option<Poll<io::Result<usize>>> {
        let written = poll_on(self.socket.bare()?, context, |socket| Ok(send(socket, head, SendFlags::MORE)?));
        self.note_write(&written);
        Some(written)
    }

    /// Has the kernel send `count` bytes of `file` from `first` on, or fewer; none where the file ends. `None` where a visitor is sent no
    /// files.
    pub(super) fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        first: u64,
        count: usize,
    ) -> Option<Poll<io::Result<usize>>> {
        let written = poll_on(self.socket.bare()?, context, |socket| {
            let mut at = first;
            Ok(sendfile(socket, file, Some(&mut at), count)?)
        });
        self.note_write(&written);
        Some(written)
    }

    fn note_write<T>(&self, written: &Poll<io::Result<T>>) {
        if written.is_pending() {
            self.state.write_stalls();
        } else {
            self.state.write_proceeds();
        }
    }
}

/// Writes to a socket as soon as it takes something.
fn poll_on(
    socket: &TcpStream,
    context: &mut Context<'_>,
    write: impl Fn(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(context))?;
        match socket.try_io(Interest::WRITABLE, || write(socket)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}

/// Who reads along.
enum Guard {
    /// In HTTP/1.1.
    Heads(HeadGuard),
    /// In HTTP/2.
    Frames(FrameGuard),
    /// Nobody any more: in place of what the visitor sends, this is what is left to read. Behind it the connection ends.
    TooMuch(Bytes),
}

/// An answer that is written in place of hyper's.
struct Refusal {
    marked: Vec<u8>,
    sent_bytes: usize,
}

impl<S: Socket> AsyncRead for VisitorStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match &self.guard {
            Guard::Heads(_) => {
                ready!(self.poll_arrival(context, buffer))?;
                self.admit(&mut buffer.filled_mut()[before..]);
                return Poll::Ready(Ok(()));
            }
            Guard::Frames(_) => ready!(self.poll_read_fairly(context, buffer))?,
            Guard::TooMuch(_) => {}
        }
        let Self { guard, state, .. } = &mut *self;
        match guard {
            Guard::Heads(_) => {}
            Guard::Frames(frames) => {
                let arrived = &mut buffer.filled_mut()[before..];
                if let Some(kept) = frames.follow(arrived, state.earnings(), Instant::now()) {
                    buffer.set_filled(before + kept);
                    *guard = Guard::TooMuch(too_many_pieces(state.limits().max_header_bytes).into());
                }
            }
            Guard::TooMuch(rest) => buffer.put_slice(&rest.split_to(rest.len().min(buffer.remaining()))),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for VisitorStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let refused = self.poll_refusal(context, bytes);
        let written = refused.unwrap_or_else(|| Pin::new(&mut self.socket).poll_write(context, bytes));
        self.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let refused = buffers.first().and_then(|first| self.poll_refusal(context, first));
        let written = refused.unwrap_or_else(|| Pin::new(&mut self.socket).poll_write_vectored(context, buffers));
        self.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        // TLS takes what is written and keeps it until there is room: a visitor who does not read shows here.
        if flushed.is_pending() {
            self.state.write_stalls();
        }
        flushed
    }

    /// Closes for writing, then reads on for a moment: a socket that is closed with unread bytes is reset, and a reset can
    /// overtake the response. A connection that only waits for a request has no response on its way.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingered_bytes.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
            if self.state.waits_for_request() && !matches!(self.guard, Guard::TooMuch(_)) {
                return Poll::Ready(Ok(()));
            }
            self.state.lingers();
        }
        let most = match self.guard {
            Guard::TooMuch(_) => MAX_LINGERING_FLOOD_BYTES,
            _ => MAX_LINGERING_BYTES,
        };
        let mut lingered = self.lingered_bytes.unwrap_or(0);
        let mut scratch = [0; 8192];
        while lingered < most {
            self.lingered_bytes = Some(lingered);
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(self.poll_read_fairly(context, &mut buffer))?;
            match buffer.filled().len() {
                0 => break,
                more => lingered += more,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, Empty, Join, Repeat, empty, join, repeat};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::serve::ConnectionLimits;

    impl Socket for Join<Repeat, Empty> {
        fn bare(&self) -> Option<&TcpStream> {
            None
        }
    }

    /// A visitor in HTTP/2 who sends without end is read from for a turn, and again when the others had theirs.
    #[tokio::test]
    async fn turns() {
        let state = Arc::new(ConnectionState::new(ConnectionLimits::default()));
        let among_all = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("it is free");
        let place = Place { seat: None, _among_all: among_all };
        let endless = join(repeat(0), empty());
        let mut stream = VisitorStream::of_frames(endless, Arc::clone(&state), place);
        let mut buffer = [0; 4096];
        for _ in 0..3 {
            state.turn_begins();
            let mut read_bytes = 0;
            while let Some(bytes) = futures_util::FutureExt::now_or_never(stream.read(&mut buffer)) {
                read_bytes += bytes.expect("it never fails");
                assert!(read_bytes <= 1024 * 1024, "the turn has no end");
            }
            assert_eq!(read_bytes, 32 * 1024);
        }
    }
}
