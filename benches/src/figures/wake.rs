//! The first request to a function that is asleep.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use ship_tests::{TestEnv, TestHost, http};

use super::floor::{PlainGo, go_is_installed};
use super::memory::deploy_many;
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::samples::Samples;
use crate::turns::{alternate, timed};

/// How many first requests: enough for a 99th percentile that is not merely the worst.
const WAKES: usize = 120;

/// How many first requests to functions of interpreters, each of which is awake until the end.
const INTERPRETED_WAKES: usize = 40;

/// How long the machine rests before each of them, so that none is measured while something is prepared for the next.
pub(super) const REST: Duration = Duration::from_millis(300);

/// The bundle of W3, in bytes of source.
const LARGE_BUNDLE_BYTES: usize = 2_600_000;

/// W1: each of many deployments is asked for the first time, beside a bare program that is started and asked; and then as many as
/// possible one right after the other, where the machine prepares for the next while it wakes one.
pub(crate) fn sleeping(bench: &Bench) -> Vec<Row> {
    let work = "first request to a sleeping Go function";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH to compare with")];
    }
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let wakes = WAKES.max(bench.runs);
    let urls = deploy_many(&host, &project, 2 * wakes);
    let (rested, in_a_row) = urls.split_at(wakes);
    let plain = PlainGo::new(environment.folder());
    plain.build();
    let socket = environment.folder().join("bare.sock");
    // Both programs are in the page cache before the first of them counts.
    drop(http::get(&format!("{}/api/date", host.site_url("date-weather"))).success());
    let wake = |urls: &[String], rest: Duration| {
        let ship = |run: usize| {
            sleep(rest);
            timed(|| http::get(&format!("{}/api/date", urls[run])).success()).0
        };
        let bare = |_| {
            sleep(rest);
            let (seconds, running) = timed(|| {
                let running = plain.start_date(&socket);
                ask(&socket);
                running
            });
            drop(running);
            seconds
        };
        let (ship, bare) = alternate(urls.len() - 1, ship, bare);
        (Samples::seconds(ship), Samples::seconds(bare))
    };
    let (ship, bare) = wake(rested, REST);
    let p99 = Row::compared("the same, p99", ship.at(99), "bare program", bare.at(99), Bound::times(2.));
    let (row, bare_row) = wake(in_a_row, Duration::ZERO);
    let [own, median, most] =
        [row.quantile(99), bare_row.median(), bare_row.quantile(99)].map(|seconds| row.readable(seconds));
    let note = format!("p99 {own}; bare program {median}, p99 {most}");
    vec![
        Row::compared(work, ship, "bare program", bare, Bound::times(1.5)),
        p99,
        Row::alone("the same, one right after the other", row, None).noting(note),
    ]
}

/// Asks whoever listens, and waits for the first bytes.
pub(super) fn ask(socket: &Path) {
    let mut stream = UnixStream::connect(socket).expect("the socket was bound before");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it is listening");
    let _ = stream.read(&mut [0; 4096]).expect("the function answers");
}

/// W2: a small function in Node.
pub(crate) fn small_node(bench: &Bench) -> Vec<Row> {
    let function = Interpreted {
        work: "first request to a sleeping Node function",
        file: "api/hello.ts",
        source: "export function GET() { return new Response('hello'); }\n".to_owned(),
        floor: NODE_FLOOR.to_owned(),
        floor_file: "floor.mjs",
        program: "node",
        bounds: (0.1, Some(0.25)),
    };
    function.rows(bench.runs)
}

/// W3: a function in Node whose bundle is large.
pub(crate) fn large_node(bench: &Bench) -> Vec<Row> {
    let large = large_source();
    let function = Interpreted {
        work: "first request to a sleeping Node function of 2.6 MB",
        file: "api/hello.ts",
        source: format!("{large}\nexport function GET() {{ return new Response('hello ' + all.length); }}\n"),
        floor: format!("{large}\n{NODE_FLOOR}"),
        floor_file: "floor.mjs",
        program: "node",
        bounds: (1. / 3., None),
    };
    function.rows(bench.runs)
}

/// W4: a function in Python that needs nothing but the standard library.
pub(crate) fn small_python(bench: &Bench) -> Vec<Row> {
    let function = Interpreted {
        work: "first request to a sleeping Python function",
        file: "api/hello.py",
        source: PYTHON_FUNCTION.to_owned(),
        floor: PYTHON_FLOOR.to_owned(),
        floor_file: "floor.py",
        program: "python3",
        bounds: (1. / 15., Some(0.2)),
    };
    function.rows(bench.runs)
}

const NODE_FLOOR: &str =
    "import http from 'node:http';\nhttp.createServer((_, response) => response.end('hello')).listen({ fd: 0 });\n";

const PYTHON_FUNCTION: &str = "from http.server import BaseHTTPRequestHandler\n\n\nclass handler(BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b'hello')\n";

const PYTHON_FLOOR: &str = "import socket\nfrom http.server import BaseHTTPRequestHandler, HTTPServer\n\n\nclass handler(BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b'hello')\n\n    def address_string(self):\n        return ''\n\n    def log_message(self, *_):\n        pass\n\n\nserver = HTTPServer(('', 0), handler, bind_and_activate=False)\nserver.socket = socket.socket(fileno=0)\nserver.serve_forever()\n";

/// Many functions that are all there is to load: what a bundle of large packages is to an engine.
fn large_source() -> String {
    let mut text = String::from("const all = [];\n");
    for number in 0.. {
        let _ = writeln!(
            text,
            "function f{number}(x) {{ const parts = ['a{number}', 'b' + x, {{ key: x * {number}, text: `of ${{x}}` }}]; \
             if (x > {number}) {{ return parts.map(String).join('-'); }} return JSON.stringify(parts); }}\n\
             all.push(f{number});"
        );
        if text.len() >= LARGE_BUNDLE_BYTES {
            break;
        }
    }
    text
}

/// A function that an interpreter runs, and the least that the same interpreter needs.
struct Interpreted {
    work: &'static str,
    file: &'static str,
    source: String,
    floor: String,
    floor_file: &'static str,
    program: &'static str,
    /// The most that the median and the 99th percentile may be, as multiples of the floor's.
    bounds: (f64, Option<f64>),
}

impl Interpreted {
    fn rows(&self, runs: usize) -> Vec<Row> {
        let Some(interpreter) = real_interpreter(self.program) else {
            return vec![Row::skipped(self.work, "the interpreter is not on PATH")];
        };
        let environment = TestEnv::new();
        let project = environment.project("wake").file(self.file, &self.source).file("public/index.html", "hello");
        let host = TestHost::start(&environment);
        let wakes = INTERPRETED_WAKES.max(runs);
        let urls = deploy_many(&host, &project, wakes);
        let floor = environment.folder().join(self.floor_file);
        fs::write(&floor, &self.floor).expect("the folder is writable");
        drop(http::get(&format!("{}/api/hello", host.site_url("wake"))).success());
        let ship = |run: usize| {
            sleep(REST);
            timed(|| http::get(&format!("{}/api/hello", urls[run])).success()).0
        };
        let socket = environment.folder().join("bare.sock");
        let bare = |_| {
            sleep(REST);
            let (seconds, mut running) = timed(|| {
                let running = start_bare(&interpreter, &floor, &socket);
                ask(&socket);
                running
            });
            let _ = running.kill();
            let _ = running.wait();
            seconds
        };
        let (ship, bare) = alternate(wakes - 1, ship, bare);
        let (ship, bare) = (Samples::seconds(ship), Samples::seconds(bare));
        let p99 = self.bounds.1.map(|most| {
            Row::compared("the same, p99", ship.at(99), "bare interpreter", bare.at(99), Bound::times(most))
        });
        let median = Row::compared(self.work, ship, "bare interpreter", bare, Bound::times(self.bounds.0));
        [Some(median), p99].into_iter().flatten().collect()
    }
}

/// Starts a script on a socket that it inherits as its standard input.
pub(super) fn start_bare(interpreter: &Path, script: &Path, socket: &Path) -> Child {
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket).expect("the folder is writable");
    let mut command = Command::new(interpreter);
    command.arg(script).env_clear().stdin(Stdio::from(OwnedFd::from(listener))).stdout(Stdio::null());
    command.spawn().expect("the interpreter starts")
}

/// The interpreter itself: what is on PATH may be a script that chooses one.
pub(super) fn real_interpreter(program: &str) -> Option<PathBuf> {
    let question: &[&str] = match program {
        "node" => &["-p", "process.execPath"],
        _ => &["-c", "import os, sys; print(os.path.realpath(sys.executable))"],
    };
    let output = Command::new(program).args(question).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(path.trim())).filter(|path| path.is_absolute())
}
