//! What a function that does harm costs the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ship_tests::{TestEnv, TestHost, TestProject, http};

use super::floor::go_is_installed;
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::load::{Order, Target};
use crate::samples::Samples;
use crate::turns::alternate;

/// The function of the stories that does what it is told to.
const MISBEHAVE: &str = include_str!("../../../tests/tests/bad_functions/sources/misbehave.go");

const NEIGHBOUR: &str = "package handler\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n)\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {\n\tfmt.Fprintln(w, \"hello\")\n}\n";

/// What it is told, and what that is.
const HARMS: [(&str, &str); 5] =
    [("never", "hangs"), ("memory", "leaks"), ("fork", "forks"), ("flood", "floods its output"), ("spin", "spins")];

/// How long each run makes load, in seconds.
const SECONDS: f64 = 2.;

/// How many requests a second the neighbour answers meanwhile.
const PER_SECOND: f64 = 200.;

/// K3: a neighbour's 99th percentile while a function does harm without pause, and without it.
pub(crate) fn under_harm(bench: &Bench) -> Vec<Row> {
    if !go_is_installed() {
        return vec![Row::skipped("a neighbour's p99 while a function does harm", "no go on PATH")];
    }
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let site = host.site_url("street");
    drop(http::get(&format!("{site}/api/neighbour")).success());
    HARMS.iter().map(|(told, does)| while_it(&host, &site, told, does, bench.runs)).collect()
}

fn site(environment: &TestEnv) -> TestProject {
    let limits = "[functions.\"api/bad\"]\ntimeout_secs = 2\nmemory_mb = 128\n";
    environment
        .project("street")
        .file("ship.toml", limits)
        .file("api/bad.go", MISBEHAVE)
        .file("api/neighbour.go", NEIGHBOUR)
}

fn while_it(host: &TestHost<'_>, site: &str, told: &str, does: &str, runs: usize) -> Row {
    let address = Target::Tcp(host.addresses().sites.parse().expect("a host names its address"));
    let order = Order::saturating(address, "street.localhost", "/api/neighbour", 4, SECONDS);
    let order = Order { per_second: Some(PER_SECOND), ..order };
    let p99 = || {
        let report = order.carry_out();
        assert_eq!(report.failed, 0, "the neighbour fails while a function {does}");
        report.p99
    };
    let beside = |_| {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    drop(http::get(&format!("{site}/api/bad?do={told}")));
                }
            });
            let p99 = p99();
            is_over.store(true, Ordering::Relaxed);
            p99
        })
    };
    let (beside, alone) = alternate(runs, beside, |_| p99());
    let work = format!("a neighbour's p99 while a function {does}");
    Row::compared(&work, Samples::seconds(beside), "without it", Samples::seconds(alone), Bound::times(2.))
}
