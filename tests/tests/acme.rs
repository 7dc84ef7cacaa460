//! Certificates that a host gets for itself, from a real authority on this machine.

use std::net::TcpListener;
use std::time::Instant;

use ship_tests::{PATIENCE, Pebble, TestAuthority, TestEnv, TestHost, http, write_dns_hook};

/// A port for TLS, which an authority has to know before the host is there.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there is a free port").port()
}

/// The options of a host for `ship.test` that gets its certificates from an authority.
fn options(pebble: &Pebble, port: u16, more: &[&str]) -> Vec<String> {
    let (directory, root, listen) = (pebble.directory(), pebble.root(), format!("127.0.0.1:{port}"));
    let root = root.display().to_string();
    let usual = ["--domain", "ship.test", "--tls-listen", &listen, "--acme-email", "ops@ship.test"];
    let acme = ["--acme-directory", &directory, "--acme-ca", &root];
    [&usual[..], &acme, more].concat().into_iter().map(str::to_owned).collect()
}

fn start<'e>(environment: &'e TestEnv, options: &[String]) -> TestHost<'e> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    TestHost::start_with(environment, &options)
}

/// Waits until a site is there for who trusts the authority. If it never is, the host says why it has no certificate.
#[track_caller]
fn until_secure(host: &TestHost<'_>, url: &str, trusted: &TestAuthority) -> http::Answer {
    let begun = Instant::now();
    loop {
        match http::request("GET", url).trusting(trusted).try_open() {
            Ok(opened) => return opened.whole(),
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{url}: {error}; {:?}", certificates(host)),
        }
    }
}

fn certificates(host: &TestHost<'_>) -> Vec<(String, bool, Option<String>)> {
    let status = host.control("GET", "/v1/status").send().success().json();
    let all = status["certificates"].as_array().cloned().unwrap_or_default();
    let one = |view: &serde_json::Value| {
        let name = view["name"].as_str().unwrap_or_default().to_owned();
        (name, view["expires_at"].is_string(), view["error"].as_str().map(str::to_owned))
    };
    all.iter().map(one).collect()
}

/// A site that is published gets a certificate by itself, proved in a handshake; a stranger's name gets none, and asks nobody.
/// What was obtained outlives the host.
#[test]
fn by_handshake() {
    let environment = TestEnv::new();
    let port = free_port();
    let Some(pebble) = Pebble::start(&environment.folder().join("pebble"), port) else { return };
    let trusted = pebble.issued();
    let mut host = start(&environment, &options(&pebble, port, &[]));
    let project = environment.project("site").file("public/index.html", "here");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(until_secure(&host, &host.secure_url("site.ship.test"), &trusted).success().text(), "here");
    assert_eq!(until_secure(&host, &url, &trusted).success().text(), "here");
    for stranger in ["nobody.ship.test", "ship.test", "other.test"] {
        let answer = http::request("GET", &host.secure_url(stranger)).trusting(&trusted).try_open();
        assert!(answer.is_err(), "{stranger}");
    }
    let obtained = certificates(&host);
    assert!(obtained.iter().all(|(_, holds, error)| *holds && error.is_none()), "{obtained:?}");
    assert!(obtained.iter().all(|(name, ..)| name.starts_with("site")), "{obtained:?}");
    let shown = host.ship(["host", "status"]).run().success();
    assert!(shown.stdout().contains("site.ship.test"), "{}", shown.stdout());

    host.ask_to_end();
    assert_eq!(host.ended().code(), Some(0));
    drop(pebble);
    host.start_again();
    let page = http::get_secure(&host.secure_url("site.ship.test"), &trusted).success();
    assert_eq!(page.text(), "here");

    // What leads nowhere any more is not spoken of: it is not renewed.
    let _ = host.ship(["rm", "--project", "site", "--yes"]).run().success();
    assert_eq!(certificates(&host), []);
}

/// With a program that changes the zone, one certificate stands for all sites below the domain.
#[test]
fn by_zone() {
    let environment = TestEnv::new();
    let port = free_port();
    let Some(pebble) = Pebble::start(&environment.folder().join("pebble"), port) else { return };
    let hook = write_dns_hook(&environment.folder().join("zone"), &pebble);
    let host = start(&environment, &options(&pebble, port, &["--acme-dns-hook", &hook.display().to_string()]));
    let project = environment.project("site").file("public/index.html", "here");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let trusted = pebble.issued();
    assert_eq!(until_secure(&host, &url, &trusted).success().text(), "here");
    assert_eq!(until_secure(&host, &host.secure_url("site.ship.test"), &trusted).success().text(), "here");
    assert_eq!(certificates(&host), [("*.ship.test".to_owned(), true, None)]);
    let asked = std::fs::read_to_string(hook.with_file_name("hook.log")).expect("the program was run");
    assert_eq!(asked, "present _acme-challenge.ship.test\ncleanup _acme-challenge.ship.test\n");
}

/// A failure is said, and keeps nobody from being served who has a certificate.
#[test]
fn failures() {
    let environment = TestEnv::new();
    let port = free_port();
    let Some(pebble) = Pebble::start(&environment.folder().join("pebble"), port) else { return };
    let host = start(&environment, &options(&pebble, port, &["--acme-dns-hook", "/nowhere/hook"]));
    let begun = Instant::now();
    let error = loop {
        if let [(name, false, Some(error))] = certificates(&host).as_slice() {
            assert_eq!(name, "*.ship.test");
            break error.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is said");
    };
    assert!(error.starts_with("/nowhere/hook present failed: "), "{error}");
}
