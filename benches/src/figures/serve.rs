//! Static files, beside nginx.

use std::fs;
use std::net::SocketAddr;

use ship_tests::{TestEnv, TestHost};

use crate::alternate::alternate;
use crate::figure::{Bound, Row};
use crate::load::{Order, Report, Target};
use crate::nginx::{self, Nginx};
use crate::samples::{Samples, Unit};

/// How long each run makes load.
const SECONDS: f64 = 3.;

/// S1: 1 KB on 64 and on 256 connections.
pub(crate) fn small_file(runs: usize) -> Vec<Row> {
    beside_nginx(runs, &[("1 KB, 64 connections", "small.txt", 64), ("1 KB, 256 connections", "small.txt", 256)])
}

/// S2: 100 KB and 1 MB.
pub(crate) fn large_files(runs: usize) -> Vec<Row> {
    beside_nginx(runs, &[("100 KB, 64 connections", "medium.bin", 64), ("1 MB, 64 connections", "large.bin", 64)])
}

fn beside_nginx(runs: usize, cases: &[(&str, &str, usize)]) -> Vec<Row> {
    let Some(program) = nginx::program() else {
        return cases.iter().map(|(work, ..)| Row::skipped(work, "no nginx to compare with")).collect();
    };
    let environment = TestEnv::new();
    let project = environment.project("files").file("public/small.txt", "x".repeat(1000));
    let project =
        project.file("public/medium.bin", vec![b'x'; 100_000]).file("public/large.bin", vec![b'x'; 1_000_000]);
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let folder = environment.folder().join("nginx");
    let nginx = Nginx::start(&program, &folder, &project.path("public"), None).expect("nginx starts");
    let ship: SocketAddr = host.addresses().sites.parse().expect("a host names its address");
    let rows = cases.iter().flat_map(|(work, file, connections)| {
        let ask = |address, path: &str| {
            let order = Order::saturating(Target::Tcp(address), "files.localhost", path, *connections, SECONDS);
            without_failures(&order)
        };
        let path = format!("/{file}");
        let (ours, theirs) = alternate(runs, |_| ask(ship, &path), |_| ask(nginx.address, &path));
        compared(work, &ours, &theirs)
    });
    let rows = rows.collect();
    let _ = fs::remove_dir_all(folder.join("body"));
    rows
}

/// Load that was answered in whole.
pub(crate) fn without_failures(order: &Order) -> Report {
    let report = order.carry_out();
    assert_eq!(report.failed, 0, "requests failed: {order:?}");
    report
}

fn compared(work: &str, ours: &[Report], theirs: &[Report]) -> Vec<Row> {
    let rate =
        |reports: &[Report]| Samples::new(Unit::PerSecond, reports.iter().map(|report| report.per_second).collect());
    let p99 = |reports: &[Report]| Samples::seconds(reports.iter().map(|report| report.p99).collect());
    vec![
        Row::compared(work, rate(ours), "nginx", rate(theirs), Bound::TimesAtLeast { times: 1. }),
        Row::compared(&format!("{work}, p99"), p99(ours), "nginx", p99(theirs), Bound::times(1.2)),
    ]
}
