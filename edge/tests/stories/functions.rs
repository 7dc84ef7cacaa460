//! Functions: what they are asked, and what becomes of their answers.

use insta::assert_snapshot;
use ship_core::LogSource;

use crate::stage::{SiteBuilder, Stage, request};

/// The function sees the visitor's path and query, where the request came from, and nothing that was forged or belongs to the
/// hop.
#[tokio::test]
async fn what_a_function_sees() {
    let routes = r#"[{"handle": "rewrite"}, {"src": "^/(head)$", "dest": "/api/users/[id]?id=$1"}]"#;
    let stage = SiteBuilder::new().routes(routes).function("api/users/[id]").start().await;
    let headers = [
        "X-Ship-Id: forged",
        "X-Forwarded-For: 192.0.2.1",
        "Forwarded: for=192.0.2.1",
        "TE: trailers",
        "Connection: X-Hop",
        "X-Hop: 1",
        "Cookie: a=b",
    ];
    let received = stage.get("/head?x=1", &headers).await;
    assert_eq!(received.status(), 200);
    let mut lines: Vec<String> = String::from_utf8_lossy(received.body()).lines().map(str::to_owned).collect();
    lines[1..].sort();
    let id = received.header("x-ship-id").unwrap();
    assert_snapshot!("what_a_function_sees", lines.join("\n").replace(&id, "[id]"));
    stage.stop().await;
}

/// Bodies stream through in both directions, and the record names the function.
#[tokio::test]
async fn bodies() {
    let stage = SiteBuilder::new().function("echo").start().await;
    let body = "x".repeat(300_000);
    let length = format!("Content-Length: {}", body.len());
    let received = stage.send(request("POST", "/echo", &[&length], &body)).await;
    assert_eq!((received.status(), received.body().len()), (200, body.len()));
    let mut connection = stage.connect().await;
    connection.send(request("POST", "/echo", &["Transfer-Encoding: chunked"], "")).await;
    connection.send("5\r\nfirst\r\n").await;
    connection.until("5\r\nfirst\r\n").await;
    connection.send("4\r\nlast\r\n0\r\n\r\n").await;
    assert_eq!(connection.rest().await.bytes, b"4\r\nlast\r\n0\r\n\r\n");
    let records = stage.logs.requests(2).await;
    let LogSource::Request { function, status, .. } = &records[0].source else { panic!("{records:?}") };
    assert_eq!((function.as_ref().map(ToString::to_string).as_deref(), *status), (Some("echo"), 200));
    stage.stop().await;
}

/// A body that is too large is refused before it is sent where its length is known, and as soon as it is where it is not.
#[tokio::test]
async fn too_large() {
    let stage =
        SiteBuilder::new().function("echo").function_limits(|limits| limits.max_body_mb = Some(1)).start().await;
    let most = 1024 * 1024;
    let length = format!("Content-Length: {}", most + 1);
    let declared = stage.send(request("POST", "/echo", &[&length, "Expect: 100-continue"], "")).await;
    assert_snapshot!("payload_too_large", declared.shown());
    assert_eq!(stage.instances(), 0);
    let chunks = |bytes: usize| format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes));
    let grown = stage.send(request("POST", "/echo", &["Transfer-Encoding: chunked"], &chunks(most + 1))).await;
    assert_eq!(stage.logs.requests(2).await.len(), 2);
    // The echo may have begun by then: then the answer breaks off, and is never a whole one.
    assert!(grown.status() == 413 || !grown.bytes.ends_with(b"0\r\n\r\n"), "{}", grown.status());
    let body = chunks(most) + "0\r\n\r\n";
    let full = stage.send(request("POST", "/echo", &["Transfer-Encoding: chunked"], &body)).await;
    assert_eq!((full.status(), full.bytes.len() > most), (200, true));
    stage.stop().await;
}

/// A site with a page and five functions.
async fn page_and_functions() -> Stage {
    let site = SiteBuilder::new().file("a.css", "text/css", "p {}").file("index.html", "text/html", "<p>page");
    let names = ["about", "connection", "echo", "ok", "pid"];
    names.iter().fold(site, |site, name| site.function(name)).start().await
}

/// A page that a visitor opens wakes functions of its sleeping deployment, a few, before it calls them. Who calls then finds them
/// awake.
#[tokio::test]
async fn woken_by_a_page() {
    let stage = page_and_functions().await;
    assert_eq!(stage.get("/", &[]).await.status(), 200);
    stage.until_instances(4).await;
    assert_eq!(stage.functions_awake(), ["about", "connection", "echo", "ok"]);
    assert_eq!(stage.get("/ok", &[]).await.status(), 200);
    assert_eq!(stage.instances(), 4);
    stage.stop().await;
}

/// A style sheet, a question for the head of a page, and a page of a deployment that is awake wake nothing.
#[tokio::test]
async fn not_woken() {
    let stage = page_and_functions().await;
    stage.get("/a.css", &[]).await;
    stage.send(request("HEAD", "/", &[], "")).await;
    assert_eq!(stage.get("/pid", &[]).await.status(), 200);
    stage.get("/", &[]).await;
    assert_eq!(stage.get("/pid", &[]).await.status(), 200);
    assert_eq!(stage.functions_awake(), ["pid"]);
    stage.stop().await;
}

/// Where its owner sets no bound, a function takes what it gets.
#[tokio::test]
async fn no_bound() {
    let stage = SiteBuilder::new().function("echo").options(|options| options.max_body_bytes = 10).start().await;
    let answer = stage.send(request("POST", "/echo", &["Content-Length: 1000"], &"x".repeat(1_000))).await;
    assert_eq!((answer.status(), answer.bytes.ends_with(&[b'x'; 1_000])), (200, true));
    stage.stop().await;
}

/// A function that dies in the middle of its answer never gives a whole answer, and the record says so.
#[tokio::test]
async fn broken_answers() {
    let stage = SiteBuilder::new().function("exit/mid-chunked").function("exit/now").start().await;
    let broken = stage.get("/exit/mid-chunked", &[]).await;
    assert!(broken.bytes.ends_with(b"5\r\nfirst\r\n"), "{}", broken.shown());
    let failed = stage.get("/exit/now", &["Accept: */*"]).await;
    assert_snapshot!("function_failed", failed.shown());
    let errors: Vec<Option<String>> = stage
        .logs
        .requests(2)
        .await
        .into_iter()
        .map(|record| match record.source {
            LogSource::Request { error, .. } => error,
            _ => None,
        })
        .collect();
    assert_eq!(errors, vec![Some("FUNCTION_INVOCATION_FAILED".to_owned()); 2]);
    stage.stop().await;
}

/// A WebSocket goes through in both directions; another protocol does not, and nobody is switched who did not ask.
#[tokio::test]
async fn upgrades() {
    let stage = SiteBuilder::new().function("upgrade").function("surprise-upgrade").start().await;
    let mut connection = stage.connect().await;
    let head = "GET /upgrade HTTP/1.1\r\nHost: site.localhost\r\n";
    connection.send(format!("{head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")).await;
    let switched = connection.until("\r\n\r\n").await;
    assert!(switched.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{switched}");
    assert!(switched.contains("upgrade: websocket\r\n") && switched.contains("x-ship-id: "), "{switched}");
    connection.send("ping").await;
    assert_eq!(connection.until("ping").await, "ping");
    let h2c = ["Connection: close, Upgrade", "Upgrade: h2c", "Sec-WebSocket-Key: x"];
    let other = stage.get("/upgrade", &h2c).await;
    assert_eq!(other.header("x-ship-error").as_deref(), Some("INVALID_FUNCTION_RESPONSE"));
    let surprise = stage.get("/surprise-upgrade", &[]).await;
    assert_eq!(surprise.header("x-ship-error").as_deref(), Some("INVALID_FUNCTION_RESPONSE"));
    stage.stop().await;
}

/// A request that has come through here again and again is going in circles.
#[tokio::test]
async fn circles() {
    let stage = SiteBuilder::new().function("ok").start().await;
    let times = |count: usize| format!("CDN-Loop: {}", vec!["ship"; count].join(", "));
    assert_eq!(stage.get("/ok", &[&times(9)]).await.status(), 200);
    let stopped = stage.get("/ok", &[&times(10)]).await;
    assert_eq!((stopped.status(), stopped.header("x-ship-error").as_deref()), (508, Some("INFINITE_LOOP_DETECTED")));
    stage.stop().await;
}
