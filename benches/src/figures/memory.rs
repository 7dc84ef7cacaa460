//! Memory of the host while nobody asks for anything.

use std::thread;
use std::time::Duration;

use ship_tests::{TestEnv, TestHost, TestProject, http};

use super::floor::go_is_installed;
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::samples::{Samples, Unit};

/// How many functions there are, two in each deployment, and how many of them are asked.
const SLEEPING: usize = 1000;
const AWAKE: usize = 100;

/// How long nobody has asked for anything when a host counts as at rest. It looks every three seconds what it can give back.
const REST: Duration = Duration::from_secs(7);

/// S4: 100 deployments with two functions each, started anew, each asked once for a file, all functions asleep.
pub(crate) fn at_rest(_: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.example("date-weather");
    let urls = deploy_many(&host, &project, 100);
    // A page would wake its functions.
    let ask_all = || urls.iter().for_each(|url| drop(http::get(&format!("{url}/number.txt")).success()));
    ask_all();
    thread::sleep(REST);
    let after_deploys = host.process().resident_bytes();
    host.kill();
    host.start_again();
    ask_all();
    thread::sleep(REST);
    let after_start = host.process().resident_bytes();
    let row =
        |work: &str, bytes: u64| Row::alone(work, bytes_of(bytes), Some(Bound::AtMost { value: 30. * 1024. * 1024. }));
    vec![
        row("host at rest, 100 deployments, after a start", after_start),
        row("host at rest, after it took 100 deployments", after_deploys),
    ]
}

/// S5: what each of 400 deployments that nobody asks for adds.
pub(crate) fn per_deployment(_: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.example("date-weather");
    let mut held_with = |count: usize| {
        let _ = deploy_many(&host, &project, count);
        host.kill();
        host.start_again();
        thread::sleep(REST);
        host.process().anonymous_bytes()
    };
    let few = held_with(100);
    let many = held_with(400);
    let each = many.saturating_sub(few) / 400;
    let bound = Bound::AtMost { value: 10. * 1024. };
    vec![Row::alone("memory per further deployment, asleep", bytes_of(each), Some(bound))]
}

/// A thousand functions that were asked for once and sleep, and then a hundred of them awake.
pub(crate) fn density(_: &Bench) -> Vec<Row> {
    if !go_is_installed() {
        return vec![Row::skipped("memory with many functions", "no go on PATH")];
    }
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.example("date-weather");
    let urls = deploy_many(&host, &project, SLEEPING / 2);
    host.kill();
    host.start_again();
    for url in &urls {
        drop(http::get(&format!("{url}/number.txt")).success());
    }
    let asleep = host.process().resident_bytes();
    for url in &urls[..AWAKE / 2] {
        // The second asks another server, which need not be there.
        drop(http::get(&format!("{url}/api/date")).success());
        drop(http::get(&format!("{url}/api/weather")));
    }
    let awake = host.process().resident_bytes();
    let each = (awake.saturating_sub(asleep)) / AWAKE as u64;
    vec![
        Row::alone("host with 1,000 functions asleep", bytes_of(asleep), None),
        Row::alone("host with 100 of them awake", bytes_of(awake), None),
        Row::alone("each of them, in the host", bytes_of(each), None),
    ]
}

/// Deploys a project `count` times, each time with another file.
pub(crate) fn deploy_many(host: &TestHost<'_>, project: &TestProject, count: usize) -> Vec<String> {
    let deploy = || host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    (0..count)
        .map(|number| {
            project.write("public/number.txt", format!("{count}/{number}"));
            deploy()
        })
        .collect()
}

fn bytes_of(bytes: u64) -> Samples {
    Samples::new(Unit::Bytes, vec![bytes as f64])
}
