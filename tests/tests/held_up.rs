//! Functions that would hold up the host by what they share with it: the pipe that they print to, sockets that it connects for them,
//! the kernel's memory for what waits in sockets, the machine's ports, and its processors.

use std::fs;
use std::time::Duration;

use ship_core::PlatformError;
use ship_tests::{TestEnv, TestHost, http};

/// A function that holds up whoever touches what it shares, as long as its instance lives.
const HOLD: &str = r#"
import ctypes, errno, fcntl, os, select, socket, struct, tempfile, threading, time
from http.server import BaseHTTPRequestHandler

kept = []

def hold_pipe():
    "A pipe that is spliced into is locked until something comes."
    empty, other = socket.socketpair()
    kept.append((empty, other))
    print("before", flush=True)
    said = []
    def splice():
        try:
            os.splice(empty.fileno(), 1, 100)
        except OSError as error:
            said.append(os.strerror(error.errno))
    thread = threading.Thread(target=splice, daemon=True)
    thread.start()
    thread.join(1)
    return ", ".join(said) or "it is held"

def hold_connection():
    "A socket that is ordered to block again while the host connects it."
    path = tempfile.mktemp()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)
    kept.append(listener)
    while True:
        first = socket.socket(socket.AF_UNIX)
        first.setblocking(False)
        kept.append(first)
        try:
            first.connect(path)
        except BlockingIOError:
            break
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    kept.extend(sockets)
    for one in sockets:
        threading.Thread(target=lambda one=one: one.connect(path), daemon=True).start()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        for one in sockets:
            flags = fcntl.fcntl(one, fcntl.F_GETFL)
            fcntl.fcntl(one, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
    return "they wait"

def fill_sockets():
    "What is sent and not read is the kernel's."
    listener = socket.create_server(("127.0.0.1", 0))
    sent = 0
    for _ in range(150):
        one = socket.create_connection(listener.getsockname())
        kept.extend([one, listener.accept()[0]])
        one.setblocking(False)
        try:
            while True:
                sent += one.send(b"x" * 65536)
        except BlockingIOError:
            pass
    return str(sent // 1024 // 1024)

def name_sockets():
    "A socket whose connection outside was refused is of the machine's network; the others are the function's own."
    outside = socket.socket()
    outside.setblocking(False)
    try:
        outside.connect(("127.0.0.1", 9))
    except BlockingIOError:
        select.select([], [outside], [])
    said = [os.strerror(outside.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))]
    try:
        outside.bind(("0.0.0.0", 0))
        said.append("a port of the machine")
    except OSError as error:
        said.append(os.strerror(error.errno))
    path = tempfile.mktemp()
    for family, name in [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, path), (socket.AF_UNIX, "\0name")]:
        server = socket.socket(family)
        server.bind(name)
        server.listen()
        client = socket.socket(family)
        client.connect(server.getsockname() if family == socket.AF_INET else name)
        server.accept()[0].sendall(b"served")
        said.append(client.recv(6).decode())
    said.append("mine" if os.stat(path).st_uid == os.getuid() else "somebody's")
    for taken in [path, "/usr/x.sock", "/proc/x.sock", "/nowhere/x.sock"]:
        try:
            socket.socket(socket.AF_UNIX).bind(taken)
        except OSError as error:
            said.append(errno.errorcode[error.errno])
    return ", ".join(said)

def hold_processor():
    "How long a turn on a processor is, and whether it can be made longer; a kernel before 6.12 knows of no such turns."
    libc = ctypes.CDLL(None, use_errno=True)
    get, make = {"x86_64": (315, 314), "aarch64": (275, 274)}[os.uname().machine]
    attributes = ctypes.create_string_buffer(48)
    assert libc.syscall(get, 0, attributes, 48, 0) == 0
    turn = struct.unpack_from("Q", attributes, 24)[0]
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 12):
        turn = 400_000
    struct.pack_into("Q", attributes, 24, 100_000_000)
    said = "longer" if libc.syscall(make, 0, attributes, 0) == 0 else os.strerror(ctypes.get_errno())
    return f"{turn} ns, {said}"

def connect_without_end():
    "Each connection is asked of the host, which makes it, here to nobody."
    for _ in range(20_000):
        with socket.socket() as one:
            assert one.connect_ex(("127.0.0.1", 9)) == errno.ECONNREFUSED
    return "nobody was there"

def print_without_end():
    for _ in range(20_000):
        os.write(1, b"a line\n" * 500)
    return "it was printed"

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        holds = {"pipe": hold_pipe, "connection": hold_connection, "sockets": fill_sockets, "names": name_sockets,
                 "processor": hold_processor, "connections": connect_without_end, "lines": print_without_end}
        what = holds[self.path.split("?")[1]]
        text = what().encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
"#;

const NEIGHBOUR: &str = r#"
from http.server import BaseHTTPRequestHandler

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
"#;

/// How much memory the function may have, in MiB.
const MEMORY_MB: u64 = 128;

struct Site<'e> {
    host: TestHost<'e>,
    url: String,
}

impl<'e> Site<'e> {
    fn deploy(environment: &'e TestEnv) -> Self {
        Self::deploy_with(environment, &["deploy"])
    }

    fn deploy_with(environment: &'e TestEnv, command: &[&str]) -> Self {
        let limits = format!("[functions.\"api/hold\"]\nmemory_mb = {MEMORY_MB}\nmax_instances = 8\n");
        let project = environment.project("site").file("api/hold.py", HOLD).file("api/neighbour.py", NEIGHBOUR);
        let project = project.file("public/index.html", "home").file("ship.toml", limits);
        // The discard service, which this machine does not have, stands for one outside that refuses.
        let host = TestHost::start_with(environment, &["--allow-address", "127.0.0.1:9"]);
        let _ = host.ship(command).within(project.folder()).run().success();
        let url = host.site_url("site");
        let site = Self { host, url };
        site.is_served();
        site
    }

    fn hold(&self, what: &str) -> http::Answer {
        http::get(&format!("{}/api/hold?{what}", self.url))
    }

    /// How long the host's threads that answer visitors have had a processor, and how long the others.
    fn processor_time(&self) -> (Duration, Duration) {
        let threads = fs::read_dir(format!("/proc/{}/task", self.host.process().id())).expect("the host runs");
        let (mut of_visitors, mut of_others) = (Duration::ZERO, Duration::ZERO);
        for thread in threads.flatten() {
            let read = |name: &str| fs::read_to_string(thread.path().join(name));
            // A thread may end meanwhile.
            let Ok((name, times)) = read("comm").and_then(|name| Ok((name, read("schedstat")?))) else { continue };
            let nanos = times.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("the time comes first");
            let sum = if name.starts_with("visitors-") { &mut of_visitors } else { &mut of_others };
            *sum += Duration::from_nanos(nanos);
        }
        (of_visitors, of_others)
    }

    /// Others are served, by each of the threads that answer visitors, and so is the owner.
    fn is_served(&self) {
        for _ in 0..8 {
            assert_eq!(http::get(&format!("{}/api/neighbour", self.url)).success().text(), "hello");
            assert_eq!(http::get(&self.url).success().text(), "home");
        }
        let _ = self.host.ship(["ls", "--project", "site"]).run().success();
    }
}

/// No call holds the lock of the pipe that a function prints to while it waits for something else: programs are told to copy instead. The host, which reads
/// that pipe, could not even be killed.
#[test]
fn pipes() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    for _ in 0..4 {
        assert_eq!(site.hold("pipe").success().text(), "Invalid argument");
    }
    site.is_served();
}

/// A function that has its own connections wait for ever waits alone, and ends when it is ended.
#[test]
fn connections() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    assert_eq!(site.hold("connection").success().text(), "they wait");
    site.is_served();
    let _ = site.host.ship(["rm", "--project", "site", "--yes"]).run().success();
}

/// What waits in a function's sockets counts into its memory.
#[test]
fn sockets() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    let answer = site.hold("sockets");
    match answer.status {
        200 => {
            let held: u64 = answer.text().parse().expect("the function says how much");
            // What is counted is pages, and a little more than is asked for is given at once.
            assert!(held <= MEMORY_MB * 5 / 4, "{held} MiB wait in its sockets");
        }
        _ => assert_eq!(answer.header("x-ship-error").as_deref(), Some(PlatformError::FunctionOutOfMemory.code())),
    }
    site.is_served();
}

/// A socket that the host has connected for a function cannot take a port of the machine once its connection is no more. The function's own sockets get
/// names as everywhere, and files of theirs are the function's.
#[test]
fn names() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    let said = site.hold("names").success().text();
    let refused = "Connection refused, Invalid argument";
    assert_eq!(said, format!("{refused}, served, served, served, mine, EADDRINUSE, EROFS, ENOENT, ENOENT"));
    site.is_served();
}

/// A function's turns on a processor are as short as the host's, and stay so: whoever comes while it computes waits for the end of one.
#[test]
fn processors() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    assert_eq!(site.hold("processor").success().text(), "400000 ns, Operation not permitted");
}

/// What the host does for a function beside its requests is done by threads that no visitor waits for, also when a visitor has woken it: it makes
/// the connections that the function wants, and reads what it prints.
#[test]
fn visitors_threads() {
    let environment = TestEnv::new();
    let site = Site::deploy_with(&environment, &["deploy", "--no-check"]);
    for (what, said) in [("lines", "it was printed"), ("connections", "nobody was there")] {
        let before = site.processor_time();
        assert_eq!(site.hold(what).success().text(), said);
        let after = site.processor_time();
        let (of_visitors, of_others) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
        assert!(of_visitors * 10 < of_others, "{what}: {of_visitors:?} of visitors' threads, {of_others:?} of others");
    }
    site.is_served();
}
