//! Many small calls of one function share a connection to it, which nobody may notice.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use ship_tests::http::Answer;
use ship_tests::{Gate, TestEnv, TestHost, TestProject, http};

/// A function whose query chooses how it answers.
const CASES: &str = r#"package handler

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func Cases(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch query.Get("case") {
	case "nothing":
	case "headers":
		w.Header()["x-lower"] = []string{"a", "b"}
		w.Header().Set("X-Lines", "one\ntwo")
		w.Header().Set("X-Ship-Trunk", "forged")
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "d"})
		w.WriteHeader(299)
		w.Header().Set("X-Late", "too late")
		fmt.Fprint(w, "<html>sniffed")
	case "request":
		fmt.Fprintln(w, r.Method, r.Host, r.RequestURI, r.Proto, r.ContentLength, r.RemoteAddr, r.Body == http.NoBody)
		fmt.Fprintln(w, r.Header.Values("X-Many"), r.Header.Get("X-Ship-Trunk"), r.Header.Get("X-Ship-Check"))
		fmt.Fprintln(w, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Real-Ip"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Cdn-Loop"))
		fmt.Fprintln(w, r.Header.Get("Forwarded"), r.Header.Get("X-Forwarded-Host") == r.Host, r.Header.Values("Connection"))
		fmt.Fprintln(w, r.Context().Value(http.ServerContextKey) != nil, r.Context().Value(http.LocalAddrContextKey))
	case "medium":
		io.WriteString(w, strings.Repeat("medium ", 1000))
	case "large":
		for range 100 {
			io.WriteString(w, strings.Repeat("large ", 1000))
		}
	case "streamed":
		fmt.Fprint(w, "first ")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "second")
	case "controlled":
		control := http.NewResponseController(w)
		fmt.Fprintln(w, control.SetWriteDeadline(time.Now().Add(time.Hour)), control.Flush())
	case "trailers":
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "summed")
		w.Header().Set("X-Sum", "6")
	case "no content":
		w.WriteHeader(http.StatusNoContent)
		_, err := fmt.Fprint(w, "x")
		fmt.Println("written:", err)
	case "not modified":
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotModified)
	case "served":
		http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader("0123456789"))
	case "not found":
		http.NotFound(w, r)
	case "redirected":
		http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
	case "hinted":
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, "after the hint")
	case "too short":
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "short")
	case "too long":
		w.Header().Set("Content-Length", "4")
		_, err := fmt.Fprint(w, "more than four")
		fmt.Println("written:", err)
	case "twice":
		w.WriteHeader(201)
		w.WriteHeader(202)
	case "hijacked":
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(connection, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nby hand.")
		connection.Close()
	case "panic":
		panic("on purpose")
	case "late panic":
		fmt.Fprint(w, strings.Repeat("x", 100_000))
		panic("on purpose, later")
	case "writer":
		fmt.Fprintf(w, "%T", w)
	case "exit":
		os.Exit(3)
	case "dripping":
		gate, err := net.Dial("tcp", query.Get("gate"))
		if err != nil {
			panic(err)
		}
		fmt.Fprint(gate, "arrived")
		<-r.Context().Done()
		for range 5 {
			fmt.Fprint(w, "drop")
			w.(http.Flusher).Flush()
		}
		gate.Close()
	case "held", "held and large":
		gate, err := net.Dial("tcp", query.Get("gate"))
		if err != nil {
			panic(err)
		}
		fmt.Fprint(gate, "arrived")
		gate.Read(make([]byte, 1))
		gate.Close()
		fmt.Fprint(w, "released")
		if query.Get("case") == "held and large" {
			fmt.Fprint(w, strings.Repeat(".", 300_000))
		}
	case "waiting":
		gate, err := net.Dial("tcp", query.Get("gate"))
		if err != nil {
			panic(err)
		}
		fmt.Fprint(gate, "arrived")
		<-r.Context().Done()
		gate.Close()
	}
}
"#;

/// What a visitor sees of an answer, but for times and the request's id, and for how its end is told.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, String, String) {
    let passing = ["date", "server-timing", "x-ship-id", "content-length", "transfer-encoding"];
    let id = answer.header("x-ship-id").unwrap_or_default();
    let headers = answer.headers().iter().filter(|(name, _)| !passing.contains(&name.as_str()));
    (answer.status, headers.cloned().collect(), answer.text().replace(&id, "ID"), format!("{:?}", answer.ending))
}

fn project(environment: &TestEnv) -> TestProject {
    environment.project("cases").file("go.mod", "module cases\n\ngo 1.22\n").file("api/cases.go", CASES)
}

fn ask(url: &str, case: &str) -> Answer {
    let url = format!("{url}/api/cases?case={}", case.replace(' ', "%20"));
    http::request("GET", &url).header("x-many", "a").header("x-many", "b").header("x-ship-trunk", "open").send()
}

/// The same as browsers ask: the connection stays, and nothing about the request is out of the ordinary.
fn ask_plainly(url: &str, case: &str) -> Answer {
    let url = format!("{url}/api/cases?case={}", case.replace(' ', "%20"));
    let request = http::request("GET", &url).header("connection", "keep-alive").header("X-Forwarded-For", "forged");
    request.header("X-MANY", "a").header("x-many", " b ").header("forwarded", "forged").send()
}

/// Whether a trunk carries the calls: the launcher writes their responses then, and not net/http.
fn is_carried(url: &str) -> bool {
    ask(url, "writer").text().ends_with("exchange")
}

/// Asks until a trunk carries the calls.
fn wait_for_trunk(url: &str) {
    let asked = (0..2000).position(|_| is_carried(url)).expect("a trunk is opened");
    assert!(asked > 0, "a function that was hardly asked has no trunk");
}

/// Whatever a handler does with its response, visitors see the same whether it came alone or shared a connection.
#[test]
fn nobody_notices() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let cases = [
        "nothing",
        "headers",
        "request",
        "large",
        "streamed",
        "controlled",
        "trailers",
        "no content",
        "not modified",
        "served",
        "not found",
        "redirected",
        "hinted",
        "too short",
        "too long",
        "twice",
        "hijacked",
        "panic",
        "late panic",
        "medium",
    ];
    let alone: Vec<_> = cases.iter().map(|case| seen(&ask(&url, case))).collect();
    wait_for_trunk(&url);
    for (case, alone) in cases.iter().zip(&alone) {
        assert_eq!(seen(&ask(&url, case)), *alone, "{case}");
    }
    // Plain requests take a shorter way, and come back to the other where the answer needs it.
    for (case, (status, headers, text, _)) in cases.iter().zip(&alone) {
        let (as_browser, open) = (ask_plainly(&url, case), |name: &(String, String)| name.0 != "connection");
        let (plain_status, mut plain_headers, plain_text, _) = seen(&as_browser);
        plain_headers.retain(open);
        let headers: Vec<_> = headers.iter().filter(|name| open(name)).cloned().collect();
        assert_eq!((plain_status, plain_headers, &plain_text), (*status, headers, text), "{case}");
    }
}

/// A visitor who leaves cancels that call and no other, and a call that takes too long is answered with 504 while the next goes
/// on; what the function was doing for either is cancelled.
#[test]
fn calls_end_alone() {
    let environment = TestEnv::new();
    let project =
        project(&environment).file("ship.toml", "[functions.\"api/*\"]\ntimeout_secs = 2\nnetwork = \"all\"\n");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    wait_for_trunk(&url);

    let gate = Gate::new();
    let waiting = format!("{url}/api/cases?case=waiting&{}", gate.query());
    let (authority, path) = waiting.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let port = authority.rsplit(':').next().unwrap();
    let mut leaving = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(leaving, "GET /{path} HTTP/1.1\r\nhost: {authority}\r\n\r\n").unwrap();
    let stands = gate.wait_for_arrival();
    assert_eq!(ask(&url, "medium").status, 200);
    drop(leaving);
    stands.wait_until_gone();

    // One that goes on to stream for nobody does not cost the others their trunk.
    let mut leaving = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let path = path.replace("waiting", "dripping");
    write!(leaving, "GET /{path} HTTP/1.1\r\nhost: {authority}\r\n\r\n").unwrap();
    let stands = gate.wait_for_arrival();
    drop(leaving);
    stands.wait_until_gone();
    // Until the connection of the one who left is gone, others may come to a thread that has no trunk yet.
    assert!((0..10).any(|_| is_carried(&url)), "the trunk carries on");

    let slow = std::thread::spawn({
        let waiting = waiting.clone();
        move || http::get(&waiting)
    });
    let stands = gate.wait_for_arrival();
    let held = Gate::new();
    let second = std::thread::spawn({
        let second = format!("{url}/api/cases?case=waiting&{}", held.query());
        move || http::get(&second)
    });
    let second_stands = held.wait_for_arrival();
    let answer = slow.join().unwrap();
    assert_eq!((answer.status, answer.header("x-ship-error")), (504, Some("FUNCTION_INVOCATION_TIMEOUT".to_owned())));
    stands.wait_until_gone();
    assert_eq!(second.join().unwrap().status, 504);
    second_stands.wait_until_gone();
    // An instance whose last call was late is ended; the next call has another.
    assert_eq!(ask(&url, "nothing").status, 200);
}

/// A process that dies takes the calls with it that it had, and the next call has another process.
#[test]
fn a_process_dies() {
    let environment = TestEnv::new();
    let project = project(&environment).file("ship.toml", "[functions.\"api/*\"]\nnetwork = \"all\"\n");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    wait_for_trunk(&url);
    let gate = Gate::new();
    let waiting = std::thread::spawn({
        let waiting = format!("{url}/api/cases?case=waiting&{}", gate.query());
        move || http::get(&waiting)
    });
    let stands = gate.wait_for_arrival();
    assert_eq!(ask(&url, "exit").status, 500);
    assert_eq!(waiting.join().unwrap().status, 500);
    stands.wait_until_gone();
    assert_eq!(ask(&url, "nothing").status, 200);
    wait_for_trunk(&url);
}

/// A host that is asked to end lets the plain calls end that it has, small answers and large ones, and says on each connection that it was
/// the last.
#[test]
fn the_host_ends() {
    let environment = TestEnv::new();
    let project = project(&environment).file("ship.toml", "[functions.\"api/*\"]\nnetwork = \"all\"\n");
    let mut host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    wait_for_trunk(&url);
    let begin = |case: &str| {
        let gate = Gate::new();
        let held = format!("{url}/api/cases?case={case}&{}", gate.query());
        let sent = http::request("GET", &held).header("connection", "keep-alive").begin();
        (gate.wait_for_arrival(), sent)
    };
    let held = [begin("held"), begin("held%20and%20large")];
    // A connection that waits is closed at once: whoever hears of that knows that the host is ending.
    let authority = url.strip_prefix("http://").unwrap();
    let port = authority.rsplit(':').next().unwrap();
    let mut idle = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(idle, "GET /api/cases HTTP/1.1\r\nhost: {authority}\r\n\r\n").unwrap();
    let mut heard = [0; 4096];
    assert!(idle.read(&mut heard).unwrap() > 0, "it is answered");
    host.ask_to_end();
    assert_eq!(idle.read(&mut heard).unwrap(), 0, "it is closed");
    let (gates, sent): (Vec<_>, Vec<_>) = held.into_iter().unzip();
    gates.into_iter().for_each(ship_tests::Waiting::open);
    let answers: Vec<_> = sent.into_iter().map(http::Sent::answer).collect();
    let seen = |answer: &Answer| (answer.status, answer.header("connection"), answer.text().len());
    let last = || Some("close".to_owned());
    assert_eq!(answers.iter().map(seen).collect::<Vec<_>>(), [(200, last(), 8), (200, last(), 300_008)]);
    let _ = host.ended();
}
