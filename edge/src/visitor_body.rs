//! The body of a visitor's request, in whichever HTTP it comes.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::serve::{Http2Body, Http3Body, Http3BodyError};

/// The body of a visitor's request.
pub struct VisitorBody(Kind);

enum Kind {
    /// Of HTTP/1.1.
    Http1(Incoming),
    /// Of HTTP/2. In a box: few requests have one.
    Http2(Box<Http2Body>),
    /// Of HTTP/3. In a box: few requests have one.
    Http3(Box<Http3Body>),
}

/// The visitor broke off, or what was sent is not a body.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct VisitorBodyError(#[from] Broken);

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Http1(hyper::Error),
    #[error(transparent)]
    Http2(h2::Error),
    #[error(transparent)]
    Http3(Http3BodyError),
}

impl VisitorBodyError {
    /// Whether the visitor left, in the middle of what was no worse until then.
    pub(crate) fn is_departure(&self) -> bool {
        match &self.0 {
            Broken::Http1(error) => error.source().and_then(<dyn Error>::downcast_ref).is_some_and(is_gone),
            Broken::Http2(error) => error.is_reset() || error.get_io().is_some_and(is_gone),
            Broken::Http3(error) => matches!(error, Http3BodyError::Stream(_)),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

impl From<Incoming> for VisitorBody {
    fn from(body: Incoming) -> Self {
        Self(Kind::Http1(body))
    }
}

impl From<Http2Body> for VisitorBody {
    fn from(body: Http2Body) -> Self {
        Self(Kind::Http2(Box::new(body)))
    }
}

impl From<Http3Body> for VisitorBody {
    fn from(body: Http3Body) -> Self {
        Self(Kind::Http3(Box::new(body)))
    }
}

impl Body for VisitorBody {
    type Data = Bytes;
    type Error = VisitorBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, VisitorBodyError>>> {
        match &mut self.0 {
            Kind::Http1(body) => Pin::new(body).poll_frame(context).map_err(Broken::Http1),
            Kind::Http2(body) => body.poll_frame(context).map_err(Broken::Http2),
            Kind::Http3(body) => body.poll_frame(context).map_err(Broken::Http3),
        }
        .map_err(VisitorBodyError)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Http1(body) => body.is_end_stream(),
            Kind::Http2(body) => body.is_end_stream(),
            Kind::Http3(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Http1(body) => body.size_hint(),
            Kind::Http2(body) => body.size_hint(),
            Kind::Http3(body) => body.size_hint(),
        }
    }
}
