//! Functions that would hold up the host by what they share with it: the pipe that they print to, sockets that it connects for them, and
//! the kernel's memory for what waits in sockets.

use ship_core::PlatformError;
use ship_tests::{TestEnv, TestHost, http};

/// A function that holds up whoever touches what it shares, as long as its instance lives.
const HOLD: &str = r#"
import fcntl, os, socket, tempfile, threading, time
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

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        what = {"pipe": hold_pipe, "connection": hold_connection, "sockets": fill_sockets}[self.path.split("?")[1]]
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
        let limits = format!("[functions.\"api/hold\"]\nmemory_mb = {MEMORY_MB}\nmax_instances = 8\n");
        let project = environment.project("site").file("api/hold.py", HOLD).file("api/neighbour.py", NEIGHBOUR);
        let project = project.file("public/index.html", "home").file("ship.toml", limits);
        let host = TestHost::start(environment);
        let _ = host.ship(["deploy"]).within(project.folder()).run().success();
        let url = host.site_url("site");
        let site = Self { host, url };
        site.is_served();
        site
    }

    fn hold(&self, what: &str) -> http::Answer {
        http::get(&format!("{}/api/hold?{what}", self.url))
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
