//! Visitors who close their half of a connection behind their request, and read on.

use crate::stage::SiteBuilder;
use crate::visitor::Connection;

/// What the host answers by itself is for whoever still reads, also when it has to be read from disk first, or is long.
#[tokio::test]
async fn files() {
    let long = "0123456789".repeat(400_000);
    let stage = SiteBuilder::new()
        .file("index.html", "text/html; charset=utf-8", "<!doctype html>")
        .file("short.txt", "text/plain", "short")
        .file("long.bin", "application/octet-stream", &long)
        .start()
        .await;
    for _ in 0..2 {
        for (path, status, length) in [("/short.txt", 200, 5), ("/long.bin", 200, long.len()), ("/missing", 404, 0)] {
            let mut visitor = Connection::open(stage.address).await;
            visitor.send(format!("GET {path} HTTP/1.1\r\nhost: site.localhost\r\n\r\n")).await;
            visitor.end_sending().await;
            let answer = visitor.rest().await;
            assert_eq!(answer.status(), status, "{path}");
            assert!(status != 200 || answer.body().len() == length, "{path} has {}", answer.body().len());
        }
    }
    stage.stop().await;
}

/// A function is not to work for nobody: to it, who sends nothing more has left.
#[tokio::test]
async fn functions() {
    let stage = SiteBuilder::new().function("hang/before").start().await;
    let mut visitor = Connection::open(stage.address).await;
    visitor.send("GET /hang/before HTTP/1.1\r\nhost: site.localhost\r\n\r\n").await;
    stage.until_logged("hanging", 1).await;
    visitor.end_sending().await;
    assert_eq!(visitor.rest().await.bytes, b"");
    stage.until_logged("cancelled", 1).await;
    stage.stop().await;
}
