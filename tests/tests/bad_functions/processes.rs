//! Functions that start processes: without end, or so that they should stay when the function ends.

use std::time::{Duration, Instant};

use ship_tests::{PATIENCE, TestEnv, http};

use crate::site::{Bad, Kind, Language, QUICK, Site, assert_gone, code, platform};

/// What `max_processes` of the functions is.
const MOST: usize = 64;

/// What the log says of a function that is slowed down for the first time.
const SLOWED: &str = "The function begins processes without pause, which holds up everybody else on the machine. It has next to nothing of the \
                      processors for the next 5 seconds.";

/// The second that a function is given to end, and much more for a machine that is busy: far less than work after a response is given.
const GRACE: Duration = Duration::from_secs(10);

/// A function that forks without end gets to its limit and no further, and all it started goes with it.
pub(crate) fn forks_without_end(bad: Bad<'_>) {
    bad.is_served(Kind::Hasty);
    let first = bad.processes(Kind::Hasty);
    let asking = http::request("GET", &bad.url(Kind::Hasty, "fork")).begin();
    let mut most = first.clone();
    let answer = bad.site.beside_the_neighbour(|| {
        loop {
            let processes = first[0].cell();
            if processes.is_empty() {
                return asking.answer();
            }
            if processes.len() > most.len() {
                most = processes;
            }
        }
    });
    // Threads count as well, of which some languages have many.
    assert!((MOST / 2..=MOST).contains(&most.len()), "{:?} had {} processes", bad.language, most.len());
    assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{:?}", bad.language);
    assert_gone(&most);
    bad.is_served(Kind::Hasty);
}

/// A process that was forked twice, into a session of its own, is in its function's cell and goes with it.
pub(crate) fn forks_twice(bad: Bad<'_>) {
    bad.is_served(Kind::Bad);
    let before = bad.processes(Kind::Bad);
    assert_eq!(bad.ask_beside_the_neighbour(Kind::Bad, "daemon").success().text(), "behaved\n");
    let asked = Instant::now();
    let with_daemon = loop {
        let processes = before[0].cell();
        if processes.len() > before.len() {
            break processes;
        }
        assert!(asked.elapsed() < PATIENCE, "{:?} starts a process", bad.language);
    };
    let answer = bad.ask(Kind::Bad, "exit");
    assert_eq!(code(&answer), platform(500, "FUNCTION_INVOCATION_FAILED"), "{:?}", bad.language);
    assert_gone(&with_daemon);
    bad.is_served(Kind::Bad);
}

/// Functions that ignore that they are asked to end, with children that do so too: they are ended when their time is over, and so is
/// everything at once when the host is killed.
pub(crate) fn ignore_the_request_to_end(site: &mut Site<'_>) {
    for is_killed in [true, false] {
        let mut processes = Vec::new();
        for bad in site.each() {
            assert_eq!(bad.ask_beside_the_neighbour(Kind::Bad, "ignore").success().text(), "behaved\n");
            processes.extend(bad.processes(Kind::Bad));
        }
        let asked = Instant::now();
        if is_killed {
            site.host.kill();
        } else {
            site.host.ask_to_end();
            let _ = site.host.ended().success();
            assert!(asked.elapsed() < GRACE, "the host ended after {:?}", asked.elapsed());
        }
        assert_gone(&processes);
        site.host.start_again();
        site.each().for_each(|bad| bad.is_served(Kind::Bad));
    }
}

#[test]
fn fork_without_end() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Hasty]);
    site.each().for_each(forks_without_end);
}

/// A function that begins processes without pause, which end at once or which it may not have, is slowed down before its neighbours notice,
/// and its log says so. Its end is as quick as any other's.
pub(crate) fn storms(bad: Bad<'_>) {
    bad.is_served(Kind::Hasty);
    let processes = bad.processes(Kind::Hasty);
    let answer = bad.ask_beside_the_neighbour(Kind::Hasty, "storm");
    assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{:?}", bad.language);
    assert_gone(&processes);
    let function = format!("api/hasty/{}", bad.language.name());
    let logged =
        bad.site.host.ship(["logs", &bad.site.url, "--function", &function, "--level", "error"]).run().success();
    assert!(logged.stdout().contains(SLOWED), "{}", logged.stdout());
    bad.is_served(Kind::Hasty);
}

#[test]
fn begin_processes_without_pause() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &[Language::Go, Language::Python], &[Kind::Hasty]);
    site.each().for_each(storms);
}

#[test]
fn fork_twice() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    site.each().for_each(forks_twice);
}

#[test]
fn do_not_end() {
    let environment = TestEnv::new();
    let mut site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    ignore_the_request_to_end(&mut site);
}
