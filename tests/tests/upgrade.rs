//! Upgrades: another process takes over, and nobody who visits, deploys or listens loses anything.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use ship_tests::{Gate, PATIENCE, Process, TestEnv, TestHost, TestProject, http, ship_binary};

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

/// A visitor who keeps a connection until the server says that it closes, and for whom everything else is a failure.
struct Visitor {
    authority: String,
    connection: Option<BufReader<TcpStream>>,
}

impl Visitor {
    fn new(url: &str) -> Self {
        let authority = url.strip_prefix("http://").expect("it is a URL");
        Self { authority: authority.split('/').next().expect("it has an authority").to_owned(), connection: None }
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
        if !closes {
            self.connection = Some(connection);
        }
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

/// Ten upgrades under load: no request fails, every answer is whole and of one deployment, deploys and rollbacks succeed meanwhile, and
/// what was begun before the first upgrade ends well after the last.
#[test]
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
    let download = http::request("GET", &format!("{production}/large.bin")).open();
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
        }
        done.store(true, Ordering::SeqCst);
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
    assert_eq!(download.whole().success().body.len(), LARGE_BYTES);
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
    insta::assert_snapshot!(said(&program("ends", "#!/bin/sh\nexit 3\n", 0o755)), @"");
    insta::assert_snapshot!(said(&program("text", "no program", 0o755)), @"");
    insta::assert_snapshot!(said(&program("open", "#!/bin/sh\n", 0o777)), @"");
    insta::assert_snapshot!(said(&environment.folder().join("nowhere")), @"");
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
    insta::assert_snapshot!(environment.ship(["host", "stop"]).run().success().snapshot(), @"");
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
