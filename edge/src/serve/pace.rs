//! How fast a visitor takes a response of HTTP/2 or HTTP/3: many share a connection there, so each is watched by itself.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::state::ConnectionState;
use crate::body::{BodyError, EdgeBody};

/// How much of a body is given to the connection at once, in bytes: the size of a frame. What waits for a visitor is no more than this
/// and what the connection may buffer, however large the body's own pieces are.
pub(super) const PIECE_BYTES: usize = 16 * 1024;

tokio::task_local! {
    /// The pace of the stream that is being polled.
    static PACE: Arc<Pace>;
}

/// How far a response has come.
#[derive(Default)]
pub(super) struct Pace {
    pieces: AtomicU32,
    is_held: AtomicBool,
    has_ended: AtomicBool,
    connection: Option<Arc<ConnectionState>>,
}

impl Pace {
    /// The pace of a response that is still to come, on this connection.
    pub(super) fn on(connection: &Arc<ConnectionState>) -> Self {
        Self { connection: Some(Arc::clone(connection)), ..Self::default() }
    }

    /// Notes that the head of the response goes to the visitor, or a piece of so many bytes.
    fn gives(&self, bytes: usize) {
        if let Some(connection) = &self.connection {
            connection.earnings().earn_answer(bytes);
        }
    }

    /// Whether the response was given to the connection as a whole.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Relaxed)
    }
}

/// Notes that the current stream needs no answer: nobody abandoned it.
pub(super) fn needs_no_answer() {
    // Outside of a stream there is nothing to note.
    let _ = PACE.try_with(|pace| pace.has_ended.store(true, Relaxed));
}

/// Notes that the current stream's answer was given as a whole.
pub(super) fn answer_is_given() {
    needs_no_answer();
}

/// Notes whether the visitor of the current stream takes what is written.
pub(super) fn note_write<T>(written: &Poll<T>) {
    // Outside of a stream there is nothing to note.
    let _ = PACE.try_with(|pace| {
        pace.is_held.store(written.is_pending(), Relaxed);
        if written.is_ready() {
            pace.pieces.fetch_add(1, Relaxed);
        }
    });
}

/// Drives one stream, until it ends or until its visitor has taken nothing of a response for `timeout`: then the stream is reset.
pub(super) async fn keep_pace(stream: impl Future<Output = ()>, pace: &Arc<Pace>, timeout: Duration) {
    let mut stream = pin!(PACE.scope(Arc::clone(pace), stream));
    let mut patience: Option<(u32, Pin<Box<Sleep>>)> = None;
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !pace.is_held.load(Relaxed) {
            patience = None;
            return Poll::Pending;
        }
        let pieces = pace.pieces.load(Relaxed);
        let (seen, sleep) = patience.get_or_insert_with(|| (pieces, Box::pin(tokio::time::sleep(timeout))));
        if *seen != pieces {
            *seen = pieces;
            sleep.as_mut().reset(Instant::now() + timeout);
        }
        sleep.as_mut().poll(context)
    })
    .await;
}

/// The body of a response, in pieces that a connection can hold many of. It notes how far the visitor took it.
pub(super) struct PacedBody {
    body: EdgeBody,
    rest: Bytes,
    pace: Arc<Pace>,
}

impl PacedBody {
    /// The body of the response that the current stream gives.
    pub(super) fn of_current_stream(mut body: EdgeBody) -> Self {
        let pace = PACE.try_with(Arc::clone).unwrap_or_default();
        body.hold_little();
        pace.gives(0);
        if body.is_end_stream() {
            pace.has_ended.store(true, Relaxed);
        }
        Self { body, rest: Bytes::new(), pace }
    }

    /// The next piece of what the body gave already.
    fn piece(&mut self) -> Frame<Bytes> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        self.pace.pieces.fetch_add(1, Relaxed);
        self.pace.gives(piece.len());
        if self.is_end_stream() {
            self.pace.has_ended.store(true, Relaxed);
        }
        // Until the connection asks for more, it waits for the visitor to take this.
        self.pace.is_held.store(true, Relaxed);
        Frame::data(piece)
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.pace.is_held.store(false, Relaxed);
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        Pin::new(&mut self.body).poll_frame(context).map(|frame| match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => {
                    self.rest = bytes;
                    Some(Ok(self.piece()))
                }
                Err(trailers) => {
                    self.pace.has_ended.store(true, Relaxed);
                    Some(Ok(trailers))
                }
            },
            None => {
                self.pace.has_ended.store(true, Relaxed);
                None
            }
            failed => failed,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}
