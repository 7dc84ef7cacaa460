//! Functions for a machine of another kind are not only compiled: they run, on a processor that an emulator stands in for.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use ship_tests::{GoToolchain, TestEnv, TestProject, http};

/// What runs programs for 64-bit ARM on another processor.
const EMULATOR: &str = "qemu-aarch64-static";

/// A program that was started on a listener, as a host starts it.
struct Emulated {
    program: Child,
}

impl Emulated {
    #[track_caller]
    fn start(program: &Path, listener: impl Into<OwnedFd>) -> Self {
        let program = Command::new(EMULATOR)
            .arg(program)
            .env_clear()
            .env("SHIP_LISTEN_FD", "0")
            .stdin(Stdio::from(listener.into()))
            .spawn()
            .expect("qemu is there (on Debian: apt-get install qemu-user-static)");
        Self { program }
    }

    /// Asks it to end, and gives how it did.
    #[track_caller]
    fn end(mut self) -> Option<i32> {
        let id = Pid::from_child(&self.program);
        kill_process(id, Signal::TERM).expect("it still runs");
        self.program.wait().expect("a child can be waited for").code()
    }
}

/// Functions in Go that were built for ARM answer like any other, and end in order when they are asked to.
#[test]
fn go_on_arm() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let _ = environment.ship(["build", "--arch", "arm64"]).within(project.folder()).run().success();
    let program = project.path(".ship/output/functions/api/weather.func/bootstrap");
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let url = format!("http://{}", listener.local_addr().expect("the listener has an address"));
    let function = Emulated::start(&program, listener);
    let weather = http::get(&format!("{url}/api/weather?city=Lisbon")).success().json();
    assert_eq!(weather["city"], "Lisbon");
    assert_eq!(function.end(), Some(0));
}

/// The folders of Debian's own Rust, whose standard library for ARM is a package. Its rustc finds no other compiler there.
const DEBIAN: &str = "/usr/bin:/bin";

const HELLO: &str = r#"async fn handler(request: http::Request<String>) -> Result<http::Response<String>, http::Error> {
    let name = request.uri().query().unwrap_or_default();
    http::Response::builder().body(format!("hello {name} from {}", std::env::consts::ARCH))
}
"#;

/// Functions in Rust are linked for ARM by what ship fetches, against the C library of old systems, and answer there.
#[test]
fn rust_on_arm() {
    let environment = TestEnv::new();
    let project = rust_project(&environment);
    let _ =
        environment.ship(["build", "--arch", "arm64"]).within(project.folder()).with("PATH", DEBIAN).run().success();
    let program = project.path(".ship/output/functions/api/hello.func/bootstrap");
    assert_eq!(newest_glibc(&program), "2.17");
    let socket = environment.folder().join("socket");
    let function = Emulated::start(&program, UnixListener::bind(&socket).expect("the folder is writable"));
    let answer = ask(&socket, "/api/hello?Ada");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head ends with an empty line");
    assert_eq!((head.lines().next(), body), (Some("HTTP/1.1 200 OK"), "hello Ada from aarch64"));
    assert_eq!(function.end(), Some(0));
}

/// What this machine's Rust lacks for another processor is said before anything is fetched or compiled.
#[test]
fn rust_without_a_standard_library() {
    let environment = TestEnv::with_go(GoToolchain::FetchedByShip);
    let project = rust_project(&environment);
    let tools = environment.project("tools").program("cargo", "#!/bin/sh\nexit 1\n");
    let tools = tools.program("rustc", "#!/bin/sh\necho /nonexistent\n");
    let path = format!("{}:/usr/bin:/bin", tools.folder().display());
    let arch = if cfg!(target_arch = "aarch64") { "amd64" } else { "arm64" };
    let refused = environment.ship(["build", "--arch", arch]).within(project.folder()).with("PATH", path).run();
    insta::assert_snapshot!(refused.snapshot().replace("x86_64", "aarch64"), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no Rust standard library for aarch64-unknown-linux-gnu: `rustup target add aarch64-unknown-linux-gnu` installs it
    ");
    assert!(!environment.ship_home().join("toolchains").exists());
}

fn rust_project(environment: &TestEnv) -> TestProject {
    let manifest =
        "[package]\nname = \"site\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nhttp = \"1\"\n";
    environment.project("site").file("Cargo.toml", manifest).file("api/hello.rs", HELLO)
}

/// What the function that listens on `socket`, as a host's do, answers on a connection of its own.
fn ask(socket: &Path, path: &str) -> String {
    let mut connection = UnixStream::connect(socket).expect("the socket is there before the program is");
    write!(connection, "GET {path} HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\r\n").expect("it is read");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("the answer is text");
    answer
}

/// The newest version of the C library that a program asks for.
fn newest_glibc(program: &Path) -> String {
    let bytes = std::fs::read(program).expect("the build has left it");
    let text = String::from_utf8_lossy(&bytes);
    let versions = text.split("GLIBC_2.").skip(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().expect("a version has a number")
    });
    format!("2.{}", versions.max().expect("the program uses the C library"))
}
