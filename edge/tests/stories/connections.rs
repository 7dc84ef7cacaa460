//! The listener: places, pipelines, and how it ends.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use ship_edge::{Answer, ConnectionLimits, Crew, EdgeBody, Visitor, VisitorBody};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::stage::SiteBuilder;
use crate::visitor::Connection;

const ASK: &str = "GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n";

/// Requests that are sent at once are answered in order, on one connection.
#[tokio::test]
async fn pipelines() {
    let stage = SiteBuilder::new().file("a.txt", "text/plain", "[a]").start().await;
    let last = "GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\nConnection: close\r\n\r\n";
    let received = stage.send(format!("{}{last}", ASK.repeat(20))).await;
    assert_eq!(received.responses(), 21);
    stage.stop().await;
}

/// A new visitor takes the place of one who only keeps a connection open, with or without half a request on it.
#[tokio::test]
async fn full_house() {
    let stage =
        SiteBuilder::new().file("a.txt", "text/plain", "[a]").limits(|limits| limits.max_connections = 2).start().await;
    let mut keeper = stage.connect().await;
    keeper.send(ASK).await;
    keeper.until("[a]").await;
    let mut trickler = stage.connect().await;
    trickler.send("GET /a.txt HTTP/1.1\r\n").await;
    let mut visitors = Vec::new();
    for _ in 0..4 {
        let mut visitor = stage.connect().await;
        visitor.send(ASK).await;
        visitor.until("[a]").await;
        visitors.push(visitor);
    }
    assert_eq!(keeper.rest().await.bytes, b"");
    assert_eq!(trickler.rest().await.bytes, b"");
    stage.stop().await;
}

/// Answers once it is allowed to.
struct Gated {
    arrived: Semaphore,
    allowed: Semaphore,
}

impl Answer for Gated {
    async fn answer(&self, _: Request<VisitorBody>, _: Visitor) -> Response<EdgeBody> {
        self.arrived.add_permits(1);
        self.allowed.acquire().await.unwrap().forget();
        Response::new(EdgeBody::full("done"))
    }
}

/// A listener that is told to stop takes no new visitor, lets go of those who wait, and finishes what has begun.
#[tokio::test]
async fn drain() {
    let gated = Arc::new(Gated { arrived: Semaphore::new(0), allowed: Semaphore::new(1) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let limits = ConnectionLimits::default();
    let serving = tokio::spawn(ship_edge::serve(listener, Crew::here(), Arc::clone(&gated), limits, stop.clone()));
    let mut idle = Connection::open(address).await;
    idle.send(ASK).await;
    idle.until("done").await;
    let mut busy = Connection::open(address).await;
    busy.send(ASK).await;
    gated.arrived.acquire_many(2).await.unwrap().forget();
    stop.cancel();
    assert_eq!(idle.rest().await.bytes, b"");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    gated.allowed.add_permits(1);
    let received = busy.rest().await;
    assert_eq!((received.status(), received.body()), (200, &b"done"[..]));
    assert_eq!(received.header("connection").as_deref(), Some("close"));
    serving.await.unwrap();
}

/// Answers with a body that breaks off.
struct Broken;

impl Answer for Broken {
    async fn answer(&self, _: Request<VisitorBody>, _: Visitor) -> Response<EdgeBody> {
        let frames = [Ok(Frame::data(Bytes::from("first"))), Err("and no more")];
        Response::new(EdgeBody::other(StreamBody::new(futures_util::stream::iter(frames))))
    }
}

/// A response that breaks off is seen as far as it came, and never as a whole one.
#[tokio::test]
async fn broken_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(ship_edge::serve(
        listener,
        Crew::here(),
        Arc::new(Broken),
        ConnectionLimits::default(),
        stop.clone(),
    ));
    let mut visitor = Connection::open(address).await;
    visitor.send(ASK).await;
    let received = visitor.rest().await;
    assert_eq!((received.status(), received.body()), (200, &b"5\r\nfirst\r\n"[..]));
    stop.cancel();
    serving.await.unwrap();
}

/// What does not end within the drain timeout is cut off.
#[tokio::test]
async fn drain_timeout() {
    let gated = Arc::new(Gated { arrived: Semaphore::new(0), allowed: Semaphore::new(0) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let limits = ConnectionLimits { drain_timeout: std::time::Duration::from_millis(50), ..Default::default() };
    let serving = tokio::spawn(ship_edge::serve(listener, Crew::here(), Arc::clone(&gated), limits, stop.clone()));
    let mut busy = Connection::open(address).await;
    busy.send(ASK).await;
    gated.arrived.acquire().await.unwrap().forget();
    stop.cancel();
    tokio::time::timeout(std::time::Duration::from_secs(30), serving).await.expect("it never ends").unwrap();
    assert_eq!(busy.rest().await.bytes, b"");
}
