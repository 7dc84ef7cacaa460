//! The body of a response: one type for all that the edge sends, without a box for what is in memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use ship_core::PlatformError;
use ship_runtime::FunctionBody;

use crate::assets::FileBody;
use crate::request_log::RequestLog;

/// The error of a body. A body that fails ends its connection before the response is complete, so no visitor takes a part
/// for the whole.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response. The request's log record is written when it is dropped, after its last byte or with the connection.
pub struct EdgeBody {
    content: Content,
    log: Option<RequestLog>,
}

enum Content {
    Empty,
    Bytes(Bytes),
    File(FileBody),
    Function(Pin<Box<FunctionBody>>),
    Other(UnsyncBoxBody<Bytes, BodyError>),
}

impl EdgeBody {
    /// No bytes.
    pub const fn empty() -> Self {
        Self { content: Content::Empty, log: None }
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Bytes(bytes.into()), log: None }
    }

    /// Whatever another body yields.
    pub fn other<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Self { content: Content::Other(body.map_err(Into::into).boxed_unsync()), log: None }
    }

    pub(crate) const fn file(file: FileBody) -> Self {
        Self { content: Content::File(file), log: None }
    }

    pub(crate) fn function(body: FunctionBody) -> Self {
        Self { content: Content::Function(Box::pin(body)), log: None }
    }

    /// Writes `log` when the response has ended.
    pub(crate) fn log_at_end(&mut self, log: RequestLog) {
        self.log = Some(log);
    }

    fn note_failure(&mut self, error: PlatformError) {
        if let Some(log) = &mut self.log {
            log.error = Some(error);
        }
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let (polled, blame) = match &mut this.content {
            Content::Empty => return Poll::Ready(None),
            Content::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                this.content = Content::Empty;
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Content::File(file) => (Pin::new(file).poll_frame(context), PlatformError::BlobCorrupt),
            Content::Function(body) => {
                (body.as_mut().poll_frame(context).map_err(Into::into), PlatformError::FunctionInvocationFailed)
            }
            Content::Other(body) => (Pin::new(body).poll_frame(context), PlatformError::Internal),
        };
        if let Poll::Ready(Some(Err(error))) = &polled {
            tracing::debug!(%error, "a response ends before it is complete");
            this.note_failure(blame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::File(file) => file.is_end_stream(),
            Content::Function(body) => body.is_end_stream(),
            Content::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::File(file) => file.size_hint(),
            Content::Function(body) => body.size_hint(),
            Content::Other(body) => body.size_hint(),
        }
    }
}
