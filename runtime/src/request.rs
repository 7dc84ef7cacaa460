//! The request as it goes to a function.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use ship_core::RequestId;
use tokio::time::Instant;

use crate::body::BoxError;

/// The header in which a function finds the request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ship-id");

/// The header that asks an instance whether it is there. Its launcher answers without calling the function.
const CHECK: HeaderName = HeaderName::from_static("x-ship-check");

/// A request that is ready to be written to an instance.
pub(crate) struct Outgoing {
    pub(crate) request: Request<RequestBody>,
    /// How far its body is; `None` if it has none.
    pub(crate) upload: Option<Arc<Upload>>,
    /// Whether it asks for another protocol, so that a 101 is an answer to it.
    pub(crate) wants_upgrade: bool,
}

impl Outgoing {
    /// The request of a visitor.
    pub(crate) fn new<B>(request: Request<B>, id: RequestId) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut head, body) = request.into_parts();
        let (body, upload) = RequestBody::new(body);
        head.version = Version::HTTP_11;
        origin_form(&mut head.uri);
        let wants_upgrade = head.headers.contains_key(UPGRADE);
        if !wants_upgrade {
            // The connection to the instance has a life of its own.
            head.headers.remove(CONNECTION);
        }
        // Only the runtime may ask this: its answer is not the function's.
        head.headers.remove(CHECK);
        // The body is sent without waiting, so there is nothing to expect.
        head.headers.remove(EXPECT);
        frame(&mut head.headers, &body);
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            head.headers.insert(REQUEST_ID, id);
        }
        Self { request: Request::from_parts(head, body), upload, wants_upgrade }
    }

    /// The question whether an instance is there.
    pub(crate) fn check() -> Self {
        let mut request = Request::new(RequestBody::default());
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        request.headers_mut().insert(CHECK, HeaderValue::from_static("1"));
        Self { request, upload: None, wants_upgrade: false }
    }
}

/// A second copy of a request that has no body, for the case that the first never reaches the function.
pub(crate) fn copy_without_body(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Keeps the path and query: a function is a server, not a proxy.
fn origin_form(uri: &mut Uri) {
    if uri.authority().is_some() {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *uri = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    }
}

/// Says where the body ends, from the body itself: what a visitor wrote about it was for the visitor's connection, and a
/// length that is wrong would leave the function waiting for the rest.
fn frame(headers: &mut HeaderMap, body: &RequestBody) {
    headers.remove(TRANSFER_ENCODING);
    match body.size_hint().exact() {
        Some(0) => {
            if headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
                headers.remove(CONTENT_LENGTH);
            }
        }
        Some(length) => {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        None => {
            headers.remove(CONTENT_LENGTH);
            // Without this, hyper would send the body of a GET nowhere.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// The body of a request, whatever its source.
#[derive(Default)]
pub(crate) struct RequestBody {
    inner: Option<(UnsyncBoxBody<Bytes, BoxError>, Arc<Upload>)>,
}

impl RequestBody {
    fn new<B>(body: B) -> (Self, Option<Arc<Upload>>)
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return (Self::default(), None);
        }
        let upload = Arc::new(Upload::new());
        let inner = (body.map_err(Into::into).boxed_unsync(), Arc::clone(&upload));
        (Self { inner: Some(inner) }, Some(upload))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some((body, upload)) = &mut self.inner else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Pending => upload.set(UploadPhase::Visitor),
            Poll::Ready(Some(_)) => {
                *upload.moved_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                upload.set(UploadPhase::Function);
            }
            Poll::Ready(None) => upload.set(UploadPhase::Over),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), |(body, _)| body.size_hint())
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // The connection lets go of a body when it has all of it, or when the function takes no more.
        if let Some((_, upload)) = &self.inner {
            upload.set(UploadPhase::Over);
        }
    }
}

/// How far the body of a request is. The connection writes it, the request's clock reads it.
#[derive(Debug)]
pub(crate) struct Upload {
    phase: AtomicU8,
    moved_at: Mutex<Instant>,
}

/// Who is to do the next step of an upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum UploadPhase {
    /// The function, to take what the connection holds.
    Function = 0,
    /// The visitor, to send more.
    Visitor = 1,
    /// Nobody: the connection needs no more of it.
    Over = 2,
}

impl Upload {
    fn new() -> Self {
        Self { phase: AtomicU8::new(UploadPhase::Function as u8), moved_at: Mutex::new(Instant::now()) }
    }

    /// When the connection took the last piece.
    pub(crate) fn moved_at(&self) -> Instant {
        *self.moved_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is to do the next step.
    pub(crate) fn phase(&self) -> UploadPhase {
        match self.phase.load(Ordering::Acquire) {
            0 => UploadPhase::Function,
            1 => UploadPhase::Visitor,
            _ => UploadPhase::Over,
        }
    }

    fn set(&self, phase: UploadPhase) {
        self.phase.store(phase as u8, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn id() -> RequestId {
        RequestId::from_parts(1, [7; 10])
    }

    fn header<'r>(outgoing: &'r Outgoing, name: &str) -> Option<&'r str> {
        outgoing.request.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// What a visitor wrote about the connection and about the request's id does not reach the function.
    #[test]
    fn head_is_rewritten() {
        let request = Request::get("http://site.test/a?b=c")
            .version(Version::HTTP_10)
            .header("connection", "close")
            .header("expect", "100-continue")
            .header("transfer-encoding", "gzip")
            .header("x-ship-id", "forged")
            .header("x-ship-check", "1")
            .body(Full::new(Bytes::new()))
            .unwrap();
        let outgoing = Outgoing::new(request, id());
        assert_eq!(outgoing.request.uri(), "/a?b=c");
        assert_eq!(outgoing.request.version(), Version::HTTP_11);
        for gone in ["connection", "expect", "transfer-encoding", "x-ship-check"] {
            assert_eq!(header(&outgoing, gone), None, "{gone}");
        }
        assert_eq!(header(&outgoing, "x-ship-id"), Some(id().as_str()));
        assert!(outgoing.upload.is_none());
        assert_eq!(copy_without_body(&outgoing.request).headers(), outgoing.request.headers());
    }

    /// The length that a function reads is that of the body, whatever a visitor wrote.
    #[test]
    fn length_of_the_body() {
        for (written, body, expected) in [("5", "", None), ("0", "", Some("0")), ("5", "four", Some("4"))] {
            let request = Request::post("/").header("content-length", written);
            let outgoing = Outgoing::new(request.body(Full::new(Bytes::from(body))).unwrap(), id());
            assert_eq!(header(&outgoing, "content-length"), expected, "{written} {body:?}");
        }
    }

    /// A body of unknown length is chunked also with a method that rarely has one.
    #[test]
    fn body_of_a_get() {
        let frames = tokio_stream_of([Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"x")))]);
        let outgoing = Outgoing::new(Request::get("/").body(StreamBody::new(frames)).unwrap(), id());
        assert_eq!(header(&outgoing, "transfer-encoding"), Some("chunked"));
        assert!(outgoing.upload.is_some());
    }

    /// The headers of an upgrade stay.
    #[test]
    fn upgrade() {
        let request = Request::get("/").header("connection", "upgrade").header("upgrade", "websocket");
        let outgoing = Outgoing::new(request.body(Full::new(Bytes::new())).unwrap(), id());
        assert!(outgoing.wants_upgrade);
        assert_eq!(header(&outgoing, "connection"), Some("upgrade"));
    }

    fn tokio_stream_of<T, const N: usize>(items: [T; N]) -> impl futures_util::Stream<Item = T> {
        futures_util::stream::iter(items)
    }
}
