//! The body of a request in HTTP/2.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};

/// The body of a request in HTTP/2. That it is as long as its head says is seen to by h2.
pub(crate) struct Http2Body {
    stream: RecvStream,
    /// How much is still to come, in bytes, if the head said so.
    left: Option<u64>,
    stage: Stage,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    Nothing,
}

impl Http2Body {
    /// The body of a request with these headers.
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let said = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let stage = if stream.is_end_stream() { Stage::Nothing } else { Stage::Data };
        Self { stream, left: said, stage }
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.stage == Stage::Data {
            if let Some(bytes) = ready!(self.stream.poll_data(context)).transpose()? {
                // What is handed on is bounded by who reads it, so the visitor may send as much again.
                self.stream.flow_control().release_capacity(bytes.len())?;
                self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            self.stage = Stage::Trailers;
        }
        if self.stage == Stage::Trailers {
            let trailers = ready!(self.stream.poll_trailers(context))?;
            self.stage = Stage::Nothing;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        Poll::Ready(None)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.stage == Stage::Nothing || self.stream.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}
