//! Functions whose answers are no answers, and functions that do not listen to what they are told.

use ship_tests::http::{self, Ending};
use ship_tests::{Process, TestEnv};

use crate::site::{Bad, Kind, QUICK, Site, assert_gone, code, platform};

/// What a host may grow by whatever functions do.
const ROOM_BYTES: u64 = 64 * 1024 * 1024;

/// How much a function is sent that does not read.
const BODY_BYTES: usize = 128 * 1024 * 1024;

/// Answers that are not HTTP, and one whose head never ends: 502, the log says why, and the next request is served. The host does not
/// grow with it.
pub(crate) fn lies(bad: Bad<'_>) {
    let before = bad.site.host.process().resident_bytes();
    for what in ["two-lengths", "status-42", "headers"] {
        let answer = bad.ask_beside_the_neighbour(Kind::Bad, what);
        assert_eq!(code(&answer), platform(502, "INVALID_FUNCTION_RESPONSE"), "{:?} {what}", bad.language);
        bad.is_served(Kind::Bad);
    }
    assert_small(bad.site.host.process(), before);
    let log = bad.site.host.ship(["logs", &bad.site.url, "--level", "error", "--json"]).run().success();
    for why in [
        "it has more than one content-length",
        "the head is not one of HTTP/1.1 (invalid response status)",
        "the head has more than 100 headers",
    ] {
        assert!(log.stdout().contains(why), "{:?} {why}: {}", bad.language, log.stdout());
    }
}

/// An answer that is shorter than it says does not end as HTTP asks; of one that is longer, nobody gets what is too much.
pub(crate) fn lies_about_its_length(bad: Bad<'_>) {
    let short = bad.ask_beside_the_neighbour(Kind::Bad, "short");
    assert_eq!((short.status, short.ending), (200, Ending::CutOff), "{:?}", bad.language);
    bad.is_served(Kind::Bad);
    let told = bad.site.host.ship(["logs", &bad.site.url, "--level", "error"]).run().success();
    let is_told = |line: &str| line.contains("do=short 200") && line.contains("FUNCTION_INVOCATION_FAILED");
    assert!(told.stdout().lines().any(is_told), "{:?}: {}", bad.language, told.stdout());
    let long = bad.ask_beside_the_neighbour(Kind::Bad, "long").success();
    assert_eq!(long.text(), "no", "{:?}", bad.language);
    for _ in 0..5 {
        bad.is_served(Kind::Bad);
    }
}

/// A function that never reads what it is sent: 504, and the host does not keep for it what it does not take.
pub(crate) fn never_reads(bad: Bad<'_>) {
    bad.is_served(Kind::Hasty);
    let (processes, host) = (bad.processes(Kind::Hasty), bad.site.host.process());
    let before = host.resident_bytes();
    let url = bad.url(Kind::Hasty, "never");
    let (authority, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("it is a URL");
    let head = format!("POST /{path} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
    let request = [head.as_bytes(), &vec![b'x'; BODY_BYTES]].concat();
    let answer = bad.site.beside_the_neighbour(|| http::exchange_raw(authority, &request));
    let answer = String::from_utf8_lossy(&answer);
    let told = answer.starts_with("HTTP/1.1 504 ") && answer.contains("x-ship-error: FUNCTION_INVOCATION_TIMEOUT\r\n");
    assert!(told, "{:?}: {answer}", bad.language);
    assert_small(host, before);
    assert_gone(&processes);
    bad.is_served(Kind::Hasty);
}

#[track_caller]
fn assert_small(host: Process, before: u64) {
    let after = host.resident_bytes();
    assert!(after < before + ROOM_BYTES, "the host went from {} to {} MiB", before >> 20, after >> 20);
}

#[test]
fn lie() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    site.each().for_each(lies);
    site.each().for_each(lies_about_its_length);
}

#[test]
fn do_not_read() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Hasty]);
    site.each().for_each(never_reads);
}
