//! Visitors who mean ill: requests within requests, endless heads, silence.

use std::time::Duration;

use insta::assert_snapshot;
use ship_core::FunctionLimits;

use crate::stage::{SiteBuilder, Stage, request};
use crate::visitor::Connection;

async fn site() -> Stage {
    SiteBuilder::new().file("a.txt", "text/plain", "a").function("echo").start().await
}

/// A message that two programs could take for different requests is refused, and nothing behind it is read as a request.
#[tokio::test]
async fn smuggling() {
    let stage = site().await;
    let host = "Host: site.localhost\r\n";
    let hidden = "GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    let length = hidden.len() + 5;
    for attack in [
        format!(
            "POST /echo HTTP/1.1\r\n{host}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!(
            "POST /echo HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("POST /echo HTTP/1.1\r\n{host}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}Content-Length: 0, {length}\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}Content-Length: +0\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}Content-Length : 0\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}X: y\r\n Transfer-Encoding: chunked\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}X: y\nContent-Length: 0\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\n{}\n{hidden}", host.replace('\r', "")),
        format!("POST /echo HTTP/1.1\r\n{host}X: a\0b\r\n\r\n{hidden}"),
        format!("POST /echo HTTP/1.1\r\n{host}X: a\rb\r\n\r\n{hidden}"),
    ] {
        let received = stage.send(&attack).await;
        assert_eq!((received.status(), received.responses()), (400, 1), "{attack:?} gave {}", received.shown());
        assert_eq!(received.header("x-ship-error").as_deref(), Some("MALFORMED_REQUEST"));
        assert!(received.header("x-ship-id").is_some());
        smuggled_behind_others(&stage, &attack).await;
    }
    assert_eq!(stage.instances(), 0);
    stage.stop().await;
}

/// The same message on a connection that was used before, and together with the requests before it.
async fn smuggled_behind_others(stage: &Stage, attack: &str) {
    let first = "GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    let with_body = "POST /a.txt HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: 5\r\n\r\n0\r\n\r\n".to_owned();
    let mut kept = stage.connect().await;
    kept.send(first).await;
    kept.until("\r\n\r\na").await;
    kept.send(attack).await;
    let received = kept.rest().await;
    assert_eq!((received.status(), received.responses()), (400, 1), "kept: {attack:?} gave {}", received.shown());
    for (before, answers) in [(format!("\r\n{first}"), 2), (format!("{first}{first}"), 3), (with_body, 2)] {
        let received = stage.send(format!("{before}{attack}")).await;
        assert_eq!(received.responses(), answers, "{before:?}{attack:?} gave {}", received.shown());
        assert!(received.shown().contains("HTTP/1.1 400 "), "{before:?}{attack:?} gave {}", received.shown());
    }
}

/// A body that nobody reads is not taken for the next request: it is passed over, or the connection ends.
#[tokio::test]
async fn unread_bodies() {
    let stage = site().await;
    let hidden = "GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    let head =
        |length: usize| format!("POST /a.txt HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: {length}\r\n\r\n");
    let next = request("GET", "/a.txt", &[], "");
    let small = stage.send(format!("{}{hidden}{next}", head(hidden.len()))).await;
    assert_eq!((small.status(), small.responses()), (405, 2), "{}", small.shown());
    let large = hidden.repeat(20_000);
    let cut = stage.send(format!("{}{large}{next}", head(large.len()))).await;
    assert_eq!((cut.status(), cut.responses()), (405, 1));
    stage.stop().await;
}

/// Who still sends when the answer comes may go on for a while: a connection that is reset could take the answer with it.
#[tokio::test]
async fn early_answers() {
    let stage =
        SiteBuilder::new().function("echo").function_limits(|limits| limits.max_body_mb = Some(1)).start().await;
    let mut connection = stage.connect().await;
    connection.send("POST /echo HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: 3000000\r\n\r\n").await;
    assert!(connection.until("}}").await.starts_with("HTTP/1.1 413 "));
    for _ in 0..3 {
        assert!(connection.try_send("x".repeat(10_000)).await, "the connection was reset");
    }
    assert_eq!(connection.rest().await.bytes, b"");
    stage.stop().await;
}

/// What is over the limits is refused with a status and not held in memory.
#[tokio::test]
async fn oversize_heads() {
    let stage = site().await;
    let long = stage.get("/a.txt", &[&format!("X: {}", "x".repeat(100_000))]).await;
    assert_eq!((long.status(), long.header("x-ship-error").as_deref()), (431, Some("MALFORMED_REQUEST")));
    let many: Vec<String> = (0..10_000).map(|number| format!("X-{number}: y")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(stage.get("/a.txt", &many).await.status(), 431);
    let path = stage.get(&format!("/{}", "x".repeat(70_000)), &[]).await;
    assert!(matches!(path.status(), 414 | 431), "{}", path.shown());
    stage.stop().await;
}

/// Who does not finish a head in time is closed, whatever trickles in; who finishes is served.
#[tokio::test]
async fn slow_heads() {
    let short = Duration::from_millis(200);
    let stage = SiteBuilder::new()
        .file("a.txt", "text/plain", "a")
        .limits(|limits| limits.header_read_timeout = short)
        .start()
        .await;
    let silent = stage.connect().await;
    let mut begun = stage.connect().await;
    begun.send("GET /a.txt HTTP/1.1\r\nHost: site.").await;
    let mut second = stage.connect().await;
    second.send("GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n").await;
    second.until("\r\n\r\na").await;
    second.send("GET /a.txt HTTP/1.1\r\nHo").await;
    assert_eq!(silent.rest().await.bytes, b"");
    assert_eq!(begun.rest().await.bytes, b"");
    assert_eq!(second.rest().await.bytes, b"");
    stage.stop().await;
}

/// A connection that is kept for nothing is closed after a while.
#[tokio::test]
async fn idle_connections() {
    let stage = SiteBuilder::new()
        .file("a.txt", "text/plain", "a")
        .limits(|limits| limits.idle_timeout = Duration::from_millis(200))
        .start()
        .await;
    // The second one is answered from memory, without hyper.
    for at_once in [0, 1] {
        let received = stage.send("GET /a.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n").await;
        assert_eq!((received.status(), received.responses()), (200, 1));
        assert_eq!(stage.answered_at_once(), at_once);
    }
    stage.stop().await;
}

/// Who takes nothing of a response is closed after a while, and holds no more than a few pieces of the file until then.
#[tokio::test]
async fn slow_readers() {
    let stage = SiteBuilder::new()
        .file("film.mp4", "video/mp4", vec![1_u8; 64 * 1024 * 1024])
        .limits(|limits| limits.write_timeout = Duration::from_millis(200))
        .start()
        .await;
    let mut connection = stage.connect().await;
    connection.send(request("GET", "/film.mp4", &[], "")).await;
    stage.logs.requests(1).await;
    assert!(connection.rest().await.bytes.len() < 64 * 1024 * 1024);
    stage.stop().await;
}

/// Who takes nothing of an answer that is owed from memory is closed after a while as well.
#[tokio::test]
async fn slow_readers_of_memory() {
    let stage = SiteBuilder::new()
        .file("film.mp4", "video/mp4", vec![1_u8; 32 * 1024 * 1024])
        .options(|options| options.cache_bytes = 512 * 1024 * 1024)
        .limits(|limits| limits.write_timeout = Duration::from_millis(200))
        .start()
        .await;
    assert_eq!(stage.get("/film.mp4", &[]).await.body().len(), 32 * 1024 * 1024);
    let mut connection = stage.connect().await;
    connection.send("GET /film.mp4 HTTP/1.1\r\nHost: site.localhost\r\n\r\n").await;
    stage.logs.requests(2).await;
    assert_eq!(stage.answered_at_once(), 1);
    assert!(connection.rest().await.bytes.len() < 32 * 1024 * 1024);
    stage.stop().await;
}

/// A visitor whose body is on its way, and who has been told to go on.
async fn slow_upload(stage: &Stage) -> Connection {
    let mut visitor = stage.connect().await;
    visitor.send(request("POST", "/echo", &["Content-Length: 100", "Expect: 100-continue"], "")).await;
    assert_eq!(visitor.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    visitor
}

/// Visitors who hardly send keep half of a function's places at the most: others are answered, and so is whoever sends all at last.
/// When somebody else wants the place of one who hardly sends, that one has to go.
#[tokio::test]
async fn slow_bodies() {
    let few = |limits: &mut FunctionLimits| (limits.concurrency, limits.max_instances) = (2, 1);
    let stage = SiteBuilder::new().function("echo").function_limits(few).start().await;
    let mut first = slow_upload(&stage).await;
    first.send("1").await;
    stage.until_instances(1).await;
    let (mut second, mut third) = (slow_upload(&stage).await, slow_upload(&stage).await);
    assert_eq!(stage.get("/echo", &[]).await.status(), 200);
    let whole = stage.send(request("POST", "/echo", &["Content-Length: 100"], &"x".repeat(100))).await;
    assert_eq!((whole.status(), whole.body()), (200, "x".repeat(100).as_bytes()));
    second.send("y".repeat(100)).await;
    assert!(second.until(&"y".repeat(100)).await.contains("HTTP/1.1 200 OK\r\n"));
    assert_snapshot!("too_slow", first.rest().await.shown());
    third.send("z".repeat(100)).await;
    assert!(third.until(&"z".repeat(100)).await.contains("HTTP/1.1 200 OK\r\n"));
    stage.stop().await;
}
