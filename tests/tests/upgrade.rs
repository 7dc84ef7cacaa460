//! Upgrades: another process takes over, and nobody who visits, deploys or listens loses anything.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use ship_tests::http2::{self, Connection, flag, kind};
use ship_tests::{Gate, PATIENCE, Process, TestAuthority, TestEnv, TestHost, TestProject, http, ship_binary};

/// How often the host is replaced under load.
const UPGRADES: usize = 10;

/// An application that streams, listens, talks, and waits at a gate.
const APP: &str = r#"
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        return await talk(receive, send)
    query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&") if pair)
    kind = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": kind})
    if "events" in query:
        await events(query["events"], send)
    elif "gate" in query:
        await say(send, "begun\n")
        await wait_at(query["gate"])
        await say(send, "finished\n")
    elif "upload" in query:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message.get("more_body", False)
        await say(send, str(size))
    else:
        await say(send, "hello")
    await send({"type": "http.response.body", "body": b""})

async def say(send, text):
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

async def wait_at(gate):
    host, port = gate.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"arrived\n")
    await reader.read(1)
    writer.close()

async def events(gate, send):
    waiting = asyncio.create_task(wait_at(gate))
    number = 0
    while not waiting.done():
        await say(send, f"data: {number}\n\n")
        number += 1
        await asyncio.wait([waiting], timeout=0.02)
    await say(send, "data: done\n\n")

async def talk(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"] + "!"})
"#;

fn site(environment: &TestEnv) -> TestProject {
    let settings = "[functions.\"**\"]\nnetwork = \"all\"\ntimeout_secs = 600\n";
    environment
        .project("site")
        .file("ship.toml", settings)
        .file("public/page.txt", "left")
        .file("public/large.bin", vec![7; LARGE_BYTES])
        .file("api/app.py", APP)
}

/// More than the kernel keeps for a connection that is not read from.
const LARGE_BYTES: usize = 16 * 1024 * 1024;

/// How much of it is read between two upgrades.
const PIECE_BYTES: usize = 512 * 1024;

/// A visitor who keeps a connection until the server says that it closes, and for whom everything else is a failure.
struct Visitor {
    authority: String,
    connection: Option<BufReader<TcpStream>>,
    /// How often the server said so.
    farewells: u32,
}

impl Visitor {
    fn new(url: &str) -> Self {
        let authority = url.strip_prefix("http://").expect("it is a URL");
        let authority = authority.split('/').next().expect("it has an authority").to_owned();
        Self { authority, connection: None, farewells: 0 }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let port = self.authority.rsplit(':').next().expect("it has a port");
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the host takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        BufReader::new(stream)
    }

    fn get(&mut self, path: &str) -> String {
        let mut connection = self.connection.take().unwrap_or_else(|| self.connect());
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.authority);
        connection.get_mut().write_all(request.as_bytes()).expect("the host reads");
        let (mut head, mut length, mut closes, mut chunked) = (Vec::new(), None, false, false);
        loop {
            let mut line = String::new();
            let count = connection.read_line(&mut line).expect("the host answers");
            assert!(count > 0, "the connection was closed without an answer to {path}, after {head:?}");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            length = line.strip_prefix("content-length: ").and_then(|length| length.parse().ok()).or(length);
            closes |= line == "connection: close";
            chunked |= line == "transfer-encoding: chunked";
            head.push(line);
        }
        assert_eq!(head[0], "http/1.1 200 ok", "{head:?}");
        let body = if chunked { read_chunks(&mut connection) } else { read_exactly(&mut connection, length) };
        self.farewells += u32::from(closes);
        self.connection = Some(connection).filter(|_| !closes);
        String::from_utf8(body).expect("the page is text")
    }
}

fn read_exactly(connection: &mut BufReader<TcpStream>, length: Option<usize>) -> Vec<u8> {
    let mut body = vec![0; length.expect("the answer has a length")];
    connection.read_exact(&mut body).expect("the answer is whole");
    body
}

fn read_chunks(connection: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).expect("the answer goes on");
        let size = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("no chunk: {line:?}"));
        let mut chunk = vec![0; size + 2];
        connection.read_exact(&mut chunk).expect("the chunk is whole");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// A WebSocket to the application.
struct WebSocket(TcpStream);

impl WebSocket {
    fn open(url: &str) -> Self {
        let visitor = Visitor::new(url);
        let mut stream = visitor.connect().into_inner();
        let handshake = format!(
            "GET /api/app HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            visitor.authority
        );
        stream.write_all(handshake.as_bytes()).expect("the host reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the host answers");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// Says something and hears it back.
    fn talk(&mut self) {
        self.0.write_all(b"\x81\x82\0\0\0\0hi").expect("the application reads");
        let mut answer = [0; 5];
        self.0.read_exact(&mut answer).expect("the application answers");
        assert_eq!(&answer, b"\x81\x03hi!");
    }

    fn close(mut self) {
        self.0.write_all(b"\x88\x82\0\0\0\0\x03\xe8").expect("the application reads");
        let mut close = [0; 4];
        self.0.read_exact(&mut close).expect("the application answers");
        assert_eq!(&close, b"\x88\x02\x03\xe8");
    }
}

fn upgrade(host: &TestHost<'_>) -> u64 {
    let document = host.ship(["host", "upgrade", "--json"]).run().success().json();
    document["pid"].as_u64().expect("the new process has an id")
}

fn serving_pid(host: &TestHost<'_>) -> u64 {
    host.control("GET", "/v1/status").send().success().json()["pid"].as_u64().expect("the host has a process id")
}

/// Says that the load may end, also where the story fails.
struct EndsLoad<'a>(&'a AtomicBool);

impl Drop for EndsLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Ten upgrades under load: no request fails, every answer is whole and of one deployment, deploys and rollbacks succeed meanwhile, and
/// what was begun before the first upgrade ends well after the last.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "it is one story, from what begins on the first process to its end after the last"
)]
fn ten_upgrades_under_load() {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let ship = |words: &[&str]| host.ship(words).within(project.folder()).run().success();
    let left = ship(&["deploy", "--prod"]).url();
    project.write("public/page.txt", "right");
    let right = ship(&["deploy", "--prod"]).url();
    let production = host.site_url("site");

    // Begun on the first process, and ended when there was the last.
    let [events_gate, slow_gate] = [Gate::new(), Gate::new()];
    let mut events = http::request("GET", &format!("{production}/api/app?events={}", events_gate.address())).open();
    let events_end = events_gate.wait_for_arrival();
    let mut slow = http::request("GET", &format!("{production}/api/app?{}", slow_gate.query())).open();
    let slow_end = slow_gate.wait_for_arrival();
    assert_eq!(slow.body().next_line().as_deref(), Some("begun"));
    let mut socket = WebSocket::open(&production);
    socket.talk();
    let mut upload = Visitor::new(&production).connect().into_inner();
    let head = format!(
        "POST /api/app?upload=1 HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        Visitor::new(&production).authority,
        UPGRADES + 1
    );
    upload.write_all(head.as_bytes()).expect("the host reads");
    let mut download = Visitor::new(&production).connect();
    let request = format!("GET /large.bin HTTP/1.1\r\nhost: {}\r\n\r\n", Visitor::new(&production).authority);
    download.get_mut().write_all(request.as_bytes()).expect("the host reads");
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(download.read_line(&mut line).expect("the host answers") > 0, "the download begins");
    }
    let mut downloaded = 0;
    // Slowly, and never for so long nothing that the host takes the visitor for gone.
    let mut read_on = |download: &mut BufReader<TcpStream>, count: usize| {
        let piece = read_exactly(download, Some(count));
        assert!(piece.iter().all(|byte| *byte == 7), "the download is what was deployed");
        downloaded += count;
        downloaded
    };
    let mut event = 0;
    let mut next_event = || loop {
        let line = events.body().next_line().expect("the stream goes on");
        if let Some(data) = line.strip_prefix("data: ") {
            assert_eq!(data, event.to_string(), "no event is lost");
            event += 1;
            return;
        }
    };
    next_event();

    let first = serving_pid(&host);
    let (done, visits) = (AtomicBool::new(false), AtomicU32::new(0));
    let mut pids = vec![first];
    thread::scope(|scope| {
        let load = EndsLoad(&done);
        let visit = |path: &'static str, expected: &'static [&'static str], keeps: bool| {
            let (production, done, visits) = (&production, &done, &visits);
            move || {
                let mut visitor = Visitor::new(production);
                while !done.load(Ordering::SeqCst) {
                    let page = visitor.get(path);
                    assert!(expected.contains(&page.as_str()), "a visitor saw {page:?}");
                    visits.fetch_add(1, Ordering::SeqCst);
                    if !keeps {
                        visitor.connection = None;
                    }
                }
                assert!(!keeps || visitor.farewells > 0, "who stays is told when a process leaves");
            }
        };
        let pages = &["left", "right"];
        let visitors = [
            scope.spawn(visit("/page.txt", pages, true)),
            scope.spawn(visit("/page.txt", pages, true)),
            scope.spawn(visit("/page.txt", pages, false)),
            scope.spawn(visit("/api/app", &["hello"], true)),
        ];
        let deploying = scope.spawn(|| {
            let mut moves = 0;
            while !done.load(Ordering::SeqCst) {
                let _ = ship(&["promote", &right]);
                let _ = ship(&["rollback", &left]);
                let _ = ship(&["deploy", "--prod", "--force"]);
                moves += 1;
            }
            moves
        });
        for _ in 0..UPGRADES {
            pids.push(upgrade(&host));
            next_event();
            socket.talk();
            upload.write_all(b"x").expect("the application reads");
            let _ = read_on(&mut download, PIECE_BYTES);
        }
        drop(load);
        for visitor in visitors {
            visitor.join().expect("no visit fails");
        }
        assert!(deploying.join().expect("no deploy fails") > 0);
    });
    assert!(visits.load(Ordering::SeqCst) > 100, "there were visitors: {visits:?}");
    assert_eq!(pids.last(), Some(&serving_pid(&host)));
    let mut different = pids.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), UPGRADES + 1, "each is another process: {pids:?}");

    upload.write_all(b"x").expect("the application reads");
    let mut answer = String::new();
    upload.read_to_string(&mut answer).expect("the answer is whole");
    assert!(answer.contains(&format!("\r\n{}", UPGRADES + 1)), "{answer}");
    slow_end.open();
    assert_eq!(slow.whole().success().text(), "finished\n");
    assert_eq!(read_on(&mut download, LARGE_BYTES - UPGRADES * PIECE_BYTES), LARGE_BYTES);
    drop(download);
    socket.talk();
    socket.close();
    events_end.open();
    assert!(events.whole().success().text().ends_with("data: done\n\n"));
    // The first process stands for the host in whose terminal it was started; those between have nothing to do any more.
    for pid in &pids[1..UPGRADES] {
        Process::with_id(u32::try_from(*pid).expect("process ids are small")).wait_for_end();
    }
    // Requests that ended in older processes are in the one log.
    let log = host.ship(["logs", "--project", "site", "--json"]).run().success();
    assert!(log.stdout().contains("gate="), "{}", log.stdout());
}

/// A program that is none, one that ends, one that is not there, one that others may write to: the host serves on and says why.
#[test]
fn programs_that_do_not_take_over() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "here");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let pid = serving_pid(&host);
    let program = |name: &str, text: &str, mode: u32| {
        let path = environment.folder().join(name);
        fs::write(&path, text).expect("the folder is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
        path
    };
    let said = |program: &Path| {
        let refused = host.ship(["host", "upgrade"]).and([program]).run().exits_with(4);
        assert_eq!((serving_pid(&host), http::get(&url).success().text()), (pid, "here".to_owned()));
        environment.filtered(refused.stderr())
    };
    insta::assert_snapshot!(said(&program("ends", "#!/bin/sh\nexit 3\n", 0o755)), @r#"
    error: the new host ended before it served, with exit status: 3; is the program a ship?
    hint: the host serves on as before
    "#);
    insta::assert_snapshot!(said(&program("text", "no program", 0o755)), @r#"
    error: [ENV]/text cannot be started: Exec format error (os error 8)
    hint: the host serves on as before
    "#);
    insta::assert_snapshot!(said(&program("open", "#!/bin/sh\n", 0o777)), @r#"
    error: [ENV]/open is not run: others may write to it
    hint: the host serves on as before
    "#);
    insta::assert_snapshot!(said(&environment.folder().join("nowhere")), @r#"
    error: [ENV]/nowhere cannot be started: No such file or directory (os error 2)
    hint: the host serves on as before
    "#);
    // What changes the state is not held any more.
    project.write("index.html", "there");
    let _ = host.ship(["deploy", "--prod"]).within(project.folder()).run().success();
}

/// SIGHUP starts what stands now where the host was started from, and the supervisor's process stays the same.
#[test]
fn hang_up() {
    let environment = TestEnv::new();
    let program = environment.folder().join("ship-installed");
    install(&program);
    let script = format!("shift; exec '{}' \"$@\"", program.display());
    let wrapper: [&std::ffi::OsStr; 4] = ["sh".as_ref(), "-c".as_ref(), script.as_ref(), "sh".as_ref()];
    let mut host = TestHost::start_by(&environment, &environment.folder().join("data"), &wrapper);
    let started = u64::from(host.process().id().unsigned_abs());
    assert_eq!(serving_pid(&host), started);
    fs::remove_file(&program).expect("the file is ours");
    install(&program);
    host.process().signal(Signal::HUP);
    let deadline = Instant::now() + PATIENCE;
    while serving_pid(&host) == started {
        assert!(Instant::now() < deadline, "nobody takes over");
    }
    assert!(host.process().is_running(), "the supervisor's process is still there");
    let second = serving_pid(&host);
    // A signal to the process that was started reaches the one that serves.
    host.process().signal(Signal::HUP);
    while serving_pid(&host) == second {
        assert!(Instant::now() < deadline, "nobody takes over");
    }
    host.ask_to_end();
    let _ = host.ended().success();
}

/// Puts the program under test where a package would.
fn install(program: &PathBuf) {
    if fs::hard_link(ship_binary(), program).is_err() {
        fs::copy(ship_binary(), program).expect("the folder is writable");
    }
}

/// The host in the background is replaced like any other: its endpoint leads to the new process, which `ship host stop` ends.
#[test]
fn embedded_host() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "here");
    let url = environment.ship(["deploy"]).within(project.folder()).run().success().url();
    let before = environment.ship(["host", "status", "--json"]).run().success().json();
    let upgraded = environment.ship(["host", "upgrade", "--json"]).run().success().json();
    let after = environment.ship(["host", "status", "--json"]).run().success().json();
    assert_eq!((&after["pid"], &after["control"]), (&upgraded["pid"], &before["control"]));
    assert_ne!(after["pid"], before["pid"]);
    assert_eq!(http::get(&url).success().text(), "here");
    let old = before["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("it had a process id");
    Process::with_id(old).wait_for_end();
    insta::assert_snapshot!(environment.ship(["host", "stop"]).run().success().snapshot(), @r#"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    The host (pid [PID]) has ended
    "#);
}

/// Whoever follows a log goes on in the new process, and sees what ends in the old one.
#[test]
fn followed_log() {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let gate = Gate::new();
    let mut slow = http::request("GET", &format!("{url}/api/app?{}", gate.query())).open();
    let waiting = gate.wait_for_arrival();
    assert_eq!(slow.body().next_line().as_deref(), Some("begun"));
    let mut following = host.ship(["logs", "-f", "--project", "site", "--json"]).start();
    let _ = http::get(&format!("{url}/page.txt?first")).success();
    let mut until = |text: &str| loop {
        let line = following.stdout().next_line().expect("the log goes on");
        if line.contains(text) {
            return;
        }
    };
    until("page.txt?first");
    let _ = upgrade(&host);
    let _ = http::get(&format!("{url}/page.txt?second")).success();
    until("page.txt?second");
    waiting.open();
    assert_eq!(slow.whole().success().text(), "finished\n");
    until("gate=");
    let _ = following.terminate();
}

/// How often a host with TLS is replaced under load.
const SECURE_UPGRADES: usize = 3;

/// A visitor in HTTP/2 who leaves a connection when the server says so, and for whom everything else is a failure.
struct SecureVisitor<'a> {
    authority: &'a TestAuthority,
    name: &'a str,
    connection: Option<Connection>,
    stream: u32,
    farewells: u32,
}

impl<'a> SecureVisitor<'a> {
    fn new(authority: &'a TestAuthority, name: &'a str) -> Self {
        Self { authority, name, connection: None, stream: 1, farewells: 0 }
    }

    fn get(&mut self, path: &str) -> String {
        loop {
            if let Some(page) = self.try_get(path) {
                return page;
            }
        }
    }

    /// `None` where the server says that it has not looked at the request, which may then be sent again (RFC 9113, section 6.8).
    fn try_get(&mut self, path: &str) -> Option<String> {
        let mut connection = self.connection.take().unwrap_or_else(|| {
            self.stream = 1;
            Connection::open(self.authority, self.name).expect("the host takes connections")
        });
        let stream = self.stream;
        self.stream += 2;
        let (head, flags) = (http2::get(self.name, path), flag::END_HEADERS | flag::END_STREAM);
        connection.send(kind::HEADERS, flags, stream, &head).expect("the host reads");
        let (mut body, mut is_left) = (Vec::new(), false);
        loop {
            let frame = connection.next_frame().expect("the host answers");
            let frame = frame.unwrap_or_else(|| {
                panic!("the connection ended without an answer to {path}, its request {stream}; was it left: {is_left}")
            });
            match frame.kind {
                kind::GOAWAY => {
                    let [a, b, c, d, ..] = frame.payload[..] else { panic!("no farewell: {frame:?}") };
                    if u32::from_be_bytes([a, b, c, d]) < stream {
                        return None;
                    }
                    self.farewells += u32::from(!std::mem::replace(&mut is_left, true));
                }
                kind::RST_STREAM => panic!("the request was given up: {frame:?}"),
                kind::DATA if frame.stream == stream => {
                    body.extend_from_slice(&frame.payload);
                    let taken = u32::try_from(frame.payload.len()).expect("a frame is small").to_be_bytes();
                    // An empty piece may not be acknowledged (RFC 9113, section 6.9).
                    if !frame.payload.is_empty() {
                        connection.send(kind::WINDOW_UPDATE, flag::NONE, 0, &taken).expect("the host reads");
                    }
                }
                _ => {}
            }
            if frame.stream == stream && frame.flags & flag::END_STREAM != 0 {
                break;
            }
        }
        self.connection = Some(connection).filter(|_| !is_left);
        Some(String::from_utf8(body).expect("the page is text"))
    }
}

/// Upgrades of a host with TLS: the port stays, no request of HTTP/2 or HTTP/1.1 is lost, a stream of HTTP/2 that has begun ends well, and who
/// comes in the clear is led on.
#[test]
fn through_tls() {
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let (certificate, key) = authority.write(&environment.folder().join("pair"), &["*.ship.test"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the key is the story's");
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let tls = ["--domain", "ship.test", "--tls-listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
    let host = TestHost::start_with(&environment, &tls);
    let project = site(&environment);
    let _ = host.ship(["deploy", "--prod"]).within(project.folder()).run().success();
    let url = host.secure_url("site.ship.test");
    let name = url["https://".len()..].to_owned();
    let sites = || host.control("GET", "/v1/status").send().success().json()["sites"].clone();
    let before = sites();

    let gate = Gate::new();
    let mut slow = Connection::open(&authority, &name).expect("the host speaks HTTP/2");
    let head = http2::get(&name, &format!("/api/app?{}", gate.query()));
    slow.send(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &head).expect("the host reads");
    let slow_end = gate.wait_for_arrival();

    let (done, visits) = (AtomicBool::new(false), AtomicU32::new(0));
    let farewells = thread::scope(|scope| {
        let load = EndsLoad(&done);
        let visitors = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut visitor = SecureVisitor::new(&authority, &name);
                while !done.load(Ordering::SeqCst) {
                    assert_eq!(visitor.get("/page.txt"), "left");
                    visits.fetch_add(1, Ordering::SeqCst);
                }
                visitor.farewells
            })
        });
        let comer = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let page = http::get_secure(&format!("{url}/page.txt"), &authority).success();
                assert_eq!(page.text(), "left");
                visits.fetch_add(1, Ordering::SeqCst);
            }
        });
        for _ in 0..SECURE_UPGRADES {
            let _ = upgrade(&host);
            assert_eq!(sites(), before, "the port stays");
            let seen = visits.load(Ordering::SeqCst);
            let deadline = Instant::now() + PATIENCE;
            while visits.load(Ordering::SeqCst) < seen + 20 {
                assert!(Instant::now() < deadline, "nobody is served");
                thread::yield_now();
            }
        }
        drop(load);
        comer.join().expect("no visit fails");
        visitors.map(|visitor| visitor.join().expect("no visit fails"))
    });
    assert!(farewells.iter().all(|count| *count >= 1), "they were told when a process left: {farewells:?}");
    slow_end.open();
    assert_eq!(slow.body(1), "begun\nfinished\n");
    let (_, port) = host.addresses().sites.rsplit_once(':').expect("an address ends in its port");
    assert_eq!(http::get(&format!("http://site.ship.test:{port}/page.txt")).status, 308);
}

/// Listens in a host's place, tells it so as systemd does, and becomes it.
const SERVICE_MANAGER: &str = r#"
import fcntl, os, socket, sys
folder, command = sys.argv[1], sys.argv[2:]
listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
with open(folder + "/ports", "w") as ports:
    ports.write(" ".join(str(listener.getsockname()[1]) for listener in listeners))
high = [fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 20) for listener in listeners]
for place, descriptor in enumerate(high, 3):
    os.dup2(descriptor, place, inheritable=True)
    os.close(descriptor)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="control:sites", NOTIFY_SOCKET=folder + "/notify")
os.execv(command[0], command)
"#;

/// Sockets of a service manager are taken, by their names, and it is told when the host is ready and which process is the host after an
/// upgrade; the one before ends by itself.
#[test]
fn service_manager() {
    let environment = TestEnv::new();
    let folder = environment.folder().to_owned();
    let told = UnixDatagram::bind(folder.join("notify")).expect("the folder is writable");
    told.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    let hear = || {
        let mut message = [0; 64];
        let length = told.recv(&mut message).expect("the host says something");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let wrapper = ["python3".as_ref(), "-c".as_ref(), SERVICE_MANAGER.as_ref(), folder.as_os_str()];
    let mut host = TestHost::start_by(&environment, &folder.join("data"), &wrapper);
    assert_eq!(hear(), "READY=1");
    let ports = fs::read_to_string(folder.join("ports")).expect("it was written before the host began");
    let (control, sites) = ports.split_once(' ').expect("there are two");
    let addresses = [&host.addresses().control, &host.addresses().sites].map(Clone::clone);
    assert_eq!(addresses, [control, sites].map(|port| format!("127.0.0.1:{port}")));
    let project = environment.project("site").file("index.html", "here");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let first = host.process();
    let successor = upgrade(&host);
    assert_eq!(hear(), format!("MAINPID={successor}"));
    first.wait_for_end();
    assert_eq!(http::get(&url).success().text(), "here");
    let _ = host.ship(["host", "stop"]).run().success();
    let _ = host.ended().success();
}

/// What a program has started that did not take over is ended with it: it would keep the lock of the data directory, and nobody could
/// start a host there.
#[test]
fn children_of_no_host() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let program = environment.folder().join("wrapper");
    fs::write(&program, "#!/bin/sh\nsleep 600 &\nexit 3\n").expect("the folder is writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    let _ = host.ship(["host", "upgrade"]).and([&program]).run().exits_with(4);
    host.kill();
    host.start_again();
    assert_eq!(host.control("GET", "/v1/status").send().status, 200);
}

/// The process that took over is killed: the one before, in whose place it served, ends soon and as a failure, so that whoever looks after it
/// starts another.
#[test]
fn killed_successor() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "here");
    let mut host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let successor = upgrade(&host);
    Process::with_id(u32::try_from(successor).expect("process ids are small")).signal(Signal::KILL);
    let code = host.ended().code();
    assert!(matches!(code, Some(4 | 137)), "{code:?}");
    host.start_again();
    assert_eq!(http::get(&url).success().text(), "here");
}
