//! A project that has been deployed ten thousand times.

use serde_json::json;
use ship_core::Digest;
use ship_tests::http::Answer;
use ship_tests::{TestHost, http};

use crate::stage::{Desk, environment, session};

/// How many deployments the project has.
const DEPLOYMENTS: usize = 10_000;

/// How many publish at once.
const THREADS: usize = 8;

/// Publishes them: the same file under ten thousand names.
fn publish_all(host: &TestHost<'_>) {
    let content = b"a page";
    let digest = Digest::of(content);
    let stored = host.control("PUT", &format!("/v1/blobs/{digest}")).body(content.to_vec()).send();
    assert!(stored.status < 300, "{}", stored.text());
    let publish = |number: usize| {
        let asset = json!({ "path": format!("page-{number}.html"), "digest": digest, "size_bytes": content.len(), "media_type": "text/html" });
        let manifest = json!({ "version": 1, "functions": [], "routes": [], "cors": [], "assets": [asset] });
        let options = json!({ "branch": format!("branch-{}", number % 100), "commit": format!("{number:040}") });
        let body = json!({ "manifest": manifest, "publish": options }).to_string();
        let published = host.control("POST", "/v1/projects/garden/deployments").body(body).send();
        assert_eq!(published.status, 201, "{}", published.text());
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let publish = &publish;
            scope.spawn(move || (thread..DEPLOYMENTS).step_by(THREADS).for_each(publish));
        }
    });
}

/// How long the host took for an answer, in milliseconds.
fn server_millis(answer: &Answer) -> f64 {
    let timing = answer.header("server-timing").expect("each page says how long it took");
    timing.strip_prefix("page;dur=").expect("in milliseconds").parse().expect("as a number")
}

/// Its pages, and searches in it, are small and quick, and lead from one to the next.
#[test]
fn small_and_quick() {
    let environment = environment();
    let host = TestHost::start(&environment);
    publish_all(&host);
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden");
    let _ = desk.browser.wait_for_text(".filters", "10\u{202f}000 deployments");
    desk.is_right("ten-thousand");
    let seen = desk.browser.text("tbody tr:last-child th");
    desk.browser.click("a[rel=next]");
    let _ = desk.browser.wait_for_text(".paging", "Newest");
    assert!(!desk.browser.text("tbody").contains(&seen), "the next page goes on behind {seen}");
    desk.browser.fill("#text", "0000004242");
    desk.browser.click(".filters button");
    let _ = desk.browser.wait_for_text("tbody tr:only-child", "branch-42");

    let session = session(&host, &host.token());
    let one = host.control("GET", "/v1/deployments?project=garden&limit=1").send().json();
    let id = one["deployments"][0]["deployment"]["id"].as_str().unwrap().to_owned();
    for path in [
        "/".to_owned(),
        "/projects/garden".to_owned(),
        "/projects/garden?text=branch-7".to_owned(),
        "/projects/garden?text=nothing-like-this".to_owned(),
        format!("/projects/garden?older_than={id}"),
        format!("/projects/garden/deployments/{id}"),
        "/projects/garden/metrics?range=month".to_owned(),
        "/projects/garden/logs".to_owned(),
        "/host".to_owned(),
        "/audit".to_owned(),
        "/tokens".to_owned(),
    ] {
        let ask = || {
            http::request("GET", &format!("{}{path}", host.control_url())).header("cookie", &session).send().success()
        };
        let answers: Vec<Answer> = (0..7).map(|_| ask()).collect();
        let mut millis: Vec<f64> = answers.iter().map(server_millis).collect();
        millis.sort_by(f64::total_cmp);
        let bytes = answers[0].body.len();
        assert!(bytes < 50_000, "{path}: {bytes} bytes");
        assert!(millis[3] < 50.0, "{path}: {millis:?} ms");
    }
}
