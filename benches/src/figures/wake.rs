//! The first request to a function that is asleep.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use ship_tests::{TestEnv, TestHost, http};

use super::floor::{PlainGo, go_is_installed};
use super::memory::deploy_many;
use crate::alternate::{alternate, timed};
use crate::figure::{Bound, Row};
use crate::samples::Samples;

/// How many first requests: enough for a 99th percentile that is not merely the worst.
const WAKES: usize = 120;

/// W1: each of many deployments is asked for the first time, beside a bare program that is started and asked.
pub(crate) fn sleeping(runs: usize) -> Vec<Row> {
    let work = "first request to a sleeping Go function";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH to compare with")];
    }
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let wakes = WAKES.max(runs);
    let urls = deploy_many(&host, &project, wakes);
    let plain = PlainGo::new(environment.folder());
    plain.build();
    let socket = environment.folder().join("bare.sock");
    // Both programs are in the page cache before the first of them counts.
    drop(http::get(&format!("{}/api/date", host.site_url("date-weather"))).success());
    let ship = |run: usize| timed(|| http::get(&format!("{}/api/date", urls[run])).success()).0;
    let bare = |_| {
        let (seconds, running) = timed(|| {
            let running = plain.start_date(&socket);
            let mut stream = UnixStream::connect(&socket).expect("the socket was bound before");
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .expect("it is listening");
            let _ = stream.read(&mut [0; 4096]).expect("the function answers");
            running
        });
        drop(running);
        seconds
    };
    let (ship, bare) = alternate(wakes - 1, ship, bare);
    let (ship, bare) = (Samples::seconds(ship), Samples::seconds(bare));
    let p99 = Row::compared("the same, p99", ship.at(99), "bare program", bare.at(99), Bound::times(2.));
    vec![Row::compared(work, ship, "bare program", bare, Bound::times(1.5)), p99]
}
