//! A thousand visitors who come at once to a function that sleeps.

use ship_tests::{TestEnv, TestHost, http};

use super::floor::go_is_installed;
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::samples::Samples;
use crate::turns::timed;

/// How many come at once.
const VISITORS: u32 = 1_000;

/// How many instances there may be, and how many requests each answers at once.
const MOST_INSTANCES: u32 = 4;
const CONCURRENCY: u32 = 10;

/// Says when it starts, so that the log has how often it did.
const FUNCTION: &str = "package handler\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n)\n\nfunc init() { fmt.Println(\"booted\") }\n\nfunc Handler(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, \"ok\") }\n";

/// W6: how many of the requests fail, how many instances are started, and how long it takes until all are answered.
pub(crate) fn at_once(bench: &Bench) -> Vec<Row> {
    let work = "1,000 simultaneous requests on a sleeping function";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH")];
    }
    let environment = TestEnv::new();
    let limits = format!("[functions.\"api/f\"]\nmax_instances = {MOST_INSTANCES}\nconcurrency = {CONCURRENCY}\n");
    let project = environment.project("burst").file("ship.toml", limits).file("api/f.go", FUNCTION);
    let host = TestHost::start(&environment);
    let (mut failed, mut started, mut seconds) = (0, Vec::new(), Vec::new());
    for run in 0..bench.runs {
        // Another deployment each time: its function sleeps.
        project.write("public/number.txt", run.to_string());
        let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
        let (took, bad) = timed(|| burst(&url));
        failed += bad;
        seconds.push(took);
        let log = host.ship(["logs", &url, "--json", "--limit", "2000"]).run().success();
        started.push(f64::from(u32::try_from(log.stdout().matches("\"booted\"").count()).unwrap_or(u32::MAX)));
    }
    let note = format!("in {} bursts; one instance answers {CONCURRENCY} at once", bench.runs);
    let most = Some(Bound::AtMost { value: f64::from(MOST_INSTANCES) });
    vec![
        Row::alone(&format!("{work}, failed"), Samples::count(failed), Some(Bound::AtMost { value: 0. })).noting(note),
        Row::alone(&format!("{work}, instances started"), Samples::new(crate::samples::Unit::Count, started), most),
        Row::alone(&format!("{work}, until all are answered"), Samples::seconds(seconds), None),
    ]
}

/// Sends all requests, then reads all answers. How many are not what the function says.
fn burst(url: &str) -> u64 {
    let sent: Vec<_> = (0..VISITORS).map(|_| http::request("GET", &format!("{url}/api/f")).begin()).collect();
    let answers = sent.into_iter().map(http::Sent::answer);
    answers.map(|answer| u64::from((answer.status, answer.text().as_str()) != (200, "ok"))).sum()
}
