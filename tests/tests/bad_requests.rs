//! What visitors may send that nobody means well by, and what may happen to a site beneath a request: each has its answer, costs the host little, and the
//! next visitor notices nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};
use ship_core::Digest;
use ship_tests::http::{self, Ending};
use ship_tests::{PATIENCE, TestEnv, TestHost, TestProject};

const MEGABYTE: usize = 1024 * 1024;

/// How much a host may grow under any of this, in bytes: a few connections' buffers, in a build that is not optimised.
const GROWTH: u64 = 32 * MEGABYTE as u64;

/// A site with a page, a small file and one that is more than all buffers between it and a visitor who does not read.
struct Site<'e> {
    host: TestHost<'e>,
    project: TestProject,
    url: String,
    large: Vec<u8>,
    resident_bytes: u64,
}

impl<'e> Site<'e> {
    fn new(environment: &'e TestEnv, configuration: &str) -> Self {
        let large: Vec<u8> = (0..64_u8).flat_map(|number| std::iter::repeat_n(number, MEGABYTE)).collect();
        let project = environment
            .project("site")
            .file("public/index.html", "page")
            .file("public/ten.txt", "0123456789")
            .file("public/large.bin", &large)
            .file("ship.toml", configuration);
        let host = TestHost::start(environment);
        let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
        assert_eq!(http::get(&url).success().text(), "page");
        let resident_bytes = host.process().resident_bytes();
        Self { host, project, url, large, resident_bytes }
    }

    fn authority(&self) -> &str {
        self.url.strip_prefix("http://").expect("the URL is one of HTTP")
    }

    /// A connection on which the large file is asked for.
    fn ask_for_large(&self) -> TcpStream {
        let port = self.authority().rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL has a port");
        let mut visitor = TcpStream::connect(("127.0.0.1", port)).expect("the host takes the connection");
        write!(visitor, "GET /large.bin HTTP/1.1\r\nhost: {}\r\n\r\n", self.authority()).expect("it is sent");
        visitor
    }

    /// How many stored files the host has open.
    fn open_blobs(&self) -> usize {
        let descriptors = format!("/proc/{}/fd", self.host.process().id());
        let open = fs::read_dir(descriptors).expect("the host runs").flatten();
        // The folder that they are in is always open.
        let blobs = self.host.data().join("blobs");
        let is_blob = |path: PathBuf| path.starts_with(&blobs) && path != blobs;
        open.filter(|entry| fs::read_link(entry.path()).is_ok_and(is_blob)).count()
    }

    /// The next visitor is answered, and the host is about as large as it was.
    #[track_caller]
    fn is_unmoved(&self) {
        assert_eq!(http::get(&self.url).success().text(), "page");
        let grown = self.host.process().resident_bytes().saturating_sub(self.resident_bytes);
        assert!(grown < GROWTH, "the host has grown by {} MiB", grown / MEGABYTE as u64);
    }
}

/// Ranges that overlap, reverse or overflow give a part that is there, the whole, or 416, and never other bytes or more of them.
#[test]
fn ranges() {
    let environment = TestEnv::new();
    let site = Site::new(&environment, "");
    let url = format!("{}/ten.txt", site.url);
    let part = |range: &str| {
        let answer = http::request("GET", &url).header("range", range).send();
        (answer.status, answer.text())
    };
    let many = format!("bytes={}", (0..1300).map(|at| format!("{at}-")).collect::<Vec<_>>().join(","));
    let whole =
        ["bytes=0-3,2-5", "bytes=0-,0-,0-", &many, "bytes=5-2", "bytes=", "bytes=-", "bytes=--1", "bytes=0x1-2"];
    for range in whole {
        assert_eq!(part(range), (200, "0123456789".to_owned()), "{range:.40}");
    }
    let none = ["bytes=10-", "bytes=-0", "bytes=18446744073709551615-", "bytes=18446744073709551616-"];
    for range in none {
        assert_eq!(part(range), (416, String::new()), "{range}");
    }
    for range in ["bytes=0-18446744073709551616", "bytes=-99999999999999999999", "bytes=-10"] {
        assert_eq!(part(range), (206, "0123456789".to_owned()), "{range}");
    }
    assert_eq!(part("bytes=9-18446744073709551615"), (206, "9".to_owned()));
    let last = http::request("GET", &format!("{}/large.bin", site.url)).header("range", "bytes=-3").send();
    assert_eq!((last.status, last.body), (206, vec![63; 3]));
    site.is_unmoved();
}

/// An `Accept-Encoding` that makes no sense asks for nothing, and the file comes as it is.
#[test]
fn accepted_codings() {
    let environment = TestEnv::new();
    let site = Site::new(&environment, "");
    let (long, many) = ("a".repeat(8_000), "gzip;".repeat(1_500));
    let weights = (0..1_000).map(|at| format!("x{at};q=0.{at:03}")).collect::<Vec<_>>().join(",");
    let exact = format!("br;q=0.{}", "9".repeat(5_000));
    for value in [
        "gzip;q=",
        "gzip;q=9",
        "gzip;q=1e9",
        "br;q=-1",
        ";;;",
        ",,,,",
        "identity;q=0,*;q=0",
        &long,
        &many,
        &weights,
        &exact,
    ] {
        let answer = http::request("GET", &format!("{}/ten.txt", site.url)).header("accept-encoding", value).send();
        let coding = answer.header("content-encoding");
        assert_eq!((answer.status, coding, answer.text()), (200, None, "0123456789".to_owned()), "{value:.40}");
    }
    site.is_unmoved();
}

/// Ten thousand headers are refused before they are all there, each of its own name or not.
#[test]
fn ten_thousand_headers() {
    let environment = TestEnv::new();
    let site = Site::new(&environment, "");
    let numbered: Vec<String> = (0..10_000).map(|at| format!("h{at}: {at}\r\n")).collect();
    let lines = ["a:\r\n".repeat(10_000), numbered.concat(), ":\r\n".repeat(10_000)];
    for lines in lines {
        let request = format!("GET / HTTP/1.1\r\nhost: {}\r\n{lines}\r\n", site.authority());
        let answer = String::from_utf8_lossy(&http::exchange_raw(site.authority(), request.as_bytes())).into_owned();
        let status = answer.get(9..12).unwrap_or_default();
        assert!(["400", "431"].contains(&status), "{answer}");
        site.is_unmoved();
    }
}

/// A pattern that would go on for ever on some path is stopped: 500 with a code, and `ship inspect` and the log name it. The rest of the site goes on.
#[test]
fn a_pattern_that_explodes() {
    let environment = TestEnv::new();
    let source = r"/re/((?=(?:a+)+$)(?:a|a)*b)";
    let site = Site::new(&environment, &format!("[[rewrites]]\nsource = '{source}'\ndestination = '/index.html'\n"));
    for _ in 0..3 {
        let answer = http::get(&format!("{}/re/{}", site.url, "a".repeat(8_000)));
        assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (500, Some("ROUTE_PATTERN_EXHAUSTED")));
    }
    site.is_unmoved();
    let detail = site.host.ship(["inspect", &site.url, "--json"]).run().success().json();
    let named =
        detail["hard_patterns"].as_array().and_then(|patterns| patterns[0].as_str()).expect("it is named").to_owned();
    assert!(named.contains("(?=(?:a+)+$)(?:a|a)*b"), "{named}");
    assert!(site.host.ship(["inspect", &site.url]).run().success().stdout().contains(&named));
    let log = site.host.ship(["logs", "--json"]).within(site.project.folder()).run().success();
    let records = log.stdout().lines().map(|line| serde_json::from_str::<Value>(line).expect("a record is JSON"));
    let said: Vec<Value> =
        records.filter(|record| record["source"] == "platform").map(|record| record["message"].clone()).collect();
    assert_eq!(said, [json!(format!("the route pattern `{named}` took too many steps on a path"))]);
}

/// A million routes are refused where they are written, and by a host to whom somebody sends them all the same, before it has read them.
#[test]
fn a_million_routes() {
    let environment = TestEnv::new();
    let site = Site::new(&environment, "");
    let redirects: Vec<Value> =
        (0..20_000).map(|at| json!({ "source": format!("/a{at}"), "destination": "/b" })).collect();
    let many = environment
        .project("many")
        .file("index.html", "x")
        .file("vercel.json", json!({ "redirects": redirects }).to_string());
    let refused = site.host.ship(["deploy"]).within(many.folder()).run().exits_with(1);
    assert!(refused.stderr().contains("20000 entries are more than the 2048 there may be"), "{}", refused.stderr());
    let routes = vec![r#"{"src":"^/a$","dest":"/b"}"#; 1_000_000].join(",");
    let manifest = format!(r#"{{"version":1,"assets":[],"functions":[],"cors":[],"routes":[{routes}]}}"#);
    let request = site.host.control("POST", "/v1/projects/site/deployments").token(&site.host.token());
    let request = request.header("content-type", "application/json");
    let answer = request.body(format!(r#"{{"manifest":{manifest},"publish":{{}}}}"#)).send();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("more than 10006 routes"), "{}", answer.text());
    assert_eq!(http::get(&site.url).success().text(), "page");
}

/// A file is removed beneath a visitor who is being sent it, and comes to its end all the same. Whoever asks next is told, and nobody else
/// notices. (What happens where it is changed instead: `corruption.rs`.)
#[test]
fn a_blob_that_goes() {
    let environment = TestEnv::new();
    let site = Site::new(&environment, "");
    let url = format!("{}/large.bin", site.url);
    let mut opened = http::request("GET", &url).open();
    let begun = opened.body().next_piece().expect("the answer begins");
    let digest = Digest::of(&site.large).to_hex();
    let path: PathBuf = site.host.data().join("blobs").join(&digest[..2]).join(&digest[2..]);
    fs::remove_file(path).expect("the file is there");
    let rest = opened.whole();
    let got = [begun, rest.body].concat();
    assert_eq!((rest.ending, got.len()), (Ending::Complete, site.large.len()));
    assert!(got == site.large);
    let answer = http::get(&url);
    assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (500, Some("BLOB_CORRUPT")));
    site.is_unmoved();
    let _ = site.host.ship(["deploy"]).within(site.project.folder()).run().success();
    assert_eq!(http::get(&url).success().body.len(), site.large.len());
}

/// Visitors who reset their connections in the middle of a large file leave nothing open behind them.
#[test]
fn resets_in_the_middle() {
    let environment = TestEnv::new();
    let site = Site::new(&environment, "");
    for _ in 0..10 {
        let mut visitors: Vec<TcpStream> = (0..20).map(|_| site.ask_for_large()).collect();
        for visitor in &mut visitors {
            visitor.read_exact(&mut [0; 10_000]).expect("the file begins");
        }
        // What nobody has read makes the kernel reset the connection.
        drop(visitors);
    }
    let started = Instant::now();
    while site.open_blobs() > 0 {
        assert!(started.elapsed() < PATIENCE, "{} files are still open", site.open_blobs());
    }
    site.is_unmoved();
}
