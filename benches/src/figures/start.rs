//! How long a host with many deployments takes until it serves.

use ship_tests::{TestEnv, TestHost, http};

use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::published::{publish, send_page};
use crate::samples::Samples;
use crate::turns::timed;

/// How many deployments there are.
const DEPLOYMENTS: usize = 10_000;

/// S6: a host that was killed, from its start until it has answered for the newest of its deployments.
pub(crate) fn until_ready(bench: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let published = (0..DEPLOYMENTS).map(|number| {
        let page = send_page(&host, &format!("page {number}"));
        publish(&host, "many", &page, "index.html")
    });
    let newest = published.last().expect("there are deployments");
    let seconds = (0..bench.runs).map(|_| {
        host.kill();
        let begin_and_ask = || {
            host.start_again();
            drop(http::get(&newest).success());
        };
        timed(begin_and_ask).0
    });
    let samples = Samples::seconds(seconds.collect());
    let work = "from start to answer after kill -9, 10,000 deployments";
    vec![Row::alone(work, samples, Some(Bound::AtMost { value: 0.3 }))]
}
