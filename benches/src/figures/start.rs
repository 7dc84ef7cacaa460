//! How long a host with many deployments takes until it serves.

use ship_tests::{TestEnv, TestHost, http};

use super::memory::deploy_many;
use crate::alternate::timed;
use crate::figure::{Bound, Row};
use crate::samples::Samples;

/// How many deployments there are.
const DEPLOYMENTS: usize = 10_000;

/// S6: a host that was killed, from its start until it has answered for the newest of its deployments.
pub(crate) fn until_ready(runs: usize) -> Vec<Row> {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("many").file("public/index.html", "many");
    let urls = deploy_many(&host, &project, DEPLOYMENTS);
    let newest = format!("{}/number.txt", urls.last().expect("there are deployments"));
    let seconds = (0..runs).map(|_| {
        host.kill();
        let begin_and_ask = || {
            host.start_again();
            drop(http::get(&newest).success());
        };
        timed(begin_and_ask).0
    });
    let samples = Samples::seconds(seconds.collect());
    vec![Row::alone("from kill -9 to an answer, 10,000 deployments", samples, Some(Bound::AtMost { value: 0.3 }))]
}
