//! What was counted, drawn.

use ship_tests::{TestHost, http};

use crate::stage::{Desk, deploy_talkative, environment};

/// The figure of a title, and how many lines in it are drawn.
fn figure(desk: &Desk, title: &str) -> (String, u64) {
    let script = format!(
        "const figure = [...document.querySelectorAll('.chart')].find((one) => one.innerText.includes('{title}'));
         return [figure.innerText, [...figure.querySelectorAll('.drawn')].filter((line) => line.getTotalLength() > 0).length]"
    );
    let found = desk.browser.run(&script);
    (found[0].as_str().unwrap_or_default().to_owned(), found[1].as_u64().unwrap_or_default())
}

/// Requests, errors, durations, starts, instances, memory and storage are there as soon as somebody looks, are what the API says, and are
/// there after the host was killed.
#[test]
fn with_data() {
    let environment = environment();
    let mut host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let site = say.strip_suffix("/api/say").unwrap();
    for _ in 0..5 {
        let _ = http::get(&say).success();
        let _ = http::get(site).success();
        assert_eq!(http::get(&format!("{site}/nothing")).status, 404);
    }
    assert_eq!(http::get(&format!("{say}?fail=yes")).status, 500);
    let history = host.control("GET", "/v1/projects/garden/history").send().success().json();
    let sum = |name: &str| {
        let points = history["points"].as_array().unwrap();
        points.iter().map(|point| point[name].as_u64().unwrap_or_default()).sum::<u64>()
    };
    assert_eq!((sum("requests"), sum("refused"), sum("failed")), (16, 5, 1), "{history}");
    assert!(history["points"][0]["p99_micros"].as_u64() >= history["points"][0]["p50_micros"].as_u64(), "{history}");
    assert!(sum("instances") >= 1 && sum("memory_bytes") > 1_000_000, "{history}");

    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden/metrics");
    let totals = desk.browser.wait_for_text(".facts", "Requests");
    assert!(totals.contains("16") && totals.contains('5') && totals.contains('1'), "{totals}");
    for title in ["Requests per ", "Errors per ", "Instances", "Memory"] {
        let (text, lines) = figure(&desk, title);
        assert!(lines >= 1, "{title}: {text}");
    }
    // The newest value would be nothing as soon as nobody asks.
    let (requests, _) = figure(&desk, "Requests per ");
    assert!(requests.contains("requests at most") && !requests.contains("at most 0"), "{requests}");
    let (durations, lines) = figure(&desk, "Response time");
    assert!(["p50", "p95", "p99", "ms"].iter().all(|name| durations.contains(name)) && lines == 3, "{durations}");
    desk.is_right("metrics");
    // More is drawn while somebody looks.
    let _ = http::get(site).success();
    let _ = desk.browser.wait_for_text(".facts", "17");
    desk.browser.click(".ranges a[href$='range=day']");
    let _ = desk.browser.wait_for_text(".ranges a[aria-current]", "Day");
    assert!(desk.browser.text(".facts").contains("17"));

    host.kill();
    host.start_again();
    desk.go("/host?range=month");
    let _ = desk.browser.wait_for_text(".facts:not(:has(.wide))", "17");
    // Nobody knows what there was before the host was started.
    for page in ["/host?range=month", "/projects/garden/metrics?range=month"] {
        desk.go(page);
        let drawn = "return [...document.querySelectorAll('.drawn')].map((line) => line.getAttribute('d'))";
        let drawn = desk.browser.run(drawn);
        let lines: Vec<&str> = drawn.as_array().expect("a list").iter().filter_map(serde_json::Value::as_str).collect();
        assert!(lines.iter().any(|line| !line.is_empty()), "{page} draws nothing");
        assert!(!lines.iter().any(|line| line.starts_with("M0 ")), "{page}: {lines:?}");
    }
    desk.go("/host?range=month");
    let (storage, lines) = figure(&desk, "Storage");
    assert!(lines == 1 && storage.contains("kB"), "{storage}");
    desk.is_right("host");
}
