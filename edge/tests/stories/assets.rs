//! Static files.

use insta::assert_snapshot;

use crate::stage::{SiteBuilder, Stage};

const PAGE: &str = "<!doctype html><title>Home</title><p>Hello";

async fn site() -> Stage {
    SiteBuilder::new()
        .file("index.html", "text/html; charset=utf-8", PAGE)
        .file("assets/index-BfLx2k9D.js", "text/javascript; charset=utf-8", "export default 1\n")
        .file("logo.png", "image/png", b"0123456789")
        .file("empty.txt", "text/plain", "")
        .start()
        .await
}

/// A page is sent with its type, its tag and the order to ask again; a file that is named by its content is kept for a year.
#[tokio::test]
async fn whole_files() {
    let stage = site().await;
    assert_snapshot!("page", stage.get("/", &[]).await.shown());
    assert_snapshot!("hashed_script", stage.get("/assets/index-BfLx2k9D.js?v=1", &[]).await.shown());
    assert_snapshot!("empty_file", stage.get("/empty.txt", &[]).await.shown());
    stage.stop().await;
}

/// `HEAD` gives the very headers of `GET` and no body.
#[tokio::test]
async fn head() {
    let stage = site().await;
    for path in ["/", "/logo.png", "/empty.txt"] {
        let whole = stage.get(path, &[]).await;
        let head = stage.ask("HEAD", path, &[]).await;
        let lines = |head: String| {
            let mut lines: Vec<String> = head
                .lines()
                .filter(|line| !line.starts_with("x-ship-id") && !line.starts_with("date"))
                .map(str::to_owned)
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(head.head()), lines(whole.head()), "{path}");
        assert_eq!(head.body(), b"");
    }
    stage.stop().await;
}

/// Files are read, not written to.
#[tokio::test]
async fn other_methods() {
    let stage = site().await;
    assert_snapshot!("method_not_allowed", stage.ask("POST", "/", &[]).await.shown());
    for method in ["PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        assert_eq!(stage.ask(method, "/logo.png", &[]).await.status(), 405, "{method}");
    }
    stage.stop().await;
}

/// A visitor who has the file is told so.
#[tokio::test]
async fn not_modified() {
    let stage = site().await;
    let etag = stage.get("/", &[]).await.header("etag").unwrap();
    assert_snapshot!("not_modified", stage.get("/", &[&format!("If-None-Match: \"x\", W/{etag}")]).await.shown());
    assert_eq!(stage.get("/", &["If-None-Match: \"x\""]).await.status(), 200);
    stage.stop().await;
}

/// One range is sent, what lies behind the end is refused, and what is no single range is passed over.
#[tokio::test]
async fn ranges() {
    let stage = site().await;
    assert_snapshot!("range", stage.get("/logo.png", &["Range: bytes=2-4"]).await.shown());
    assert_snapshot!("range_unsatisfiable", stage.get("/logo.png", &["Range: bytes=10-"]).await.shown());
    assert_eq!(stage.get("/logo.png", &["Range: bytes=-2"]).await.body(), b"89");
    assert_eq!(stage.get("/logo.png", &["Range: bytes=0-0,2-2"]).await.body(), b"0123456789");
    let etag = stage.get("/logo.png", &[]).await.header("etag").unwrap();
    assert_eq!(stage.get("/logo.png", &["Range: bytes=2-4", &format!("If-Range: {etag}")]).await.status(), 206);
    assert_eq!(stage.get("/logo.png", &["Range: bytes=2-4", "If-Range: \"old\""]).await.status(), 200);
    stage.stop().await;
}

/// Until variants are made a visitor gets the bytes as they are; then the smallest form that is welcome, each with its own tag.
#[tokio::test]
async fn variants() {
    let text = "all work and no play makes a dull site\n".repeat(100);
    let stage = SiteBuilder::new().file("a.txt", "text/plain", &text).file("b.png", "image/png", &text).start().await;
    let all = &["Accept-Encoding: gzip, br"][..];
    assert_eq!(stage.get("/a.txt", all).await.header("content-encoding"), None);
    stage.edge.prepare(&stage.deployment);
    while stage.get("/a.txt", all).await.header("content-encoding").is_none() {}
    let mut heads = Vec::new();
    for accepted in [all, &["Accept-Encoding: gzip"], &["Accept-Encoding: br;q=0, gzip;q=0"], &[]] {
        let received = stage.get("/a.txt", accepted).await;
        let (encoding, length) = (received.header("content-encoding"), received.header("content-length").unwrap());
        let etag = received.header("etag").unwrap();
        assert_eq!(length.parse::<usize>().unwrap() == text.len(), encoding.is_none());
        heads.push(format!("{accepted:?}: {encoding:?} {etag} {:?}", received.header("vary")));
        let again = stage.get("/a.txt", &[accepted, &[&format!("If-None-Match: {etag}")]].concat()).await;
        assert_eq!(again.status(), 304);
        let same = stage.get("/a.txt", &[accepted, &[&format!("If-Match: {etag}")]].concat()).await;
        assert_eq!((same.status(), same.body().len()), (200, received.body().len()));
        let other = stage.get("/a.txt", &[accepted, &["If-Match: \"another\""]].concat()).await;
        assert_eq!((other.status(), other.body()), (412, &b""[..]));
    }
    assert_snapshot!("variants", heads.join("\n"));
    assert_eq!(stage.get("/a.txt", &["Accept-Encoding: br", "Range: bytes=0-3"]).await.body(), b"all ");
    assert_eq!(stage.get("/b.png", all).await.header("content-encoding"), None);
    stage.stop().await;
}

/// A file that is too large for memory arrives complete, in whole and in part.
#[tokio::test]
async fn large_files() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let stage = SiteBuilder::new().file("film.mp4", "video/mp4", &content).start().await;
    let whole = stage.get("/film.mp4", &[]).await;
    assert_eq!(whole.header("content-length").as_deref(), Some("3000000"));
    assert!(whole.body() == content);
    let part = stage.get("/film.mp4", &["Range: bytes=1000000-2500000"]).await;
    assert_eq!(part.header("content-range").as_deref(), Some("bytes 1000000-2500000/3000000"));
    assert!(part.body() == &content[1_000_000..=2_500_000]);
    assert_eq!(stage.ask("HEAD", "/film.mp4", &[]).await.header("content-length").as_deref(), Some("3000000"));
    stage.stop().await;
}

/// Damaged or missing bytes are never sent as good ones, and other files are not touched by it.
#[tokio::test]
async fn damage() {
    let large = vec![7_u8; 3_000_000];
    let stage = SiteBuilder::new()
        .file("small.txt", "text/plain", "small")
        .file("gone.txt", "text/plain", "gone")
        .file("large.bin", "application/octet-stream", &large)
        .file("whole.txt", "text/plain", "whole")
        .start()
        .await;
    let file = |content: &[u8]| stage.blob_file(&ship_core::Digest::of(content));
    let damage = |path: std::path::PathBuf, content: &[u8]| {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, content).unwrap();
    };
    damage(file(b"small"), b"smell");
    damage(file(&large), &vec![8_u8; 3_000_000]);
    std::fs::remove_file(file(b"gone")).unwrap();
    assert_snapshot!("damaged_file", stage.get("/small.txt", &[]).await.shown());
    for path in ["/gone.txt", "/large.bin"] {
        let received = stage.get(path, &[]).await;
        assert_eq!(
            (received.status(), received.header("x-ship-error").as_deref()),
            (500, Some("BLOB_CORRUPT")),
            "{path}"
        );
    }
    assert_eq!(stage.get("/whole.txt", &[]).await.body(), b"whole");
    stage.stop().await;
}

/// In development a page carries the script and is never kept; nothing else changes.
#[tokio::test]
async fn page_script() {
    let stage = SiteBuilder::new()
        .file("index.html", "text/html", "<body><p>Hello</body>")
        .file("a.js", "text/javascript", "1")
        .options(|options| options.page_script = Some("<script>reload()</script>".to_owned()))
        .start()
        .await;
    assert_snapshot!("page_with_script", stage.get("/", &["Accept-Encoding: br", "If-None-Match: *"]).await.shown());
    assert_eq!(stage.get("/a.js", &[]).await.body(), b"1");
    let error = stage.get("/missing", &["Accept: text/html"]).await;
    assert!(String::from_utf8_lossy(error.body()).contains("<script>reload()</script></body>"));
    stage.stop().await;
}
