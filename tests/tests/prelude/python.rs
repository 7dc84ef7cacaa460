//! Functions in Python.

use ship_tests::{TestEnv, TestProject};

use crate::process::{Functions, Instance, Way, same_in_every_way};

const SEE: &str = r#"
from http.server import BaseHTTPRequestHandler
import atexit, gc, json, os, re, signal, sys, threading, time, traceback, warnings
import lib.near

print("loaded", __name__, flush=False)
atexit.register(print, "goodbye")
warnings.warn("careful")

def seen():
    main = sys.modules["__main__"]
    return {
        "env": dict(os.environ), "argv": sys.argv, "orig_argv": sys.orig_argv[1:], "path": [shown(path) for path in sys.path],
        "main": {name: shown(repr(value)) for name, value in sorted(vars(main).items()) if name != "__loader__"},
        "loader": [type(main.__loader__).__name__, shown(main.__loader__.path)],
        "cwd": shown(os.getcwd()), "thread": threading.current_thread().name, "zone": [time.tzname, time.localtime(0).tm_hour], "flags": repr(sys.flags),
        "stdin": sys.stdin.read(), "out": [sys.stdout.line_buffering, sys.stdout.write_through, sys.stdout.encoding],
        "threads": threading.active_count(), "main_thread": threading.current_thread() is not threading.main_thread(),
        "signals": [shown(repr(signal.getsignal(number))) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
        "filters": [repr(each) for each in warnings.filters], "limit": sys.getrecursionlimit(), "gc": [gc.isenabled(), gc.get_threshold()],
        "near": shown(lib.near.__file__), "cached": shown(lib.near.__cached__), "spec": shown(repr(lib.near.__spec__)),
        "hooks": [sys.excepthook is sys.__excepthook__, len(sys.meta_path), len(sys.path_hooks)], "private": sorted(m for m in sys.modules if "prelude" in m),
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:4], "umask": os.umask(0o22),
        "trace": [shown(line) for line in traceback.format_exception(lib.near.mistake())],
    }

def shown(text):
    return re.sub("0x[0-9a-f]+", "0x", text).replace(os.path.dirname(os.path.realpath(os.getcwd())), "~").replace(os.path.dirname(sys.modules["__main__"].__file__), ".")

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if "boom" in self.path:
            raise ValueError("not today")
        if "leave" in self.path:
            os._exit(7)
        body = json.dumps(seen()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
"#;

const NEAR: &str =
    "def mistake():\n    try:\n        [].pop()\n    except IndexError as error:\n        return error\n";

/// Functions of a project whose own modules stand in the place of those of the library.
const QUEUE: &str =
    "import queue\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [queue.WHOSE]\n";
const LOGGING: &str = "import logging\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [logging.WHOSE]\n";

const ASGI: &str = r#"
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive(); print("begins"); await send({"type": "lifespan.startup.complete"})
        await receive(); print("ends"); return await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] == "websocket":
        await receive(); await send({"type": "websocket.accept"})
        return await send({"type": "websocket.send", "text": "hello"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"#;

const THREADS: &str = r#"
import threading
import lib.near

def fail():
    raise ValueError("in a thread") from lib.near.mistake()

def leave():
    raise SystemExit(3)

def app(environ, start_response):
    for each in (fail, leave):
        thread = threading.Thread(target=each, name="own")
        thread.start()
        thread.join()
    start_response("200 OK", [])
    return [b"went on"]
"#;

const LOGS: &str = r#"
import io, logging, sys

logging.basicConfig(level=logging.INFO, format="%(message)s")
logging.info("imported\nin two lines")
print("plain", file=sys.stderr)

class Through:
    def __getattr__(self, name):
        return getattr(sys.stderr, name)

kept = io.StringIO()
other = logging.getLogger("other")
other.propagate = False
other.addHandler(logging.StreamHandler(Through()))
elsewhere = logging.getLogger("elsewhere")
elsewhere.propagate = False
elsewhere.addHandler(logging.StreamHandler(kept))

def app(environ, start_response):
    logging.warning("careful")
    other.info("through another")
    other.error("broken")
    elsewhere.error("elsewhere")
    print("plain", file=sys.stderr)
    start_response("200 OK", [])
    return [kept.getvalue().encode()]
"#;

fn project(environment: &TestEnv) -> TestProject {
    environment
        .project("site")
        .file("api/see.py", SEE)
        .file("lib/near.py", NEAR)
        .file("api/socket.py", ASGI)
        .file("api/broken.py", "import lib.near\nraise RuntimeError('at the start')\napp = 3\n")
        .file("api/missing.py", "import nothing_like_it\napp = 3\n")
        .file("api/leaves.py", "raise SystemExit(3)\napp = 3\n")
        .file("api/wrong.py", "app = 3\n")
}

/// A function sees the same of its process, whether that was started for it or prepared before: with and without a code cache.
#[test]
fn what_a_function_sees() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let see = functions.place("see");
    assert_eq!(see.make_cache().code, Some(0));
    let (seen, boom, outcome) =
        same_in_every_way(&see, |instance| (instance.see("/"), instance.ask("/boom"), instance.stop()));
    assert_eq!(seen["env"]["GREETING"], "kia ora ā", "{seen:#}");
    assert_eq!(seen["zone"].to_string(), r#"[["NZST","NZDT"],12]"#);
    assert!(boom.starts_with("HTTP/1.1 500 "), "{boom}");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "loaded api.see\ngoodbye\n"));
    assert!(
        outcome.stderr.contains("UserWarning: careful") && outcome.stderr.contains("ValueError: not today"),
        "{outcome:?}"
    );
    let left = same_in_every_way(&see, |instance| (instance.ask("/leave"), instance.ended()));
    assert_eq!((left.0.as_str(), left.1.code), ("", Some(7)));
}

/// Functions that cannot be loaded end with the same code and the same words.
#[test]
fn errors() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    for (name, code) in [("broken", 1), ("missing", 1), ("leaves", 3), ("wrong", 1)] {
        let function = functions.place(name);
        assert_eq!(function.make_cache().code, Some(code), "{name}");
        let ended = same_in_every_way(&function, Instance::ended);
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}

/// Lines of `logging` say their levels, also those of the import and of a handler whose stream only stands for standard error, as
/// Flask's does. What is written there by other ways does not, and what goes elsewhere stays as it is.
#[test]
fn levels_of_logging() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &environment.project("site").file("api/logs.py", LOGS));
    let logs = functions.place("logs");
    assert_eq!(logs.make_cache().code, Some(0));
    let (answer, outcome) = same_in_every_way(&logs, |instance| (instance.ask("/"), instance.stop()));
    assert!(answer.ends_with("elsewhere\n"), "{answer}");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
    let expected = "<6>imported\n<6>in two lines\nplain\n<4>careful\n<6>through another\n<3>broken\nplain\n";
    assert_eq!(outcome.stderr, expected);
}

/// What ends a thread of the function is told with paths as they are in the project.
#[test]
fn threads() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/threads.py", THREADS).file("lib/near.py", NEAR);
    let functions = Functions::of(&environment, &project);
    let threads = functions.place("threads");
    assert_eq!(threads.make_cache().code, Some(0));
    let (answer, outcome) = same_in_every_way(&threads, |instance| (instance.ask("/"), instance.stop()));
    assert!(answer.ends_with("went on"), "{answer}");
    let told: Vec<&str> = outcome.stderr.lines().filter(|line| !line.contains("threading.py")).collect();
    let places: Vec<&&str> = told.iter().filter(|line| line.contains("File ")).collect();
    assert_eq!(places, [&"  File \"lib/near.py\", line 3, in mistake", &"  File \"api/threads.py\", line 6, in fail"]);
    assert!(told.contains(&"Exception in thread own:") && told.ends_with(&["ValueError: in a thread"]), "{outcome:?}");
}

/// A launcher that is itself wrong: the trace is that of a fresh start.
#[test]
fn the_program_fails() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let see = functions.place("see");
    for program in
        ["import nothing_like_it\n", "raise SystemExit('farewell')\n", "def f():\n    1 / 0\nf()\n", "x = = 1\n"]
    {
        std::fs::write(see.root.join("launcher.py"), program).unwrap();
        let ended = same_in_every_way(&see, Instance::ended);
        assert_eq!((ended.code, ended.stderr.is_empty()), (Some(1), false));
    }
}

/// Applications with an event loop: their life, a `WebSocket`, and a goodbye.
#[test]
fn event_loops() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let socket = functions.place("socket");
    assert_eq!(socket.make_cache().code, Some(0));
    let (answers, outcome) = same_in_every_way(&socket, |instance| {
        let mut stream = instance.connect();
        let upgrade = "GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        std::io::Write::write_all(&mut stream, upgrade.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\x81\x05hello") {
            let mut byte = [0];
            std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
            answer.push(byte[0]);
        }
        drop(stream);
        ((String::from_utf8_lossy(&answer).into_owned(), instance.ask("/")), instance.stop())
    });
    assert!(answers.0.starts_with("HTTP/1.1 101 ") && answers.1.ends_with("hello"), "{answers:?}");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "begins\nends\n"));
}

/// A module of the project that has the name of one of the library is found as in a fresh start.
#[test]
fn modules_of_the_same_name() {
    let environment = TestEnv::new();
    for (name, source) in [("queue", QUEUE), ("logging", LOGGING)] {
        let project = environment.project(&format!("site-{name}")).file(&format!("api/{name}_.py"), source);
        let project = project.file(&format!("{name}.py"), "WHOSE = b'ours'\n");
        let shadows = Functions::of(&environment, &project).place(&format!("{name}_"));
        let (fresh, prepared) = (shadows.start(Way::Fresh), shadows.start(Way::Prepared));
        assert!(fresh.ask("/").ends_with("ours"), "{name}: {:?}", fresh.stop());
        assert_eq!(prepared.ask("/"), fresh.ask("/"), "{name}");
        assert_eq!(prepared.stop(), fresh.stop(), "{name}");
    }
}

/// A pipe that ends says nothing, also where the function was named and is never shown; a cache that is damaged is passed over.
#[test]
fn caches_and_pipes() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let see = functions.place("see");
    for ended in [see.prepare().forget(), see.prepare().assign_in_vain(&see.assignment())] {
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
    }
    assert_eq!(see.make_cache().code, Some(0));
    let file = see.cache().join("modules");
    let whole = std::fs::read(&file).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle..].fill(0);
    for damaged in [&b""[..], b"nonsense", &whole[..middle], &changed] {
        std::fs::write(&file, damaged).unwrap();
        let instance = see.start(Way::Cached);
        assert_eq!(instance.see("/")["env"]["TZ"], "Pacific/Auckland");
        assert_eq!(instance.stop().code, Some(0));
    }

    // What is whole is used: nobody looks at the source again.
    std::fs::write(&file, whole).unwrap();
    let near = std::fs::canonicalize(see.root.join("project")).unwrap().join("lib/near.py");
    std::fs::set_permissions(&near, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(near, "this is no Python\n").unwrap();
    let instance = see.start(Way::Cached);
    assert_eq!(instance.see("/")["env"]["TZ"], "Pacific/Auckland");
    assert_eq!(instance.stop().code, Some(0));
}
