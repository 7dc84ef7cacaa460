//! Functions in Rust, as people write them: a handler in a file, a module beside it, nothing else.

use ship_tests::{GoToolchain, TestEnv, TestHost, http};

const MANIFEST: &str =
    "[package]\nname = \"site\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nhttp = \"1\"\n";

const HELLO: &str = r#"//! Says hello.

mod words;

use http::{Request, Response};

async fn handler(request: Request<Vec<u8>>) -> Result<Response<String>, http::Error> {
    Response::builder().header("x-words", "2").body(crate::words::hello(request.uri().query().unwrap_or_default()))
}
"#;

const USER: &str = r#"#[path = "../words.rs"]
mod words;

pub async fn handler(request: http::Request<String>) -> Result<http::Response<String>, String> {
    match request.uri().query() {
        Some("id=7") => Ok(http::Response::new(words::hello(request.body()))),
        other => Err(format!("nobody is {other:?}")),
    }
}
"#;

/// Two functions and the module that both use answer after one deploy; the next one finds nothing to compile, and what the
/// compiler says of a mistake names the file and line of the user's own tree, which gets no new file.
#[test]
fn functions_in_rust() {
    let environment = TestEnv::new();
    let project = environment
        .project("ferry")
        .file("Cargo.toml", MANIFEST)
        .file("api/hello.rs", HELLO)
        .file("api/users/[id].rs", USER)
        .file("api/words.rs", "pub fn hello(name: &str) -> String {\n    format!(\"hello {name}\")\n}\n");
    let host = TestHost::start(&environment);

    let deployed = host.ship(["deploy"]).within(project.folder()).run().success();
    let url = deployed.url();
    let hello = http::get(&format!("{url}/api/hello?Ada")).success();
    assert_eq!((hello.text().as_str(), hello.header("x-words").as_deref()), ("hello Ada", Some("2")));
    let user = http::request("POST", &format!("{url}/api/users/7")).body("Grace").send();
    assert_eq!((user.status, user.text().as_str()), (200, "hello Grace"));
    let nobody = http::get(&format!("{url}/api/users/8"));
    assert_eq!((nobody.status, nobody.header("x-ship-error").as_deref()), (500, Some("FUNCTION_INVOCATION_FAILED")));

    let again = host.ship(["deploy"]).within(project.folder()).run();
    insta::assert_snapshot!(again.snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://ferry-[ID-1].localhost:[PORT]
    ----- stderr -----
    Built 2 functions in [TIME] (functions from the build cache)
    Nothing to send, 2 files already there
    Already published: ferry as production in [TIME]
      http://ferry.localhost:[PORT]
    ");

    project.edit("api/words.rs", "{name}", "{nam}");
    let refused = host.ship(["deploy"]).within(project.folder()).run();
    insta::assert_snapshot!(refused.snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the Rust compiler refuses the functions:
    error[E0425]: cannot find value `nam` in this scope
     --> api/words.rs:2:21
      |
    2 |     format!("hello {nam}")
      |                     ^^^
      |
    help: a local variable with a similar name exists
      |
    2 |     format!("hello {name}")
      |                        +
    "#);

    let files = |folder: &str| {
        let entries = std::fs::read_dir(project.path(folder)).expect("the folder is there").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("we named them")).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        (files("."), files("api")),
        (
            vec!["Cargo.toml".to_owned(), "api".to_owned()],
            vec!["hello.rs".to_owned(), "users".to_owned(), "words.rs".to_owned()],
        )
    );
}

/// A handler that takes or returns what is neither a request nor an answer is said at its place before anything is compiled, or fetched:
/// cargo, which would look for a crate that is nowhere, is not asked.
#[test]
fn a_signature_that_cannot_be() {
    let environment = TestEnv::new();
    let project = environment
        .project("ferry")
        .file("Cargo.toml", format!("{MANIFEST}\n[dependencies.harbour]\npath = \"harbour\"\n"))
        .file("api/hello.rs", "/// Greets.\npub async fn handler(name: &str) -> String {\n    name.to_owned()\n}\n");
    insta::assert_snapshot!(environment.ship(["build"]).within(project.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the Rust compiler refuses the functions:
    api/hello.rs:2:28: `handler` takes `&str`: expected `async fn handler(request: Request) -> Result<Response, Error>`
     2 | pub async fn handler(name: &str) -> String {
       |                            ^^^^
    api/hello.rs:2:37: `handler` returns `String`: expected `async fn handler(request: Request) -> Result<Response, Error>`
     2 | pub async fn handler(name: &str) -> String {
       |                                     ^^^^^^
    ");
}

const SERVER: &str = r#"use axum::{Router, extract::Path, routing::get};

#[tokio::main]
async fn main() {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let routes = Router::new()
        .route("/", get(|| async { format!("the {} is open", env!("CARGO_BIN_NAME")) }))
        .route("/ferries/{name}", get(|Path(name): Path<String>| async move { format!("{name} sails") }));
    let listener = tokio::net::TcpListener::bind(format!("0.0.0.0:{port}")).await.expect("the port is free");
    axum::serve(listener, routes).await.expect("it serves");
}
"#;

/// A server as people write it for any machine: one program, its own routes, a port from `PORT`.
#[test]
fn a_server_in_rust() {
    let environment = TestEnv::new();
    let manifest = "[package]\nname = \"harbour\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
                    axum = \"0.8\"\ntokio = { version = \"1\", features = [\"full\"] }\n";
    let project = environment
        .project("harbour")
        .file("Cargo.toml", manifest)
        .file("src/main.rs", SERVER)
        .file("templates/page.html", "not served");
    let host = TestHost::start(&environment);
    let deployed = host.ship(["deploy"]).within(project.folder()).run().success();
    let url = deployed.url();
    assert_eq!(http::get(&format!("{url}/")).success().text(), "the harbour is open");
    assert_eq!(http::get(&format!("{url}/ferries/anna")).success().text(), "anna sails");
    assert_eq!(http::get(&format!("{url}/templates/page.html")).status, 404);
    assert_eq!(http::get(&format!("{url}/src/main.rs")).status, 404);
}

/// What is built to run anywhere is linked for that; where what links it cannot be fetched, that is said, and it is linked here.
#[test]
fn no_linker_to_be_had() {
    let environment = TestEnv::with_go(GoToolchain::FetchedByShip);
    let project = environment
        .project("ferry")
        .file("Cargo.toml", MANIFEST)
        .file("api/hello.rs", HELLO)
        .file("api/words.rs", "pub fn hello(name: &str) -> String {\n    format!(\"hello {name}\")\n}\n");
    let index = "http://127.0.0.1:9/simple";
    let built = environment.ship(["build"]).within(project.folder()).with("UV_DEFAULT_INDEX", index).run().success();
    insta::assert_snapshot!(built.snapshot(), @"
    exit code: 0
    ----- stdout -----
    [ENV]/projects/ferry/.ship/output
    ----- stderr -----
    warning: the linker that builds functions in Rust for other machines could not be fetched from http://127.0.0.1:[PORT]/simple/cargo-zigbuild/: install `cargo-zigbuild` and `zig`, or set UV_DEFAULT_INDEX
    hint: the functions are linked here instead, for systems that are as new as this one
    Built 1 function in [TIME]
    ");
    let written = |name: &str| project.path(".ship/output/functions/api/hello.func").join(name).is_file();
    assert!(written("bootstrap"));
}
