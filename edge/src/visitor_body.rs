//! The body of a visitor's request, in whichever HTTP it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// The body of a visitor's request.
pub struct VisitorBody(Incoming);

/// The visitor broke off, or what was sent is not a body.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct VisitorBodyError(#[from] hyper::Error);

impl From<Incoming> for VisitorBody {
    fn from(body: Incoming) -> Self {
        Self(body)
    }
}

impl Body for VisitorBody {
    type Data = Bytes;
    type Error = VisitorBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, VisitorBodyError>>> {
        Pin::new(&mut self.0).poll_frame(context).map_err(VisitorBodyError)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
