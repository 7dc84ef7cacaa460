//! HTTP/2, and TLS below it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use ship_edge::{Answer, ConnectionLimits, Crew, EdgeBody, VisitorBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::secure::{self, Visitor};
use crate::stage::SiteBuilder;

/// How a stream was ended by the host.
fn reset_reason(error: &hyper::Error) -> Option<h2::Reason> {
    error.source()?.downcast_ref::<h2::Error>()?.reason()
}

/// Through TLS a visitor gets the protocol that both know, HTTP/2 first; who knows none but HTTP/1.1, or says nothing, gets that.
#[tokio::test]
async fn protocols() {
    let stage = SiteBuilder::new().file("a.txt", "text/plain", "[a]").secure().start().await;
    let mut visitor = Visitor::connect(stage.address).await;
    assert_eq!(visitor.get("/a.txt").await, (200, "[a]".to_owned()));
    for offered in [&["http/1.1"][..], &[]] {
        let mut stream = secure::connect(stage.address, offered).await;
        stream.write_all(b"GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n[a]"), "{answer}");
    }
    drop(visitor);
    stage.stop().await;
}

/// A function sees a request of HTTP/2 as one of HTTP/1.1: its host, one line of cookies, and that it came through TLS.
#[tokio::test]
async fn what_a_function_sees() {
    let stage = SiteBuilder::new().function("head").secure().start().await;
    let mut visitor = Visitor::connect(stage.address).await;
    let empty = Empty::new().map_err(|never| match never {}).boxed();
    let mut request = Request::get("https://site.localhost/head?x=1").body(empty).unwrap();
    for cookie in ["a=1", "b=2"] {
        request.headers_mut().append("cookie", HeaderValue::from_static(cookie));
    }
    let response = visitor.send(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let head = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "GET /head?x=1 HTTP/1.1");
    for line in ["host: site.localhost", "cookie: a=1; b=2", "x-forwarded-proto: https"] {
        assert!(lines.iter().any(|seen| seen.eq_ignore_ascii_case(line)), "{line}: {head}");
    }
    drop(visitor);
    stage.stop().await;
}

/// A request that names two hosts is refused, as in HTTP/1.1.
#[tokio::test]
async fn two_hosts() {
    let stage = SiteBuilder::new().file("a.txt", "text/plain", "[a]").secure().start().await;
    let mut visitor = Visitor::connect(stage.address).await;
    for (host, status) in [("other.localhost", 400), ("SITE.localhost", 200)] {
        let empty = Empty::new().map_err(|never| match never {}).boxed();
        let request = Request::get("https://site.localhost/a.txt").header("host", host).body(empty).unwrap();
        assert_eq!(visitor.send(request).await.unwrap().status(), status, "{host}");
    }
    drop(visitor);
    stage.stop().await;
}

/// A function that dies in the middle of its answer has its stream reset, and no other.
#[tokio::test]
async fn dies_in_the_middle() {
    let stage = SiteBuilder::new().function("exit/mid-chunked").function("hang/mid-body").secure().start().await;
    let mut visitor = Visitor::connect(stage.address).await;
    let mut other = visitor.open("/hang/mid-body").await.unwrap().into_body();
    assert_eq!(other.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let mut body = visitor.open("/exit/mid-chunked").await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let error = body.frame().await.expect("it does not end as if it were whole").unwrap_err();
    assert_eq!(reset_reason(&error), Some(h2::Reason::INTERNAL_ERROR), "{error:?}");
    assert!(!other.is_end_stream() && !visitor.requests.is_closed());
    drop((other, visitor));
    stage.stop().await;
}

/// A visitor who gives up a request ends the function's, before and in the middle of its answer.
#[tokio::test]
async fn visitors_who_leave() {
    let stage = SiteBuilder::new().function("hang/before").function("hang/mid-body").secure().start().await;
    let mut visitor = Visitor::connect(stage.address).await;
    let mut body = visitor.open("/hang/mid-body").await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    drop(body);
    {
        let asked = visitor.open("/hang/before");
        let mut asked = std::pin::pin!(asked);
        // Asked until the function says that it has begun.
        tokio::select! {
            _ = &mut asked => panic!("it never answers"),
            () = stage.until_logged("hanging", 2) => {}
        }
    }
    stage.until_logged("cancelled", 2).await;
    drop(visitor);
    stage.stop().await;
}

/// Answers with what it is sent, the fields behind the body included.
struct Echo;

impl Answer for Echo {
    async fn answer(&self, request: Request<VisitorBody>, _: ship_edge::Visitor) -> Response<EdgeBody> {
        Response::new(EdgeBody::other(request.into_body()))
    }
}

/// Fields behind a body pass in both directions.
#[tokio::test]
async fn trailers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let (tls, limits) = (secure::server_config("site.localhost"), ConnectionLimits::default());
    let serving = ship_edge::serve_tls(listener, tls, Crew::here(), Arc::new(Echo), limits, stop.clone());
    let serving = tokio::spawn(serving);
    let mut visitor = Visitor::connect(address).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("42"));
    let frames = [Ok(Frame::data(Bytes::from("body"))), Ok(Frame::trailers(trailers.clone()))];
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed();
    let request = Request::post("https://site.localhost/").header("te", "trailers").body(body).unwrap();
    let answer = visitor.send(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!((answer.trailers().cloned(), answer.to_bytes()), (Some(trailers), Bytes::from("body")));
    drop(visitor);
    stop.cancel();
    serving.await.unwrap();
}

/// A host that ends tells visitors so, and finishes what they have begun to receive.
#[tokio::test]
async fn drain() {
    let stage = SiteBuilder::new().function("echo").file("a.txt", "text/plain", "[a]").secure().start().await;
    let mut idle = Visitor::connect(stage.address).await;
    assert_eq!(idle.get("/a.txt").await.0, 200);
    let mut busy = Visitor::connect(stage.address).await;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Result<Frame<Bytes>, std::io::Error>>();
    let frames = futures_util::stream::unfold(receiver, |mut from| async { Some((from.recv().await?, from)) });
    let request = Request::post("https://site.localhost/echo").body(StreamBody::new(frames).boxed()).unwrap();
    sender.send(Ok(Frame::data(Bytes::from("first")))).unwrap();
    let mut answer = busy.send(request).await.unwrap().into_body();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    stage.begin_to_stop();
    idle.ended().await.unwrap();
    sender.send(Ok(Frame::data(Bytes::from("last")))).unwrap();
    drop(sender);
    assert_eq!(answer.collect().await.unwrap().to_bytes(), "last");
    busy.ended().await.unwrap();
    stage.stop().await;
}

/// A visitor who takes nothing of an answer loses that answer after a while, and the connection goes on for others.
#[tokio::test]
async fn takes_nothing() {
    let large = vec![b'x'; 4 * 1024 * 1024];
    let stage = SiteBuilder::new()
        .file("large.bin", "application/octet-stream", large)
        .file("a.txt", "text/plain", "[a]")
        .limits(|limits| limits.write_timeout = Duration::from_millis(300))
        .secure()
        .start()
        .await;
    let windows = |builder: &mut hyper::client::conn::http2::Builder<hyper_util::rt::TokioExecutor>| {
        builder.initial_stream_window_size(16 * 1024).initial_connection_window_size(1024 * 1024);
    };
    let mut visitor = Visitor::connect_with(stage.address, windows).await;
    let mut untaken = visitor.open("/large.bin").await.unwrap().into_body();
    assert_eq!(visitor.get("/a.txt").await, (200, "[a]".to_owned()));
    let record = &stage.logs.requests(2).await[1];
    let ship_core::LogSource::Request { path, .. } = &record.source else { panic!("{record:?}") };
    assert_eq!(path, "/large.bin");
    let error = loop {
        match untaken.frame().await.expect("it is not whole") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(reset_reason(&error), Some(h2::Reason::CANCEL), "{error:?}");
    assert_eq!(visitor.get("/a.txt").await, (200, "[a]".to_owned()));
    drop(visitor);
    stage.stop().await;
}

/// Who says nothing for long is let go: after a request, before the first, and in the middle of the handshake.
#[tokio::test]
async fn silence() {
    let stage = SiteBuilder::new()
        .file("a.txt", "text/plain", "[a]")
        .limits(|limits| {
            limits.header_read_timeout = Duration::from_millis(300);
            limits.idle_timeout = Duration::from_millis(300);
        })
        .secure()
        .start()
        .await;
    let mut after = Visitor::connect(stage.address).await;
    assert_eq!(after.get("/a.txt").await.0, 200);
    let before = Visitor::connect(stage.address).await;
    let mut half = stage.connect().await;
    // A record of TLS that is larger than what follows.
    half.send([22, 3, 1, 2, 0, 1]).await;
    assert_eq!(half.rest().await.bytes, b"");
    after.ended().await.unwrap();
    before.ended().await.unwrap();
    stage.stop().await;
}

/// Handshakes that do not go on are the first to make place.
#[tokio::test]
async fn half_open_handshakes() {
    let stage = SiteBuilder::new()
        .file("a.txt", "text/plain", "[a]")
        .limits(|limits| limits.max_connections = 4)
        .secure()
        .start()
        .await;
    let mut crowd = Vec::new();
    for _ in 0..16 {
        let mut half = stage.connect().await;
        half.send([22, 3, 1, 2, 0, 1]).await;
        crowd.push(half);
    }
    let mut visitor = Visitor::connect(stage.address).await;
    assert_eq!(visitor.get("/a.txt").await, (200, "[a]".to_owned()));
    drop((crowd, visitor));
    stage.stop().await;
}

/// Somebody who asks and gives up without end is told to go.
#[tokio::test]
async fn gives_up_without_end() {
    let stage = SiteBuilder::new().function("hang/before").secure().start().await;
    let mut visitor = Visitor::connect(stage.address).await;
    let mut asked = 0;
    while asked < 1_000 && visitor.requests.ready().await.is_ok() {
        let empty = Empty::new().map_err(|never| match never {}).boxed();
        let request = Request::get("https://site.localhost/hang/before").body(empty).unwrap();
        let mut answer = std::pin::pin!(visitor.requests.send_request(request));
        // Long enough for the request to be on its way, and to be looked at by the host.
        let _ = tokio::time::timeout(Duration::from_millis(2), &mut answer).await;
        asked += 1;
    }
    assert!((200..1_000).contains(&asked), "{asked} requests");
    drop(visitor);
    stage.stop().await;
}

/// A frame of HTTP/2.
fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
}

/// Why a host ends a connection on which many of these frames come, as GOAWAY says it.
async fn reason_to_end(address: std::net::SocketAddr, frames: &[u8]) -> u32 {
    const GOAWAY: u8 = 7;
    let (mut reader, mut writer) = tokio::io::split(secure::connect(address, &["h2"]).await);
    let flood = async {
        let first = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, &[])].concat();
        writer.write_all(&[first, frames.repeat(1_100)].concat()).await.expect("the host reads what is under way");
        // The connection stays open on this side.
        std::future::pending::<()>().await;
    };
    let answer = async {
        loop {
            let mut head = [0; 9];
            reader.read_exact(&mut head).await.expect("the host says why");
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            reader.read_exact(&mut payload).await.expect("a frame is whole");
            if head[3] == GOAWAY {
                return u32::from_be_bytes(payload[4..8].try_into().unwrap());
            }
        }
    };
    let ended = async {
        tokio::select! {
            reason = answer => reason,
            () = flood => unreachable!("it has no end"),
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the host ends the connection")
}

/// Frames that ask for nothing end their connection when they are too many, whatever they are.
#[tokio::test]
async fn floods() {
    let stage = SiteBuilder::new().file("a.txt", "text/plain", "[a]").secure().start().await;
    let mut visitor = Visitor::connect(stage.address).await;
    let floods = [
        ("PING", frame(6, 0, &[0; 8])),
        ("SETTINGS", frame(4, 0, &[0, 4, 0, 0, 0, 1])),
        ("PRIORITY", frame(2, 1, &[0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", frame(8, 0, &[0, 0, 0, 1])),
        ("a frame of no kind", frame(200, 0, &[1])),
    ];
    for (what, flood) in floods {
        assert_eq!(reason_to_end(stage.address, &flood).await, 11, "{what} is answered with ENHANCE_YOUR_CALM");
        assert_eq!(visitor.get("/a.txt").await, (200, "[a]".to_owned()));
    }
    drop(visitor);
    stage.stop().await;
}

/// Who takes a large answer in the smallest steps, and asks often, is no flood.
#[tokio::test]
async fn takes_in_small_steps() {
    const LARGE: usize = 1024 * 1024;
    let stage = SiteBuilder::new()
        .file("a.txt", "text/plain", "[a]")
        .file("large.bin", "application/octet-stream", vec![b'x'; LARGE])
        .secure()
        .start()
        .await;
    // With a window of 1 KiB, h2 opens it for each half of that, for the stream and for the connection.
    let mut visitor = Visitor::connect_with(stage.address, |builder| {
        builder.initial_stream_window_size(1024).initial_connection_window_size(64 * 1024);
    })
    .await;
    let large = visitor.open("/large.bin").await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(large.len(), LARGE);
    for _ in 0..1_500 {
        assert_eq!(visitor.get("/a.txt").await, (200, "[a]".to_owned()));
    }
    drop(visitor);
    stage.stop().await;
}
