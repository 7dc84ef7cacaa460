//! Requests over time, in a terminal.

use ship_tests::{TestEnv, TestHost, http};

/// What was asked for is drawn: without colours where it is piped, as numbers for programs, and with the filters of the log.
#[test]
fn requests_over_time() {
    let environment = TestEnv::new();
    let project = environment.project("garden").file("public/index.html", "a garden");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let chart = || host.ship(["logs", "--chart"]).within(project.folder());
    insta::assert_snapshot!(chart().run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No requests
    ");
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    for _ in 0..5 {
        let _ = http::get(&url).success();
        assert_eq!(http::get(&format!("{url}/nothing")).status, 404);
    }
    for _ in 0..10 {
        let _ = following.stdout().wait_for(|line| line.contains("\"request\""));
    }
    drop(following);

    let numbers = chart().and(["--json", "--since", "1h"]).run().success().json();
    assert_eq!((&numbers["all"]["requests"], &numbers["all"]["refused"]), (&10.into(), &5.into()), "{numbers}");
    assert_eq!((&numbers["is_complete"], &numbers["step_secs"]), (&true.into(), &120.into()), "{numbers}");
    let points = numbers["points"].as_array().unwrap();
    assert_eq!(points.iter().filter_map(|point| point["requests"].as_u64()).sum::<u64>(), 10);
    let refused = chart().and(["--json", "--status", "4xx"]).run().success().json();
    assert_eq!((&refused["all"]["requests"], &refused["all"]["refused"]), (&5.into(), &5.into()), "{refused}");

    let piped = chart().and(["--since", "1h"]).run().success();
    assert!(!piped.stdout().contains('\u{1b}'), "{:?}", piped.stdout());
    assert!(
        piped.stdout().contains("requests 10, at most") && piped.stdout().contains("4xx 5, at most"),
        "{}",
        piped.stdout()
    );
    // A narrow terminal has colours, and no line is longer than it.
    let narrow = chart().and(["--since", "1h"]).start_on_terminal(40).finish();
    let shown = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(narrow.stdout(), "").into_owned();
    assert!(narrow.stdout().contains('\u{1b}'), "{:?}", narrow.stdout());
    assert!(shown.lines().all(|line| line.trim_end().chars().count() <= 40), "{shown}");
}
