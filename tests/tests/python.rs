//! Functions in Python, as people write them for other platforms: nothing in them knows about ship.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ship_tests::http::{self, Ending};
use ship_tests::{TestEnv, TestHost, TestProject};

/// A handler class that answers with what it was asked, and takes a body.
const HANDLER: &str = r#"
from http.server import BaseHTTPRequestHandler

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("set-cookie", "a=1")
        self.send_header("set-cookie", "b=2")
        self.end_headers()
        self.wfile.write(f"GET {self.path}".encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(201)
        self.end_headers()
        self.wfile.write(body.upper())
"#;

/// A WSGI application with a body of its own making, a stream, and a mistake.
const WSGI: &str = r#"
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/api/wsgi/mistake":
        raise ValueError("this one is on us")
    start_response("200 OK", [("content-type", "text/plain"), ("x-host", environ["HTTP_HOST"].split(":")[0])])
    if path == "/api/wsgi/broken":
        return broken()
    if environ["REQUEST_METHOD"] == "POST":
        return (line for line in environ["wsgi.input"])
    return [f"{path}?{environ['QUERY_STRING']} from {environ['REMOTE_ADDR']}".encode()]

def broken():
    yield b"half of it"
    raise ValueError("the other half is missing")
"#;

/// An ASGI application with a lifespan, a stream in both directions, work after the response, and a WebSocket.
const ASGI: &str = r#"
import asyncio

done = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await talk(receive, send)
    elif scope["path"] == "/api/asgi/echo":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})
    elif scope["path"] == "/api/asgi/broken":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half of it", "more_body": True})
        raise ValueError("the other half is missing")
    elif scope["path"] == "/api/asgi/later":
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"later"})
        await asyncio.sleep(0.01)
        done.append("done after the response")
    else:
        text = f"{scope['state']['greeting']} {scope['path']} {scope['raw_path'].decode()} {scope['query_string'].decode()} {done}"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

async def lifespan(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    scope["state"]["greeting"] = "hello"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("good night", flush=True)
    await send({"type": "lifespan.shutdown.complete"})

async def talk(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"] + "!"})
"#;

/// Routes for what is below a function's own path.
const BELOW: &str = "[[rewrites]]\nsource = \"/api/:name/(.*)\"\ndestination = \"/api/:name\"\n";

fn deploy(host: &TestHost<'_>, project: &TestProject) -> String {
    host.ship(["deploy"]).within(project.folder()).run().success().url()
}

/// What `ship deploy` says of a project that it refuses.
fn refused(environment: &TestEnv, project: &TestProject) -> String {
    let host = TestHost::start(environment);
    host.ship(["deploy"]).within(project.folder()).run().exits_with(1).snapshot().to_owned()
}

/// A handler class: methods, bodies, every header once as given, and 501 for what it cannot do.
#[test]
fn handler_class() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/hello.py", HANDLER);
    let host = TestHost::start(&environment);
    let url = format!("{}/api/hello", deploy(&host, &project));

    let got = http::get(&format!("{url}?name=x")).success();
    assert_eq!(got.text(), "GET /api/hello?name=x");
    assert_eq!(got.header("set-cookie").as_deref(), Some("a=1, b=2"));
    let posted = http::request("POST", &url).body("loud").send();
    assert_eq!((posted.status, posted.text()), (201, "LOUD".to_owned()));
    assert_eq!(http::request("DELETE", &url).send().status, 501);
}

/// A WSGI application: its environment, bodies both ways, and an exception that shows in the log and hurts nobody else.
#[test]
fn wsgi_application() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/wsgi.py", WSGI).file("ship.toml", BELOW);
    let host = TestHost::start(&environment);
    let url = format!("{}/api/wsgi", deploy(&host, &project));

    let got = http::get(&format!("{url}/a%20b?c=d%20e")).success();
    assert_eq!(got.text(), "/api/wsgi/a b?c=d%20e from 127.0.0.1");
    assert_eq!(got.header("content-length").as_deref(), Some("36"));
    assert!(got.header("x-host").is_some_and(|host| host.starts_with("site-")));
    let large = "line\n".repeat(100_000);
    let posted = http::request("POST", &url).body(large.as_str()).send().success();
    assert_eq!(posted.text(), large);

    let mistake = http::get(&format!("{url}/mistake"));
    assert_eq!((mistake.status, mistake.header("x-ship-error").as_deref()), (500, Some("FUNCTION_INVOCATION_FAILED")));
    assert_eq!(http::get(&url).success().status, 200);
    let logs = host.ship(["logs", &url]).run().success();
    assert!(logs.stdout().contains("ValueError: this one is on us"), "{}", logs.stdout());
    assert!(!logs.stdout().contains("ship_launcher"), "{}", logs.stdout());
}

/// An ASGI application: what its lifespan prepared, streams both ways, and work after the response that nobody waits for.
#[test]
fn asgi_application() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/asgi.py", ASGI).file("ship.toml", BELOW);
    let host = TestHost::start(&environment);
    let url = format!("{}/api/asgi", deploy(&host, &project));

    let got = http::get(&format!("{url}/a%2Fb?c=d")).success();
    assert_eq!(got.text(), "hello /api/asgi/a/b /api/asgi/a%2Fb c=d []");
    let large = "x".repeat(1_000_000);
    let echoed = http::request("POST", &format!("{url}/echo")).body(large.as_str()).send().success();
    assert_eq!(echoed.text().len(), large.len());
    assert_eq!(http::get(&format!("{url}/later")).status, 202);
    let seen = std::iter::repeat_with(|| http::get(&url).text()).find(|text| text.contains("done after the response"));
    assert!(seen.is_some());
}

/// A host that ends waits for what an application does after its response, longer than for one that has nothing left to do.
#[test]
fn work_at_the_stop() {
    let source = r#"
import asyncio

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"at once"})
    await asyncio.sleep(3)
    print("work is done", flush=True)
"#;
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/later.py", source);
    let mut host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    let is_done = |host: &TestHost<'_>| host.ship(["logs", &url]).run().success().stdout().contains("work is done");
    assert_eq!(http::get(&format!("{url}/api/later")).success().text(), "at once");
    host.ask_to_end();
    let _ = host.ended();
    host.start_again();
    assert!(is_done(&host));
}

/// A body without a length, for which `/tmp` has no room, is too large; the next one that fits is answered.
#[test]
fn body_without_a_length() {
    let source = r#"
from http.server import BaseHTTPRequestHandler

class handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = len(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%d" % length)
"#;
    let environment = TestEnv::new();
    let settings = "[functions.\"**\"]\ntmp_mb = 1\n";
    let project = environment.project("site").file("api/count.py", source).file("ship.toml", settings);
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    let authority = url.strip_prefix("http://").expect("it is a URL");
    let answer = |length: usize| {
        let head = format!(
            "POST /api/count HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
             {length:x}\r\n"
        );
        let request = [head.as_bytes(), &vec![b'x'; length], b"\r\n0\r\n\r\n"].concat();
        String::from_utf8_lossy(&http::exchange_raw(authority, &request)).into_owned()
    };
    let refused = answer(3 << 20);
    assert!(refused.starts_with("HTTP/1.1 413 ") && !refused.contains("x-ship-error"), "{refused}");
    let taken = answer(1000);
    assert!(taken.starts_with("HTTP/1.1 200 ") && taken.contains("1000"), "{taken}");
}

/// A response that breaks off in the middle does not look whole, and the next request is answered.
#[test]
fn broken_streams() {
    let environment = TestEnv::new();
    let project =
        environment.project("site").file("api/wsgi.py", WSGI).file("api/asgi.py", ASGI).file("ship.toml", BELOW);
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    for kind in ["wsgi", "asgi"] {
        let broken = http::get(&format!("{url}/api/{kind}/broken"));
        assert_eq!((broken.text().as_str(), broken.ending), ("half of it", Ending::CutOff), "{kind}");
        assert_eq!(http::get(&format!("{url}/api/{kind}")).status, 200, "{kind}");
    }
}

/// A WebSocket passes from the visitor to the application and back.
#[test]
fn websocket() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/asgi.py", ASGI);
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    let authority = url.strip_prefix("http://").expect("it is a URL");
    let port = authority.rsplit(':').next().expect("it has a port");
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the host takes connections");
    let handshake = format!(
        "GET /api/asgi HTTP/1.1\r\nhost: {authority}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).expect("the host reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the host answers");
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");

    // A text frame, masked with zeros: what a mask is not.
    stream.write_all(b"\x81\x82\0\0\0\0hi").expect("the application reads");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("the application answers");
    assert_eq!(&answer, b"\x81\x03hi!");
    // A close is answered with a close.
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").expect("the application reads");
    let mut close = [0; 4];
    stream.read_exact(&mut close).expect("the application answers");
    assert_eq!(&close, b"\x88\x02\x03\xe8");
}

/// A handler that asks Python to end has failed, like any other that raises; the process has others to answer.
#[test]
fn handlers_that_end() {
    let asgi = r#"
import os, sys

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["query_string"]:
        raise {"exit": SystemExit("enough"), "interrupt": KeyboardInterrupt()}[scope["query_string"].decode()]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"#;
    let wsgi = r#"
import os

def app(environ, start_response):
    if environ["QUERY_STRING"]:
        raise {"exit": SystemExit("enough"), "interrupt": KeyboardInterrupt()}[environ["QUERY_STRING"]]
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"#;
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/asgi.py", asgi).file("api/wsgi.py", wsgi);
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    for kind in ["asgi", "wsgi"] {
        let own = http::get(&format!("{url}/api/{kind}")).success().text();
        for what in ["exit", "interrupt"] {
            let answer = http::get(&format!("{url}/api/{kind}?{what}"));
            let told = (answer.status, answer.header("x-ship-error"));
            assert_eq!(told, (500, Some("FUNCTION_INVOCATION_FAILED".to_owned())), "{kind} {what}");
            assert_eq!(http::get(&format!("{url}/api/{kind}")).success().text(), own, "{kind} after {what}");
        }
    }
}

/// What a file says with its end while it is loaded is told, as Python tells it.
#[test]
fn last_words() {
    let environment = TestEnv::new();
    let project =
        environment.project("site").file("api/end.py", "import sys\n\nsys.exit('no DATABASE_URL')\n\napp = None\n");
    let host = TestHost::start(&environment);
    let refused = host.ship(["deploy"]).within(project.folder()).run().exits_with(1);
    assert!(refused.stderr().contains("no DATABASE_URL\n"), "{}", refused.stderr());
}

/// An application that has not answered yet hears that its visitor has left, and its place is free when it is done, whether it listened or not.
#[test]
fn visitors_who_leave() {
    let source = r#"
import asyncio, os

told = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["path"].endswith("/listens"):
        while (await receive())["type"] != "http.disconnect":
            pass
        told.append("heard")
        return
    if scope["path"].endswith("/answers"):
        while not told:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        told.append("answered")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{told} {os.getpid()}".encode()})
"#;
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("ship.toml", "[functions.\"api/*\"]\nmax_instances = 1\nconcurrency = 2\ntimeout_secs = 600\n")
        .file("api/[...asgi].py", source);
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    let own = http::get(&format!("{url}/api/x")).success().text();
    let visitors = ["answers", "listens"].map(|path| http::request("GET", &format!("{url}/api/{path}")).begin());
    let in_flight = || {
        let shown = host.ship(["inspect", &url, "--json"]).run().success().json();
        shown["functions"][0]["instances"][0]["in_flight"].as_u64()
    };
    let began = Instant::now();
    while in_flight() != Some(2) {
        assert!(began.elapsed() < ship_tests::PATIENCE, "both are being answered");
    }
    drop(visitors);
    while in_flight() != Some(0) {
        assert!(began.elapsed() < ship_tests::PATIENCE, "both places are free again");
    }
    let told = http::get(&format!("{url}/api/x")).success().text();
    assert_eq!(told, own.replace("[]", "['heard', 'answered']"));
}

/// An application that sends without end hears that its visitor has left, and others are answered by the same process.
#[test]
fn endless_senders() {
    let source = r#"
import os, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "more"})
        except OSError:
            print("nobody listens")
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"].endswith("/endless"):
        begun = time.monotonic()
        while time.monotonic() < begun + 6:
            await send({"type": "http.response.body", "body": b"more" * 1024, "more_body": True})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"#;
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("ship.toml", "[functions.\"api/*\"]\nmax_instances = 1\ntimeout_secs = 600\n")
        .file("api/[...asgi].py", source);
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    let own = http::get(&format!("{url}/api/x")).success().text();
    let endless = http::request("GET", &format!("{url}/api/endless")).open();
    assert_eq!(endless.status(), 200);
    drop(endless);
    let asked = Instant::now();
    assert_eq!(http::get(&format!("{url}/api/x")).success().text(), own);
    assert!(asked.elapsed() < Duration::from_secs(4), "it is answered while the other still sends");

    let upgrade = http::request("GET", &format!("{url}/api/socket"))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let opened = upgrade.open();
    assert_eq!(opened.status(), 101);
    drop(opened);
    assert_eq!(http::get(&format!("{url}/api/x")).success().text(), own);
}

/// Two functions import one helper and open one file of the project, which is sent once for both. A helper is no function,
/// and no source is a page.
#[test]
fn functions_share_the_project() {
    let environment = TestEnv::new();
    let function = |name: &str, near: &str| {
        format!(
            "from lib.greeting import greet\nfrom {near} import EXTRA\n\ndef app(environ, start_response):\n    start_response('200 OK', \
             [])\n    return [(greet('{name}') + EXTRA).encode()]\n"
        )
    };
    let project = environment
        .project("site")
        .file("lib/greeting.py", "def greet(name):\n    return open('lib/word.txt').read().strip() + ' ' + name\n")
        .file("lib/word.txt", "hello\n")
        .file("api/_near.py", "EXTRA = '!'\n")
        .file("api/json.py", function("json", "_near"))
        .file("api/users/[id].py", function("id", "api._near"))
        .file("index.html", "<!doctype html>home")
        .file("requirements.txt", "# none yet\n")
        .file(".env", "SECRET=1\n")
        .file("venv/pyvenv.cfg", "")
        .file("venv/lib.py", "");
    let host = TestHost::start(&environment);
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let url = document["url"].as_str().expect("there is a URL").to_owned();
    // Two programs, the launcher, the project, two static files.
    assert_eq!((&document["upload"]["sent_blobs"], &document["static"]["files"]), (&6.into(), &2.into()));

    assert_eq!(http::get(&format!("{url}/api/json")).success().text(), "hello json!");
    assert_eq!(http::get(&format!("{url}/api/users/7")).success().text(), "hello id!");
    for hidden in ["/lib/greeting.py", "/api/_near.py", "/api/_near", "/requirements.txt", "/.env"] {
        assert_eq!(http::get(&format!("{url}{hidden}")).status, 404, "{hidden}");
    }

    // One edit: the project is sent again, and nothing else.
    project.write("lib/word.txt", "goodbye\n");
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(document["upload"]["sent_blobs"], 2);
    let url = document["url"].as_str().expect("there is a URL");
    assert_eq!(http::get(&format!("{url}/api/json")).success().text(), "goodbye json!");
}

/// What is nearly a function is named, with what was expected; a helper is not.
#[test]
fn near_misses() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("public/index.html", "<!doctype html>")
        .file("api/lambda.py", "def handler(event, context):\n    return {}\n")
        .file("api/plain.py", "\n\nclass Handler:\n    pass\n")
        .file("api/named.py", "import flask\n\nApp = flask.Flask(__name__)\n")
        .file("api/helper.py", "def double(number):\n    return 2 * number\n");
    let host = TestHost::start(&environment);
    let output = host.ship(["deploy"]).within(project.folder()).run().success();
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site-[ID-1].localhost:[PORT]
    ----- stderr -----
    warning: api/lambda.py:1: `handler` is not a function of the site, because it is a function: expected `app`, an ASGI or WSGI application, or `class handler(BaseHTTPRequestHandler)`
    warning: api/named.py:3: `App` is not a function of the site, because that is not its name: expected `app`, an ASGI or WSGI application, or `class handler(BaseHTTPRequestHandler)`
    warning: api/plain.py:3: `Handler` is not a function of the site, because it is a class that is not derived from a request handler: expected `app`, an ASGI or WSGI application, or `class handler(BaseHTTPRequestHandler)`
    Built 1 file in [TIME]
    1 file sent, 0 already there
    Published site as production in [TIME]
    It is the first deployment of this project, so it is production
      http://site.localhost:[PORT]
    ");
}

/// A file that breaks the grammar: file, line, column, and the line itself.
#[test]
fn syntax_error() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("api/date.py", "import datetime\n\ndef app(environ, start_response)\n    return []\n")
        .file("api/more.py", "app = (\n");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: api/date.py:3:33: expected `:`, found newline
     3 | def app(environ, start_response)
       |                                 ^
    api/more.py:1:8: unexpected EOF while parsing
     1 | app = (
       |        ^
    ");
}

/// What fails when it is loaded is refused with its own words, and nothing is published.
#[test]
fn loading_fails() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/date.py", "import nosuchmodule\n\napp = nosuchmodule.App()\n");
    insta::assert_snapshot!(refused(&environment, &project), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Built 1 function in [TIME]
    error: function `api/date` does not start: its process ended with exit code 1
      Traceback (most recent call last):
        File "api/date.py", line 1, in <module>
          import nosuchmodule
      ModuleNotFoundError: No module named 'nosuchmodule'
      `nosuchmodule` is neither in the project nor among its dependencies: add it to requirements.txt or pyproject.toml
    hint: nothing was published; `--no-check` publishes without starting the functions
    "#);
}

/// An application whose startup fails is refused with the reason that it gave.
#[test]
fn startup_fails() {
    let environment = TestEnv::new();
    let source = "async def app(scope, receive, send):\n    await receive()\n    await send({'type': 'lifespan.startup.failed', \
                  'message': 'there is no database'})\n";
    let project = environment.project("site").file("api/date.py", source);
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Built 1 function in [TIME]
    error: function `api/date` does not start: its process ended with exit code 1
      there is no database
    hint: nothing was published; `--no-check` publishes without starting the functions
    ");
}

/// What requirements.txt names is installed once, sent once, and found by an import. A later deploy sends what changed.
#[test]
fn requirements() {
    let environment = TestEnv::new();
    let source = "from itsdangerous import Signer\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    \
                  return [Signer('key').sign('hello')]\n";
    let project =
        environment.project("site").file("requirements.txt", "itsdangerous==2.2.0\n").file("api/sign.py", source);
    let host = TestHost::start(&environment);
    let first = host.ship(["deploy"]).within(project.folder()).run().success();
    assert!(first.stderr().contains("Installed what requirements.txt asks for, "), "{}", first.stderr());
    let signed = http::get(&format!("{}/api/sign", first.url())).success().text();
    assert!(signed.starts_with("hello."), "{signed}");

    project.edit("api/sign.py", "'hello'", "'goodbye'");
    let second = host.ship(["deploy", "--json"]).within(project.folder()).run().success();
    assert!(!second.stderr().contains("Installed"), "{}", second.stderr());
    let document = second.json();
    assert_eq!(document["upload"]["sent_blobs"], 1, "the project");
    let url = document["url"].as_str().expect("there is a URL");
    assert!(http::get(&format!("{url}/api/sign")).success().text().starts_with("goodbye."));
}

/// Installing gives the same bytes wherever and whenever it is done.
#[test]
fn packages_are_reproducible() {
    let digest = || {
        let environment = TestEnv::new();
        let project = environment
            .project("site")
            .file("requirements.txt", "itsdangerous==2.2.0\n")
            .file("api/a.py", "def app(environ, start_response): ...\n");
        let _ = environment.ship(["build"]).within(project.folder()).run().success();
        let config = std::fs::read_to_string(project.path(".ship/output/functions/api/a.func/.vc-config.json"));
        let config: serde_json::Value = serde_json::from_str(&config.expect("it was built")).expect("it is JSON");
        config["ship"]["layers"].clone()
    };
    let first = digest();
    assert_eq!(first.as_array().map(Vec::len), Some(3));
    assert_eq!(first, digest());
}

/// A package that is not there: which one, and who asks for it where.
#[test]
fn unknown_package() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("requirements.txt", "# what we need\nitsdangerous\nship-has-no-such-package==1.0\n")
        .file("api/a.py", "def app(environ, start_response): ...\n");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: requirements.txt:3: `ship-has-no-such-package` cannot be installed
    No solution found when resolving dependencies
      cause: Because ship-has-no-such-package was not found in the package registry ([INDEX]) and you require ship-has-no-such-package==1.0, we can conclude that your requirements are unsatisfiable.
    ");
    project.write("requirements.txt", "# what we need\nitsdangerous = 2.2\n");
    insta::assert_snapshot!(refused(&environment, &project), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: requirements.txt:2: this names no package: no such comparison operator "=", must be one of ~= == != <= >= < > ===
      itsdangerous = 2.2
                   ^^^^^
    "#);
}

/// A project that asks for another Python than there is learns so before anything is built.
#[test]
fn another_python() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file(".python-version", "3.2\n")
        .file("api/a.py", "def app(environ, start_response): ...\n");
    let said = refused(&environment, &project);
    assert!(said.contains("error: .python-version:1: the project asks for Python 3.2, and `"), "{said}");
    assert!(said.contains("install that version and put it first on the search path"), "{said}");
}

/// A function that lists the files it has.
const LISTING: &str = "import os\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    found = sorted(os.path.join(\
                       folder, name)[2:] for folder, _, names in os.walk('.') for name in names)\n    return \
                       ['\\n'.join(found).encode()]\n";

/// A function takes along what is no part of a Python project otherwise, and leaves out what it does not want; its neighbours
/// have what they had, and those that say nothing share one layer.
#[test]
fn included_and_excluded_files() {
    let environment = TestEnv::new();
    let config =
        r#"{"functions": {"api/other.py": {"includeFiles": "web/*.ts", "excludeFiles": "{api/all.py,data/**}"}}}"#;
    let project = environment
        .project("site")
        .file("api/all.py", LISTING)
        .file("api/other.py", LISTING)
        .file("data/words.txt", "words")
        .file("requirements.txt", "# nothing yet\n")
        .file("web/page.ts", "export {}")
        .file("vercel.json", config);
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    let listed = |name: &str| http::get(&format!("{url}/api/{name}")).success().text();
    assert_eq!(listed("all"), "api/all.py\napi/other.py\ndata/words.txt");
    assert_eq!(listed("other"), "api/other.py\nweb/page.ts");
}

/// `ship dev`: the next request after an edit sees it, in the function's file and in a helper.
#[test]
fn edits_while_developing() {
    let environment = TestEnv::new();
    let source = "import lib.word\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return \
                  [b'one ' + lib.word.WORD]\n";
    let project = environment.project("site").file("api/a.py", source).file("lib/word.py", "WORD = b'fish'\n");
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("each line is one JSON document");
    let url = format!("{}/api/a", ready["url"].as_str().expect("the event names the URL"));
    assert_eq!(http::get(&url).success().text(), "one fish");
    project.edit("api/a.py", "one", "two");
    assert_eq!(http::get(&url).success().text(), "two fish");
    project.edit("lib/word.py", "fish", "birds");
    assert_eq!(http::get(&url).success().text(), "two birds");
    project.edit("api/a.py", "return [", "return [[");
    let broken = http::get(&url);
    assert_eq!(broken.status, 500);
    assert!(broken.text().contains("api/a.py:5:"), "{}", broken.text());
    project.edit("api/a.py", "return [[", "return [");
    assert_eq!(http::get(&url).success().text(), "two birds");
}

/// The example: a page, and a `FastAPI` application that is the server of everything else.
#[test]
fn fastapi_example() {
    let environment = TestEnv::new();
    let project = environment.example("fastapi");
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);

    assert!(http::get(&url).success().text().contains("Let a month pass"));
    let moon = http::get(&format!("{url}/api/moon?date=2000-01-21")).success().json();
    assert_eq!(moon, serde_json::json!({ "date": "2000-01-21", "phase": 0.4822, "lit": 0.9969, "name": "Full moon" }));
    let month = http::get(&format!("{url}/api/month?date=2000-01-06&nights=3")).success();
    assert_eq!(month.header("content-type").as_deref(), Some("application/x-ndjson"));
    assert_eq!(month.text().lines().count(), 3);
    let invalid = http::get(&format!("{url}/api/moon?date=tomorrow"));
    assert_eq!((invalid.status, invalid.json()["detail"][0]["loc"][1].as_str()), (422, Some("date")));
    assert!(http::get(&format!("{url}/api/docs")).success().text().contains("Moon"));
    let nowhere = http::get(&format!("{url}/main.py"));
    assert_eq!((nowhere.status, nowhere.text().as_str()), (404, "{\"detail\":\"Not Found\"}"));
}

/// What a function forks ends when it is told to, and processes of `multiprocessing` begin in every way.
#[test]
fn processes_of_a_function() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("lib/__init__.py", "")
        .file("lib/work.py", "import time\n\ndef double(x):\n    return 2 * x\n\ndef sleep():\n    time.sleep(60)\n")
        .file(
            "api/a.py",
            "import json, multiprocessing\nfrom lib.work import double, sleep\n\n\
             def app(environ, start_response):\n\
             \x20   start_response('200 OK', [])\n\
             \x20   sleeper = multiprocessing.get_context('fork').Process(target=sleep)\n\
             \x20   sleeper.start()\n\
             \x20   sleeper.terminate()\n\
             \x20   sleeper.join(30)\n\
             \x20   with multiprocessing.get_context('fork').Pool(2) as forked:\n\
             \x20       results = [sleeper.exitcode, forked.map(double, [1, 2])]\n\
             \x20   with multiprocessing.get_context('spawn').Pool(1) as spawned:\n\
             \x20       results.append(spawned.map(double, [3]))\n\
             \x20   return [json.dumps(results).encode()]\n",
        );
    let host = TestHost::start(&environment);
    let url = deploy(&host, &project);
    for _ in 0..2 {
        let answer = http::get(&format!("{url}/api/a")).success().json();
        assert_eq!(answer, serde_json::json!([-15, [2, 4], [6]]));
    }
}

/// Headers without bound are no answer, and cost the instance no more than the application itself has used for them: it goes on.
#[test]
fn more_headers_than_fit() {
    let environment = TestEnv::new();
    let application = "
async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    count = 60_000 if b'many' in scope['query_string'] else 1
    headers = [(b'x-%d' % number, b'v' * 1000) for number in range(count)]
    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
    await send({'type': 'http.response.body', 'body': b'well'})
";
    let project = environment.project("site").file("api/heads.py", application);
    let project = project.file("ship.toml", "[functions.\"api/*\"]\nmemory_mb = 192\n");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    for _ in 0..3 {
        let answer = http::get(&format!("{url}/api/heads?many"));
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("x-ship-error").as_deref(), Some("INVALID_FUNCTION_RESPONSE"));
        assert_eq!(http::get(&format!("{url}/api/heads")).success().text(), "well");
    }
}

/// A program in the project is one where its functions run, and one that was made one since is another deployment.
#[test]
fn programs_of_the_project() {
    let environment = TestEnv::new();
    let source = "import os, subprocess\n\n\ndef app(environ, start_response):\n    start_response(\"200 OK\", [])\n    \
                  if os.access(\"tools/greet\", os.X_OK):\n        return [subprocess.check_output([\"tools/greet\"])]\n    return [b\"no program\"]\n";
    let greet = "#!/bin/sh\necho hello\n";
    let project = environment.project("site").file("api/run.py", source).file("tools/greet", greet);
    let host = TestHost::start(&environment);
    let deployed = || host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&format!("{}/api/run", deployed())).success().text(), "no program");
    let tool = project.folder().join("tools/greet");
    std::fs::set_permissions(tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    assert_eq!(http::get(&format!("{}/api/run", deployed())).success().text(), "hello\n");
}

/// A function that puts another program in its own place is replaced when it is asked next, and nobody waits for that program.
#[test]
fn another_program_in_its_place() {
    let environment = TestEnv::new();
    let source = "import os\n\n\ndef app(environ, start_response):\n    if environ[\"QUERY_STRING\"] == \"away\":\n        \
                  os.execv(\"/bin/sleep\", [\"sleep\", \"3600\"])\n    start_response(\"200 OK\", [])\n    return [b\"here\"]\n";
    let project = environment
        .project("site")
        .file("ship.toml", "[functions.\"api/*\"]\ntimeout_secs = 5\n")
        .file("api/away.py", source);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let shown = host.ship(["inspect", &url, "--json"]).run().success().json();
    let pid = shown["functions"][0]["instances"][0]["pid"].as_u64().and_then(|pid| pid.try_into().ok());
    let process = ship_tests::Process::with_id(pid.expect("it runs"));
    let answer = http::get(&format!("{url}/api/away?away"));
    let code = answer.header("x-ship-error");
    assert_eq!((answer.status, code.as_deref()), (502, Some("NO_RESPONSE_FROM_FUNCTION")));
    assert_eq!(http::get(&format!("{url}/api/away")).success().text(), "here");
    assert!(process.ends_within(std::time::Duration::from_secs(5)), "{}", process.command_line());
}
