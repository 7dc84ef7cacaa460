//! The body of a request in HTTP/3.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h3::error::StreamError;
use h3::server::RequestStream;
use http_body::{Frame, SizeHint};

use super::receiver::Receiver;

/// The body of a request in HTTP/3. It fails where it is not as long as its head said.
pub(crate) struct Http3Body {
    stream: RequestStream<Receiver, Bytes>,
    stage: Stage,
    /// What came with the head.
    first: Option<Bytes>,
    /// How much is still to come, in bytes, if the head said so.
    left: Option<u64>,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    Nothing,
}

/// The visitor broke off, or what was sent is not the body that was promised.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Http3BodyError {
    /// Its stream failed.
    #[error("the stream failed")]
    Stream(#[from] StreamError),
    /// It is longer or shorter than its head said.
    #[error("the body is not as long as its head says")]
    Length,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Http3BodyError>>>;

impl Http3Body {
    /// The body of a request whose head has come, and says that it is so long. What has come of it is looked at, so that no body is known
    /// to be none.
    pub(super) async fn begin(stream: RequestStream<Receiver, Bytes>, length: Option<u64>) -> Self {
        let mut body = Self { stream, stage: Stage::Data, first: None, left: length };
        if length == Some(0) {
            return body;
        }
        match poll_fn(|context| Poll::Ready(body.poll_data(context))).await {
            Poll::Ready(Ok(Some(bytes))) => body.first = Some(bytes),
            Poll::Ready(Ok(None)) if length.is_none() => {
                body.stage = Stage::Trailers;
                let trailers = poll_fn(|context| Poll::Ready(body.stream.poll_recv_trailers(context))).await;
                if let Poll::Ready(Ok(None)) = trailers {
                    body.stage = Stage::Nothing;
                }
            }
            // It is asked again, and gives the same answer.
            Poll::Ready(_) | Poll::Pending => {}
        }
        body
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        let polled = self.stream.poll_recv_data(context);
        polled.map_ok(|data| data.map(|mut data| data.copy_to_bytes(data.remaining())))
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Polled {
        if self.stage == Stage::Data {
            let data = match self.first.take() {
                Some(first) => Some(first),
                None => ready!(self.poll_data(context))?,
            };
            if let Some(bytes) = data {
                return Poll::Ready(Some(self.count(bytes)));
            }
            self.stage = Stage::Trailers;
            if self.left.is_some_and(|left| left > 0) {
                return self.fail();
            }
        }
        if self.stage == Stage::Trailers {
            let trailers = ready!(self.stream.poll_recv_trailers(context))?;
            self.stage = Stage::Nothing;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        Poll::Ready(None)
    }

    fn count(&mut self, bytes: Bytes) -> Result<Frame<Bytes>, Http3BodyError> {
        if let Some(left) = self.left {
            let Some(rest) = left.checked_sub(bytes.len() as u64) else {
                self.stage = Stage::Nothing;
                return Err(Http3BodyError::Length);
            };
            self.left = Some(rest);
        }
        Ok(Frame::data(bytes))
    }

    fn fail(&mut self) -> Polled {
        self.stage = Stage::Nothing;
        Poll::Ready(Some(Err(Http3BodyError::Length)))
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.stage == Stage::Nothing || self.left == Some(0) && self.first.is_none()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None if self.stage == Stage::Nothing => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}
