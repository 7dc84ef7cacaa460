//! How soon a published change is seen, while a thousand requests a second go on.

use std::time::Instant;

use ship_tests::{TestEnv, TestHost, http};

use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::load::{Order, Target};
use crate::samples::Samples;
use crate::turns::timed;

/// How often production moves while the load runs.
const MOVES: usize = 100;

/// D8: production moves between two deployments under load.
pub(crate) fn visible(_: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let project = environment.project("moving").file("public/index.html", "left");
    let host = TestHost::start(&environment);
    let deploy = || host.ship(["deploy", "--prod", "--json"]).within(project.folder()).run().success().json();
    let left = deploy();
    project.write("public/index.html", "right");
    let right = deploy();
    let sides = [(&left, "left"), (&right, "right")].map(|(side, body)| {
        let id = side["deployment"]["id"].as_str().expect("a deploy names the deployment").to_owned();
        (id, body)
    });
    let order = Order { per_second: Some(1000.), ..production(&host, 30.) };
    let load = order.begin();
    let site = host.site_url("moving");
    let seconds = (0..MOVES).map(|number| {
        let (id, body) = &sides[number % 2];
        timed(|| promote_and_see(&host, &site, id, body)).0
    });
    let samples = Samples::seconds(seconds.collect());
    let report = Order::report(&load.wait_with_output().expect("the load ends by itself"));
    let note =
        format!("{} requests beside it, {} failed, p99 {:.1} ms", report.answered, report.failed, report.p99 * 1e3);
    let bound = Bound::AtMost { value: 0.010 };
    vec![Row::alone("promote until seen, p99 at 1,000/s", samples.at(99), Some(bound)).noting(note)]
}

fn production(host: &TestHost<'_>, seconds: f64) -> Order {
    let address = host.addresses().sites.parse().expect("a host names its address");
    Order::saturating(Target::Tcp(address), "moving.localhost", "/", 16, seconds)
}

fn promote_and_see(host: &TestHost<'_>, site: &str, id: &str, body: &str) {
    let order = format!("{{\"deployment\":\"{id}\"}}");
    let request = host.control("POST", "/v1/projects/moving/promote").header("content-type", "application/json");
    let begun = Instant::now();
    let _ = request.body(order).send().success();
    while http::get(&format!("{site}/")).text() != body {
        assert!(begun.elapsed() < ship_tests::PATIENCE, "the promoted deployment is never seen");
    }
}
