//! What others can see of a request on its way: where its time went.

use ship_tests::{TestEnv, TestHost, http};

/// The names of the entries of `server-timing`, and whether each that has a duration has a sensible one.
fn entries(answer: &http::Answer) -> Vec<String> {
    let header = answer.header("server-timing").unwrap_or_default();
    let parts = header.split(", ").filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once(';').expect("an entry has a value");
            if let Some(millis) = value.strip_prefix("dur=") {
                let millis: f64 = millis.parse().expect("a duration is a number");
                assert!((0.0..60_000.0).contains(&millis), "{header}");
                name.to_owned()
            } else {
                part.to_owned()
            }
        })
        .collect()
}

/// Previews say where a request's time went; production does not, whoever asks.
#[test]
fn server_timing_on_previews() {
    let environment = TestEnv::new();
    let project = environment.project("timed").file("public/index.html", "a page").file(
        "api/hello.js",
        "export const GET = () => new Response('hello', { headers: { 'server-timing': 'db;dur=1' } });",
    );
    let host = TestHost::start(&environment);
    let words = ["deploy", "--no-check", "--branch", "main"];
    let preview = host.ship(words).within(project.folder()).run().success().url();
    let [branch, production] = ["timed-git-main", "timed"].map(|label| host.site_url(label));
    let hello = |url: &str| http::get(&format!("{url}/api/hello")).success();
    let first = hello(&preview);
    let told = entries(&first);
    assert!(["db", "route", "cold", "init"].iter().all(|name| told.iter().any(|entry| entry == name)), "{told:?}");
    assert_eq!(entries(&hello(&preview)), ["db", "route", "fn"]);
    assert_eq!(entries(&hello(&branch)), ["db", "route", "fn"]);
    assert_eq!(entries(&http::get(&preview).success()), ["route"]);
    assert_eq!(entries(&http::get(&format!("{preview}/none"))), ["route"]);
    assert_eq!(entries(&hello(&production)), ["db"], "what the function says itself stays");
    assert_eq!(entries(&http::get(&production).success()), [""; 0]);
}
