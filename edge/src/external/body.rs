//! The body of another host's answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use ship_core::PlatformError;
use tokio::time::{Instant, Sleep};

/// How long another host may send nothing in the middle of its answer. Event streams send a comment more often than that.
const STALL_TIMEOUT: Duration = Duration::from_mins(2);

/// An answer as it comes. It fails when its host breaks off or stops sending.
pub(crate) struct ExternalBody {
    body: Incoming,
    stall: Option<Pin<Box<Sleep>>>,
}

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExternalBodyError {
    /// Its connection failed.
    #[error("the other host broke off")]
    Connection(#[from] hyper::Error),
    /// Nothing came.
    #[error("the other host sent nothing for {} s", STALL_TIMEOUT.as_secs())]
    Stalled,
}

impl ExternalBodyError {
    /// What the log calls it.
    pub(crate) fn blame(&self) -> PlatformError {
        match self {
            Self::Connection(_) => PlatformError::ExternalTargetError,
            Self::Stalled => PlatformError::ExternalTargetTimeout,
        }
    }
}

impl ExternalBody {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, stall: None }
    }
}

impl Body for ExternalBody {
    type Data = Bytes;
    type Error = ExternalBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ExternalBodyError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some(stall) = &mut self.stall {
                    stall.as_mut().reset(Instant::now() + STALL_TIMEOUT);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(ExternalBodyError::Connection)))
            }
            Poll::Pending => {
                let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_TIMEOUT)));
                stall.as_mut().poll(context).map(|()| Some(Err(ExternalBodyError::Stalled)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
