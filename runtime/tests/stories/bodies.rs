//! Bodies in both directions, their ends, and visitors who leave.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use ship_core::LogSource;
use ship_runtime::{BodyError, FunctionBody, FunctionSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::support::{Stage, StoppedClock, fresh_id, identity, text, until};

/// A request body that the story sends piece by piece.
struct Upload {
    sender: mpsc::Sender<Bytes>,
}

impl Upload {
    async fn send(&self, piece: &'static str) {
        self.sender.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
    }
}

async fn begin_upload(stage: &Stage, spec: &Arc<FunctionSpec>, path: &str) -> (Upload, Response<FunctionBody>) {
    let (sender, pieces) = mpsc::channel(1);
    let frames = futures_util::stream::unfold(pieces, |mut pieces: mpsc::Receiver<Bytes>| async move {
        pieces.recv().await.map(|piece| (Ok::<_, std::io::Error>(Frame::data(piece)), pieces))
    });
    let request = Request::post(path).body(StreamBody::new(Box::pin(frames))).unwrap();
    let response = stage.runtime.invoke(spec, fresh_id(), request).await.unwrap();
    (Upload { sender }, response)
}

async fn next_piece(body: &mut FunctionBody) -> String {
    let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
    String::from_utf8(bytes.into()).unwrap()
}

/// Each piece of a request reaches the function, and each piece of its answer the visitor, before the next is sent.
#[tokio::test]
async fn streaming_both_ways() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let (upload, response) = begin_upload(&stage, &spec, "/echo").await;
    let mut body = response.into_body();
    for piece in ["one", "two", "three"] {
        upload.send(piece).await;
        assert_eq!(next_piece(&mut body).await, piece);
    }
    drop(upload);
    assert!(body.frame().await.is_none());
    drop(body);
    until(|| stage.instance().in_flight == 0).await;
}

/// As long as pieces of the request come, a response that stands still is not over.
#[tokio::test]
async fn long_upload_beside_a_silent_answer() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    let (upload, response) = begin_upload(&stage, &spec, "/swallow").await;
    let answer = tokio::spawn(text(response));
    for piece in ["one", "two", "three"] {
        upload.send(piece).await;
        stage.logs.until_said(piece).await;
        clock.advance(4).await;
    }
    assert!(!answer.is_finished());
    drop(upload);
    assert_eq!(answer.await.unwrap().unwrap(), "");
}

/// A visitor who stops sending in the middle ends the request, and not the function.
#[tokio::test]
async fn visitor_falls_silent_in_the_middle() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    let (upload, response) = begin_upload(&stage, &spec, "/echo").await;
    let pid = stage.instance().pid;
    let mut body = response.into_body();
    upload.send("one").await;
    assert_eq!(next_piece(&mut body).await, "one");
    let rest = tokio::spawn(async move { body.frame().await.expect("it is no clean end") });
    tokio::task::yield_now().await;
    clock.advance(5).await;
    let error = rest.await.unwrap().unwrap_err();
    assert!(matches!(error, BodyError::Visitor(_)), "{error:?}");
    drop(upload);
    assert_eq!(stage.get(&spec, "/pid").await.unwrap(), identity(pid));
}

/// An upload goes on although nobody reads the answer that has begun already.
#[tokio::test]
async fn upload_beside_an_unread_answer() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let (upload, response) = begin_upload(&stage, &spec, "/swallow").await;
    upload.send("one").await;
    stage.logs.until_said("one").await;
    upload.send("two").await;
    stage.logs.until_said("two").await;
    drop(upload);
    assert_eq!(text(response).await.unwrap(), "");
}

/// A body of a megabyte arrives whole.
#[tokio::test]
async fn large_body() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let letter = "0123456789abcdef".repeat(64 * 1024);
    let request = Request::post("/echo").body(Full::new(Bytes::from(letter.clone()))).unwrap();
    let response = stage.runtime.invoke(&spec, fresh_id(), request).await.unwrap();
    assert_eq!(text(response).await.unwrap(), letter);
}

/// A function that does not read the request's body answers all the same, and its instance goes on.
#[tokio::test]
async fn unread_upload() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let (_upload, response) = begin_upload(&stage, &spec, "/ignore-body").await;
    assert_eq!(text(response).await.unwrap(), "not interested");
    let pid = stage.instance().pid;
    assert_eq!(stage.get(&spec, "/pid").await.unwrap(), identity(pid));
}

/// A visitor who leaves before the answer cancels the request in the function, and nothing stays counted.
#[tokio::test]
async fn visitor_leaves_before_the_answer() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    tokio::select! {
        _ = stage.get(&spec, "/hang") => panic!("it cannot answer"),
        () = stage.logs.until_said("hanging") => {}
    }
    stage.logs.until_said("cancelled").await;
    until(|| stage.instance().in_flight == 0).await;
}

/// A visitor who leaves in the middle of the answer does so too.
#[tokio::test]
async fn visitor_leaves_in_the_middle() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let mut body = stage.open(&spec, "/hang/mid-body").await.unwrap().into_body();
    assert_eq!(next_piece(&mut body).await, "first");
    assert_eq!(stage.instance().in_flight, 1);
    drop(body);
    stage.logs.until_said("cancelled").await;
    assert_eq!(stage.instance().in_flight, 0);
}

/// A process that dies in the middle of its answer never gives a clean end, however the end is told, and the log says which
/// request it was.
#[tokio::test]
async fn death_in_the_middle() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    for path in ["/exit/mid-chunked", "/exit/mid-length", "/exit/mid-close"] {
        let id = fresh_id();
        let request = Request::get(path).header("host", "site.test").body(Full::new(Bytes::new())).unwrap();
        let response = stage.runtime.invoke(&spec, id, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let mut body = response.into_body();
        assert_eq!(next_piece(&mut body).await, "first", "{path}");
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(matches!(error, BodyError::Failed(_)), "{path}: {error:?}");
        assert!(body.frame().await.is_none(), "{path}");
        let obituary = stage.logs.records().pop().unwrap();
        assert_eq!(obituary.requests, [id], "{path}: {obituary:?}");
        assert!(matches!(obituary.source, LogSource::Platform { .. }), "{path}: {obituary:?}");
    }
}

/// An answer that ends with its connection is whole if the process is well, or has exited well.
#[tokio::test]
async fn end_by_close() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    for path in ["/old-and-closing", "/exit/end-of-close"] {
        assert_eq!(stage.get(&spec, path).await.unwrap(), "all of it", "{path}");
    }
}

/// Another protocol takes over the connection; the request lasts as long as its stream.
#[tokio::test]
async fn upgrade() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let request = Request::get("/upgrade").header("connection", "upgrade").header("upgrade", "echo");
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let response = stage.runtime.invoke(&spec, fresh_id(), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = response.into_body().into_upgraded().unwrap();
    stream.write_all(b"any bytes").await.unwrap();
    let mut back = [0; 9];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"any bytes");
    assert_eq!(stage.instance().in_flight, 1);
    drop(stream);
    assert_eq!(stage.instance().in_flight, 0);
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}
