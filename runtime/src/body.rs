//! The body of a function's response.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::DropGuard;

use crate::course::Course;
use crate::error::Failure;
use crate::pool::Lease;
use crate::request::{Upload, UploadPhase};
use crate::upgraded::Upgraded;
use crate::wire::WireError;

/// An error of any kind, as `http_body` implementations pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response, as the function produces it. Dropping it before its end closes the connection to the function,
/// which cancels the request there.
///
/// It ends cleanly only if the function ended it cleanly. A process that dies in the middle gives an error, also where the
/// end of the connection is the end of the body.
pub struct FunctionBody {
    /// What was received with the head, and not handed on yet.
    received: Bytes,
    /// What was sent behind the body, and not handed on yet.
    trailers: Option<Box<HeaderMap>>,
    feed: Feed,
    /// How far the request's own body is, if it has one.
    upload: Option<Arc<Upload>>,
    /// How long the next piece may take, of the response or of the request's own body.
    piece_timeout: Duration,
    /// Runs while a piece is awaited.
    clock: Option<Pin<Box<Sleep>>>,
    /// How the request went until the head of the response.
    course: Course,
}

/// Where the pieces come from.
pub(crate) enum Feed {
    /// The connection in the lease, moved by whoever reads this body.
    Leased(Lease),
    /// The same, while a task writes the rest of the request. Dropping the guard ends the task.
    Driven(Lease, #[expect(dead_code, reason = "held for its drop")] DropGuard),
    /// The connection ended and the process was about to exit: how it exits is the answer.
    Obituary(Obituary),
    /// The connection speaks another protocol now.
    Upgraded(Box<Upgraded>),
    /// Nothing comes any more.
    Over,
}

/// The end of a process in the middle of a body, or where the end of the connection would be the body's.
pub(crate) struct Obituary {
    failure: Pin<Box<dyn Future<Output = Option<Failure>> + Send>>,
    /// What is said if the process did not fail.
    otherwise: Option<WireError>,
}

impl Obituary {
    /// Waits for the end of an instance. The request counts as one that it is answering until then, so the log names it.
    fn of(lease: Lease, otherwise: Option<WireError>) -> Self {
        let instance = Arc::clone(lease.instance());
        let failure = async move {
            let failure = instance.failure().await;
            drop(lease);
            failure
        };
        Self { failure: Box::pin(failure), otherwise }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<BodyError>> {
        let failure = ready!(self.failure.as_mut().poll(cx)).filter(|failure| !failure.is_success());
        Poll::Ready(match failure {
            Some(failure) => Some(BodyError::Failed(failure)),
            None => self.otherwise.take().map(BodyError::Interrupted),
        })
    }
}

/// The body of a response broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection to the function ended too early, or what came is not HTTP.
    #[error("the function's response broke off")]
    Interrupted(#[source] WireError),
    /// The process ended in the middle.
    #[error("the function's response broke off")]
    Failed(#[source] Failure),
    /// The next piece did not come within the function's `timeout_secs`.
    #[error("the function's response stood still for {} s", .0.as_secs())]
    Timeout(Duration),
    /// The visitor, who was the one to go on, sent no piece of the request's own body within the function's `timeout_secs`.
    #[error("the request stood still for {} s", .0.as_secs())]
    Visitor(Duration),
    /// The request's own body broke off, and the response with it.
    #[error("the request broke off")]
    Request,
}

impl FunctionBody {
    pub(crate) const fn new(
        received: Bytes,
        feed: Feed,
        upload: Option<Arc<Upload>>,
        piece_timeout: Duration,
        course: Course,
    ) -> Self {
        Self { received, trailers: None, feed, upload, piece_timeout, clock: None, course }
    }

    /// The same with what was sent behind it.
    pub(crate) fn followed_by(self, trailers: Option<Box<HeaderMap>>) -> Self {
        Self { trailers, ..self }
    }

    /// How the request went until the head of the response.
    pub const fn course(&self) -> Course {
        self.course
    }

    /// All of the body, if all of it was received with the head and nothing follows it.
    pub fn take_received(&mut self) -> Option<Bytes> {
        (matches!(self.feed, Feed::Over) && self.trailers.is_none()).then(|| std::mem::take(&mut self.received))
    }

    /// The stream of the new protocol, behind a response with status 101.
    pub fn into_upgraded(self) -> Option<Upgraded> {
        match self.feed {
            Feed::Upgraded(upgraded) => Some(*upgraded),
            _ => None,
        }
    }

    const fn lease(&mut self) -> Option<&mut Lease> {
        match &mut self.feed {
            Feed::Leased(lease) | Feed::Driven(lease, _) => Some(lease),
            Feed::Obituary(_) | Feed::Upgraded(_) | Feed::Over => None,
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        if !self.received.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.received))));
        }
        let Some(connection) = self.lease().and_then(Lease::connection) else { return Poll::Ready(None) };
        let piece = ready!(connection.poll_body(cx));
        let trailers = connection.take_trailers();
        let is_last = matches!(piece, Some(Ok(_))) && connection.is_over();
        self.trailers = trailers.or(self.trailers.take());
        if is_last {
            // The last piece: the connection is given back before anybody asks for one that does not come.
            self.feed = Feed::Over;
        }
        Poll::Ready(piece)
    }

    /// The body has ended, by itself or with `error`. Gives the connection back, unless the process is exiting: how it does
    /// is what the visitor and the log are told.
    fn end(&mut self, error: Option<WireError>) -> Option<BodyError> {
        let feed = std::mem::replace(&mut self.feed, Feed::Over);
        if error.is_some() && self.upload.as_ref().is_some_and(|upload| upload.phase() == UploadPhase::Failed) {
            return Some(BodyError::Request);
        }
        match feed {
            // Only an error, or the end of the connection, is told here: other ends were told by the last piece.
            Feed::Leased(lease) | Feed::Driven(lease, _) if lease.instance().is_exiting() => {
                self.feed = Feed::Obituary(Obituary::of(lease, error));
                None
            }
            _ => error.map(BodyError::Interrupted),
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
        if let Feed::Obituary(obituary) = &mut this.feed {
            let error = ready!(obituary.poll(cx));
            this.feed = Feed::Over;
            return Poll::Ready(error.map(Err));
        }
        let error = match this.poll_piece(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                this.clock = None;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            Poll::Ready(ended) => ended.and_then(Result::err),
            Poll::Pending => {
                ready!(this.poll_clock(cx));
                return Poll::Ready(Some(Err(this.time_out())));
            }
        };
        if error.is_none()
            && let Some(trailers) = this.trailers.take()
        {
            return Poll::Ready(Some(Ok(Frame::trailers(*trailers))));
        }
        let error = this.end(error);
        match this.feed {
            Feed::Obituary(_) => self.poll_frame(cx),
            _ => Poll::Ready(error.map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.feed, Feed::Over | Feed::Upgraded(_)) && self.received.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let received = self.received.len() as u64;
        let left = match &self.feed {
            Feed::Leased(lease) | Feed::Driven(lease, _) => lease.left(),
            Feed::Obituary(_) => None,
            Feed::Upgraded(_) | Feed::Over => Some(0),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(received);
        // A length is sent in front of a body that nothing follows.
        if let Some(left) = left.filter(|_| self.trailers.is_none()) {
            hint.set_exact(received + left);
        }
        hint
    }
}

impl std::fmt::Debug for FunctionBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionBody").field("is_received", &matches!(self.feed, Feed::Over)).finish_non_exhaustive()
    }
}
