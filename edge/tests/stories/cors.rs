//! Cross-origin requests.

use insta::assert_snapshot;

use crate::stage::{SiteBuilder, Stage};

const RULE: &str = r#"{"src": "/api/(.*)", "origins": ["https://app.test", "self"], "methods": ["GET", "POST"],
    "headers": ["content-type"], "credentials": true, "max_age_secs": 7200}"#;

async fn site() -> Stage {
    SiteBuilder::new()
        .cors(RULE)
        .file("api/data.json", "application/json", "{}")
        .file("index.html", "text/html", "home")
        .function("api/ok")
        .start()
        .await
}

/// A preflight is answered here: whether or not anything stands at the path, and without starting what does.
#[tokio::test]
async fn preflights() {
    let stage = site().await;
    let asked = |origin: &str| [format!("Origin: {origin}"), "Access-Control-Request-Method: POST".to_owned()];
    for (name, origin) in [("preflight", "https://app.test"), ("preflight_of_a_stranger", "https://evil.test")] {
        let headers = asked(origin);
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_snapshot!(name, stage.ask("OPTIONS", "/api/ok", &headers).await.shown());
        assert_eq!(stage.ask("OPTIONS", "/api/nothing", &headers).await.status(), 204);
        assert_eq!(stage.ask("OPTIONS", "/", &headers).await.status(), 405);
    }
    assert_eq!(stage.instances(), 0);
    stage.stop().await;
}

/// `vary` and the permission are on every answer of the route: files, 304, errors.
#[tokio::test]
async fn every_answer() {
    let stage = site().await;
    let mut shown = Vec::new();
    let etag = format!("If-None-Match: {}", stage.get("/api/data.json", &[]).await.header("etag").unwrap());
    for (path, origin, more) in [
        ("/api/data.json", "https://app.test", "X: y"),
        ("/api/data.json", "http://site-git-main.localhost", "X: y"),
        ("/api/data.json", "https://app.test", &etag),
        ("/api/data.json", "https://evil.test", "X: y"),
        ("/api/missing", "https://app.test", "X: y"),
        ("/", "https://app.test", "X: y"),
    ] {
        let received = stage.get(path, &[&format!("Origin: {origin}"), more]).await;
        let headers: Vec<Option<String>> = ["vary", "access-control-allow-origin", "access-control-allow-credentials"]
            .iter()
            .map(|name| received.header(name))
            .collect();
        shown.push(format!("{path} from {origin}: {} {headers:?}", received.status()));
    }
    assert_snapshot!("every_answer", shown.join("\n"));
    stage.stop().await;
}

/// Who asks without an origin gets the same `vary`, so that a cache keeps the answers apart.
#[tokio::test]
async fn without_origin() {
    let stage = site().await;
    let received = stage.get("/api/data.json", &[]).await;
    assert_eq!(received.header("vary").as_deref(), Some("accept-encoding, Origin"));
    assert_eq!(received.header("access-control-allow-origin"), None);
    stage.stop().await;
}
