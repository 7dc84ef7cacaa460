//! What functions in Python depend on: private indexes, and the lock files of other tools than uv.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// A package index of one package that only `me` with the password `s3cr3t-word` may read. It says its port in a line.
const PRIVATE_INDEX: &str = r#"
import base64, hashlib, io, zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def wheel():
    packed, notes = io.BytesIO(), "shipprivate-1.0.0.dist-info"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("shipprivate.py", "WORD = 'ours'\n")
        archive.writestr(f"{notes}/METADATA", "Metadata-Version: 2.1\nName: shipprivate\nVersion: 1.0.0\n")
        archive.writestr(f"{notes}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{notes}/RECORD", "")
    return packed.getvalue()

WHEEL, NAME = wheel(), "shipprivate-1.0.0-py3-none-any.whl"
LINK = f'<a href="../../files/{NAME}#sha256={hashlib.sha256(WHEEL).hexdigest()}">{NAME}</a>'.encode()
ALLOWED = "Basic " + base64.b64encode(b"me:s3cr3t-word").decode()

class Index(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 404, b"there is no such package"
        if self.headers.get("authorization") != ALLOWED:
            status, body = 401, b"who are you?"
        elif self.path == "/simple/shipprivate/":
            status, body = 200, LINK
        elif self.path.startswith("/files/"):
            status, body = 200, WHEEL
        self.send_response(status)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// A private index, which ends with the test.
struct PrivateIndex {
    program: Child,
    port: String,
}

impl PrivateIndex {
    #[track_caller]
    fn start() -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", PRIVATE_INDEX]).stdout(Stdio::piped());
        let mut program = command.spawn().expect("there is a Python");
        let mut port = String::new();
        let mut lines = BufReader::new(program.stdout.take().expect("its output is a pipe"));
        lines.read_line(&mut port).expect("it says its port");
        Self { program, port: port.trim().to_owned() }
    }
}

impl Drop for PrivateIndex {
    fn drop(&mut self) {
        // It may have ended by itself, which another assertion tells.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Packages of a private index, asked for with the password that variables hold: by name, as uv has it, and in pip's address.
/// The password is in nothing that is said, nor in anything that is built; a wrong one is said to be wrong, and not shown.
#[test]
fn private_index() {
    let index = PrivateIndex::start();
    let environment = TestEnv::new();
    let source = "import shipprivate\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return \
                  [shipprivate.WORD.encode()]\n";
    let address = format!("127.0.0.1:{}/simple", index.port);
    let asked = format!(
        "[project]\nname = \"site\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"shipprivate\"]\n\n\
         [[tool.uv.index]]\nname = \"ours\"\nurl = \"http://{address}\"\nexplicit = true\n\n[tool.uv.sources]\n\
         shipprivate = {{ index = \"ours\" }}\n"
    );
    let by_name = environment.project("by-name").file("pyproject.toml", asked).file("api/a.py", source);
    let by_address =
        environment.project("by-address").file("requirements.txt", "shipprivate\n").file("api/a.py", source);
    let cache = environment.folder().join("uv-cache");
    let build = |project: &TestProject, settings: &[(&str, &str)]| {
        let ship = environment.ship(["build", "--verbose"]).within(project.folder()).with("UV_CACHE_DIR", &cache);
        settings.iter().fold(ship, |ship, (name, value)| ship.with(name, value)).run()
    };
    let named =
        build(&by_name, &[("UV_INDEX_OURS_USERNAME", "me"), ("UV_INDEX_OURS_PASSWORD", "s3cr3t-word")]).success();
    let pip = format!("http://me:s3cr3t-word@{address}");
    let addressed = build(&by_address, &[("UV_DEFAULT_INDEX", ""), ("PIP_INDEX_URL", &pip)]).success();
    for output in [&named, &addressed] {
        assert!(output.stderr().contains("Installed what "), "{}", output.stderr());
        assert!(!output.snapshot().contains("s3cr3t-word"), "{}", output.stderr());
    }
    let holds_password = |folder: &Path| {
        let grep =
            Command::new("grep").args(["-r", "-q", "s3cr3t-word"]).arg(folder).status().expect("there is a grep");
        grep.success()
    };
    assert!(!holds_password(&by_name.path(".ship")) && !holds_password(&environment.ship_home().join("cache")));

    let wrong = format!("http://me:wr0ng-word@{address}");
    by_address.write("requirements.txt", "shipprivate>=1\n");
    let refused = build(&by_address, &[("UV_DEFAULT_INDEX", ""), ("PIP_INDEX_URL", &wrong)]).exits_with(1);
    let said = refused.stderr();
    assert!(said.contains("requirements.txt:1: `shipprivate` cannot be installed"), "{said}");
    assert!(said.contains("lack of valid authentication credentials") && !said.contains("wr0ng-word"), "{said}");
}

/// Lock files of other tools are what is installed; one that was made for another list of packages is refused with what to type.
#[test]
fn lock_files_of_other_tools() {
    let environment = TestEnv::new();
    let source = "import importlib.metadata\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return \
                  [importlib.metadata.version('itsdangerous').encode()]\n";
    let wheel = "c6242fc49e35958c8b15141343aa660db5fc54d4f13a1db01a3f5891b98700ef";
    let pipfile = "[packages]\nitsdangerous = \"*\"\n";
    let pipenv = "{\"_meta\": {\"hash\": {\"sha256\": \"1f35a5a4c6a1c25b5b2ef6ad5ee50f4b4a30b0b7a8eb31f4a12b2d2b8c2a2f0a\"}}, \"default\": {}}";
    let poetry = format!(
        "[[package]]\nname = \"itsdangerous\"\nversion = \"2.2.0\"\noptional = false\ngroups = [\"main\"]\n\
         files = [{{file = \"itsdangerous-2.2.0-py3-none-any.whl\", hash = \"sha256:{wheel}\"}}]\n\n\
         [[package]]\nname = \"ship-has-no-such-package\"\nversion = \"1\"\ngroups = [\"dev\"]\n"
    );
    let asked = "[tool.poetry.dependencies]\npython = \"^3.9\"\nitsdangerous = \"^2\"\n";
    let site =
        environment.project("site").file("api/a.py", source).file("pyproject.toml", asked).file("poetry.lock", poetry);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(site.folder()).run().success().url();
    assert_eq!(http::get(&format!("{url}/api/a")).success().text(), "2.2.0");

    site.write("pyproject.toml", format!("{asked}flask = \"*\"\n"));
    insta::assert_snapshot!(host.ship(["deploy"]).within(site.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `poetry.lock` is out of date: `pyproject.toml` was changed since. `poetry lock` brings it up to date
    ");
    let other =
        environment.project("other").file("api/a.py", source).file("Pipfile", pipfile).file("Pipfile.lock", pipenv);
    insta::assert_snapshot!(host.ship(["deploy"]).within(other.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `Pipfile.lock` is out of date: `Pipfile` was changed since. `pipenv lock` brings it up to date
    ");
    std::fs::remove_file(other.path("Pipfile.lock")).expect("it is there");
    let url = host.ship(["deploy"]).within(other.folder()).run().success().url();
    assert_eq!(http::get(&format!("{url}/api/a")).success().text(), "2.2.0", "a Pipfile says enough by itself");
}

/// A requirement file that refers to others, and to the project itself as one installs it while developing: what the project is
/// made of is installed as a package, and the next build finds the same.
#[test]
fn the_project_itself() {
    let environment = TestEnv::new();
    let source = "import itsdangerous, shop, six\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    \
                  return [f'{shop.WORD} {itsdangerous.__name__} {six.__name__} {shop.__file__}'.encode()]\n";
    let project = "[project]\nname = \"shop\"\nversion = \"1\"\ndependencies = []\n\n[project.optional-dependencies]\n\
                   more = [\"six\"]\n\n[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n";
    let site = environment
        .project("site")
        .file("api/a.py", source)
        .file("pyproject.toml", project)
        .file("requirements.txt", "-r lists/base.txt\n-e .[more]\n")
        .file("lists/base.txt", "-c limits.txt\nitsdangerous\n")
        .file("lists/limits.txt", "itsdangerous<3\n")
        .file("src/shop/__init__.py", "WORD = 'open'\n");
    let host = TestHost::start(&environment);
    let deploy = || host.ship(["deploy"]).within(site.folder()).run().success().url();
    let first = deploy();
    // A link to the project's own folder would do on this machine only.
    let answer = |url: &str| {
        let text = http::get(&format!("{url}/api/a")).success().text();
        let (words, place) = text.rsplit_once(' ').expect("the place comes last");
        assert!(place.ends_with("/python/shop/__init__.py"), "{place}");
        words.to_owned()
    };
    assert_eq!(answer(&first), "open itsdangerous six");
    assert_eq!(deploy(), first);
    site.edit("src/shop/__init__.py", "open", "closed");
    assert_eq!(answer(&deploy()), "closed itsdangerous six");
}
