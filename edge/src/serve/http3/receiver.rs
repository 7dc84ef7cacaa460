//! What comes from a visitor on one stream, read through a [filter](super::frames).

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h3::error::Code;
use h3::quic::{RecvStream, StreamErrorIncoming, StreamId};
use tokio::io::ReadBuf;
use tokio::task::yield_now;

use super::errors::{id_of, not_read, number_of};
use super::frames::{FrameError, FrameFilter, number};
use crate::serve::state::ConnectionState;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 8 * 1024;

/// The kind of the stream on which frames come that are about the connection (RFC 9114, section 6.2.1).
const CONTROL: u64 = 0;

/// How large a head may be on the stream of a connection: there is none.
const NO_HEAD: u64 = 0;

/// What comes from a visitor on one stream.
pub(super) struct Receiver {
    stream: quinn::RecvStream,
    role: Role,
    /// Of a stream that is about the connection: its turn.
    state: Option<Arc<ConnectionState>>,
}

/// What a stream is for.
enum Role {
    /// Frames.
    Frames(FrameFilter),
    /// It has not said yet; this is what it said so far.
    Unknown(Vec<u8>),
    /// Something that h3 knows, or leaves alone.
    Other,
}

impl Receiver {
    /// A stream with a request whose head may have so many bytes.
    pub(super) fn of_request(stream: quinn::RecvStream, max_header_bytes: usize) -> Self {
        Self { stream, role: Role::Frames(FrameFilter::new(max_header_bytes as u64)), state: None }
    }

    /// A stream that is about the connection.
    pub(super) fn of_connection(stream: quinn::RecvStream, state: Arc<ConnectionState>) -> Self {
        Self { stream, role: Role::Unknown(Vec::new()), state: Some(state) }
    }
}

impl Role {
    /// Adds to `shown` what h3 is to see of the next bytes.
    fn follow(&mut self, arrived: &[u8], shown: &mut BytesMut) -> Result<(), FrameError> {
        match self {
            Self::Frames(filter) => return filter.follow(arrived, shown),
            Self::Other => shown.extend_from_slice(arrived),
            Self::Unknown(said) => {
                said.extend_from_slice(arrived);
                let said = std::mem::take(said);
                let Some((kind, rest)) = number(&said) else {
                    *self = Self::Unknown(said);
                    return Ok(());
                };
                shown.extend_from_slice(&said[..said.len() - rest.len()]);
                *self = if kind == CONTROL { Self::Frames(FrameFilter::new(NO_HEAD)) } else { Self::Other };
                return self.follow(rest, shown);
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<(), FrameError> {
        if let Self::Frames(filter) = self { filter.end() } else { Ok(()) }
    }
}

impl RecvStream for Receiver {
    type Buf = Bytes;

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let refused = |error: FrameError| StreamErrorIncoming::Unknown(error.into());
        let mut shown = BytesMut::new();
        while shown.is_empty() {
            if self.state.as_ref().is_some_and(|state| state.turn_is_over()) {
                // What is about a connection can be nothing but work: the others of the thread are next.
                ready!(pin!(yield_now()).poll(context));
            }
            let mut space = [0; READ_BYTES];
            let mut arrived = ReadBuf::new(&mut space);
            ready!(self.stream.poll_read_buf(context, &mut arrived)).map_err(not_read)?;
            if arrived.filled().is_empty() {
                self.role.end().map_err(refused)?;
                return Poll::Ready(Ok(None));
            }
            if let Some(state) = &self.state {
                state.reads(arrived.filled().len());
            }
            self.role.follow(arrived.filled(), &mut shown).map_err(refused)?;
        }
        Poll::Ready(Ok(Some(shown.freeze())))
    }

    fn stop_sending(&mut self, code: u64) {
        // It fails where all of it was read.
        let _ = self.stream.stop(number_of(code));
    }

    fn recv_id(&self) -> StreamId {
        id_of(self.stream.id())
    }
}

impl Drop for Receiver {
    /// Whoever is not listened to any more has done nothing wrong (RFC 9114, section 4.1).
    fn drop(&mut self) {
        self.stop_sending(Code::H3_NO_ERROR.value());
    }
}
