//! Requests that are meant to do harm, and functions that do not behave: the host stays whole, and says what happened.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ship_tests::http::{self, Ending};
use ship_tests::{GO_FUNCTION_AT_GATE, Gate, TestEnv, TestHost, TestProject};

/// A function that does what its query says, most of it forbidden.
const MISBEHAVING: &str = r#"package handler

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func Misbehave(w http.ResponseWriter, r *http.Request) {
	say := func(text string) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(connection, text)
		connection.Close()
	}
	switch r.URL.Query().Get("do") {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("out of ideas")
	case "hang-up":
		say("")
	case "nonsense":
		say("THIS IS NOT HTTP\r\n\r\n")
	case "two-lengths":
		say("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")
	case "split":
		say("HTTP/1.1 200 OK\r\nx-one: a\rset-cookie: stolen=1\r\ncontent-length: 0\r\n\r\n")
	case "short":
		say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot a hundred")
	case "claims":
		w.Header().Set("x-ship-id", "mine")
		w.Header().Set("x-ship-error", "NOT_FOUND")
		fmt.Fprintln(w, "claimed")
	case "flood":
		fmt.Println(strings.Repeat("x", 1<<20))
		for i := 0; i < 10000; i++ {
			fmt.Println("line", i)
		}
		fmt.Fprintln(w, "flooded")
	default:
		fmt.Fprintln(w, "behaved")
	}
}
"#;

fn misbehaving(environment: &TestEnv) -> TestProject {
    let silent = GO_FUNCTION_AT_GATE.replace("fmt.Fprintln(w, \"begun\")", "").replace("w.(http.Flusher).Flush()", "");
    let halfway = GO_FUNCTION_AT_GATE.replace("fmt.Fprintln(w, \"finished\")", "os.Exit(3)");
    environment
        .project("bad")
        .file(
            "ship.toml",
            "name = \"bad\"\n\n[functions.\"**\"]\nnetwork = \"all\"\n\n[functions.\"api/hang\"]\ntimeout_secs = 2\n",
        )
        .file("public/index.html", "a page")
        .file("api/do.go", MISBEHAVING)
        .file("api/hang.go", silent)
        .file("api/halfway.go", halfway.replace("\"net/http\"", "\"net/http\"\n\t\"os\""))
}

/// Each way to fail has its code, the next request is answered as if nothing had happened, and the page never notices.
#[test]
fn functions_that_fail() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let ask = |what: &str| http::get(&format!("{url}/api/do?do={what}"));
    let expected = [
        ("exit", 500, "FUNCTION_INVOCATION_FAILED"),
        // Go's server survives a panic: it closes the connection, and other requests of the instance go on.
        ("panic", 500, "FUNCTION_INVOCATION_FAILED"),
        ("hang-up", 502, "NO_RESPONSE_FROM_FUNCTION"),
        ("nonsense", 502, "INVALID_FUNCTION_RESPONSE"),
        ("two-lengths", 502, "INVALID_FUNCTION_RESPONSE"),
        ("split", 502, "INVALID_FUNCTION_RESPONSE"),
    ];
    for (what, status, code) in expected {
        let answer = ask(what);
        assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (status, Some(code)), "{what}");
        assert!(answer.header("x-ship-id").is_some(), "{what}");
        assert_eq!(ask("nothing").success().text(), "behaved\n", "after {what}");
        assert_eq!(http::get(&url).success().text(), "a page", "after {what}");
    }
}

/// An answer that breaks off is never passed on as one that ended.
#[test]
fn answers_that_break_off() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let gate = Gate::new();
    let mut halfway = http::request("GET", &format!("{url}/api/halfway?{}", gate.query())).open();
    let waiting = gate.wait_for_arrival();
    assert_eq!((halfway.status(), halfway.body().next_line().as_deref()), (200, Some("begun")));
    waiting.open();
    assert_eq!(halfway.whole().ending, Ending::CutOff);

    let short = http::request("GET", &format!("{url}/api/do?do=short")).try_open();
    assert_ne!(short.map(|answer| answer.whole().ending).ok(), Some(Ending::Complete));
}

/// A function that does not answer in its time: 504, its process is gone, and the next request finds another.
#[test]
fn function_that_hangs() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let gate = Gate::new();
    let hang = format!("{url}/api/hang?{}", gate.query());
    let at_gate = || http::request("GET", &hang).header("accept", "application/json");
    let answer = at_gate().send();
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (504, Some("FUNCTION_INVOCATION_TIMEOUT")));
    gate.wait_for_arrival().wait_until_gone();
    std::thread::scope(|scope| {
        let again = scope.spawn(|| at_gate().send());
        gate.wait_for_arrival().open();
        assert_eq!(again.join().expect("the request ends").success().text(), "finished\n");
    });
}

/// What a function says about itself in ship's headers is not passed on.
#[test]
fn functions_cannot_speak_as_ship() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let answer = http::get(&format!("{url}/api/do?do=claims")).success();
    assert_eq!(answer.header("x-ship-error"), None);
    assert_ne!(answer.header("x-ship-id").as_deref(), Some("mine"));
}

/// A function that floods its log is answered all the same, and the host does not grow with it.
#[test]
fn function_that_floods_its_log() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    for _ in 0..20 {
        assert_eq!(http::get(&format!("{url}/api/do?do=flood")).success().text(), "flooded\n");
    }
    let resident = host.process().resident_bytes();
    assert!(resident < 128 * 1024 * 1024, "the host has {} MiB", resident / 1024 / 1024);
}

/// Paths that would leave a folder, if there were one, find nothing.
#[test]
fn paths_that_would_leave() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let authority = url.trim_start_matches("http://");
    let paths = [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..\\..\\etc\\passwd",
        "//etc/passwd",
        "/./././../../etc/passwd",
        "/%00",
        "/index.html%00.txt",
        "/ship.toml",
        "/.git/config",
        "/%c0%ae%c0%ae/etc/passwd",
        "/..;/etc/passwd",
        "/%252e%252e/etc/passwd",
    ];
    for path in paths {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
        let answer = String::from_utf8_lossy(&http::exchange_raw(authority, request.as_bytes())).into_owned();
        let status = answer.get(9..12).unwrap_or_default().to_owned();
        assert!(["400", "404", "308", "307", "301"].contains(&status.as_str()), "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains("package handler"), "{path}: {answer}");
    }
}

/// Requests that two parsers would read differently are refused, and what is smuggled behind them reaches nobody.
#[test]
fn smuggled_requests() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let authority = url.trim_start_matches("http://");
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    let heads = [
        ("two lengths", "content-length: 0\r\ncontent-length: 5\r\n"),
        ("length and chunks", "content-length: 4\r\ntransfer-encoding: chunked\r\n"),
        ("unknown coding", "transfer-encoding: xchunked\r\n"),
        ("chunked twice", "transfer-encoding: chunked, chunked\r\n"),
        ("chunked is not last", "transfer-encoding: chunked, identity\r\n"),
        ("a signed length", "content-length: +5\r\n"),
        ("a negative length", "content-length: -1\r\n"),
        ("space before the colon", "content-length : 5\r\n"),
        ("a folded header", "x-folded: a\r\n b\r\n"),
    ];
    for (what, head) in heads {
        let request =
            format!("POST /api/do HTTP/1.1\r\nhost: {authority}\r\n{head}connection: close\r\n\r\n0\r\n\r\n{smuggled}");
        let answer = String::from_utf8_lossy(&http::exchange_raw(authority, request.as_bytes())).into_owned();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{what}: {answer}");
    }
    let logged = host.ship(["logs", "--json"]).within(project.folder()).run().success();
    assert!(!logged.stdout().contains("smuggled"), "{}", logged.stdout());
}

/// Heads that are too large, and bytes that are no request at all.
#[test]
fn requests_that_are_none() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let authority = url.trim_start_matches("http://");
    let many = "x-many: 1\r\n".repeat(5_000);
    let requests = [
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n", "a".repeat(100_000)),
        ),
        ("a long header", format!("GET / HTTP/1.1\r\nhost: {authority}\r\nx: {}\r\n\r\n", "a".repeat(1_000_000))),
        ("many headers", format!("GET / HTTP/1.1\r\nhost: {authority}\r\n{many}\r\n")),
        ("no host", "GET / HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned()),
        (
            "two hosts",
            format!("GET / HTTP/1.1\r\nhost: {authority}\r\nhost: other.localhost\r\nconnection: close\r\n\r\n"),
        ),
        ("a host that is none", "GET / HTTP/1.1\r\nhost: a b/c@d\r\nconnection: close\r\n\r\n".to_owned()),
        ("nonsense", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned()),
        ("another protocol", "SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned()),
    ];
    for (what, request) in requests {
        let answer = String::from_utf8_lossy(&http::exchange_raw(authority, request.as_bytes())).into_owned();
        let status = answer.get(9..12).unwrap_or_default().to_owned();
        assert!(answer.is_empty() || ["400", "414", "431"].contains(&status.as_str()), "{what}: {answer}");
        assert_eq!(http::get(&url).success().text(), "a page", "after {what}");
    }
}

/// A visitor who says half a request and waits keeps nobody else from being served.
#[test]
fn slow_visitors() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(&host.addresses().sites).expect("the host takes the connection");
            stream.write_all(b"GET / HTTP/1.1\r\nhost: ").expect("the host reads");
            stream
        })
        .collect();
    assert_eq!(http::get(&url).success().text(), "a page");
    // The host gives up on them by itself.
    let mut stream = &slow[0];
    stream.set_read_timeout(Some(ship_tests::PATIENCE)).expect("a socket takes a timeout");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).expect("the host closes the connection");
}

/// A body that is larger than a function takes is refused before it is read.
#[test]
fn bodies_that_are_too_large() {
    let environment = TestEnv::new();
    let project = misbehaving(&environment).file("ship.toml", "[functions.\"api/*\"]\nmax_body_mb = 1\n");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let request = http::request("POST", &format!("{url}/api/do")).header("content-length", "1000000000000");
    let answer = request.send();
    assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (413, Some("PAYLOAD_TOO_LARGE")));
}

/// Large bodies stream through the host in both directions, without being kept anywhere.
#[test]
fn bodies_stream() {
    let environment = TestEnv::new();
    let project = environment.project("streams").file(
        "api/count.go",
        "package handler

import (
	\"fmt\"
	\"io\"
	\"net/http\"
	\"strings\"
)

func Count(w http.ResponseWriter, r *http.Request) {
	count, _ := io.Copy(io.Discard, r.Body)
	fmt.Fprintln(w, count)
	for range 1024 {
		io.WriteString(w, strings.Repeat(\"x\", 64*1024))
	}
}
",
    );
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let before = host.process().resident_bytes();
    let answer = http::request("POST", &format!("{url}/api/count")).body(vec![b'x'; 64 * 1024 * 1024]).send();
    assert_eq!((answer.status, answer.ending), (200, Ending::Complete));
    assert!(answer.text().starts_with("67108864\n"));
    assert_eq!(answer.body.len(), "67108864\n".len() + 64 * 1024 * 1024);
    let grown = host.process().resident_bytes().saturating_sub(before);
    assert!(grown < 32 * 1024 * 1024, "the host has grown by {} MiB", grown / 1024 / 1024);
}

/// How long a host keeps a connection between two requests.
const KEPT_FOR: Duration = Duration::from_secs(75);

/// Asks once and keeps the connection.
fn visitor_who_stays(host: &TestHost<'_>) -> TcpStream {
    let mut stream = TcpStream::connect(&host.addresses().sites).expect("the kernel takes a connection in any case");
    stream.set_read_timeout(Some(KEPT_FOR)).expect("a timeout can be set");
    stream.write_all(b"HEAD / HTTP/1.1\r\nhost: site.localhost\r\n\r\n").expect("the kernel takes the request");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("each visitor is answered");
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

/// More visitors than the host has descriptors for: those who only wait make room, and neither others nor the owner are kept out.
#[test]
fn few_descriptors() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "here");
    let few = ["prlimit", "--nofile=400:400"].map(OsStr::new);
    let host = TestHost::start_by(&environment, &environment.folder().join("data"), &few);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let begun = Instant::now();
    let crowd: Vec<TcpStream> = (0..500).map(|_| visitor_who_stays(&host)).collect();
    assert_eq!(host.control("GET", "/v1/status").send().status, 200);
    assert!(begun.elapsed() < KEPT_FOR, "nobody waited until others were let go for their silence");
    drop(crowd);
}
