//! What stands before a warm function costs: time added over asking the function itself.

use ship_tests::{TestEnv, TestHost, http};

use super::floor::{PlainGo, go_is_installed};
use super::serve::without_failures;
use crate::figure::{Bound, Row};
use crate::load::{Order, Target};
use crate::nginx::{self, Nginx};
use crate::samples::Samples;

/// How long each run makes load.
const SECONDS: f64 = 3.;

/// S3: one connection, and 64.
pub(crate) fn added(runs: usize) -> Vec<Row> {
    let work = "time added to a warm Go function";
    let (Some(program), true) = (nginx::program(), go_is_installed()) else {
        return vec![Row::skipped(work, "no nginx or no go to compare with")];
    };
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let _ = http::get(&format!("{}/api/date", host.site_url("date-weather"))).success();
    let plain = PlainGo::new(environment.folder());
    plain.build();
    let socket = environment.folder().join("date.sock");
    let _bare = plain.start_date(&socket);
    let folder = environment.folder().join("nginx");
    let nginx = Nginx::start(&program, &folder, &project.path("public"), Some(&socket)).expect("nginx starts");
    let ship = Target::Tcp(host.addresses().sites.parse().expect("a host names its address"));
    let targets = [Target::Unix(socket), Target::Tcp(nginx.address), ship];
    [1, 64].into_iter().flat_map(|connections| added_on(runs, connections, &targets)).collect()
}

/// In each run the function itself, then nginx, then ship; what each adds is what it took longer in that run.
fn added_on(runs: usize, connections: usize, targets: &[Target; 3]) -> Vec<Row> {
    let mean = |target: &Target| {
        let order = Order::saturating(target.clone(), "date-weather.localhost", "/api/date", connections, SECONDS);
        let report = without_failures(&order);
        // With one request at a time on each connection, this is how long one takes on average.
        f64::from(u32::try_from(connections).unwrap_or(u32::MAX)) / report.per_second
    };
    let taken: Vec<[f64; 3]> = (0..runs).map(|_| targets.each_ref().map(mean)).collect();
    let over_direct = |which: usize| Samples::seconds(taken.iter().map(|took| took[which] - took[0]).collect());
    let direct = Samples::seconds(taken.iter().map(|took| took[0]).collect());
    let work = format!("time added to a warm Go function, {connections} connections");
    let row = Row::compared(&work, over_direct(2), "nginx adds", over_direct(1), Bound::times(0.5));
    vec![row.noting(format!("direct {direct}"))]
}
