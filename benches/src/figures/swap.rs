//! Whether visitors notice that what they see is replaced, and the host that shows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ship_tests::{TestEnv, TestHost, TestProject, http};

use super::floor::go_is_installed;
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::load::{Order, Report, Target};
use crate::samples::Samples;

/// How many answers there are at least.
const REQUESTS: u64 = 1_000_000;

/// How long each round of load lasts, in seconds. In each of them the host is replaced once.
const SECONDS: f64 = 4.;

/// What the page and the function answer in one deployment and in the other. The page is long enough to need several writes.
const SIDES: [&str; 2] = ["left", "right"];

/// How often a side stands in the page.
const REPEATED: usize = 8 * 1024;

/// K2: a page and a function are asked without pause, while production moves to and fro, deploys are published and the host is upgraded.
pub(crate) fn over_changes(_: &Bench) -> Vec<Row> {
    let work = "requests failed or mixed";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH")];
    }
    let environment = TestEnv::new();
    let project = environment.project("swap");
    let host = TestHost::start(&environment);
    let deployments = SIDES.map(|side| deploy(&host, &project, side));
    drop(http::get(&format!("{}/api/side", host.site_url("swap"))).success());
    let mut tally = Tally::default();
    while tally.answered < REQUESTS {
        tally.add(round(&host, &project, &deployments));
    }
    let note = format!(
        "{} requests, {} promotions and rollbacks, {} deploys, {} upgrades",
        tally.answered + tally.failed,
        tally.moves,
        tally.deploys,
        tally.upgrades
    );
    vec![Row::alone(work, Samples::count(tally.failed), Some(Bound::AtMost { value: 0. })).noting(note)]
}

fn deploy(host: &TestHost<'_>, project: &TestProject, side: &str) -> String {
    project.write("public/index.html", side.repeat(REPEATED));
    project.write("api/side.go", function(side));
    host.ship(["deploy", "--prod"]).within(project.folder()).run().success().url()
}

fn function(side: &str) -> String {
    let imports = "import (\n\t\"fmt\"\n\t\"net/http\"\n)";
    format!(
        "package handler\n\n{imports}\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {{\n\tfmt.Fprint(w, \"{side}\")\n}}\n"
    )
}

/// What has happened.
#[derive(Clone, Copy, Default)]
struct Tally {
    answered: u64,
    failed: u64,
    moves: u64,
    deploys: u64,
    upgrades: u64,
}

impl Tally {
    const fn add(&mut self, more: Self) {
        self.answered += more.answered;
        self.failed += more.failed;
        self.moves += more.moves;
        self.deploys += more.deploys;
        self.upgrades += more.upgrades;
    }
}

/// Load on the page and on the function, and beside it one change after the other until both have ended.
fn round(host: &TestHost<'_>, project: &TestProject, deployments: &[String; 2]) -> Tally {
    let loads = [("/", REPEATED), ("/api/side", 1)].map(|(path, repeated)| order(host, path, repeated).begin());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let changes = scope.spawn(|| changes(host, project, deployments, &is_over));
        let reports = loads.map(|load| Order::report(&load.wait_with_output().expect("the load ends by itself")));
        is_over.store(true, Ordering::Relaxed);
        let mut tally = changes.join().expect("no change fails");
        for Report { answered, failed, .. } in reports {
            tally.answered += answered;
            tally.failed += failed;
        }
        tally
    })
}

fn order(host: &TestHost<'_>, path: &str, repeated: usize) -> Order {
    let address = host.addresses().sites.parse().expect("a host names its address");
    let bodies = SIDES.map(|side| side.repeat(repeated)).into();
    Order { bodies, ..Order::saturating(Target::Tcp(address), "swap.localhost", path, 8, SECONDS) }
}

fn changes(host: &TestHost<'_>, project: &TestProject, deployments: &[String; 2], is_over: &AtomicBool) -> Tally {
    let ship = |words: &[&str]| drop(host.ship(words).within(project.folder()).run().success());
    ship(&["host", "upgrade"]);
    let mut tally = Tally { upgrades: 1, ..Tally::default() };
    while !is_over.load(Ordering::Relaxed) {
        ship(&["promote", &deployments[1]]);
        ship(&["rollback", &deployments[0]]);
        let _ = deploy(host, project, SIDES[usize::from(tally.deploys.is_multiple_of(2))]);
        tally.moves += 2;
        tally.deploys += 1;
    }
    tally
}
