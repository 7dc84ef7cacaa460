//! Functions that do not get to their answer: they hang, they die, they never listen.

use std::time::{Duration, Instant};

use ship_tests::TestEnv;
use ship_tests::http::{self, Ending};

use crate::site::{Bad, Kind, Language, QUICK, Site, assert_gone, code, platform, project};

/// A function that never answers: 504 when its time is over, and its processes are gone.
pub(crate) fn never_answers(bad: Bad<'_>) {
    let answer = bad.ask_for_its_end(Kind::Hasty, "never");
    assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{:?}", bad.language);
}

/// A function that never answers and lets nothing else of its process have a turn, in the first request of an instance and in another's: the
/// time of a request is over, not that of a start.
pub(crate) fn never_gives_way(bad: Bad<'_>) {
    bad.is_served(Kind::Hasty);
    for instance in ["that was awake", "that was started for it"] {
        let answer = bad.ask_beside_the_neighbour(Kind::Hasty, "busy");
        assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{:?}, one {instance}", bad.language);
        let id = answer.header("x-ship-id").expect("it has an id");
        let log = bad.site.host.ship(["logs", &bad.site.url, "--request-id", &id]).run().success();
        let remark = "The function did not answer in 1 s.";
        assert!(log.stdout().contains(remark), "{:?}, one {instance}: {}", bad.language, log.stdout());
    }
    bad.is_served(Kind::Hasty);
}

/// A function that leaves a process behind in a session of its own, which goes on to print, and never answers.
pub(crate) fn tries_to_outlive_its_request(bad: Bad<'_>) {
    bad.is_served(Kind::Hasty);
    let before = bad.processes(Kind::Hasty);
    let asked = Instant::now();
    let asking = ship_tests::http::request("GET", &bad.url(Kind::Hasty, "outlive")).begin();
    let processes = loop {
        let processes = before[0].cell();
        if processes.len() > before.len() {
            break processes;
        }
        assert!(asked.elapsed() < ship_tests::PATIENCE, "it starts a process");
    };
    let answer = bad.site.beside_the_neighbour(|| asking.answer());
    assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{:?}", bad.language);
    assert_gone(&processes);
    bad.is_served(Kind::Hasty);
}

/// A handler that throws, panics or raises before it answers, whatever it was asked with: visitors hear that it failed, the log and the
/// counts know it, and the same processes serve the next request.
pub(crate) fn throws(bad: Bad<'_>) {
    bad.is_served(Kind::Bad);
    let before = bad.processes(Kind::Bad);
    let url = bad.url(Kind::Bad, "throw");
    let asked = [http::request("GET", &url), http::request("POST", &url).body("something")];
    for answer in asked.map(|request| bad.site.beside_the_neighbour(|| request.send())) {
        assert_eq!(code(&answer), platform(500, "FUNCTION_INVOCATION_FAILED"), "{:?}", bad.language);
        let id = answer.header("x-ship-id").expect("it has an id");
        let log = bad.site.host.ship(["logs", &bad.site.url, "--request-id", &id]).run().success();
        assert!(
            log.stdout().contains("thrown") && log.stdout().contains("FUNCTION_INVOCATION_FAILED"),
            "{}",
            log.stdout()
        );
    }
    bad.is_served(Kind::Bad);
    assert_eq!(bad.processes(Kind::Bad), before, "{:?}", bad.language);
}

/// A function whose process ends before it answers, by itself or by a signal.
pub(crate) fn dies(bad: Bad<'_>) {
    for what in ["exit", "segfault"] {
        let answer = bad.ask_for_its_end(Kind::Bad, what);
        assert_eq!(code(&answer), platform(500, "FUNCTION_INVOCATION_FAILED"), "{:?} {what}", bad.language);
    }
    let log = bad.site.host.ship(["logs", &bad.site.url, "--limit", "2000"]).run().success();
    // Go has a handler of its own for that signal, which ends the process with a code.
    let ending = if bad.language == Language::Go { "exit code 2" } else { "signal 11 (SIGSEGV)" };
    for ending in ["exit code 3", ending] {
        let remark = format!("The function's process ended with {ending} while it was answering a request.");
        assert!(log.stdout().contains(&remark), "{:?}: {remark}\n{}", bad.language, log.stdout());
    }
}

/// A function whose process ends in the middle of its answer: what was sent arrives, and the answer does not end as HTTP asks.
pub(crate) fn dies_in_the_middle(bad: Bad<'_>) {
    let answer = bad.ask_for_its_end(Kind::Bad, "halfway");
    assert_eq!((answer.status, answer.text().as_str(), answer.ending), (200, "begun\n", Ending::CutOff));
}

/// A function that dies of every second request answers the others.
pub(crate) fn dies_every_second_time(bad: Bad<'_>) {
    // Whatever was asked before, it begins to count anew.
    let _ = bad.ask(Kind::Bad, "exit");
    let ask = || code(&bad.ask(Kind::Bad, "every-second"));
    let answers: Vec<_> = bad.site.beside_the_neighbour(|| (0..6).map(|_| ask()).collect());
    let (right, wrong) = ((200, None), platform(500, "FUNCTION_INVOCATION_FAILED"));
    let expected = [&right, &wrong, &right, &wrong, &right, &wrong];
    assert_eq!(answers.iter().collect::<Vec<_>>(), expected, "{:?}", bad.language);
}

/// A function that never listens: 504 when the time that it has to start is over, each time it is asked.
pub(crate) fn never_listens(bad: Bad<'_>) {
    for _ in 0..2 {
        let asked = Instant::now();
        let answer = bad.ask_beside_the_neighbour(Kind::Deaf, "nothing");
        assert_eq!(code(&answer), platform(504, "FUNCTION_INVOCATION_TIMEOUT"), "{:?}", bad.language);
        assert!(asked.elapsed() >= Duration::from_secs(1));
    }
    assert_gone(&bad.processes(Kind::Deaf));
}

/// A function that takes nine seconds to start and has one second to answer: the start is no part of the request's time.
pub(crate) fn starts_slowly(bad: Bad<'_>) {
    let asked = Instant::now();
    bad.site.beside_the_neighbour(|| bad.is_served(Kind::Slow));
    assert!(asked.elapsed() >= Duration::from_secs(9));
    bad.is_served(Kind::Slow);
}

#[test]
fn hang() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Hasty]);
    site.each().for_each(never_answers);
    site.each().for_each(never_gives_way);
    site.each().for_each(tries_to_outlive_its_request);
}

#[test]
fn die() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    site.each().for_each(throws);
    site.each().for_each(dies);
    site.each().for_each(dies_in_the_middle);
    site.each().for_each(dies_every_second_time);
}

#[test]
fn start_badly() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Deaf, Kind::Slow]);
    site.each().for_each(never_listens);
    std::thread::scope(|scope| {
        for bad in site.each() {
            scope.spawn(move || starts_slowly(bad));
        }
    });
}

/// A deployment with a function that does not start is refused, with what it has said by then.
#[test]
fn are_refused() {
    for language in QUICK {
        let environment = TestEnv::new();
        let project = project(&environment, &[language], &[Kind::Deaf]);
        let host = ship_tests::TestHost::start(&environment);
        let refused = host.ship(["deploy"]).within(project.folder()).run().exits_with(1);
        let reason = format!(
            "error: function `api/deaf/{}` does not start: its process was not ready in 1 s, which is its `init_timeout_secs`\n",
            language.name()
        );
        assert!(refused.stderr().contains(&reason), "{}", refused.stderr());
        assert!(refused.stderr().contains("waiting for nothing\n"), "{}", refused.stderr());
    }
}
