//! The platform's own errors, and the record of every request.

use insta::assert_snapshot;
use ship_core::LogSource;

use crate::stage::SiteBuilder;

/// A missing page in each form that a visitor may ask for.
#[tokio::test]
async fn missing_pages() {
    let stage = SiteBuilder::new().start().await;
    assert_snapshot!("missing_page", stage.get("/nowhere", &["Accept: text/html,*/*;q=0.8"]).await.shown());
    assert_snapshot!("missing_json", stage.get("/nowhere", &["Accept: application/json"]).await.shown());
    assert_snapshot!("missing_text", stage.get("/nowhere", &["Accept: */*"]).await.shown());
    let api = stage.get("/api/nowhere", &["Accept: */*"]).await;
    assert_eq!(api.header("content-type").as_deref(), Some("application/json"));
    stage.stop().await;
}

/// A site's own page for what it does not have; only for those who read.
#[tokio::test]
async fn own_page() {
    let stage = SiteBuilder::new().file("404.html", "text/html", "<p>Lost?").start().await;
    assert_snapshot!(
        "own_missing_page",
        stage.get("/nowhere", &["Range: bytes=0-1", "If-None-Match: *"]).await.shown()
    );
    assert_eq!(stage.ask("POST", "/nowhere", &[]).await.header("x-ship-error").as_deref(), Some("NOT_FOUND"));
    for path in ["/api", "/api/", "/api/nowhere"] {
        let received = stage.get(path, &[]).await;
        assert_eq!(received.header("x-ship-error").as_deref(), Some("NOT_FOUND"), "{path}");
    }
    assert_eq!(stage.get("/apiary", &[]).await.body(), b"<p>Lost?");
    stage.stop().await;
}

/// A host name that no deployment answers at.
#[tokio::test]
async fn no_deployment() {
    let stage = SiteBuilder::new().start().await;
    let received = stage.send("GET / HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n").await;
    assert_snapshot!("no_deployment", received.shown());
    stage.stop().await;
}

/// What cannot be read is refused: the path, the host, or two hosts that differ.
#[tokio::test]
async fn unreadable_requests() {
    let stage = SiteBuilder::new().file("index.html", "text/html", "home").start().await;
    for request in [
        "GET /%zz HTTP/1.1\r\nHost: site.localhost\r\n",
        "GET /%00 HTTP/1.1\r\nHost: site.localhost\r\n",
        "GET /%ff HTTP/1.1\r\nHost: site.localhost\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: site.localhost\r\nHost: site.localhost\r\n",
        "GET http://other.localhost/ HTTP/1.1\r\nHost: site.localhost\r\n",
        "CONNECT site.localhost:80 HTTP/1.1\r\nHost: site.localhost\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: site.localhost\r\n",
    ] {
        let received = stage.send(format!("{request}Connection: close\r\n\r\n")).await;
        let error = received.header("x-ship-error");
        assert_eq!((received.status(), error.as_deref()), (400, Some("MALFORMED_REQUEST")), "{request}");
        assert!(received.header("x-ship-id").is_some());
    }
    let absolute = "GET http://SITE.localhost/ HTTP/1.1\r\nHost: site.localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(stage.send(absolute).await.body(), b"home");
    stage.stop().await;
}

/// One record for each request, under the id that the visitor sees.
#[tokio::test]
async fn records() {
    let stage = SiteBuilder::new().file("a.txt", "text/plain", "a").start().await;
    let found = stage.get("/a.txt?x=1", &["X-Ship-Id: forged"]).await;
    let missing = stage.get("/b.txt", &[]).await;
    let records = stage.logs.requests(2).await;
    let shown: Vec<String> = records
        .iter()
        .map(|record| {
            let LogSource::Request { method, host, path, status, function, error, .. } = &record.source else {
                panic!("{record:?}")
            };
            format!("{method} {host} {path} {status} {function:?} {error:?}")
        })
        .collect();
    assert_eq!(
        shown,
        ["GET site.localhost /a.txt?x=1 200 None None", "GET site.localhost /b.txt 404 None Some(\"NOT_FOUND\")"]
    );
    for (record, received) in records.iter().zip([found, missing]) {
        assert_eq!(record.deployment, *stage.deployment.id());
        assert_eq!(record.requests[0].as_str(), received.header("x-ship-id").unwrap());
    }
    stage.stop().await;
}
