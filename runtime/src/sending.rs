//! A request on its way to a function: its head, and the pieces of its body as they come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;

use crate::body::BoxError;
use crate::limits::{PIECE_BYTES, PIECES_PER_TURN, TOGETHER_BYTES};
use crate::linux::stream::FunctionSocket;
use crate::request::{Upload, UploadPhase};
use crate::wire::{Framing, write_chunk, write_last_chunk};

/// What of a request is still to be written.
pub(crate) struct Sending {
    /// Bytes to write, of which the first [`Self::written`] were.
    bytes: Vec<u8>,
    written: usize,
    body: Option<RequestBody>,
    upload: Option<Arc<Upload>>,
    state: SendingState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SendingState {
    /// Nothing was written.
    Untouched,
    /// Something was.
    Begun,
    /// The function takes no more.
    Refused,
}

/// A body of which there is more to come.
struct RequestBody {
    source: UnsyncBoxBody<Bytes, BoxError>,
    /// What was taken from the source and is not among the bytes to write yet.
    rest: Bytes,
    framing: Framing,
    /// What is said after it.
    trailers: Option<HeaderMap>,
}

/// Why a request cannot be written to its end.
pub(crate) enum SendingError {
    /// Its own body cannot be read, or has another length than it said.
    Body(Option<BoxError>),
    /// The function closed the connection before it had taken a byte.
    Unsent,
}

impl Sending {
    /// A request without a body.
    pub(crate) const fn of_head(head: Vec<u8>) -> Self {
        Self { bytes: head, written: 0, body: None, upload: None, state: SendingState::Untouched }
    }

    /// A request with a body, which says in `upload` how far it is.
    pub(crate) fn new(
        head: Vec<u8>,
        source: UnsyncBoxBody<Bytes, BoxError>,
        framing: Framing,
        upload: Arc<Upload>,
    ) -> Self {
        let body = RequestBody { source, rest: Bytes::new(), framing, trailers: None };
        Self { body: Some(body), upload: Some(upload), ..Self::of_head(head) }
    }

    /// Whether all of it was written.
    pub(crate) fn is_over(&self) -> bool {
        self.body.is_none() && self.unwritten().is_empty()
    }

    /// Whether the function has closed the connection before all was written.
    pub(crate) fn is_refused(&self) -> bool {
        self.state == SendingState::Refused
    }

    /// What is next to be written.
    pub(crate) fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Begins anew, for another connection. For a request that has no body, or of which nothing was written.
    pub(crate) fn rewind(&mut self) {
        debug_assert!(self.upload.is_none() || self.state == SendingState::Untouched);
        self.written = 0;
        self.state = SendingState::Untouched;
    }

    /// Writes what can be written. Ready when nothing is left to do: all is written, or the function takes no more. What it
    /// has answered until then may be all that it needed to say.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, socket: &FunctionSocket) -> Poll<Result<(), SendingError>> {
        for _ in 0..PIECES_PER_TURN {
            if self.is_over() || self.is_refused() {
                self.note(UploadPhase::Over);
                return Poll::Ready(Ok(()));
            }
            let gathered = self.poll_gather(cx)?;
            let flushed = self.poll_flush(cx, socket)?;
            if gathered.is_pending() || flushed.is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes the next piece of the body, if all before it was written. The first goes out together with the head.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendingError>> {
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
        let Some(body) = &mut self.body else { return Poll::Ready(Ok(())) };
        let is_first = self.state == SendingState::Untouched && self.bytes.len() < TOGETHER_BYTES;
        if !self.bytes.is_empty() && !is_first {
            return Poll::Ready(Ok(()));
        }
        match body.poll_more(cx, &mut self.bytes) {
            Poll::Pending => {
                self.note(UploadPhase::Visitor);
                return Poll::Pending;
            }
            Poll::Ready(more) => {
                if more? == More::End {
                    self.body = None;
                }
            }
        }
        if let Some(upload) = &self.upload {
            upload.moves();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, socket: &FunctionSocket) -> Poll<Result<(), SendingError>> {
        while !self.unwritten().is_empty() {
            match ready!(socket.poll_write(cx, self.unwritten())) {
                Ok(count) => {
                    self.written += count;
                    self.state = SendingState::Begun;
                }
                Err(_) if self.state == SendingState::Untouched => return Poll::Ready(Err(SendingError::Unsent)),
                Err(_) => {
                    self.state = SendingState::Refused;
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn note(&self, phase: UploadPhase) {
        if let Some(upload) = &self.upload {
            upload.set(phase);
        }
    }

    /// Moves the rest while the response is read, in a task of its own. If the body fails, the connection is ended: the
    /// function must not take a part for the whole.
    pub(crate) async fn finish(mut self, socket: Arc<FunctionSocket>) {
        let sent = std::future::poll_fn(|cx| self.poll(cx, &socket)).await;
        if sent.is_err() {
            self.note(UploadPhase::Failed);
            socket.shut_down();
        }
    }
}

/// What a source gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum More {
    /// Bytes, or nothing that is written.
    Piece,
    /// It was the last.
    End,
}

impl RequestBody {
    /// Adds what comes next to `bytes`.
    fn poll_more(&mut self, cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Poll<Result<More, SendingError>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.source).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.rest = piece,
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Some(Err(error)) => return Poll::Ready(Err(SendingError::Body(Some(error)))),
                None => return Poll::Ready(self.end(bytes)),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        if let Framing::Length(left) = &mut self.framing {
            *left = left.checked_sub(piece.len() as u64).ok_or(SendingError::Body(None))?;
            bytes.extend_from_slice(&piece);
        } else {
            write_chunk(bytes, &piece);
        }
        let is_last = self.framing == Framing::Length(0) && self.rest.is_empty();
        Poll::Ready(Ok(if is_last { More::End } else { More::Piece }))
    }

    fn end(&self, bytes: &mut Vec<u8>) -> Result<More, SendingError> {
        match self.framing {
            Framing::Length(0) | Framing::NoBody => {}
            Framing::Length(_) => return Err(SendingError::Body(None)),
            Framing::Chunked => write_last_chunk(bytes, self.trailers.as_ref()),
        }
        Ok(More::End)
    }
}
