//! The body of a response: one type for all that the edge sends, without a box for what is in memory.

mod pouring;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use ship_core::PlatformError;
use ship_runtime::FunctionBody;

use crate::assets::FileBody;
use crate::external::{ExternalBody, ExternalBodyError};
use crate::protocol::headers;
use crate::request_log::RequestLog;

pub(crate) use pouring::Pouring;
use pouring::{Next, Poured};

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
    Function(Box<FunctionBody>),
    External(Box<ExternalBody>),
    /// It is gathered on its way.
    Poured(Box<Poured>),
    Other(UnsyncBoxBody<Bytes, BodyError>),
    /// It failed, and says so the next time it is asked.
    Failed(Option<Broken>),
}

/// Why a body ended too early.
struct Broken {
    error: BodyError,
    /// What the log calls it.
    blame: PlatformError,
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

    /// What a function answers: bytes if all of it is there already.
    pub(crate) fn function(mut body: FunctionBody) -> Self {
        match body.take_received() {
            Some(bytes) => Self::full(bytes),
            None => Self { content: Content::Function(Box::new(body)), log: None },
        }
    }

    pub(crate) fn external(body: ExternalBody) -> Self {
        Self { content: Content::External(Box::new(body)), log: None }
    }

    /// Holds less of it in memory at once, where a visitor may ask for many at the same time.
    pub(crate) const fn hold_little(&mut self) {
        if let Content::File(file) = &mut self.content {
            file.read_small_pieces();
        }
    }

    /// Writes `log` when the response has ended.
    pub(crate) fn log_at_end(&mut self, log: RequestLog) {
        self.log = Some(log);
    }
}

impl Content {
    /// The next frame, or what went wrong and what the log calls it.
    fn poll_content(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::File(file) => {
                let broken = |error| Broken { error, blame: PlatformError::BlobCorrupt };
                Pin::new(file).poll_frame(context).map_err(broken)
            }
            Self::Function(body) => {
                let broken = |error| Broken { blame: blame(&error), error: error.into() };
                let frame = Pin::new(&mut **body).poll_frame(context).map_err(broken);
                frame.map_ok(|mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        headers::drop_platform(trailers);
                    }
                    frame
                })
            }
            Self::External(body) => {
                let broken = |error: ExternalBodyError| Broken { blame: error.blame(), error: error.into() };
                Pin::new(&mut **body).poll_frame(context).map_err(broken)
            }
            Self::Poured(poured) => match ready!(poured.poll(context)) {
                Next::Frame(frame) => Poll::Ready(frame),
                Next::Rest(rest) => {
                    *self = rest;
                    self.poll_content(context)
                }
            },
            Self::Other(body) => {
                let broken = |error| Broken { error, blame: PlatformError::Internal };
                Pin::new(body).poll_frame(context).map_err(broken)
            }
            Self::Failed(error) => Poll::Ready(error.take().map(Err)),
        }
    }
}

/// What the log calls a function's body that ended too early.
pub(crate) fn blame(error: &ship_runtime::BodyError) -> PlatformError {
    match error {
        ship_runtime::BodyError::Timeout(_) => PlatformError::FunctionInvocationTimeout,
        ship_runtime::BodyError::Visitor(_) | ship_runtime::BodyError::Request => PlatformError::MalformedRequest,
        _ => PlatformError::FunctionInvocationFailed,
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let was_told = matches!(self.content, Content::Failed(_));
        let broken = match ready!(self.content.poll_content(context)) {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
            Some(Err(broken)) if was_told => return Poll::Ready(Some(Err(broken.error))),
            Some(Err(broken)) => broken,
        };
        tracing::debug!(error = %broken.error, "a response ends before it is complete");
        if let Some(log) = &mut self.log {
            log.error = Some(broken.blame);
        }
        // hyper drops what it has not yet written when a body fails. It writes while a body is pending, so what was received
        // goes out first, and a visitor sees a response that breaks off, not a connection that was closed without one.
        self.content = Content::Failed(Some(broken));
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Failed(_) | Content::Poured(_) => false,
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::File(file) => file.is_end_stream(),
            Content::Function(body) => body.is_end_stream(),
            Content::External(body) => body.is_end_stream(),
            Content::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Failed(_) => SizeHint::default(),
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::File(file) => file.size_hint(),
            Content::Function(body) => body.size_hint(),
            Content::External(body) => body.size_hint(),
            Content::Poured(poured) => poured.size_hint(),
            Content::Other(body) => body.size_hint(),
        }
    }
}
