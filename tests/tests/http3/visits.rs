//! Visits: the same answers as in HTTP/1.1 and HTTP/2, as they come.

use std::net::UdpSocket;

use ship_tests::http3::Connection;
use ship_tests::{Gate, TestEnv, http};

use crate::stage::{LARGE_BYTES, Stage, large};

/// What differs between two answers to the same question, and between two protocols.
const OF_ITS_OWN: [&str; 6] = ["alt-svc", "connection", "date", "keep-alive", "server-timing", "x-ship-id"];

/// A page, a file in a compressed form, a part of one, one that is known already, what is not there, and a redirect: the status, headers and body
/// of HTTP/3 are those of HTTP/1.1. Visitors over TCP are told that there is HTTP/3, and those who know it are not.
#[test]
fn the_same_answers() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let mut visitor = stage.connect();
    let told = format!("h3=\":{}\"; ma=86400", stage.port());
    let tag = http::get_secure(&stage.url("/style.css"), &stage.authority).header("etag").expect("files have tags");
    for (method, path, headers) in [
        ("GET", "/", &[][..]),
        ("HEAD", "/", &[]),
        ("GET", "/style.css", &[("range", "bytes=5-9")]),
        ("GET", "/style.css", &[("range", "bytes=99999-")]),
        ("GET", "/style.css", &[("if-none-match", tag.as_str())]),
        ("GET", "/nowhere", &[("accept", "text/html")]),
        ("GET", "/api/nowhere", &[]),
        ("POST", "/", &[]),
        ("GET", "/%zz", &[]),
    ] {
        let mut request = http::request(method, &stage.url(path)).trusting(&stage.authority);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let expected = request.send();
        assert_eq!(expected.header("alt-svc").as_deref(), Some(told.as_str()), "{method} {path}");
        let mut asked = visitor.ask(method, path, headers).expect("the host is asked");
        asked.finish().expect("the host reads");
        let seen = asked.answer().expect("the host answers");
        // Where there is nothing, HTTP/1.1 has to say so.
        let compared =
            |name: &str, value: &str| !OF_ITS_OWN.contains(&name) && (name, value) != ("content-length", "0");
        let mut lines: Vec<(String, String)> = seen
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("it is text").to_owned()))
            .filter(|(name, value)| compared(name, value))
            .collect();
        let mut expected_lines: Vec<(String, String)> =
            expected.headers().iter().filter(|(name, value)| compared(name, value)).cloned().collect();
        lines.sort();
        expected_lines.sort();
        assert_eq!((seen.status, &lines), (expected.status, &expected_lines), "{method} {path}");
        let without_id = |text: String, id: Option<String>| text.replace(&id.unwrap_or_default(), "");
        let ids = (seen.header("x-ship-id").map(str::to_owned), expected.header("x-ship-id"));
        assert_eq!(without_id(seen.text(), ids.0), without_id(expected.text(), ids.1), "{method} {path}");
        assert_eq!(seen.header("alt-svc"), None);
        assert!(seen.header("date").is_some() && seen.header("x-ship-id").is_some());
    }
}

/// A large file comes as it is, and the host holds no more of it than a visitor may have on their way.
#[test]
fn a_large_file() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let mut visitor = stage.connect();
    assert_eq!(visitor.get("/").expect("there is a page").text(), "<p>here</p>");
    let before = stage.host.process().anonymous_bytes();
    let mut asked = visitor.ask("GET", "/large.bin", &[]).expect("the host is asked");
    asked.finish().expect("the host reads");
    let head = asked.head().expect("the host answers");
    assert_eq!(head.headers()["content-length"], LARGE_BYTES.to_string().as_str());
    let (expected, mut seen, mut most) = (large(), 0, 0);
    while let Some(piece) = asked.piece().expect("it goes on") {
        assert_eq!(piece, expected[seen..seen + piece.len()], "at {seen}");
        seen += piece.len();
        most = most.max(stage.host.process().anonymous_bytes());
    }
    assert_eq!(seen, LARGE_BYTES);
    let grown = most.saturating_sub(before);
    assert!(grown < 24 * 1024 * 1024, "{grown} bytes more while {seen} were sent");
}

/// A function sees a request with its body, its length, its fields and its cookies as over TCP, and its answer's fields come behind
/// the body.
#[test]
fn a_function() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let mut visitor = stage.connect();
    for (declared, framing) in [(Some("2097152"), "undefined"), (None, "\"chunked\"")] {
        let mut headers = vec![("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2"), ("trailer", "x-of-visitor")];
        headers.extend(declared.map(|length| ("content-length", length)));
        let mut asked = visitor.ask("POST", "/api/function?echo", &headers).expect("the host is asked");
        for _ in 0..32 {
            asked.send(vec![7; 64 * 1024]).expect("the host reads");
        }
        if declared.is_none() {
            let trailers = [("x-of-visitor".parse().expect("it is a name"), "yes".parse().expect("it is a value"))];
            asked.send_trailers(trailers.into_iter().collect()).expect("the host reads");
        }
        asked.finish().expect("the host reads");
        let answer = asked.answer().expect("the host answers");
        let text = answer.text();
        for part in ["\"method\":\"POST\"", "\"length\":2097152", "\"cookie\":\"a=1; b=2\"", "\"proto\":\"https\""] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains(&format!("\"host\":\"{}\"", stage.name)), "{text}");
        assert_eq!(text.contains("\"framing\":\"chunked\""), framing == "\"chunked\"", "{text}");
        assert_eq!(text.contains("\"trailer\":\"yes\""), declared.is_none(), "{text}");
        assert_eq!(answer.trailers.expect("there are fields behind the body")["x-sum"], "42");
    }
}

/// What a function says comes when it says it.
#[test]
fn events() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let (mut visitor, gate) = (stage.connect(), Gate::new());
    let path = format!("/api/function?{}", gate.query());
    let mut asked = visitor.ask("GET", &path, &[("accept", "text/event-stream")]).expect("the host is asked");
    asked.finish().expect("the host reads");
    assert_eq!(asked.head().expect("the host answers").headers()["content-type"], "text/event-stream");
    let waiting = gate.wait_for_arrival();
    assert_eq!(asked.piece().expect("it goes on").as_deref(), Some(&b"data: begun\n\n"[..]));
    // Others are answered meanwhile, on the same connection.
    assert_eq!(visitor.get("/").expect("there is a page").status, 200);
    waiting.open();
    assert_eq!(asked.piece().expect("it goes on").as_deref(), Some(&b"data: finished\n\n"[..]));
    assert_eq!(asked.piece().expect("it ends well"), None);
}

/// A function sees that its visitor has gone: who gives up a request, before its answer and in the middle of it, and who leaves.
#[test]
fn visitors_who_leave() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let gate = Gate::new();
    for kind in ["silent&", ""] {
        let path = format!("/api/function?{kind}{}", gate.query());
        let mut visitor = stage.connect();
        let mut asked = visitor.ask("GET", &path, &[]).expect("the host is asked");
        asked.finish().expect("the host reads");
        let waiting = gate.wait_for_arrival();
        if kind.is_empty() {
            assert_eq!(asked.head().expect("the host answers").status(), 200);
        }
        asked.cancel();
        waiting.wait_until_gone();
        assert_eq!(visitor.get("/").expect("the connection goes on").status, 200);

        let mut asked = visitor.ask("GET", &path, &[]).expect("the host is asked");
        asked.finish().expect("the host reads");
        let waiting = gate.wait_for_arrival();
        visitor.leave();
        waiting.wait_until_gone();
    }
}

/// A host that is told not to speak HTTP/3 says nothing of it and leaves the port to others; nor does one without TLS.
#[test]
fn none() {
    let environment = TestEnv::new();
    let stage = Stage::start_with(&environment, &["--no-http3"]);
    for path in ["/", "/nowhere"] {
        assert_eq!(http::get_secure(&stage.url(path), &stage.authority).header("alt-svc"), None);
    }
    let _ = UdpSocket::bind(("127.0.0.1", stage.port())).expect("nobody has the port");
}

/// A certificate that is renewed is shown to who comes over QUIC from then on, without a restart.
#[test]
fn renewed() {
    let environment = TestEnv::new();
    let mut stage = Stage::start(&environment);
    let mut early = stage.connect();
    stage.authority = ship_tests::TestAuthority::new();
    let _ = stage.authority.write(&environment.folder().join("pair"), &["*.ship.test"]);
    let begun = std::time::Instant::now();
    while Connection::open(&stage.authority, &stage.name).is_err() {
        assert!(begun.elapsed() < ship_tests::PATIENCE, "the new certificate is never shown");
    }
    assert_eq!(early.get("/").expect("who is there stays").status, 200);
    // Who asks for another name learns none.
    let stranger = format!("other.test:{}", stage.port());
    let refused = Connection::open(&stage.authority, &stranger).expect_err("it has none").to_string();
    assert!(refused.contains("aborted"), "{refused}");
}
