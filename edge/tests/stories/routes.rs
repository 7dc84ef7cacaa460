//! Routes at work: redirects, rewrites, headers, statuses.

use insta::assert_snapshot;

use crate::stage::SiteBuilder;

const ROUTES: &str = r#"[
    {"src": "^/old/(.*)$", "headers": {"location": "/new/$1"}, "status": 308},
    {"src": "^/secret$", "status": 403},
    {"src": "^/quiet$", "status": 204},
    {"src": "^/(.*)$", "headers": {"x-frame-options": "DENY", "x-ship-id": "forged", "content-length": "7",
        "cache-control": "max-age=60", "vary": "cookie"}, "continue": true},
    {"handle": "rewrite"},
    {"src": "^/about$", "dest": "/pages/about.html"}
]"#;

/// Each kind of route, as it arrives at the visitor.
#[tokio::test]
async fn routes() {
    let stage = SiteBuilder::new().routes(ROUTES).file("pages/about.html", "text/html", "about").start().await;
    assert_snapshot!("redirect", stage.get("/old/a%20b?x=1", &[]).await.shown());
    assert_snapshot!("rewrite_with_headers", stage.get("/about", &[]).await.shown());
    assert_snapshot!("status_of_a_route", stage.get("/secret", &[]).await.shown());
    assert_eq!(stage.get("/quiet", &[]).await.status(), 204);
    let missing = stage.get("/missing", &[]).await;
    assert_eq!(missing.header("cache-control").as_deref(), Some("no-store"));
    stage.stop().await;
}

/// A pattern that explodes is an error with a code, not a host that stands still.
#[tokio::test]
async fn exploding_pattern() {
    let routes = r#"[{"src": "^/(?=(a+)+$)(a|a)*b$", "dest": "/index.html"}]"#;
    let stage = SiteBuilder::new().routes(routes).start().await;
    let received = stage.get(&format!("/{}", "a".repeat(64)), &[]).await;
    assert_eq!(received.header("x-ship-error").as_deref(), Some("ROUTE_PATTERN_EXHAUSTED"));
    stage.stop().await;
}
