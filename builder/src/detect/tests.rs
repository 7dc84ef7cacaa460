//! What a folder is found to consist of.

use std::path::Path;

use rustix::fs::{FileType, Mode};
use ship_core::route::Phase;

use super::*;
use crate::testing::{TestProject, handler};

fn names(config: &ProjectConfig) -> Vec<&str> {
    config.functions().iter().map(|function| function.name.as_str()).collect()
}

/// Files with a handler are functions at their paths; the others are not, and neither are tests, hidden and private files.
#[test]
fn functions() {
    let source = handler("Handler", "ok");
    let helper = "package handler\n\nfunc Double(n int) int { return 2 * n }\n";
    let project = TestProject::new([
        ("api/date.go", source.as_str()),
        ("api/helper.go", helper),
        ("api/date_test.go", &source),
        ("api/_draft.go", &source),
        ("api/.hidden.go", &source),
        ("api/_lib/x.go", &source),
        ("api/node_modules/x/x.go", &source),
        ("api/users/[id].go", &source),
        ("api/users/index.go", &source),
        ("src/api/no.go", &source),
        ("other.go", &source),
    ]);
    let config = project.detect().unwrap();
    assert_eq!(names(&config), ["api/date", "api/users/[id]", "api/users/index"]);
    assert_eq!(config.warnings, []);
    assert_eq!(
        config.sources.iter().map(|source| source.file.as_str()).collect::<Vec<_>>(),
        ["api/date.go", "api/helper.go", "api/users/[id].go", "api/users/index.go"]
    );
}

/// What would be silently missing is warned about.
#[test]
fn warnings() {
    let returning = "package handler\n\nimport \"net/http\"\n\nfunc Get(w http.ResponseWriter, r *http.Request) error { return nil }\n";
    let project = TestProject::new([
        ("vercel.json", "{\n\"devCommand\": \"x\", \"regions\": [\"fra1\"] }"),
        ("api/hello.rb", "Handler = 1"),
        ("api/near.ts", "export function get() {}"),
        ("api/helper.ts", "export const day = 1"),
        ("api/types.d.ts", ""),
        ("api/get.go", returning),
    ]);
    let said: Vec<String> = project.detect().unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "vercel.json:2: `devCommand` is not used by this version of ship: `ship dev` starts the script `dev` of package.json, or the \
             framework's own command",
            "`api/hello.rb` is not deployed: this version of ship builds functions in Go, TypeScript, JavaScript, Python and Rust",
            "api/get.go:5: `Get` is not a function of the site, because it returns a value: expected `func Get(w http.ResponseWriter, r \
             *http.Request)`",
            "api/near.ts:1: this is not a function of the site, because it exports `get`: expected a default export that is a function or \
             has `fetch`, or exported functions named GET, POST, …",
        ]
    );

    project.write("ship.toml", "");
    assert_eq!(project.detect().unwrap().warnings[0], ProjectWarning::BothConfigFiles);
}

/// What is valid Go and nearly a handler is named, with what it lacks; helpers, and what other files use, are not.
#[test]
fn near_handlers() {
    let file = |function: &str| format!("package handler\n\nimport \"net/http\"\n\n{function}\n");
    let nearly = [
        ("func Get(w http.ResponseWriter, r http.Request) {}", "its parameters are not those of a handler"),
        ("func Get(r *http.Request, w http.ResponseWriter) {}", "its parameters are not those of a handler"),
        ("func Get(w *http.ResponseWriter, r *http.Request) {}", "its parameters are not those of a handler"),
        ("func get(w http.ResponseWriter, r *http.Request) {}", "its name does not begin with a capital letter"),
        ("func Get[T any](w http.ResponseWriter, r *http.Request) {}", "it has type parameters"),
        ("func Get(w http.ResponseWriter, r *http.Request) error { return nil }", "it returns a value"),
        ("func Handler(w http.ResponseWriter) {}", "it takes no request"),
        ("func Get(w http.ResponseWriter) {}", "it takes no request"),
        ("func Handler() string { return \"\" }", "its parameters are not those of a handler"),
        ("var Get http.HandlerFunc = nil", "it is a variable"),
        ("var Get = http.HandlerFunc(nil)", "it is a variable"),
    ];
    for (function, reason) in nearly {
        let name = ["get", "Handler"].into_iter().find(|name| function[5..].starts_with(name)).unwrap_or("Get");
        let wanted = if name == "get" { "Get" } else { name };
        let project = TestProject::new([("api/get.go", file(function).as_str())]);
        let said: Vec<String> = project.detect().unwrap().warnings.iter().map(ToString::to_string).collect();
        let expected = format!(
            "api/get.go:5: `{name}` is not a function of the site, because {reason}: expected `func {wanted}(w \
             http.ResponseWriter, r *http.Request)`"
        );
        assert_eq!(said, [expected], "{function}");
    }
    let user = file("func Page(w http.ResponseWriter, r *http.Request) { notFound(w, r) }");
    for function in [
        "func WriteJSON(w http.ResponseWriter, status int, v any) {}",
        "func Authorized(r *http.Request, role string) bool { return true }",
        "func notFound(w http.ResponseWriter, r *http.Request) {}",
        "func fresh(w http.ResponseWriter) {}\n\nfunc WriteText(w http.ResponseWriter, text string) { fresh(w) }",
        "type Site struct{}\n\nfunc (s Site) Get(w http.ResponseWriter, r *http.Request) {}",
        "var Client http.Client",
    ] {
        let project = TestProject::new([("api/help.go", file(function).as_str()), ("api/page.go", &user)]);
        assert_eq!(project.detect().unwrap().warnings, [], "{function}");
    }
}

/// A program of its own is no function, and neither is a file whose ending is in capitals.
#[test]
fn programs_and_capitals() {
    let project =
        TestProject::new([("api/run.go", "package main\n\nfunc main() {}\n"), ("api/A.TS", "export default 5")]);
    let said: Vec<String> = project.detect().unwrap().warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "`api/A.TS` is not a function of the site, because its ending is `.TS`: expected `.ts`",
        "api/run.go:3: `main` is not a function of the site, because it is a program of its own: expected `func Handler(w \
         http.ResponseWriter, r *http.Request)`",
    ];
    assert_eq!(said, expected);
}

/// Of two handlers in a file the first is the function, and the second is spoken of unless something uses it.
#[test]
fn further_handlers() {
    let file = |body: &str| {
        format!(
            "package handler\n\nimport \"net/http\"\n\nfunc Date(w http.ResponseWriter, r *http.Request) {{ {body} }}\n\n\
             func Zone(w http.ResponseWriter, r *http.Request) {{}}\n"
        )
    };
    let warnings = |text: &str| {
        let project = TestProject::new([("api/date.go", text)]).detect().unwrap();
        project.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let expected = "api/date.go:7: `Zone` is not a function of the site, because a file is one function, here `Date`: give it a \
                    file of its own";
    assert_eq!(warnings(&file("")), [expected]);
    assert_eq!(warnings(&file("Zone(w, r)")), Vec::<String>::new());
}

/// Neither `api/` nor `public/` may be a symlink out of the project.
#[test]
fn folders_outside() {
    let elsewhere = TestProject::new([("date.go", handler("Date", "now").as_str())]);
    for folder in ["api", "public"] {
        let project = TestProject::new([("index.html", "")]);
        project.symlink(elsewhere.root(), folder);
        assert_eq!(project.detect().unwrap_err().code(), Some("symlink_leaves_project"), "{folder}");
    }
}

/// What is read by its name is a file of the project: nothing that never ends is read, and nothing from outside.
#[test]
fn files_that_are_none() {
    let elsewhere = TestProject::new([("package.json", "{}")]);
    for name in ["ship.toml", "vercel.json", "now.json", "package.json", "go.mod"] {
        let project = TestProject::new([("index.html", "")]);
        project.symlink(Path::new("/dev/zero"), name);
        assert_eq!(project.detect().unwrap_err().code(), Some("symlink_leaves_project"), "{name}");

        let project = TestProject::new([("index.html", "")]);
        project.symlink(elsewhere.root().join("package.json"), name);
        assert_eq!(project.detect().unwrap_err().code(), Some("symlink_leaves_project"), "{name}");

        let project = TestProject::new([("index.html", "")]);
        let pipe = project.root().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let error = project.detect().unwrap_err().to_string();
        assert_eq!(error, format!("`{name}` is a named pipe, and only files can be deployed"));

        let project = TestProject::new([("index.html", ""), (name, "")]);
        let file = std::fs::File::options().write(true).open(project.root().join(name)).unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(project.detect().unwrap_err().to_string(), format!("`{name}` cannot be read"));
    }
}

/// A name comes from `ship.toml`, or else the nearest one to the folder's.
#[test]
fn names_of_projects() {
    let project = TestProject::new([("ship.toml", "name = \"my-site\"")]);
    assert_eq!(project.detect().unwrap().name, Some("my-site".parse().unwrap()));
    assert_eq!(project.dir().name_from_folder().unwrap().as_str(), "project");
    let nameless = project.root().join("___");
    std::fs::create_dir(&nameless).unwrap();
    let error = ProjectDir::open(&nameless).unwrap().name_from_folder().unwrap_err();
    assert!(error.to_string().ends_with("cannot name a project: set `name = \"…\"` in ship.toml"), "{error}");
}

/// A folder that is not there, or is a file, is said to be just that.
#[test]
fn no_folder() {
    let project = TestProject::new([("a.txt", "")]);
    let open = |path: &str| ProjectDir::open(&project.root().join(path)).unwrap_err().to_string();
    assert!(open("missing").ends_with("missing` does not exist"));
    assert!(open("a.txt").ends_with("a.txt` is not a folder"));
}

/// Changes in version control, packages and ship's own output never matter; changes in the project do.
#[test]
fn what_a_watcher_ignores() {
    let project = TestProject::new([]);
    let config = project.detect().unwrap();
    for path in
        [".git/index", ".ship/output/config.json", "node_modules/a/b.js", "api/date.go~", "public/.index.html.swp"]
    {
        assert!(config.is_ignored(Path::new(path)) && config.is_ignored(&project.root().join(path)), "{path}");
    }
    for path in ["ship.toml", "api/date.go", "lib/x.go", "public/index.html", "go.mod"] {
        assert!(!config.is_ignored(Path::new(path)), "{path}");
    }
}

/// Rust files with a handler or a `main` are functions, the others are helpers; what is nearly a handler is warned about.
#[test]
fn rust_functions() {
    let project = TestProject::new([
        ("api/date.rs", "async fn handler(r: http::Request<()>) -> R { r }"),
        ("api/users/[id].rs", "fn main() { run(service_fn(handler)) }\nasync fn handler(r: R) -> R { r }"),
        ("api/words.rs", "pub fn hello() {}"),
        ("api/_lib/x.rs", "async fn handler(r: R) -> R { r }"),
        ("api/near.rs", "\nfn handler(r: R) -> R { r }"),
    ]);
    let config = project.detect().unwrap();
    assert_eq!(names(&config), ["api/date", "api/users/[id]"]);
    let said: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let expected = "api/near.rs:2: `handler` is not a function of the site, because it is not `async`: expected `async fn \
                    handler(request: Request) -> Result<Response, Error>`";
    assert_eq!(said, [expected]);
}

/// A Python file beside functions that holds a function of another name, and that nobody uses, is warned about; helpers, tests,
/// packages and the modules of a server are not.
#[test]
fn lone_python_functions() {
    let function = "def handle(event):\n    return \"x\"\n";
    let project = TestProject::new([
        ("api/python.py", function),
        ("api/test_python.py", function),
        ("api/words.py", function),
        ("api/package/__init__.py", ""),
        ("api/package/admin.py", function),
        ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n"),
        ("requirements.txt", "fastapi\n"),
    ]);
    assert_eq!(project.detect().unwrap().warnings, []);
    project.write("api/date.py", "from words import (\n    handle,\n)\napp = handle(1)\n");
    let said: Vec<String> = project.detect().unwrap().warnings.iter().map(ToString::to_string).collect();
    let expected = "api/python.py:1: `handle` is not a function of the site, because that is not its name, and no other function \
                    uses its file: expected `app`, an ASGI or WSGI application, or `class handler(BaseHTTPRequestHandler)`";
    assert_eq!(said, [expected]);
}

/// What cargo itself makes of a package below `api/` is no function: its build script, its library, its tests.
#[test]
fn packages_below_api() {
    let main = "fn main() {}";
    let project = TestProject::new([
        ("api/Cargo.toml", "[package]\nname = \"api\"\n"),
        ("api/build.rs", main),
        ("api/src/main.rs", main),
        ("api/tests/all.rs", main),
        ("api/users/build.rs", main),
        ("api/date.rs", main),
    ]);
    assert_eq!(names(&project.detect().unwrap()), ["api/date", "api/users/build"]);
}

/// A Go program is a server only where there is a `go.mod` and no function; nothing of its folder is static then.
#[test]
fn go_servers() {
    let main = "package main\n\nfunc main() {}\n";
    let project = TestProject::new([("main.go", main), ("templates/index.html", "x")]);
    assert_eq!(names(&project.detect().unwrap()), Vec::<&str>::new());
    project.write("go.mod", "module example.com/x\n");
    let config = project.detect().unwrap();
    assert_eq!(names(&config), ["index"]);
    assert_eq!((config.functions()[0].reach, config.site.kind), (Reach::Site, SiteFolderKind::Nothing));
    assert!(project.plan().unwrap().files.files.is_empty());
    project.write("api/date.go", &handler("Date", "now"));
    assert_eq!(names(&project.detect().unwrap()), ["api/date"]);
}

/// The server that a framework may leave is expected where its build may leave one: it may use the most that any entry allows
/// which is about no other function, and routes lead to it behind all others.
#[test]
fn server_of_a_framework() {
    let functions = r#"{ "functions": {
        "app/api/slow/route.ts": { "maxDuration": 90 },
        "app/quick/route.ts": { "maxDuration": 5, "memory": 256 },
        "api/*.go": { "maxDuration": 300 }
    } }"#;
    let source = handler("Date", "now");
    let project = TestProject::new([
        ("package.json", r#"{"dependencies": {"next": "16"}}"#),
        ("vercel.json", functions),
        ("api/date.go", source.as_str()),
    ]);
    let config = project.detect().unwrap();
    assert_eq!((names(&config), config.functions[0].limits.timeout_secs), (vec!["api/date"], 300));
    let ExpectedServer { function, routes } = config.server.as_ref().unwrap();
    assert_eq!((function.limits.timeout_secs, function.limits.memory_mb), (90, 512));
    let last = |routes: &RouteTable| {
        let route = routes.phase(Phase::Rewrite).last().unwrap();
        (route.src.as_str().to_owned(), route.dest.clone(), route.status)
    };
    assert_eq!(last(routes), ("^/.*$".to_owned(), Some("/index".to_owned()), None));
    assert_eq!(last(&config.routes), ("^/api(?:/.*)?$".to_owned(), None, Some(404)));
    let vite = TestProject::new([("package.json", r#"{"dependencies": {"vite": "7"}}"#)]);
    assert!(vite.detect().unwrap().server.is_none());
}

/// A Rust program is a server where it uses a crate that serves and stands alone, or where the configuration says so.
#[test]
fn rust_servers() {
    let main = "#[tokio::main]\nasync fn main() {}\n";
    let manifest = |dependency: &str| format!("[package]\nname = \"x\"\n\n[dependencies]\n{dependency} = \"1\"\n");
    let project = TestProject::new([("src/main.rs", main), ("Cargo.toml", manifest("clap").as_str())]);
    let is_server = || names(&project.detect().unwrap()) == ["index"];
    assert!(!is_server());
    project.write("Cargo.toml", &manifest("axum"));
    let config = project.detect().unwrap();
    assert_eq!((config.functions()[0].file.as_str(), config.functions()[0].reach), ("src/main.rs", Reach::Site));
    assert!(project.plan().unwrap().files.files.is_empty());
    for other in ["index.html", "public/index.html", "api/words.txt"] {
        project.write(other, "x");
        assert!(!is_server(), "{other}");
        project.write("vercel.json", r#"{"framework": "axum"}"#);
        assert!(is_server(), "{other}");
        std::fs::remove_file(project.root().join("vercel.json")).unwrap();
        let top = project.root().join(other.split('/').next().unwrap());
        if top.is_dir() { std::fs::remove_dir_all(top).unwrap() } else { std::fs::remove_file(top).unwrap() }
    }
    project.write("ship.toml", "[build]\nframework = \"other\"\n");
    assert!(!is_server());
}

/// A server in a folder that does not say what it needs is served as a file, and that is said, with the next step.
#[test]
fn servers_of_no_project() {
    let said = |files: &[(&str, &str)]| {
        let project = TestProject::new(files.iter().copied());
        let config = project.detect().unwrap();
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let fast = "import os\nfrom fastapi import FastAPI\napp = FastAPI()\n";
    assert_eq!(
        said(&[("main.py", fast)]),
        "main.py:2: this is not the server of the site, because nothing says what it depends on: expected a requirements.txt or a \
         pyproject.toml that names `fastapi`"
    );
    assert_eq!(
        said(&[("app.js", "const e = require('express');\ne().listen(80)"), ("package.json", "{}")]),
        "app.js:1: this is not the server of the site, because no package.json depends on `express`: `npm install express` \
         writes that"
    );
    assert_eq!(
        said(&[("server.js", "http.createServer(f)\n.listen(80)")]),
        "server.js:2: this is not the server of the site, because there is no package.json: `npm init --yes` makes one"
    );
    let go = "package main\nimport \"net/http\"\nfunc main() { http.ListenAndServe(\":80\", nil) }\n";
    assert_eq!(
        said(&[("main.go", go)]),
        "main.go:2: this is not the server of the site, because there is no go.mod: `go mod init NAME` makes one"
    );
    // Scripts of a page, tools beside it, and what is a server.
    let function = ("api/a.ts", "export const GET = () => new Response()");
    let page = ("index.html", "<p>");
    assert_eq!(said(&[page, ("app.js", "document.title = 'express'"), ("main.py", "import flask\nprint(1)\n")]), "");
    assert_eq!(said(&[function, ("main.py", fast)]), "");
    assert_eq!(said(&[("main.py", fast), ("requirements.txt", "fastapi")]), "");
}
