//! Sites through TLS, with certificates from files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use ship_tests::http2::{self, Connection, flag, kind};
use ship_tests::{PATIENCE, TestAuthority, TestEnv, TestHost, http};

/// The options of a host for `ship.test` with certificates in folders.
fn options(pairs: &[(String, String)]) -> Vec<&str> {
    let mut options = vec!["--domain", "ship.test", "--tls-listen", "127.0.0.1:0"];
    for (certificate, key) in pairs {
        options.extend(["--tls-cert", certificate, "--tls-key", key]);
    }
    options
}

/// A certificate in a folder, as it is named on the command line.
fn pair(authority: &TestAuthority, folder: &Path, names: &[&str]) -> (String, String) {
    let (certificate, key) = authority.write(folder, names);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the key is the story's");
    (certificate.display().to_string(), key.display().to_string())
}

/// Through TLS a site is what it is otherwise, and its URL says so; who comes without TLS is led there.
#[test]
fn sites() {
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let pairs = [pair(&authority, &environment.folder().join("wildcard"), &["*.ship.test"])];
    let host = TestHost::start_with(&environment, &options(&pairs));
    let project = environment.project("site").file("public/index.html", "here");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert!(url.starts_with("https://site-") && url.contains(".ship.test:"), "{url}");
    let page = http::get_secure(&url, &authority).success();
    assert_eq!(page.text(), "here");
    assert_eq!(page.header("strict-transport-security").as_deref(), Some("max-age=31536000"));
    assert_eq!(http::get_secure(&host.secure_url("site.ship.test"), &authority).success().text(), "here");

    let (_, port) = host.addresses().sites.rsplit_once(':').expect("an address ends in its port");
    let plain = |name: &str, path: &str| http::request("POST", &format!("http://{name}:{port}{path}")).send();
    let led = plain("SITE.ship.test", "/a?b=c");
    let there = format!("{}/a?b=c", host.secure_url("site.ship.test"));
    assert_eq!((led.status, led.header("location")), (308, Some(there)));
    assert!(led.header("x-ship-id").is_some() && led.header("strict-transport-security").is_none());
    for (name, path) in [("other.test", "/"), ("ship.test", "/"), ("site.ship.test", "/.well-known/acme-challenge/x")] {
        let answer = plain(name, path);
        assert_eq!((answer.status, answer.header("location")), (404, None), "{name}{path}");
    }
    // What only begins like the place for proofs is led to TLS as well, and what is no path is led nowhere.
    for path in ["/.well-known/acme-challenge/../../", "/.well-known/acme-challenge/%2e%2e/%2E./index.html"] {
        let led = plain("site.ship.test", path);
        let there = format!("{}{path}", host.secure_url("site.ship.test"));
        assert_eq!((led.status, led.header("location"), led.text()), (308, Some(there), String::new()), "{path}");
    }
    let answer = http::exchange_raw(
        &format!("site.ship.test:{port}"),
        b"GET * HTTP/1.1\r\nHost: site.ship.test\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&answer));
}

/// Who asks for a name that the host has no certificate for gets none, whatever certificates there are.
#[test]
fn by_name() {
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let folder = environment.folder();
    let pairs = [
        pair(&authority, &folder.join("one"), &["one.ship.test"]),
        pair(&authority, &folder.join("two"), &["two.ship.test"]),
    ];
    let host = TestHost::start_with(&environment, &options(&pairs));
    let shown = |name: &str| {
        let authority_of_name = host.secure_url(name).replace("https://", "");
        http::connect_secure(&authority_of_name, &authority, &["http/1.1"]).map(|wire| wire.certificate())
    };
    let (one, two) = (shown("one.ship.test").expect("it has one"), shown("two.ship.test").expect("it has one"));
    assert!(one.is_some() && two.is_some() && one != two);
    assert_eq!(shown("ONE.ship.test").expect("case makes no difference"), one);
    for stranger in ["three.ship.test", "ship.test", "other.test", "127.0.0.1"] {
        let error = shown(stranger).expect_err("it has none").to_string();
        assert!(error.contains("alert"), "{stranger}: {error}");
    }
    // Nothing deployed there is no secret to who has the name: the answer is the same for all.
    assert_eq!(http::get_secure(&host.secure_url("one.ship.test"), &authority).status, 404);
}

/// Files that change are read anew, without a restart; those that are no pair are said and change nothing.
#[test]
fn renewed() {
    let environment = TestEnv::new();
    let (authority, next) = (TestAuthority::new(), TestAuthority::new());
    let folder = environment.folder().join("pair");
    let pairs = [pair(&authority, &folder, &["*.ship.test"])];
    let host = TestHost::start_with(&environment, &options(&pairs));
    let url = host.secure_url("site.ship.test");
    let begun = Instant::now();
    let until_trusted = |authority: &TestAuthority| {
        while http::request("GET", &url).trusting(authority).try_open().is_err() {
            assert!(begun.elapsed() < PATIENCE, "the new certificate is never shown");
        }
    };
    until_trusted(&authority);
    let key = fs::read(&pairs[0].1).expect("it was just written");
    fs::write(&pairs[0].1, "nothing").expect("the key is the story's");
    fs::write(&pairs[0].1, key).expect("the key is the story's");
    let _ = pair(&next, &folder, &["*.ship.test"]);
    until_trusted(&next);
    assert!(http::request("GET", &url).trusting(&authority).try_open().is_err());
}

/// What a command line says of certificates is checked before anything is served.
#[test]
fn mistakes() {
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let (one, two) = (environment.folder().join("one"), environment.folder().join("two"));
    let (certificate, _) = pair(&authority, &one, &["a.ship.test"]);
    let (_, key) = pair(&authority, &two, &["a.ship.test"]);
    let data = environment.folder().join("data").display().to_string();
    let host = |more: &[&str]| {
        let usual = ["host", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--data", &data];
        environment.ship([&usual[..], more].concat()).run()
    };
    let alone = host(&["--tls-listen", "127.0.0.1:0"]);
    assert_eq!(alone.code(), Some(2), "{}", alone.stderr());
    let uneven =
        host(&["--tls-listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key, "--tls-key", &key]);
    assert_eq!(uneven.code(), Some(2));
    assert!(uneven.stderr().contains("1 certificates and 2 keys"), "{}", uneven.stderr());
    let mismatched = host(&["--tls-listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key]);
    assert_eq!(mismatched.code(), Some(1));
    assert!(
        mismatched.stderr().contains(&format!("{key} is not the key of the certificate {certificate}")),
        "{}",
        mismatched.stderr()
    );
    let swapped = host(&["--tls-listen", "127.0.0.1:0", "--tls-cert", &key, "--tls-key", &certificate]);
    assert_eq!(swapped.code(), Some(1));
    assert!(swapped.stderr().contains("holds no certificate in PEM"), "{}", swapped.stderr());
}

/// A key that every account may read is said, once for each time that it is read.
#[test]
fn open_key() {
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let pairs = [pair(&authority, &environment.folder().join("open"), &["*.ship.test"])];
    fs::set_permissions(&pairs[0].1, fs::Permissions::from_mode(0o644)).expect("the key is the story's");
    let mut host = TestHost::start_with(&environment, &options(&pairs));
    host.ask_to_end();
    let ended = host.ended();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(ended.stderr().matches("every account of this machine may read this private key").count(), 1);
}

/// Several requests share a connection in HTTP/2, files and functions alike.
#[test]
fn http2_requests() {
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let pairs = [pair(&authority, &environment.folder().join("wildcard"), &["*.ship.test"])];
    let host = TestHost::start_with(&environment, &options(&pairs));
    let function = "package handler

import (
	\"fmt\"
	\"net/http\"
)

func Say(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Proto, \" \", r.Host, \" \", r.Header.Get(\"x-forwarded-proto\"))
}
";
    let project = environment.project("site").file("public/index.html", "here").file("api/say.go", function);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let name = host.secure_url("site.ship.test").replace("https://", "");
    let mut connection = Connection::open(&authority, &name).expect("the host speaks HTTP/2");
    for (stream, path) in [(1, "/api/say"), (3, "/")] {
        let head = http2::get(&name, path);
        let flags = flag::END_HEADERS | flag::END_STREAM;
        connection.send(kind::HEADERS, flags, stream, &head).expect("the host reads");
    }
    let mut bodies = [(1, String::new()), (3, String::new())];
    while bodies.iter().any(|(_, body)| !body.ends_with('.')) {
        let frame = connection.next_frame().expect("the host answers").expect("the connection stays");
        let Some((_, body)) = bodies.iter_mut().find(|(stream, _)| *stream == frame.stream) else { continue };
        match frame.kind {
            kind::HEADERS => assert_eq!(frame.payload.first(), Some(&0x88), "the status is 200"),
            kind::DATA => body.push_str(&String::from_utf8_lossy(&frame.payload)),
            other => panic!("a frame of kind {other}"),
        }
        if frame.flags & flag::END_STREAM != 0 {
            body.push('.');
        }
    }
    assert_eq!(bodies, [(1, format!("HTTP/1.1 {name} https.")), (3, "here.".to_owned())]);
}

/// Tells whoever asks next how the upload before ended.
const RECEIVER: &str = "let tell: (outcome: string) => void;
const ended = new Promise<string>((resolve) => { tell = resolve; });

async function* receive(body: AsyncIterable<Uint8Array>) {
  let length = 0;
  try {
    for await (const bytes of body) {
      length += bytes.length;
      yield new TextEncoder().encode('begun');
    }
    tell(`whole, ${length} bytes`);
  } catch {
    tell(`broken off after ${length} bytes`);
  }
}

export const POST = (request: Request) => new Response(receive(request.body as any) as any);
export const GET = async () => new Response(await ended);
";

/// An upload that its visitor takes back is none that came to its end, whatever the visitor says why: a function that keeps what it
/// receives would keep half of it for the whole.
#[test]
fn http2_uploads_taken_back() {
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let pairs = [pair(&authority, &environment.folder().join("wildcard"), &["*.ship.test"])];
    let host = TestHost::start_with(&environment, &options(&pairs));
    for (project, reset, outcome) in [
        ("whole", None, "whole, 5 bytes"),
        ("no-error", Some([0, 0, 0, 0]), "broken off after 5 bytes"),
        ("cancelled", Some([0, 0, 0, 8]), "broken off after 5 bytes"),
    ] {
        let site = environment.project(project).file("api/receive.ts", RECEIVER);
        let site = site.file("ship.toml", "[functions.\"api/*\"]\nmax_instances = 1\n");
        let _ = host.ship(["deploy"]).within(site.folder()).run().success();
        let name = host.secure_url(&format!("{project}.ship.test")).replace("https://", "");
        let mut connection = Connection::open(&authority, &name).expect("the host speaks HTTP/2");
        let path = "/api/receive";
        let head = [(":method", "POST"), (":scheme", "https"), (":authority", &name), (":path", path)];
        connection.send(kind::HEADERS, flag::END_HEADERS, 1, &http2::headers(&head)).expect("the host reads");
        connection.send(kind::DATA, flag::NONE, 1, b"hello").expect("the host reads");
        let begun = connection.next_of(kind::DATA).expect("the function answers at once").expect("it does");
        assert_eq!(String::from_utf8_lossy(&begun.payload), "begun");
        match reset {
            Some(reason) => connection.send(kind::RST_STREAM, flag::NONE, 1, &reason),
            None => connection.send(kind::DATA, flag::END_STREAM, 1, b""),
        }
        .expect("the host reads");
        let flags = flag::END_HEADERS | flag::END_STREAM;
        connection.send(kind::HEADERS, flags, 3, &http2::get(&name, path)).expect("the host reads");
        assert_eq!(connection.body(3), outcome, "{project}");
    }
}
