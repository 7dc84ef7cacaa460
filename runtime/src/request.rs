//! The request as it goes to a function.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, LINK, UPGRADE};
use http::{Extensions, Method, Request, StatusCode, response};
use http_body::Body;
use http_body_util::BodyExt;
use ship_core::RequestId;
use tokio::time::Instant;

use crate::body::BoxError;
use crate::early_hints::hint;
use crate::sending::Sending;
use crate::trunk::ClaimNumber;
use crate::wire::{Framing, Question, write_request_head};

/// The header in which a function finds the request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-ship-id");

/// The header that asks an instance whether it is there. Its launcher answers without calling the function.
const CHECK: HeaderName = HeaderName::from_static("x-ship-check");

/// The header with which an instance offers a trunk, and the host opens it and claims what came too large for it.
pub(crate) const TRUNK: HeaderName = HeaderName::from_static("x-ship-trunk");

/// The header with which a launcher answers in place of a handler that threw, panicked or returned an error.
pub(crate) const FAILED: HeaderName = HeaderName::from_static("x-ship-failed");

/// Room for the head of most requests, in bytes.
const USUAL_HEAD_BYTES: usize = 1024;

/// A request that is ready to be written to an instance.
pub(crate) struct Outgoing {
    pub(crate) sending: Sending,
    /// How far its body is; `None` if it has none.
    pub(crate) upload: Option<Arc<Upload>>,
    pub(crate) question: Question,
    /// Where it is told what is known of the response before it is there.
    extensions: Extensions,
}

impl Outgoing {
    /// The request of a visitor.
    pub(crate) fn new<B>(request: Request<B>, id: RequestId) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let extensions = std::mem::take(&mut parts.extensions);
        let question = match parts.method {
            _ if parts.headers.contains_key(UPGRADE) => Question::Upgrade,
            Method::HEAD => Question::Head,
            Method::CONNECT => Question::Connect,
            _ => Question::Plain,
        };
        let framing = framing_of(&body);
        // The connection to the instance has a life of its own. Only the runtime may check: the answer is not the function's.
        let without = [CHECK, TRUNK, REQUEST_ID, CONNECTION];
        let without = if question == Question::Upgrade { &without[..3] } else { &without };
        let mut head = Vec::with_capacity(USUAL_HEAD_BYTES);
        write_request_head(&mut head, &parts, without, framing, &[(REQUEST_ID, id.as_str())]);
        if framing == Framing::NoBody {
            return Self { sending: Sending::of_head(head), upload: None, question, extensions };
        }
        let upload = Arc::new(Upload::new());
        let body = body.map_err(Into::into).boxed_unsync();
        let sending = Sending::new(head, body, framing, Arc::clone(&upload));
        Self { sending, upload: Some(upload), question, extensions }
    }

    /// The question whether an instance is there.
    pub(crate) fn check() -> Self {
        Self::of_host(Question::Plain, &[(CHECK, "1")])
    }

    /// The wish to have a trunk in place of a connection.
    pub(crate) fn opening_trunk() -> Self {
        Self::of_host(Question::Upgrade, &[(CONNECTION, "upgrade"), (UPGRADE, "ship-trunk/1"), (TRUNK, "open")])
    }

    /// The question for a response that a trunk did not carry.
    pub(crate) fn claim(number: ClaimNumber) -> Self {
        Self::of_host(Question::Plain, &[(TRUNK, &number.to_string())])
    }

    /// What the host itself asks.
    fn of_host(question: Question, headers: &[(HeaderName, &str)]) -> Self {
        let mut request = Request::new(());
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        let mut head = Vec::new();
        write_request_head(&mut head, &request.into_parts().0, &[], Framing::NoBody, headers);
        Self { sending: Sending::of_head(head), upload: None, question, extensions: Extensions::new() }
    }

    /// Passes on what a head says that only announces another: a visitor who waits can be told what the page will need.
    pub(crate) fn announce(&self, head: &response::Parts) {
        if head.status == StatusCode::EARLY_HINTS {
            hint(&self.extensions, || head.headers.get_all(LINK).iter().cloned().collect());
        }
    }

    /// The request as a trunk carries it, if it has no body and needs no connection of its own.
    pub(crate) fn as_call(&self) -> Option<&[u8]> {
        (self.upload.is_none() && self.question == Question::Plain).then(|| self.sending.unwritten())
    }
}

/// Where the body ends, as the body itself says: what a visitor wrote about it was for the visitor's connection, and a length
/// that is wrong would leave the function waiting for the rest.
fn framing_of<B: Body>(body: &B) -> Framing {
    if body.is_end_stream() {
        return Framing::NoBody;
    }
    match body.size_hint().exact() {
        Some(0) => Framing::NoBody,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
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
    /// Nobody: all of it was written, or the function takes no more.
    Over = 2,
    /// Nobody: it could not be read, and the connection was given up.
    Failed = 3,
}

impl Upload {
    pub(crate) fn new() -> Self {
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
            2 => UploadPhase::Over,
            _ => UploadPhase::Failed,
        }
    }

    /// Notes who is to do the next step.
    pub(crate) fn set(&self, phase: UploadPhase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Notes that the connection took a piece.
    pub(crate) fn moves(&self) {
        *self.moved_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.set(UploadPhase::Function);
    }
}

#[cfg(test)]
mod tests {
    use http::Version;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn id() -> RequestId {
        RequestId::from_parts(1, [7; 10])
    }

    fn sent(outgoing: &Outgoing) -> String {
        String::from_utf8(outgoing.sending.unwritten().to_vec()).unwrap()
    }

    fn header(outgoing: &Outgoing, name: &str) -> Option<String> {
        sent(outgoing).lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    }

    /// What a visitor wrote about the connection and about the request's id does not reach the function.
    #[test]
    fn head_is_rewritten() {
        let request = Request::get("http://site.test/a?b=c")
            .version(Version::HTTP_10)
            .header("host", "site.test")
            .header("connection", "close")
            .header("expect", "100-continue")
            .header("transfer-encoding", "gzip")
            .header("x-ship-id", "forged")
            .header("x-ship-check", "1")
            .header("cookie", "a")
            .header("cookie", "b")
            .body(Full::new(Bytes::new()))
            .unwrap();
        let outgoing = Outgoing::new(request, id());
        let id = id();
        let expected =
            format!("GET /a?b=c HTTP/1.1\r\nhost: site.test\r\ncookie: a\r\ncookie: b\r\nx-ship-id: {id}\r\n\r\n");
        assert_eq!(sent(&outgoing), expected);
        assert!(outgoing.upload.is_none());
    }

    /// The question whether an instance is there.
    #[test]
    fn check() {
        assert_eq!(sent(&Outgoing::check()), "GET / HTTP/1.1\r\nhost: localhost\r\nx-ship-check: 1\r\n\r\n");
    }

    /// The length that a function reads is that of the body, whatever a visitor wrote.
    #[test]
    fn length_of_the_body() {
        for (written, body, expected) in [("5", "", None), ("0", "", Some("0")), ("5", "four", Some("4"))] {
            let request = Request::post("/").header("content-length", written);
            let outgoing = Outgoing::new(request.body(Full::new(Bytes::from(body))).unwrap(), id());
            assert_eq!(header(&outgoing, "content-length").as_deref(), expected, "{written} {body:?}");
        }
    }

    /// A body of unknown length is chunked also with a method that rarely has one.
    #[test]
    fn body_of_a_get() {
        let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"x")))]);
        let outgoing = Outgoing::new(Request::get("/").body(StreamBody::new(frames)).unwrap(), id());
        assert_eq!(header(&outgoing, "transfer-encoding").as_deref(), Some("chunked"));
        assert!(outgoing.upload.is_some());
    }

    /// The headers of an upgrade stay.
    #[test]
    fn upgrade() {
        let request = Request::get("/").header("connection", "upgrade").header("upgrade", "websocket");
        let outgoing = Outgoing::new(request.body(Full::new(Bytes::new())).unwrap(), id());
        assert_eq!(outgoing.question, Question::Upgrade);
        assert_eq!(header(&outgoing, "connection").as_deref(), Some("upgrade"));
    }
}
