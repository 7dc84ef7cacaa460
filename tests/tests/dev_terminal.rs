//! `ship dev` at a terminal: its one line, its keys, its certificate, and requests that are replayed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::Value;
use ship_tests::{RunningShip, TestAuthority, TestEnv, TestHost, TestProject, http};

const FUNCTION: &str = "export const GET = (request: Request) => new Response(new URL(request.url).search);\n";

fn project(environment: &TestEnv) -> TestProject {
    environment.project("site").file("public/index.html", "<!doctype html>a page").file("api/a.ts", FUNCTION)
}

/// The URL in the one line that says that a dev server is ready.
#[track_caller]
fn url(running: &mut RunningShip<'_>) -> String {
    let line = running.stdout().wait_for(|line| line.contains("ready in"));
    assert!(line.contains("site: 1 function (/api/a), 1 file, ready in"), "{line}");
    let start = line.find("http").unwrap_or_else(|| panic!("no URL in {line}"));
    line[start..].split(|c: char| c.is_whitespace() || c == '\u{1b}').next().unwrap_or_default().to_owned()
}

/// On a terminal of 40 columns: one line says all, each key does what the list says, and the terminal is as it was afterwards.
#[test]
fn keys() {
    let environment = TestEnv::new();
    let project =
        project(&environment).program("browser", "#!/bin/sh\necho \"opened $1\" > opened.new\nmv opened.new opened\n");
    let command = environment.ship(["dev", "--listen", "127.0.0.1:0"]).within(project.folder());
    let mut running = command.with("BROWSER", project.path("browser")).start_on_terminal(40);
    let url = url(&mut running);
    running.type_keys("h");
    let _ = running.stdout().wait_for(|line| line.contains("open the site in the browser"));
    let _ = running.stdout().wait_for(|line| line.contains("quit"));
    running.type_keys("r");
    let _ = running.stdout().wait_for(|line| line.contains("Restarting"));
    let _ = running.stdout().wait_for(|line| line.contains("Rebuilt in"));
    assert_eq!(http::get(&format!("{url}/api/a?x=1")).success().text(), "?x=1");
    let line = running.stdout().wait_for(|line| line.contains("GET /api/a?x=1"));
    assert!(line.contains("\u{1b}["), "a terminal gets colours: {line}");
    running.type_keys("c?");
    let line = running.stdout().wait_for(|line| line.contains("\u{1b}[2J"));
    assert!(line.contains("\u{1b}[2J\u{1b}[3J\u{1b}[H") && line.contains("open the site"), "{line:?}");
    running.type_keys("oq");
    let ended = running.finish();
    assert_eq!(ended.code(), Some(0), "{}", ended.stdout());
    assert!(ended.stdout().contains(" icanon") && ended.stdout().contains(" echo "), "{}", ended.stdout());
    assert_eq!(fs::read_to_string(project.path("opened")).expect("the browser ran"), format!("opened {url}\n"));
}

/// A terminal that takes text alone gets no control sequence, whatever is pressed and said.
#[test]
fn text_alone() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let command = environment.ship(["dev", "--listen", "127.0.0.1:0"]).within(project.folder());
    let mut running = command.with("TERM", "dumb").start_on_terminal(80);
    let url = url(&mut running);
    running.type_keys("c?");
    let _ = running.stdout().wait_for(|line| line.contains("open the site"));
    project.edit("api/a.ts", "new URL", "new URLs");
    assert_eq!(http::get(&format!("{url}/api/a")).status, 500);
    let _ = running.stdout().wait_for(|line| line.contains("GET /api/a"));
    running.type_keys("q");
    let ended = running.finish();
    assert!(!ended.stdout().contains('\u{1b}'), "{:?}", ended.stdout());
}

/// Where there is neither a desktop nor a browser, the key for it says so.
#[test]
fn nowhere_to_open() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let command = environment.ship(["dev", "--listen", "127.0.0.1:0"]).within(project.folder());
    let mut running = command.start_on_terminal(120);
    let url = url(&mut running);
    running.type_keys("o");
    let _ = running.stdout().wait_for(|line| line.contains(&format!("no desktop here: open {url} where")));
    running.type_keys("q");
    assert_eq!(running.finish().code(), Some(0));
}

/// A signal ends it, and the terminal is as it was, too.
#[test]
fn signals() {
    let environment = TestEnv::new();
    let project = project(&environment);
    for signal in [Signal::HUP, Signal::QUIT, Signal::INT, Signal::TERM] {
        let command = environment.ship(["dev", "--listen", "127.0.0.1:0"]).within(project.folder());
        let mut running = command.start_on_terminal(80);
        let _ = url(&mut running);
        running.signal_at_terminal(signal);
        let ended = running.finish();
        assert_eq!(ended.code(), Some(130), "{signal:?}: {}", ended.stdout());
        assert!(ended.stdout().contains(" icanon") && ended.stdout().contains(" echo "), "{}", ended.stdout());
    }
}

/// Where nobody reads what it prints, the site is served all the same; without a terminal there are neither colours nor keys.
#[test]
fn pipe_closed_early() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let head = ["bash", "-c", "exec \"$@\" > >(head -n 1 >&2)", "bash"];
    let command =
        environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).started_by(head);
    let mut running = command.start();
    let ready = running.stderr().wait_for(|line| line.contains("\"ready\""));
    // Two programs write there at the same time.
    let start = ready.find("{\"event\"").expect("the document begins");
    let ready = serde_json::Deserializer::from_str(&ready[start..]).into_iter::<Value>().next();
    let ready = ready.expect("there is one").expect("it is JSON");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    for number in 0..3 {
        project.write("public/index.html", format!("<!doctype html>page {number}"));
        assert!(http::get(&url).success().text().contains(&format!("page {number}")));
    }
    let line = running.stderr().wait_for(|line| line.contains("GET /"));
    assert!(!line.contains('\u{1b}'), "{line}");
    assert_eq!(running.terminate().code(), Some(130));
}

/// Only the function whose source was edited is compiled again.
#[test]
fn only_what_changed() {
    let environment = TestEnv::new();
    let handler = |word: &str| {
        format!(
            "package handler\n\nimport \"net/http\"\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {{\n\tw.Write([]byte(\"{word}\"))\n}}\n"
        )
    };
    let project = environment.project("site").file("api/one.go", handler("one")).file("api/two.go", handler("two"));
    let command = environment.ship(["dev", "--verbose", "--listen", "127.0.0.1:0"]).within(project.folder());
    let mut running = command.start();
    let url = running.stdout().next_line().expect("the URL is on standard output");
    assert!(running.stderr().wait_for(|line| line.starts_with("compiling ")).contains("compiling api/one, api/two"));
    project.edit("api/one.go", "one\"", "another\"");
    assert_eq!(http::get(&format!("{url}/api/one")).success().text(), "another");
    assert_eq!(running.stderr().wait_for(|line| line.starts_with("compiling ")), "compiling api/one");
    assert_eq!(http::get(&format!("{url}/api/two")).success().text(), "two");
}

/// TLS with a certificate that an authority for this machine signs, which nobody but this account can read; the next run has the same
/// authority.
#[test]
fn https() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let authority = environment.ship_home().join("local-ca");
    let mut known = None;
    for _ in 0..2 {
        let command = environment.ship(["dev", "--https", "--listen", "127.0.0.1:0"]).within(project.folder());
        let mut running = command.start();
        let url = running.stdout().next_line().expect("the URL is on standard output");
        assert!(url.starts_with("https://127.0.0.1:"), "{url}");
        let pem = fs::read(authority.join("ca.pem")).expect("the authority was made");
        assert_eq!(*known.get_or_insert(pem.clone()), pem, "it is made once");
        let trusted = TestAuthority::known_by(&pem);
        assert!(http::get_secure(&url, &trusted).success().text().contains("a page"));
        for name in ["localhost", "shop.localhost", "a.shop.localhost"] {
            let by_name = url.replace("127.0.0.1", name);
            assert_eq!(http::get_secure(&format!("{by_name}/api/a?y"), &trusted).success().text(), "?y", "{name}");
        }
        let _ = running.terminate();
    }
    // One of an earlier version, which could vouch for any site.
    let boundless = TestAuthority::new();
    fs::write(authority.join("ca.pem"), boundless.pem()).expect("it can be written");
    let mut running = environment.ship(["dev", "--https", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let said = running.stderr().wait_for(|line| line.starts_with("Made"));
    assert!(said.contains("this machine alone, in the place of one that could for any site"), "{said}");
    let _ = running.terminate();
    let mode = |path: &str| fs::metadata(authority.join(path)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!([mode("ca-key.pem"), mode("ca.pem"), mode("")], [0o600, 0o600, 0o700]);
}

/// The port that was asked for, or the next one, which is said.
#[test]
fn next_port() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = taken.local_addr().expect("it has one").port();
    let mut running = environment.ship(["dev", "--port", &port.to_string()]).within(project.folder()).start();
    let said = running.stderr().next_line().expect("it says so");
    let url = running.stdout().next_line().expect("the URL is on standard output");
    let other: u16 = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL has a port");
    assert!(other > port && said.starts_with(&format!("Port {port} is taken by ")), "{url}: {said}");
    assert!(said.ends_with(&format!("so this is port {other}")), "{said}");
}

/// A request that a deployment could not answer is asked here, through TLS too, and again after each build, until the function
/// is mended.
#[test]
fn replay() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let bad = "export const GET = () => { throw new Error('bad day'); };\n";
    project.write("api/a.ts", bad);
    let host = TestHost::start(&environment);
    let site = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let failed = http::get(&format!("{site}/api/a?city=Oslo"));
    let id = failed.header("x-ship-id").expect("each answer has one");
    assert_eq!(failed.status, 500);

    for through_tls in [None, Some("--https")] {
        project.write("api/a.ts", bad);
        let asked = ["dev", "--listen", "127.0.0.1:0", "--replay", &id];
        let mut running = host.ship(asked.into_iter().chain(through_tls)).within(project.folder()).start();
        let _ = running.stderr().wait_for(|line| line.contains("its headers are not kept"));
        let said = running.stderr().wait_for(|line| line.starts_with("Replayed"));
        assert!(
            said.starts_with("Replayed GET /api/a?city=Oslo: 500 in ") && said.ends_with(", and 500 then"),
            "{said}"
        );
        project.write("api/a.ts", FUNCTION);
        let said = running.stderr().wait_for(|line| line.starts_with("Replayed"));
        assert!(said.starts_with("Replayed GET /api/a?city=Oslo: 200 in "), "{said}");
        let _ = running.stderr().wait_for(|line| line == "  ?city=Oslo");
        let _ = running.terminate();
    }

    let unknown = host.ship(["dev", "--listen", "127.0.0.1:0", "--replay", "01hzy3v7k2m4n6p8r0s2t4v6w8"]);
    let refused = unknown.within(project.folder()).run().exits_with(1);
    assert!(
        refused.stderr().contains("the log of `site` has no request 01hzy3v7k2m4n6p8r0s2t4v6w8"),
        "{}",
        refused.stderr()
    );
}
