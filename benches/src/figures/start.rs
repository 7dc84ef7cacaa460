//! How long a host with many deployments takes until it serves.

use serde_json::json;
use ship_core::Digest;
use ship_tests::{TestEnv, TestHost, http};

use crate::alternate::timed;
use crate::figure::{Bound, Row};
use crate::samples::Samples;

/// How many deployments there are.
const DEPLOYMENTS: usize = 10_000;

/// S6: a host that was killed, from its start until it has answered for the newest of its deployments.
pub(crate) fn until_ready(runs: usize) -> Vec<Row> {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let newest = (0..DEPLOYMENTS).map(|number| publish(&host, number)).last().expect("there are deployments");
    let seconds = (0..runs).map(|_| {
        host.kill();
        let begin_and_ask = || {
            host.start_again();
            drop(http::get(&newest).success());
        };
        timed(begin_and_ask).0
    });
    let samples = Samples::seconds(seconds.collect());
    vec![Row::alone(
        "from start to answer after kill -9, 10,000 deployments",
        samples,
        Some(Bound::AtMost { value: 0.3 }),
    )]
}

/// Publishes a page by the control API, which ten thousand commands would take many times as long for. The deployment's URL.
fn publish(host: &TestHost<'_>, number: usize) -> String {
    let content = format!("page {number}");
    let digest = Digest::of(content.as_bytes()).to_string();
    let stored = host.control("PUT", &format!("/v1/blobs/{digest}")).body(content.as_bytes()).send();
    assert_eq!(stored.status, 201, "{}", stored.text());
    let page = json!({
        "path": "index.html",
        "digest": digest,
        "size_bytes": content.len(),
        "media_type": "text/html; charset=utf-8",
    });
    let manifest = json!({ "version": 1, "assets": [page], "functions": [], "routes": [], "cors": [] });
    let order = json!({ "manifest": manifest, "publish": { "target": "preview" } });
    let request = host.control("POST", "/v1/projects/many/deployments").header("content-type", "application/json");
    let published = request.body(order.to_string()).send();
    assert_eq!(published.status, 201, "{}", published.text());
    let published = published.json();
    published["url"].as_str().expect("a deployment has a URL").to_owned()
}
