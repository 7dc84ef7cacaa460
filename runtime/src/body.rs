//! The body of a function's response.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::DropGuard;

use crate::error::Failure;
use crate::instance::Instance;
use crate::pool::Lease;
use crate::request::{Upload, UploadPhase};

/// An error of any kind, as `http_body` implementations pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response, as the function produces it. Dropping it before its end closes the connection to the function,
/// which cancels the request there.
///
/// It ends cleanly only if the function ended it cleanly. A process that dies in the middle gives an error, also where the
/// end of the connection is the end of the body.
pub struct FunctionBody {
    incoming: Incoming,
    feed: Feed,
    ending: Ending,
    /// How far the request's own body is, if it has one.
    upload: Option<Arc<Upload>>,
    /// How long the next piece may take, of the response or of the request's own body.
    piece_timeout: Duration,
    /// Runs while a piece is awaited.
    clock: Option<Pin<Box<Sleep>>>,
}

/// Where the pieces come from.
pub(crate) enum Feed {
    /// All of them were received with the head; the request is over for the instance.
    Received,
    /// The connection in the lease, moved by whoever reads this body.
    Leased(Lease),
    /// A task that moves the bytes in both directions, because the request's body is still on its way. Dropping the guard
    /// ends it.
    Driven(Lease, #[expect(dead_code, reason = "held for its drop")] DropGuard),
    /// The connection ended where the body ends, and the process was about to exit: how it exits is the answer.
    Obituary(Pin<Box<dyn Future<Output = Option<Failure>> + Send>>),
    /// Nothing comes any more.
    Over,
}

/// How the end of a body is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// By a length or a last chunk. The parser sees if it is missing.
    Delimited,
    /// By the end of the connection, which is also what a crash looks like.
    ByClose,
}

/// The body of a response broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection to the function ended too early, or what came is not HTTP.
    #[error("the function's response broke off")]
    Interrupted(#[source] hyper::Error),
    /// The process ended in the middle.
    #[error("the function's response broke off")]
    Failed(#[source] Failure),
    /// The next piece did not come within the function's `timeout_secs`.
    #[error("the function's response stood still for {} s", .0.as_secs())]
    Timeout(Duration),
    /// The visitor, who was the one to go on, sent no piece of the request's own body within the function's `timeout_secs`.
    #[error("the request stood still for {} s", .0.as_secs())]
    Visitor(Duration),
}

impl FunctionBody {
    pub(crate) const fn new(
        incoming: Incoming,
        feed: Feed,
        ending: Ending,
        upload: Option<Arc<Upload>>,
        piece_timeout: Duration,
    ) -> Self {
        Self { incoming, feed, ending, upload, piece_timeout, clock: None }
    }

    /// Whether the instance is done with this response, and only what was received is left to be read.
    const fn is_received(&self) -> bool {
        matches!(self.feed, Feed::Received | Feed::Over)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let incoming = &mut self.incoming;
        let mut next = |cx: &mut Context<'_>| Pin::new(&mut *incoming).poll_frame(cx);
        match &mut self.feed {
            Feed::Leased(lease) => match lease.connection() {
                Some(connection) => connection.poll_until(cx, next),
                None => next(cx),
            },
            Feed::Received | Feed::Driven(..) => next(cx),
            Feed::Obituary(_) | Feed::Over => Poll::Ready(None),
        }
    }

    /// The function has ended the body. Gives the connection back, unless its end was the body's end.
    fn finish(&mut self) -> Option<Arc<Instance>> {
        match std::mem::replace(&mut self.feed, Feed::Over) {
            Feed::Leased(lease) | Feed::Driven(lease, _) if self.ending == Ending::ByClose => {
                Some(Arc::clone(lease.instance())).filter(|instance| instance.is_exiting())
            }
            _ => None,
        }
    }

    /// Ready when nothing has moved for too long, in either direction.
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.piece_timeout;
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
        loop {
            ready!(clock.as_mut().poll(cx));
            let extended = self.upload.as_ref().map(|upload| upload.moved_at() + timeout);
            match extended.filter(|deadline| *deadline > clock.deadline()) {
                Some(deadline) => clock.as_mut().reset(deadline),
                None => return Poll::Ready(()),
            }
        }
    }

    fn time_out(&mut self) -> BodyError {
        let feed = std::mem::replace(&mut self.feed, Feed::Over);
        if self.upload.as_ref().is_some_and(|upload| upload.phase() == UploadPhase::Visitor) {
            // The function does what it can: it waits for the rest.
            return BodyError::Visitor(self.piece_timeout);
        }
        if let Feed::Leased(lease) | Feed::Driven(lease, _) = feed {
            lease.time_out();
        }
        BodyError::Timeout(self.piece_timeout)
    }
}

impl Body for FunctionBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Feed::Obituary(failure) = &mut this.feed {
            let failure = ready!(failure.as_mut().poll(cx));
            this.feed = Feed::Over;
            return Poll::Ready(failure.filter(|failure| !failure.is_success()).map(|it| Err(BodyError::Failed(it))));
        }
        match this.poll_piece(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.clock = None;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.feed = Feed::Over;
                Poll::Ready(Some(Err(BodyError::Interrupted(error))))
            }
            Poll::Ready(None) => {
                let Some(instance) = this.finish() else { return Poll::Ready(None) };
                this.feed = Feed::Obituary(Box::pin(async move { instance.failure().await }));
                self.poll_frame(cx)
            }
            Poll::Pending => {
                ready!(this.poll_clock(cx));
                Poll::Ready(Some(Err(this.time_out())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.feed {
            Feed::Over => true,
            Feed::Obituary(_) => false,
            _ => self.ending == Ending::Delimited && self.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl std::fmt::Debug for FunctionBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionBody").field("is_received", &self.is_received()).finish_non_exhaustive()
    }
}
