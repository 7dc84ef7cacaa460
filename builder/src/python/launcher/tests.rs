//! The launcher by itself: what it does on the wire, and how it ends.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::*;

/// The same application in the three ways to write one: it sends `begun `, then what it was sent.
const HANDLER: &str = r#"
from http.server import BaseHTTPRequestHandler

class handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"begun ")
        self.wfile.write(body)

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()
"#;

const WSGI: &str = r#"
def app(environ, start_response):
    start_response("200 OK", [])
    return answer(environ)

def answer(environ):
    if environ["REQUEST_METHOD"] == "POST":
        yield b"begun "
        while piece := environ["wsgi.input"].read1():
            yield piece
"#;

const ASGI: &str = r#"
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("good night")
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["method"] == "POST":
        await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
    await send({"type": "http.response.body"})
"#;

/// A handler that frames its answer itself, or sends what is none.
const FRAMING: &str = r#"
from http.server import BaseHTTPRequestHandler

ANSWERS = {
    "/chunks": ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "3;a=b\r", "\nab", "c\r\n2\r\nde\r\n0\r\n", "\r\n"],
    "/unended": ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"],
    "/both": ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"],
    "/nonsense": ["no", "nsense"],
    "/endless": ["HTTP/1.1 200 OK\r\n", *["x: " + "y" * 65000 + "\r\n"] * 5],
}

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        for piece in ANSWERS[self.path]:
            self.wfile.write(piece.encode())
"#;

struct Instance {
    process: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Instance {
    fn start(source: &str) -> Self {
        Self::start_with(source, None)
    }

    /// Starts it for the Python of this version. There is a `python3.99` that says it is one, and a `python3.98` that is none.
    fn start_with(source: &str, named: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let entry = PythonEntry { name: "api/x".parse().unwrap(), file: "api/x.py".into(), variable: None };
        let mut files = artifact(program(&entry, named));
        files.extend(members());
        files.push(Member::data("project/api/x.py", Content::Bytes(source.into())));
        for file in files {
            let Content::Bytes(bytes) = file.content else { panic!("it is in memory") };
            let place = folder.path().join(file.name);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, bytes).unwrap();
        }
        for (version, said) in [("3.99", "(3, 99)"), ("3.98", "(3, 97)")] {
            let begin = format!(
                "import sys; sys.version_info = {said}; sys.argv = ['launcher.py']; exec(open('launcher.py').read())"
            );
            let script = format!("#!/bin/sh\nexec python3 -I -u -B -c \"{begin}\"\n");
            let place = folder.path().join(format!("python{version}"));
            std::fs::write(&place, script).unwrap();
            std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut command = Command::new("python3");
        let command = command.args(["-I", "-u", "-B", FunctionRuntime::Python.entry()]).current_dir(folder.path());
        let process = command
            .env("SHIP_LISTEN_FD", "0")
            .env("SHIP_INTERPRETERS", folder.path())
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process, socket, _folder: folder }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.socket).unwrap()
    }

    /// What it answers to `request` until it closes the connection.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What it complains of, if it does not start.
    fn complaint(mut self) -> String {
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(1));
        said
    }

    fn end(mut self) {
        self.terminate();
        self.ended();
    }

    fn terminate(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    fn ended(&mut self) -> String {
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        printed
    }
}

fn read_until(stream: &mut UnixStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    String::from_utf8(read).unwrap()
}

/// A function goes on as the Python that it was built for; where there is none, or one that is another, it says so.
#[test]
fn another_python() {
    let source = "import os, sys\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    \
                  known = [name for name in ('SHIP_INTERPRETERS', 'SHIP_LISTEN_FD') if name in os.environ]\n    \
                  return [repr((sys.version_info[:2], known)).encode()]\n";
    let instance = Instance::start_with(source, Some("3.99"));
    let answer = instance.ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(answer.contains("((3, 99), [])"), "{answer}");
    instance.end();
    for version in ["3.98", "3.96"] {
        let expected =
            format!("the function asks for Python {version}, and there is no `python{version}` on this host\n");
        assert_eq!(Instance::start_with(source, Some(version)).complaint(), expected);
    }
}

/// Several requests follow one another on a connection, also when they are sent at once; a check is answered without the
/// application, and a request that is none ends the connection.
#[test]
fn one_connection() {
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
    let check = "GET / HTTP/1.1\r\nhost: a\r\nx-ship-check: 1\r\n\r\n";
    let head = "HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for source in [HANDLER, WSGI, ASGI] {
        let instance = Instance::start(source);
        let answers = instance.ask(&format!("{post}{check}{post}{head}"));
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["200", "204", "200", "200"], "{answers}");
        assert_eq!(answers.matches("6\r\nbegun \r\n2\r\nhi\r\n0\r\n\r\n").count(), 2, "{answers}");
        assert!(answers.ends_with("connection: close\r\n\r\n"), "{answers}");
        assert!(instance.ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
        instance.end();
    }
}

/// A body of unknown length arrives, and one that is announced is asked for.
#[test]
fn bodies() {
    let close = "host: a\r\nconnection: close\r\n";
    let chunked = format!(
        "POST / HTTP/1.1\r\n{close}transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\na: b\r\n\r\n"
    );
    let expecting = format!("POST / HTTP/1.1\r\n{close}content-length: 2\r\nexpect: 100-continue\r\n\r\n");
    for source in [HANDLER, WSGI, ASGI] {
        let instance = Instance::start(source);
        let answer = instance.ask(&chunked);
        let body: String = answer.split("\r\n").skip_while(|line| !line.is_empty()).skip(2).step_by(2).collect();
        assert_eq!(body, "begun hi yo", "{answer}");
        if source == HANDLER {
            let mut stream = instance.connect();
            stream.write_all(expecting.as_bytes()).unwrap();
            assert_eq!(read_until(&mut stream, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
            stream.write_all(b"hi").unwrap();
            assert!(read_until(&mut stream, "0\r\n\r\n").contains("\r\nhi\r\n"));
        }
        instance.end();
    }
}

/// A handler may send chunks itself. What is no answer reaches whoever asked as it is, to be refused there, and an answer that lacks its
/// last chunk does not look whole.
#[test]
fn framed_by_the_handler() {
    let instance = Instance::start(FRAMING);
    let ask = |path: &str| instance.ask(&format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
    let framed = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let body: String = ask("/chunks").strip_prefix(framed).unwrap().split("\r\n").skip(1).step_by(2).collect();
    assert_eq!(body, "abcde");
    assert_eq!(ask("/unended"), format!("{framed}2\r\nab\r\n"));
    let both = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    assert_eq!(ask("/both"), both);
    assert_eq!(ask("/nonsense"), "nonsense");
    assert_eq!(ask("/endless").len(), 17 + 5 * 65005);
    instance.end();
}

/// When it is asked to end, it answers what it has begun, closes what is idle, and says goodbye.
#[test]
fn the_last_request() {
    for (source, goodbye) in [(WSGI, ""), (ASGI, "good night\n")] {
        let mut instance = Instance::start(source);
        let mut idle = instance.connect();
        idle.write_all(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        read_until(&mut idle, "\r\n\r\n");
        let mut stream = instance.connect();
        write!(stream, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n").unwrap();
        read_until(&mut stream, "begun \r\n");
        instance.terminate();
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "an idle connection is closed");
        stream.write_all(b"end").unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "3\r\nend\r\n0\r\n\r\n");
        assert_eq!(instance.ended(), goodbye);
    }
}
