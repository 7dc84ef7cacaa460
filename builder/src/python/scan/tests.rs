//! What is found in Python files.

use super::*;

fn variable(text: &str) -> Option<String> {
    scan("api/x.py", text).variable
}

/// Everything that binds an application or a handler class at the top of a file makes it a function.
#[test]
fn entries() {
    for (text, expected) in [
        ("app = FastAPI()", "app"),
        ("app: Flask = Flask(__name__)", "app"),
        ("application = get_wsgi_application()", "application"),
        ("application = app = Flask('x')", "app"),
        ("from .server import app", "app"),
        ("from .server import create as application", "application"),
        ("app, db = create()", "app"),
        ("def app(environ, start_response): ...", "app"),
        ("async def app(scope, receive, send): ...", "app"),
        ("@wrap\ndef app(request): ...", "app"),
        ("def app(*args): ...", "app"),
        ("try:\n    from fast import app\nexcept ImportError:\n    app = None", "app"),
        ("if DEBUG:\n    app = a()\nelse:\n    app = b()", "app"),
        ("from http.server import BaseHTTPRequestHandler\nclass handler(BaseHTTPRequestHandler): ...", "handler"),
        ("import http.server\nclass Handler(http.server.SimpleHTTPRequestHandler): ...", "Handler"),
        ("class Base(BaseHTTPRequestHandler): ...\nclass handler(Base): ...", "handler"),
        ("from lib import Base\nclass handler(Base):\n    def do_GET(self): ...", "handler"),
        ("class handler(BaseHTTPRequestHandler): ...\napp = 1", "handler"),
        ("type X = int\nmatch 1:\n    case _: ...\napp = f'{'nested'}'", "app"),
    ] {
        assert_eq!(variable(text).as_deref(), Some(expected), "{text}");
    }
}

/// What only looks like it in a text, or is never run, does not.
#[test]
fn no_entries() {
    for text in [
        "",
        "# app = Flask()",
        "\"\"\"\napp = Flask()\n\"\"\"",
        "def create():\n    app = Flask()\n    return app",
        "@route\ndef index(request): ...",
        "def _handle(event): ...",
        "def handle(event): ...\nif __name__ == '__main__':\n    handle(1)",
        "if __name__ == \"__main__\":\n    app = Flask()",
        "if TYPE_CHECKING:\n    from x import app",
        "app: Flask",
        "import app",
        "app.run()",
        "my_app = 1",
        "class Reader:\n    def handler(self): ...",
        "def main(): ...",
    ] {
        assert_eq!(scan("api/x.py", text), PythonFile::default(), "{text}");
    }
}

/// What was probably meant is named, with its line and what is wrong with it.
#[test]
fn near_entries() {
    for (text, name, flaw) in [
        ("\ndef handler(request): ...", "handler", EntryFlaw::FunctionHandler),
        ("\nasync def Handler(event, context): ...", "Handler", EntryFlaw::FunctionHandler),
        ("\nclass Handler: ...", "Handler", EntryFlaw::PlainClass),
        ("\nclass handler(Model): ...", "handler", EntryFlaw::PlainClass),
        ("\nclass app: ...", "app", EntryFlaw::PlainClass),
        ("\nhandler = Mangum(server)", "handler", EntryFlaw::VariableHandler),
        ("\nApp = Flask()", "App", EntryFlaw::Name),
        ("\nserver = flask.Flask(__name__)", "server", EntryFlaw::Name),
        ("\ndef main(request): ...", "main", EntryFlaw::Name),
        ("\ndef app(request): ...", "app", EntryFlaw::Parameters),
        ("\nasync def app(environ, start_response): ...", "app", EntryFlaw::Parameters),
    ] {
        let expected = Some(NearEntry { name: name.into(), line: 2, flaw });
        assert_eq!(scan("api/x.py", text), PythonFile { near: expected, ..PythonFile::default() }, "{text}");
    }
}

/// The first function that takes something is named, for a file that nobody uses.
#[test]
fn lone_functions() {
    let lone = scan("api/x.py", "import os\ndef path(): ...\ndef handle(event): ...\ndef other(x): ...").lone;
    assert_eq!(lone, Some(NearEntry { name: "handle".into(), line: 3, flaw: EntryFlaw::Unused }));
    assert_eq!(scan("api/x.py", "def handle(event): ...\ndef handler(event): ...").lone, None);
    assert_eq!(scan("api/x.py", "def handle(event): ...\napp = FastAPI()").lone, None);
}

/// A mistake is shown where it is, with its line.
#[test]
fn syntax_errors() {
    let said = |text: &str| scan("api/x.py", text).errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        said("def app(a, b)\n    return []\n"),
        ["api/x.py:1:14: expected `:`, found newline\n 1 | def app(a, b)\n   |              ^"]
    );
    assert_eq!(said("x = 'ä' +\n"), ["api/x.py:1:10: expected an expression\n 1 | x = 'ä' +\n   |          ^"]);
}

/// Only statements that import a module count as its use.
#[test]
fn importing() {
    for text in
        ["from lib import x", "  from . import lib", "import a, lib", "from api.lib import x", "from .lib import y"]
    {
        assert!(imports(text, "lib"), "{text}");
    }
    for text in ["library = 1", "# from lib", "x = lib", "from library import x"] {
        assert!(!imports(text, "lib"), "{text}");
    }
    assert!(mentions("INSTALLED = ['api.lib']", "lib"));
    assert!(!mentions("library, _lib, lib_2", "lib"));
}
