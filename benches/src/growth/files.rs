//! Files in a deployment.

use std::time::Duration;

use ship_tests::{TestEnv, TestHost, TestProject, http};

use super::{Curve, Curves};
use crate::bench::Bench;
use crate::load::{Order, Target};
use crate::samples::{Samples, Unit};
use crate::turns::timed;

/// How many files there are.
const SIZES: [usize; 6] = [10, 100, 1_000, 10_000, 100_000, 200_000];

/// How large each of them is, in bytes: what grows is their number.
const FILE_BYTES: usize = 100;

/// From how many files on work is measured less often.
const MANY: usize = 50_000;

const OF: &str = "files in a deployment";

/// G1: first deploy, deploy of the same, deploy after one change, first and later requests, memory.
pub(crate) fn grow(bench: &Bench) -> Vec<Curve> {
    let mut curves = Curves::default();
    for size in SIZES {
        at(size, if size < MANY { bench.runs } else { 3 }, &mut curves);
    }
    curves.fitted()
}

fn at(size: usize, runs: usize, curves: &mut Curves) {
    let environment = TestEnv::new();
    let project = files(&environment, size);
    let mut host = TestHost::start(&environment);
    let mut note = |work: &str, samples: Samples| curves.note(OF, work, size, &samples);
    let repeated = |work: &mut dyn FnMut()| Samples::seconds((0..runs).map(|_| timed(&mut *work).0).collect());

    let (first, url) = timed(|| deploy(&host, &project));
    note("first deploy", Samples::seconds(vec![first]));
    note("deploy, nothing changed", repeated(&mut || drop(deploy(&host, &project))));
    let mut number = 0;
    let changed = repeated(&mut || {
        number += 1;
        project.write("public/0/0.txt", format!("changed {number}"));
        let _ = deploy(&host, &project);
    });
    note("deploy, one file changed", changed);

    let page = format!("{url}/{}", name(size - 1));
    let mut first_requests = Vec::new();
    for _ in 0..runs {
        host.kill();
        host.start_again();
        first_requests.push(timed(|| drop(http::get(&page).success())).0);
    }
    note("first request after a start", Samples::seconds(first_requests));
    note("further requests, median", Samples::seconds(vec![further(&host, &page)]));
    note("memory, deployment in use", Samples::new(Unit::Bytes, vec![host.process().anonymous_bytes() as f64]));
}

fn deploy(host: &TestHost<'_>, project: &TestProject) -> String {
    host.ship(["deploy"]).within(project.folder()).run().success().url()
}

fn files(environment: &TestEnv, count: usize) -> TestProject {
    let project = environment.project("files");
    for number in 0..count {
        project.write(&format!("public/{}", name(number)), format!("{number:0FILE_BYTES$}"));
    }
    project
}

/// A hundred files stand in a folder.
fn name(number: usize) -> String {
    format!("{}/{number}.txt", number / 100)
}

/// How long a request takes on a connection that is kept, in the middle, in seconds.
fn further(host: &TestHost<'_>, url: &str) -> f64 {
    let rest = url.strip_prefix("http://").expect("a URL of the web");
    let (authority, path) = rest.split_once('/').expect("a URL has a path");
    let address = Target::Tcp(host.addresses().sites.parse().expect("a host names its address"));
    Order::saturating(address, authority, &format!("/{path}"), 1, Duration::from_secs(1).as_secs_f64()).carry_out().p50
}
