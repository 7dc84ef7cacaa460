//! Functions that take all there is: of the log, of descriptors, of `/tmp`, of memory, of the processors.

use std::thread;

use ship_tests::{TestEnv, TestHost, http};

use crate::site::{Bad, Kind, QUICK, Site, code, platform};

/// A function that prints 64 MiB without an end of a line is answered, and the host does not keep what it printed.
pub(crate) fn floods(bad: Bad<'_>) {
    for _ in 0..3 {
        assert_eq!(bad.ask_beside_the_neighbour(Kind::Bad, "flood").success().text(), "flooded\n");
    }
    let resident = bad.site.host.process().resident_bytes();
    assert!(resident < 160 << 20, "the host has {} MiB after {:?}", resident >> 20, bad.language);
    bad.is_served(Kind::Bad);
}

/// How many ask at once when there is no descriptor left.
const VISITORS: usize = 4;

/// A function that opens every descriptor gets as many as it may have, and those who ask next are served, also at once, each on
/// a connection of their own.
pub(crate) fn opens_every_descriptor(bad: Bad<'_>) {
    let opened = bad.ask_beside_the_neighbour(Kind::Bad, "descriptors").success().text();
    let opened: usize = opened.trim().parse().expect("a number");
    assert!((150..256).contains(&opened), "{:?} opened {opened}", bad.language);
    thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| bad.is_served(Kind::Bad));
        }
    });
    // All others in the story begin anew.
    let _ = bad.ask(Kind::Bad, "exit");
}

/// A function that fills `/tmp` hears that it is full, and the next instance has an empty one.
pub(crate) fn fills_temporary_files(bad: Bad<'_>) {
    for _ in 0..2 {
        let filled = bad.ask_beside_the_neighbour(Kind::Bad, "tmp").success().text();
        let filled: usize = filled.trim().parse().expect("a number");
        assert!((15..=16).contains(&filled), "{:?} wrote {filled} MiB", bad.language);
        bad.is_served(Kind::Bad);
        assert_eq!(bad.ask(Kind::Bad, "exit").status, 500);
    }
}

/// A function that takes memory without end is ended when it has all that it may have, with a code of its own.
pub(crate) fn takes_all_memory(bad: Bad<'_>) {
    let answer = bad.ask_for_its_end(Kind::Bad, "memory");
    assert_eq!(code(&answer), platform(500, "FUNCTION_OUT_OF_MEMORY"), "{:?}", bad.language);
}

/// A function that spins on all processors until its time is over.
pub(crate) fn spins(bad: Bad<'_>) {
    let answer = bad.ask_for_its_end(Kind::Hasty, "spin");
    assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{:?}", bad.language);
}

/// Where no control groups can be made, the host looks at what memory a function uses.
#[test]
fn take_memory_without_control_groups() {
    let environment = TestEnv::new();
    let site = Site::deploy_without_control_groups(&environment, &QUICK, &[Kind::Bad]);
    let doctor = site.host.ship(["host", "status"]).run().success();
    let says =
        "keeps     functions in a sandbox; what memory they use is looked at: this account may make no control groups";
    assert!(doctor.stdout().contains(says), "{}", doctor.stdout());
    site.each().for_each(takes_all_memory);
}

#[test]
fn flood() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    site.each().for_each(floods);
}

#[test]
fn take_files() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    site.each().for_each(opens_every_descriptor);
    site.each().for_each(fills_temporary_files);
}

#[test]
fn take_memory_and_processors() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad, Kind::Hasty]);
    site.each().for_each(takes_all_memory);
    site.each().for_each(spins);
}

/// A handler that keeps its only thread to itself from its first request on is at work and not slow to start: the clock is that of the request.
#[test]
fn works_from_the_first_request_on() {
    let environment = TestEnv::new();
    let project = environment
        .project("busy")
        .file("ship.toml", "[functions.\"api/*\"]\ntimeout_secs = 1\ninit_timeout_secs = 30\n")
        .file("api/node.js", "export default () => { for (;;); };\n")
        .file(
            "api/asgi.py",
            "async def app(scope, receive, send):\n    while scope[\"type\"] == \"http\":\n        pass\n",
        );
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    for function in ["node", "asgi"] {
        let answer = http::request("GET", &format!("{url}/api/{function}")).begin().answer();
        assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{function}");
    }
    let log = host.ship(["logs", &url]).run().success();
    assert_eq!(log.stdout().matches("The function did not answer in 1 s.").count(), 2, "{}", log.stdout());
}
