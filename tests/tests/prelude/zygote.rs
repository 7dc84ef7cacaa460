//! A process that has loaded a function in Python and forks the instances that serve it.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pipe::PipeFlags;
use serde_json::{Value, json};
use ship_tests::TestEnv;

use crate::process::{Function, Functions, Instance};

const SEE: &str = r#"
import json, os, random, secrets, signal, ssl, sys, tempfile, uuid

LOADED = [os.getpid(), random.random()]
print("loaded")

def app(environ, start_response):
    start_response("200 OK", [("content-type", "application/json")])
    drawn = [random.random(), random.getrandbits(64), uuid.uuid4().hex, uuid.uuid1().hex, ssl.RAND_bytes(8).hex()]
    drawn += [secrets.token_hex(8), random.SystemRandom().random(), next(tempfile._get_candidate_names())]
    print("asked", environ["PATH_INFO"])
    return [json.dumps({
        "loaded": LOADED, "drawn": drawn, "pid": os.getpid(), "leads": os.getpgid(0) == os.getpid(), "greeting": os.environ["GREETING"],
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:4], "argv": sys.argv, "prelude": "ship_prelude" in sys.modules,
        "listens": "SHIP_LISTEN_FD" in os.environ,
    }).encode()]
"#;

const APP: &str = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n";

/// A zygote, as its host sees it.
struct Zygote {
    process: Instance,
    host: BufReader<UnixStream>,
    folder: tempfile::TempDir,
}

/// An instance that it forked.
struct Forked {
    pid: u64,
    socket: PathBuf,
    stdout: std::fs::File,
    leave: std::fs::File,
}

impl Zygote {
    fn start(function: &Function) -> Self {
        let process = function.zygote();
        let host = BufReader::new(process.connect());
        Self { process, host, folder: tempfile::tempdir().unwrap() }
    }

    fn said(&mut self) -> Value {
        let mut line = String::new();
        self.host.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }

    /// Has it fork a process, which waits for leave.
    fn fork(&mut self, name: &str) -> Forked {
        let socket = self.folder.path().join(name);
        let listener = UnixListener::bind(&socket).unwrap();
        let (stdout, their_stdout) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (_, their_stderr) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (may_begin, leave) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).unwrap();
        let descriptors = [listener.as_fd(), their_stdout.as_fd(), their_stderr.as_fd(), may_begin.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut attached = SendAncillaryBuffer::new(&mut space);
        assert!(attached.push(SendAncillaryMessage::ScmRights(&descriptors)));
        rustix::net::sendmsg(self.host.get_ref(), &[IoSlice::new(b"f")], &mut attached, SendFlags::empty()).unwrap();
        let pid = self.said()["pid"].as_u64().unwrap();
        Forked { pid, socket, stdout: stdout.into(), leave: leave.into() }
    }

    /// Has it fork a process that begins.
    fn begin(&mut self, name: &str) -> Forked {
        let mut forked = self.fork(name);
        forked.leave.write_all(b"!").unwrap();
        forked
    }
}

impl Forked {
    fn see(&self, path: &str) -> Value {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.pid.to_string()]).status().unwrap().success());
    }

    fn printed(mut self) -> String {
        let mut printed = String::new();
        self.stdout.read_to_string(&mut printed).unwrap();
        printed
    }
}

/// What is loaded once serves many times: each instance has its own process, output and randomness, and its end is told.
#[test]
fn instances_of_one_load() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &environment.project("site").file("api/see.py", SEE));
    let mut zygote = Zygote::start(&functions.place("see"));
    assert_eq!(zygote.said(), json!({ "ready": zygote.process.pid() }));
    // One that gets no leave ends, and nothing of the function has run.
    let unneeded = zygote.fork("unneeded");
    drop(unneeded.leave);
    assert_eq!(zygote.said(), json!({ "pid": unneeded.pid, "exit": 0 }));
    let (one, other) = (zygote.begin("one"), zygote.begin("other"));
    let (seen, other_seen) = (one.see("/one"), other.see("/other"));
    let drawn: HashSet<String> =
        [&seen, &other_seen].iter().flat_map(|seen| seen["drawn"].as_array().unwrap()).map(Value::to_string).collect();
    assert_eq!(drawn.len(), 16, "{seen} {other_seen}");
    assert_eq!(seen["loaded"], other_seen["loaded"]);
    assert_eq!(seen["loaded"][0], zygote.process.pid());
    for (forked, seen) in [(&one, &seen), (&other, &other_seen)] {
        assert_eq!((&seen["pid"], &seen["leads"]), (&json!(forked.pid), &json!(true)));
        assert_eq!((&seen["greeting"], &seen["argv"]), (&json!("kia ora ā"), &json!(["launcher.py"])));
        assert_eq!((&seen["descriptors"], &seen["prelude"]), (&json!([0, 1, 2, 3]), &json!(false)));
        assert_eq!(seen["listens"], json!(false));
    }
    one.signal("-TERM");
    assert_eq!(zygote.said(), json!({ "pid": one.pid, "exit": 0 }));
    assert_eq!(one.printed(), "asked /one\n");
    other.signal("-KILL");
    assert_eq!(zygote.said(), json!({ "pid": other.pid, "exit": -9 }));
    // One that is left goes on without it.
    let last = zygote.begin("last");
    drop(zygote.host);
    let ended = zygote.process.ended();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "loaded\n", ""));
    assert_eq!(last.see("/last")["pid"], last.pid);
    last.signal("-TERM");
    assert_eq!(last.printed(), "asked /last\n");
}

/// A function that a fork would break is not forked, and it is said why.
#[test]
fn what_cannot_be_forked() {
    let thread =
        format!("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n{APP}");
    let connection = format!("import socket\nkept = socket.socketpair()\n{APP}");
    let file = format!("import sys\nkept = open(sys.executable, 'rb')\n{APP}");
    let shadows = format!("import queue\n{APP}");
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("api/thread.py", thread)
        .file("api/connection.py", connection)
        .file("api/file.py", file)
        .file("api/broken.py", format!("raise ValueError('at the start')\n{APP}"));
    let functions = Functions::of(&environment, &project);
    let opens = "it opens connections or files while it is loaded";
    for (name, reason) in [("thread", "it starts threads while it is loaded"), ("connection", opens), ("file", opens)] {
        let mut zygote = Zygote::start(&functions.place(name));
        assert_eq!(zygote.said(), json!({ "error": reason }));
        assert_eq!(zygote.process.ended().code, Some(0));
    }
    let mut broken = Zygote::start(&functions.place("broken"));
    assert_eq!(broken.said(), Value::Null);
    let ended = broken.process.ended();
    assert!(ended.code == Some(1) && ended.stderr.contains("ValueError: at the start"), "{ended:?}");

    let project = environment.project("other").file("api/shadows.py", shadows).file("queue.py", "WHOSE = 1\n");
    let mut shadows = Zygote::start(&Functions::of(&environment, &project).place("shadows"));
    assert_eq!(shadows.said(), json!({ "error": "the project replaces modules of the standard library" }));
    assert_eq!(shadows.process.ended().code, Some(0));
}
