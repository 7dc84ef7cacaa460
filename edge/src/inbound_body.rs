//! A visitor's request body, under the limits that a host sets.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use ship_core::PlatformError;
use tokio::time::{Instant, Sleep};

use crate::failure::Failure;
use crate::protocol::headers;
use crate::visitor_body::{VisitorBody, VisitorBodyError};

/// How long a visitor may send no byte of a body that is waited for.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The body of a visitor's request. It fails when it grows over its limit or when the visitor stops sending.
pub(crate) struct InboundBody {
    body: VisitorBody,
    left_bytes: u64,
    has_known_length: bool,
    verdict: BodyVerdict,
    stall: Option<Pin<Box<Sleep>>>,
}

/// What was wrong with a body, known also after the body was given away.
#[derive(Clone, Default)]
pub(crate) struct BodyVerdict(Arc<AtomicU8>);

impl BodyVerdict {
    const TOO_LARGE: u8 = 1;
    const TOO_SLOW: u8 = 2;
    const CUT_OFF: u8 = 3;

    /// What the visitor is told of it, if anything was wrong.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match self.0.load(Ordering::Acquire) {
            Self::TOO_LARGE => Some(PlatformError::PayloadTooLarge.into()),
            Self::TOO_SLOW => Some(PlatformError::RequestTimeout.into()),
            Self::CUT_OFF => Some(Failure::visitor_left()),
            _ => None,
        }
    }

    fn set(&self, verdict: u8) {
        self.0.store(verdict, Ordering::Release);
    }
}

/// The body cannot be passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboundError {
    /// The visitor closed the connection, or what was sent is not a body.
    #[error("the visitor's connection failed")]
    Connection(#[from] VisitorBodyError),
    /// It is larger than allowed.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// The visitor stopped sending, or sends so slowly that others wait for it.
    #[error("the visitor was too slow")]
    TooSlow,
}

impl InboundBody {
    pub(crate) fn new(body: VisitorBody, max_bytes: u64) -> (Self, BodyVerdict) {
        let (verdict, has_known_length) = (BodyVerdict::default(), body.size_hint().exact().is_some());
        let inbound = Self { body, left_bytes: max_bytes, has_known_length, verdict: verdict.clone(), stall: None };
        (inbound, verdict)
    }

    /// Whether its head said how long it is.
    pub(crate) fn has_known_length(&self) -> bool {
        self.has_known_length
    }

    /// Nobody waits for the rest of it any more.
    pub(crate) fn give_up(&self) -> InboundError {
        self.verdict.set(BodyVerdict::TOO_SLOW);
        InboundError::TooSlow
    }

    /// Counts a frame's bytes. What follows the body may say no more than what stood before it.
    fn take(&mut self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, InboundError> {
        if let Some(trailers) = frame.trailers_mut() {
            headers::drop_forged(trailers);
        }
        let length = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        if let Some(left_bytes) = self.left_bytes.checked_sub(length) {
            self.left_bytes = left_bytes;
            return Ok(frame);
        }
        self.verdict.set(BodyVerdict::TOO_LARGE);
        Err(InboundError::TooLarge)
    }

    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_TIMEOUT)));
        stall.as_mut().poll(context)
    }
}

impl Body for InboundBody {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some(stall) = &mut self.stall {
                    stall.as_mut().reset(Instant::now() + STALL_TIMEOUT);
                }
                if let Some(Err(error)) = &frame
                    && error.is_departure()
                {
                    self.verdict.set(BodyVerdict::CUT_OFF);
                }
                Poll::Ready(frame.map(|frame| self.take(frame?)))
            }
            Poll::Pending => self.poll_stall(context).map(|()| Some(Err(self.give_up()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
