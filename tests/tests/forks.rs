//! Functions in Python that take long to load: the second instance and all further ones are forked from a process that has done it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use ship_tests::http::{self, Sent};
use ship_tests::{Gate, PATIENCE, Process, TestEnv, TestHost, Waiting};

/// How long something may be there after its end.
const MOMENT: Duration = Duration::from_secs(1);

const LIMITS: &str = "name = \"site\"\n[functions.\"api/f\"]\nconcurrency = 2\nmax_instances = 4\nmemory_mb = 128\n\
    idle_secs = 1\nnetwork = \"all\"\n";

/// Takes its time to load; can wait at a gate, leave a process behind, and use up its memory.
const FUNCTION: &str = r#"
import json, os, random, socket, time, uuid
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

time.sleep(0.3)
LOADED_BY = os.getpid()

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "gate" in query:
            address, port = query["gate"].split(":")
            with socket.create_connection((address, int(port))) as gate:
                gate.sendall(b"arrived")
                gate.recv(1)
        if query.get("do") == "daemon" and os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(0)
        if query.get("do") == "leak":
            kept = []
            while True:
                kept.append(b"x" * 1_000_000)
        print("asked", query)
        body = {"pid": os.getpid(), "loaded_by": LOADED_BY, "drawn": [random.random(), uuid.uuid4().hex]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())
"#;

/// The function, deployed.
struct Site<'e> {
    host: TestHost<'e>,
    url: String,
}

impl<'e> Site<'e> {
    fn deploy(environment: &'e TestEnv) -> Self {
        Self::deploy_with(environment, LIMITS)
    }

    fn deploy_with(environment: &'e TestEnv, limits: &str) -> Self {
        let project = environment.project("site").file("ship.toml", limits).file("api/f.py", FUNCTION);
        let host = TestHost::start(environment);
        let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
        Self { host, url }
    }

    fn ask(&self, query: &str) -> http::Answer {
        http::get(&format!("{}/api/f?{query}", self.url))
    }

    fn see(&self) -> Value {
        self.ask("").success().json()
    }

    /// Keeps an instance as busy as it can be.
    fn hold(&self) -> Held {
        let gates = [Gate::new(), Gate::new()];
        Held(gates.map(|gate| {
            let sent = http::request("GET", &format!("{}/api/f?{}", self.url, gate.query())).begin();
            (sent, gate.wait_for_arrival())
        }))
    }

    /// Keeps an instance busy that was not forked, and waits until the others are.
    fn hold_beside_forks(&self) -> Held {
        let first = self.hold();
        let begun = Instant::now();
        while !is_forked(&self.see()) {
            assert!(begun.elapsed() < PATIENCE, "no instance is ever forked");
            // It was started in the usual way, and is asked no more before it sleeps. That may be the case already.
            for started in self.processes().into_iter().skip(1) {
                started.wait_for_end();
            }
        }
        first
    }

    /// The processes that are instances.
    fn processes(&self) -> Vec<Process> {
        let shown = self.host.ship(["inspect", &self.url, "--json"]).run().success().json();
        let instances = shown["functions"][0]["instances"].as_array().into_iter().flatten();
        instances.filter_map(|instance| instance["pid"].as_u64()?.try_into().ok()).map(Process::with_id).collect()
    }
}

/// An instance that answers as many requests as it may at once.
struct Held([(Sent, Waiting); 2]);

impl Held {
    /// Lets it answer.
    fn let_go(self) -> Value {
        let [one, other] = self.0.map(|(sent, waiting)| {
            waiting.open();
            sent.answer().success().json()
        });
        assert_eq!(one["pid"], other["pid"]);
        one
    }
}

fn is_forked(seen: &Value) -> bool {
    seen["pid"] != seen["loaded_by"]
}

/// None of the processes is left, but for a moment.
#[track_caller]
fn assert_gone(processes: &[Process]) {
    let deadline = Instant::now() + MOMENT;
    for process in processes {
        let rest = deadline.saturating_duration_since(Instant::now());
        assert!(process.ends_within(rest), "process {} is still there: {}", process.id(), process.command_line());
    }
}

/// Forked instances are as different as others, and what one of them does to itself is nobody else's trouble.
#[test]
fn harm_themselves_alone() {
    let environment = TestEnv::new();
    // The third instance has time until somebody has looked at it.
    let site = Site::deploy_with(&environment, &LIMITS.replace("idle_secs = 1", "idle_secs = 5"));
    let (first, second) = (site.hold_beside_forks(), site.hold());
    let before = site.processes();
    let seen = [site.see(), site.ask("do=daemon").success().json()];
    assert!(seen.iter().all(is_forked), "{seen:?}");
    assert_eq!(seen[0]["pid"], seen[1]["pid"]);

    // The third instance leaves a process behind, and uses up its memory: both are gone, and the others are there.
    let third: Vec<Process> = site.processes().into_iter().filter(|process| !before.contains(process)).collect();
    let [third] = third[..] else { panic!("{third:?} is one") };
    let cell = third.cell();
    let answer = site.ask("do=leak");
    assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (500, Some("FUNCTION_OUT_OF_MEMORY")));
    let is_kept: HashSet<i32> = before.iter().flat_map(|process| process.cell()).map(Process::id).collect();
    let daemon_and_third: Vec<Process> =
        cell.into_iter().filter(|process| !is_kept.contains(&process.id()) || *process == third).collect();
    assert!(daemon_and_third.len() <= 3, "{daemon_and_third:?}");
    assert_gone(&daemon_and_third);
    let left = before[1].cell().len();

    let answers = [first.let_go(), second.let_go()];
    assert_eq!(answers.each_ref().map(is_forked), [false, true]);
    assert_eq!(answers[1]["loaded_by"], seen[0]["loaded_by"]);
    let drawn: HashSet<String> =
        answers.iter().chain(&seen).flat_map(|seen| seen["drawn"].as_array().unwrap()).map(Value::to_string).collect();
    assert_eq!(drawn.len(), 8, "{drawn:?}");
    let log = site.host.ship(["logs", &site.url]).run().success();
    assert!(log.stdout().contains("api/f stdout: asked {'do': 'daemon'}"), "{}", log.stdout());
    assert_eq!(left, 4, "a first process, what forks, one instance and one ahead");
}

/// What forks sleeps with the function, and where it ends before, others are started as if there had been none.
#[test]
fn end_with_what_forks() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment);
    // What is not asked may be asleep before anybody has looked at it.
    let (first, second) = (site.hold_beside_forks(), site.hold());
    let forked = *site.processes().last().expect("there are two");
    let cell = forked.cell();
    // Not the second of the cell's: their numbers begin anew when the machine has used up all.
    forked.parent().signal(Signal::KILL);
    assert_gone(&cell);
    drop(second);
    let seen = site.see();
    assert!(!is_forked(&seen), "{seen}");
    let _ = first.let_go();
    let others: Vec<Process> = site.processes().iter().flat_map(|process| process.cell()).collect();
    for process in others {
        process.wait_for_end();
    }
    assert!(!is_forked(&site.see()));

    let again = site.hold_beside_forks();
    let all: Vec<Process> = site.processes().iter().flat_map(|process| process.cell()).collect();
    let _ = again.let_go();
    for process in all {
        process.wait_for_end();
    }
}

/// Requests that are to be kept apart are, in `/tmp` as well: nothing is forked then, and one instance is started ahead.
#[test]
fn kept_apart() {
    let environment = TestEnv::new();
    let limits = LIMITS.replace("concurrency = 2", "concurrency = 1");
    let project = environment.project("site").file("ship.toml", limits).file("api/f.py", FUNCTION);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let site = Site { host, url };
    let gate = Gate::new();
    let sent = http::request("GET", &format!("{}/api/f?{}", site.url, gate.query())).begin();
    let waiting = gate.wait_for_arrival();
    let begun = Instant::now();
    while site.processes().len() < 2 {
        assert!(begun.elapsed() < PATIENCE, "none is started ahead");
    }
    assert!(!is_forked(&site.see()));
    waiting.open();
    assert!(!is_forked(&sent.answer().success().json()));
}

/// A function that says that another process is its own, as the host, has no forks, and does no harm.
#[test]
fn false_forks() {
    let lying = r#"
import os, socket, struct, sys
prelude = sys.modules.get("ship_prelude")
zygote = getattr(getattr(prelude, "loaded", None), "__self__", None)

def serve():
    # The other end of a connection, as a handle of its process (SO_PEERPIDFD).
    handle = struct.unpack("i", zygote.host.getsockopt(socket.SOL_SOCKET, 77, 4))[0]
    zygote.tell(ready=os.getpid())
    while True:
        request, *_ = socket.recv_fds(zygote.host, 1, 4)
        if not request:
            os._exit(0)
        zygote.tell(handle, pid=1234)

if type(zygote).__name__ == "Zygote":
    prelude.loaded = serve
"#;
    let environment = TestEnv::new();
    let source = format!("{lying}{FUNCTION}");
    let project = environment.project("site").file("ship.toml", LIMITS).file("api/f.py", source);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let site = Site { host, url };
    let groups = || std::fs::read_to_string(format!("/proc/{}/cgroup", site.host.process().id())).unwrap();
    let before = groups();
    let first = site.hold();
    let log = || site.host.ship(["logs", &site.url, "--json", "--limit", "1000"]).run().success();
    let begun = Instant::now();
    // Its process for forks is there, and the one that was forked ahead was refused, when it has asked and was asked.
    while begun.elapsed() < Duration::from_secs(3) {
        assert!(!is_forked(&site.see()));
        assert_eq!(groups(), before);
    }
    let _ = first.let_go();
    assert!(!log().stdout().contains("\"fatal\""), "{}", log().stdout());
    assert!(site.host.process().is_running());
}
