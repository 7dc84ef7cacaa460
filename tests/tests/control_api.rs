//! The control API as a stranger, a careless client and a thief meet it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use ship_api::{PACK_MEDIA_TYPE, pack_end, pack_entry};
use ship_core::Digest;
use ship_tests::{PATIENCE, TestEnv, TestHost, http};

/// What looks like a token and is none is refused, and the scheme may be written in any case.
#[test]
fn what_is_no_token() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let request = || http::request("GET", &format!("{}/v1/status", host.control_url()));
    let token = host.token();
    let almost = [format!("{token}x"), token.to_uppercase(), token[..token.len() - 1].to_owned(), String::new()];
    let attempts = almost.iter().map(|almost| request().token(almost));
    for attempt in
        attempts.chain([request().header("authorization", &token), request().header("authorization", "Basic eDp5")])
    {
        let answer = attempt.send();
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (401, Some("UNAUTHORIZED")));
    }
    assert_eq!(request().header("authorization", format!("bearer {token}")).send().status, 200);
}

/// A path that is no route gives no hint of whether it could be one.
#[test]
fn unknown_routes() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let stranger = http::get(&format!("{}/v1/secrets", host.control_url()));
    assert_eq!(stranger.status, 401);
    let known = host.control("GET", "/v1/secrets").send();
    assert_eq!((known.status, known.json()["error"]["code"].as_str()), (404, Some("NOT_FOUND")));
    let wrong_method = host.control("DELETE", "/v1/status").send();
    assert_eq!((wrong_method.status, wrong_method.json()["error"]["code"].as_str()), (405, Some("METHOD_NOT_ALLOWED")));
}

/// A page in the owner's browser, which has no token, reaches nothing by another name, and reads nothing by this one.
#[test]
fn pages_of_others() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let rebound =
        http::request("GET", &format!("{}/v1/status", host.control_url())).header("host", "evil.example").send();
    assert_eq!((rebound.status, rebound.json()["error"]["code"].as_str()), (401, Some("UNAUTHORIZED")));
    let preflight = host.control("OPTIONS", "/v1/status").header("origin", "https://evil.example").send();
    let answer = host.control("GET", "/v1/status").header("origin", "https://evil.example").send();
    for answer in [preflight, answer] {
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

/// The largest body that the API takes, in bytes.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// How long the host waits for a body of which nothing comes.
const GIVEN_UP_AFTER: Duration = Duration::from_mins(1);

/// A body that says itself that it is too large is refused at once, to those who are known and to strangers: nobody waits for a byte of it.
#[test]
fn too_large_by_its_own_word() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let refused = |request: http::Request, length: &str| {
        let answer = request.header("content-type", "application/json").header("content-length", length).send();
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (413, Some("PAYLOAD_TOO_LARGE")));
    };
    let began = Instant::now();
    refused(host.control("POST", "/v1/tokens"), "10000000000000");
    refused(http::request("POST", &format!("{}/v1/logins", host.control_url())), "1000000");
    assert!(began.elapsed() < GIVEN_UP_AFTER, "they were waited for");
}

/// Manifests are held in memory, so two of the largest fill the room for them. A third is not read until one of them is done with, and a small
/// one passes it.
#[test]
fn large_bodies_stand_in_line() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let address = host.control_url().replace("http://", "");
    let announce = |size_bytes: usize| {
        let mut client = TcpStream::connect(&address).expect("the host takes the connection");
        let token = host.token();
        write!(
            client,
            "POST /v1/projects/site/deployments HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {size_bytes}\r\n\r\n"
        )
        .expect("the kernel takes the head");
        client
    };
    let is_asked_to_continue = |client: &mut TcpStream, patience: Duration| {
        let mut line = [0; 21];
        client.set_read_timeout(Some(patience)).expect("a socket takes a bound");
        client.read_exact(&mut line).is_ok_and(|()| line == *b"HTTP/1.1 100 Continue")
    };
    let mut clients = [announce(LARGEST_BODY), announce(LARGEST_BODY)];
    assert!(clients.iter_mut().all(|client| is_asked_to_continue(client, PATIENCE)), "there is room for two");
    let mut third = announce(LARGEST_BODY);
    let body = format!("{{\"manifest\": 1, \"padding\": \"{}\"}}", "x".repeat(500_000));
    let small = host.control("POST", "/v1/projects/site/deployments").header("content-type", "application/json");
    assert_eq!(small.body(body).send().status, 400, "a small one is read");
    assert!(!is_asked_to_continue(&mut third, Duration::from_millis(300)), "there is no room for a third");
    let [first, _second] = clients;
    drop(first);
    assert!(is_asked_to_continue(&mut third, PATIENCE), "the third has the room of the first");
}

/// Bytes that are not those of their digest: 400 `DIGEST_MISMATCH`, and nothing of them is kept.
#[test]
fn wrong_digest() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let promised = Digest::of(b"what was promised");
    let pack = |body: &[u8], size: u64| [&pack_entry(&promised, size)[..], body, &pack_end(1)[..]].concat();
    let upload =
        |pack: Vec<u8>| host.control("POST", "/v1/blobs").header("content-type", PACK_MEDIA_TYPE).body(pack).send();

    let answer = upload(pack(b"what came instead", 17));
    insta::assert_snapshot!(environment.filtered(&answer.snapshot(&["content-type"])), @r#"
    400
    content-type: application/json

    {"error":{"code":"DIGEST_MISMATCH","message":"announced were 17 bytes with sha256:[DIGEST], what arrived are 17 bytes with sha256:[DIGEST]"}}
    "#);
    assert_eq!(missing(&host, &promised), [promised.to_string()]);
    let cut_off = upload(pack_entry(&promised, 17).to_vec());
    assert_eq!((cut_off.status, cut_off.json()["error"]["code"].as_str()), (400, Some("BAD_REQUEST")));
    assert_eq!(missing(&host, &promised), [promised.to_string()]);
    assert!(!holds_file(host.data(), b"what came instead"), "the wrong bytes are kept somewhere");

    assert_eq!(upload(pack(b"what was promised", 17)).status, 200);
    assert_eq!(missing(&host, &promised), [] as [String; 0]);
}

/// One wrong blob among right ones: the upload fails as a whole, and says which.
#[test]
fn one_wrong_blob_among_right_ones() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let (right, wrong) = (Digest::of(b"right"), Digest::of(b"wrong"));
    let entries =
        [&pack_entry(&right, 5)[..], b"right", &pack_entry(&wrong, 5)[..], b"xxxxx", &pack_end(2)[..]].concat();
    let answer = host.control("POST", "/v1/blobs").header("content-type", PACK_MEDIA_TYPE).body(entries).send();
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some("DIGEST_MISMATCH")));
    assert!(answer.text().contains(&wrong.to_hex()[..12]), "{}", answer.text());
    assert_eq!(missing(&host, &wrong), [wrong.to_string()]);
}

/// A deployment that names what the host does not have, and bodies that are no such thing at all.
#[test]
fn wrong_publish_requests() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let digest = Digest::of(b"never uploaded");
    let manifest = |path: &str| {
        serde_json::json!({
            "version": 1, "functions": [], "routes": [], "cors": [],
            "assets": [{ "path": path, "digest": digest, "size_bytes": 14, "media_type": "text/html" }],
        })
    };
    let publish = |manifest: &Value| {
        let body = serde_json::json!({ "manifest": manifest, "publish": {} }).to_string();
        let request = host.control("POST", "/v1/projects/site/deployments").header("content-type", "application/json");
        request.body(body).send()
    };
    let lacking = publish(&manifest("index.html"));
    assert_eq!((lacking.status, lacking.json()["error"]["code"].as_str()), (409, Some("MISSING_BLOBS")));
    assert_eq!(lacking.json()["error"]["missing"], serde_json::json!([digest]));
    for path in ["../index.html", "/etc/passwd", "a//b", "a/./b", "a\\b", "a\0b", "", "a/../b", &"x".repeat(5000)] {
        let answer = publish(&manifest(path));
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some("BAD_REQUEST")), "{path:?}");
    }
    let mut clashing = manifest("caf\u{e9}.html");
    let other = manifest("cafe\u{301}.html");
    clashing["assets"]
        .as_array_mut()
        .expect("there are assets")
        .extend(other["assets"].as_array().cloned().into_iter().flatten());
    insta::assert_snapshot!(environment.filtered(&publish(&clashing).snapshot(&["content-type"])), @r#"
    400
    content-type: application/json

    {"error":{"code":"BAD_REQUEST","message":"`cafe\\u{301}.html` and `caf\\u{e9}.html` are the same characters in two forms of Unicode, which nobody can tell apart","hint":"rename one of the two"}}
    "#);
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in ["", "{", "null", "[]", "{\"manifest\":1}", nested.as_str()] {
        let request = host.control("POST", "/v1/projects/site/deployments").header("content-type", "application/json");
        assert_eq!(request.body(body).send().status, 400, "{}", &body[..body.len().min(40)]);
    }
    assert_eq!(host.control("GET", "/v1/projects").send().success().json()["projects"], serde_json::json!([]));
}

fn missing(host: &TestHost<'_>, digest: &Digest) -> Vec<String> {
    let question = serde_json::json!({ "digests": [digest] }).to_string();
    let request = host.control("POST", "/v1/blobs/missing").header("content-type", "application/json");
    let answer = request.body(question).send().success().json();
    serde_json::from_value(answer["missing"].clone()).expect("the answer lists digests")
}

/// Whether any file below `folder` holds these bytes.
fn holds_file(folder: &std::path::Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("the folder is readable").flatten().any(|entry| {
        if entry.path().is_dir() {
            return holds_file(&entry.path(), bytes);
        }
        std::fs::read(entry.path()).is_ok_and(|content| content.windows(bytes.len()).any(|window| window == bytes))
    })
}
