//! Plain requests for files, which are answered without hyper: nobody can tell, except by the time it takes.

use std::os::unix::fs::FileExt as _;

use ship_core::LogSource;

use crate::stage::{SiteBuilder, Stage};

/// A header that is none of those the fast path knows.
const UNKNOWN: &str = "X-Unknown: 1\r\n";

fn site() -> SiteBuilder {
    SiteBuilder::new()
        .file("index.html", "text/html; charset=utf-8", "<!doctype html><title>Home</title><p>Hello")
        .file("app.js", "text/javascript; charset=utf-8", "let hello = 'hello';\n".repeat(200))
        .file("assets/index-BfLx2k9D.css", "text/css; charset=utf-8", "a{}")
        .file("logo.png", "image/png", vec![b'x'; 70_000])
        .file("empty.txt", "text/plain", "")
        .file("api/cors.txt", "text/plain", "for others")
}

/// What a visitor gets for a request with these lines, on a connection that is kept.
async fn answer(stage: &Stage, path: &str, lines: &str) -> Vec<String> {
    let mut connection = stage.connect().await;
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: site.localhost\r\n{lines}\r\n")).await;
    connection.send("GET /none HTTP/1.1\r\nHost: site.localhost\r\nConnection: close\r\n\r\n").await;
    let received = connection.rest().await;
    let text = String::from_utf8_lossy(&received.bytes).into_owned();
    let (head, rest) = text.split_once("\r\n\r\n").expect("there is an answer");
    let is_own = |line: &&str| !["x-ship-id: ", "date: ", "server-timing: "].iter().any(|name| line.starts_with(name));
    let names = |line: &str| line.split(": ").next().unwrap_or_default().to_owned();
    let mut shown: Vec<String> = head.lines().filter(is_own).map(str::to_owned).collect();
    shown.extend(head.lines().skip(1).map(names));
    shown.sort();
    let (body, _) = rest.split_once("HTTP/1.1 404").expect("the next request is answered behind it");
    shown.push(body.to_owned());
    shown
}

/// Whether a file is asked for in a way that hyper has to read or not, the answer is the same: status, headers and bytes. The compressed forms
/// are there and chosen alike.
#[tokio::test]
async fn same_answers() {
    let with_rule = site().cors(r#"{"src": "/api/(.*)", "origins": ["*"], "methods": ["GET"], "headers": [], "credentials": false, "max_age_secs": 60}"#);
    for stage in [site().start().await, site().preview().start().await, with_rule.start().await] {
        for path in
            ["/", "/app.js", "/app.js?v=1", "/assets/index-BfLx2k9D.css", "/logo.png", "/empty.txt", "/api/cors.txt"]
        {
            for lines in [
                "",
                "Accept-Encoding: br, gzip\r\n",
                "accept-encoding: gzip\r\n",
                "Accept-Encoding: identity;q=1, *;q=0\r\nCookie: a=b\r\n",
            ] {
                // Read once, so that it is in memory.
                answer(&stage, path, UNKNOWN).await;
                let before = stage.answered_at_once();
                let fast = answer(&stage, path, lines).await;
                let is_cors = path.starts_with("/api/") && !stage.deployment.manifest().cors().is_empty();
                let expected = before + usize::from(!is_cors);
                assert_eq!(stage.answered_at_once(), expected, "{path} {lines:?}");
                assert_eq!(fast, answer(&stage, path, &format!("{lines}{UNKNOWN}")).await, "{path} {lines:?}");
            }
        }
        stage.stop().await;
    }
}

/// The log and the meters have the same of both.
#[tokio::test]
async fn same_records() {
    let stage = site().start().await;
    answer(&stage, "/app.js?v=1", UNKNOWN).await;
    answer(&stage, "/app.js?v=1", "").await;
    assert_eq!(stage.answered_at_once(), 1);
    let records = stage.logs.requests(4).await;
    let files: Vec<String> = records
        .into_iter()
        .filter_map(|mut record| {
            let LogSource::Request { duration_micros, path, .. } = &mut record.source else { return None };
            (*duration_micros, record.at) = (0, jiff::Timestamp::UNIX_EPOCH);
            let is_file = path == "/app.js?v=1";
            assert_eq!(record.requests.len(), 1);
            record.requests.clear();
            is_file.then(|| format!("{record:?}"))
        })
        .collect();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0], files[1]);
    let counts = stage.edge.counts();
    let answered: Vec<_> =
        counts.projects[0].1.answered.iter().map(|(kind, class, view)| (kind.as_str(), *class, view.count())).collect();
    assert_eq!(answered, [("static", "2xx", 2), ("routing", "4xx", 2)]);
    assert_eq!(counts.projects[0].1.in_flight, 0);
    stage.stop().await;
}

/// Requests that arrive in one piece, plain and not, with and without a body, are answered in their order, in whatever pieces they come.
#[tokio::test]
async fn one_after_the_other() {
    let stage = site().start().await;
    let plain = "GET /empty.txt HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    let page = "GET / HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    let head = "HEAD / HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    let body = format!("POST /none HTTP/1.1\r\nHost: site.localhost\r\nContent-Length: {}\r\n\r\n{page}", page.len());
    let last = "GET /assets/index-BfLx2k9D.css HTTP/1.1\r\nHost: site.localhost\r\nConnection: close\r\n\r\n";
    answer(&stage, "/", UNKNOWN).await;
    answer(&stage, "/empty.txt", UNKNOWN).await;
    let all = [plain, page, &body, plain, head, "\r\n", page, plain, last].concat();
    for size in [all.len(), 1, 7, plain.len(), plain.len() + 1] {
        let mut connection = stage.connect().await;
        for piece in all.as_bytes().chunks(size) {
            connection.send(piece).await;
            tokio::task::yield_now().await;
        }
        let received = String::from_utf8(connection.rest().await.bytes).unwrap();
        let lengths: Vec<&str> =
            received.lines().filter_map(|line| line.split_once("content-length: ")).map(|(_, length)| length).collect();
        assert_eq!(lengths[..2], ["0", "42"], "{size}: {received}");
        assert_eq!(lengths[3..], ["0", "42", "42", "0", "3"], "{size}: {received}");
        assert!(received.ends_with("\r\n\r\na{}"), "{size}: {received}");
    }
    stage.stop().await;
}

/// A visitor who asks and asks and takes nothing is owed one answer at most; once they read, they get all of them, whole.
#[tokio::test]
async fn taken_late() {
    let stage = site().start().await;
    answer(&stage, "/logo.png", UNKNOWN).await;
    let before = stage.answered_at_once();
    let asks = 200;
    let mut connection = stage.connect().await;
    let head = "GET /logo.png HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    connection.send(head.repeat(asks)).await;
    // By the time that somebody else is answered, this connection had its turns.
    answer(&stage, "/", UNKNOWN).await;
    let taken = stage.answered_at_once() - before;
    assert!((1..asks).contains(&taken), "{taken} answers were made for somebody who takes none");
    connection.send("GET /none HTTP/1.1\r\nHost: site.localhost\r\nConnection: close\r\n\r\n").await;
    let received = connection.rest().await.bytes;
    let mut rest = &received[..];
    for number in 0..asks {
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("there is an answer") + 4;
        assert!(rest.starts_with(b"HTTP/1.1 200 OK\r\n"), "answer {number}");
        assert!(rest[end..end + 70_000].iter().all(|byte| *byte == b'x'), "answer {number} is whole");
        rest = &rest[end + 70_000..];
    }
    assert!(rest.starts_with(b"HTTP/1.1 404"));
    stage.stop().await;
}

/// A file that is large enough to be sent from disk is sent whole, also to somebody who takes it late; once its file is not what it was, the
/// bytes in memory are sent, which were checked.
#[tokio::test]
async fn from_its_file() {
    let content: Vec<u8> = (0..100_000_u32).flat_map(|number| (number * 7919).to_le_bytes()).take(300_000).collect();
    let stage = SiteBuilder::new().file("data.bin", "application/octet-stream", &content).start().await;
    answer(&stage, "/data.bin", UNKNOWN).await;
    let ask = "GET /data.bin HTTP/1.1\r\nHost: site.localhost\r\n\r\n";
    let last = "GET /data.bin HTTP/1.1\r\nHost: site.localhost\r\nConnection: close\r\n\r\n";
    let file = std::fs::File::options().write(true).open(stage.blob_file(&ship_core::Digest::of(&content))).unwrap();
    let changes: [&dyn Fn(); 3] =
        [&|| {}, &|| file.write_all_at(b"another", 150_000).unwrap(), &|| file.set_len(1000).unwrap()];
    for (number, change) in changes.into_iter().enumerate() {
        change();
        let before = stage.answered_at_once();
        let mut connection = stage.connect().await;
        connection.send(ask.repeat(30)).await;
        connection.send(last).await;
        let received = connection.rest().await.bytes;
        assert!(stage.answered_at_once() - before > 1, "change {number}");
        let mut rest = &received[..];
        for answer in 0..31 {
            let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("there is an answer") + 4;
            assert!(rest.starts_with(b"HTTP/1.1 200 OK\r\n"), "answer {answer} after change {number}");
            assert!(rest[end..end + content.len()] == content, "answer {answer} after change {number}");
            rest = &rest[end + content.len()..];
        }
        assert!(rest.is_empty());
    }
    stage.stop().await;
}
