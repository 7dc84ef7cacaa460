//! How many instances there are: as many as are wanted, before they are wanted, and never more than allowed.

use std::time::Instant;

use ship_tests::{Gate, PATIENCE, TestEnv, TestHost, TestProject, http};

/// A function that says when it starts, and answers `ok`.
const SPEAKING: &str = "package handler

import (
	\"fmt\"
	\"net/http\"
)

func init() { fmt.Println(\"booted\") }

func Handler(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, \"ok\") }
";

/// How many instances of the only function of a deployment there are.
fn running(host: &TestHost<'_>, url: &str) -> usize {
    let detail = host.ship(["inspect", url, "--json"]).run().success().json();
    detail["functions"][0]["instances"].as_array().expect("there is a function").len()
}

/// Asks until there are so many instances.
fn until_running(host: &TestHost<'_>, url: &str, wanted: usize) {
    let asked = Instant::now();
    while running(host, url) != wanted {
        assert!(asked.elapsed() < PATIENCE, "there are never {wanted} instances");
    }
}

fn speaking(environment: &TestEnv, limits: &str) -> TestProject {
    let limits = format!("[functions.\"api/f\"]\n{limits}\n");
    environment.project("site").file("ship.toml", limits).file("api/f.go", SPEAKING)
}

/// Production has the instances that are to be kept, also after the host was started anew and before anybody asks; a preview
/// and what production led to before have none.
#[test]
fn kept_instances() {
    let environment = TestEnv::new();
    let project = speaking(&environment, "min_instances = 2\nidle_secs = 1");
    let mut host = TestHost::start(&environment);
    let production = host.ship(["deploy"]).within(project.folder()).run().success().url();
    until_running(&host, &production, 2);
    project.write("public/index.html", "newer");
    let preview = host.ship(["deploy"]).within(project.folder()).run().success().url();
    // It was started once to see whether it starts.
    until_running(&host, &preview, 0);
    assert_eq!(running(&host, &production), 2);

    host.ask_to_end();
    let _ = host.ended();
    host.start_again();
    until_running(&host, &production, 2);
    assert_eq!(running(&host, &preview), 0);

    let _ = host.ship(["promote", &preview]).within(project.folder()).run().success();
    until_running(&host, &preview, 2);
    until_running(&host, &production, 0);
}

/// A schedule that has begun counts in place of the number of every day.
#[test]
fn scheduled_instances() {
    let environment = TestEnv::new();
    let project =
        speaking(&environment, "warm = [{ cron = \"* * * * *\", min_instances = 3, time_zone = \"Europe/Zurich\" }]");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    until_running(&host, &url, 3);
    let shown = host.ship(["inspect", &url]).run().success();
    assert!(shown.stdout().contains("3 from * * * * * Europe/Zurich"), "{}", shown.stdout());
}

/// A thousand visitors at once on a sleeping function: all are answered, by no more instances than there may be.
#[test]
fn thousand_at_once() {
    let environment = TestEnv::new();
    let project = speaking(&environment, "max_instances = 4\nconcurrency = 10");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    assert_eq!(running(&host, &url), 0);
    let sent: Vec<_> = (0..1_000).map(|_| http::request("GET", &format!("{url}/api/f")).begin()).collect();
    let answers: Vec<_> = sent.into_iter().map(http::Sent::answer).collect();
    let failed: Vec<_> =
        answers.iter().filter(|answer| (answer.status, answer.text().as_str()) != (200, "ok")).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let log = host.ship(["logs", &url, "--json", "--limit", "2000"]).run().success();
    let booted = log.stdout().lines().filter(|line| line.contains("\"booted\"")).count();
    assert!((1..=4).contains(&booted), "{booted} instances were started");
}

/// When as many wait as may, the next is told to come back, and those that wait are answered.
#[test]
fn past_the_limit() {
    let environment = TestEnv::new();
    let limits = "[functions.\"api/f\"]\nmax_instances = 1\nconcurrency = 1\nnetwork = \"all\"\n";
    let project =
        environment.project("site").file("ship.toml", limits).file("api/f.go", ship_tests::GO_FUNCTION_AT_GATE);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let gate = Gate::new();
    let at_gate = http::request("GET", &format!("{url}/api/f?{}", gate.query())).begin();
    let waiting = gate.wait_for_arrival();
    // As many may wait as the instance takes at once, and 1,024 beyond.
    let sent: Vec<_> = (0..1_030).map(|_| http::request("GET", &format!("{url}/api/f?gate=none")).begin()).collect();
    let asked = Instant::now();
    let turned_away = || host.ship(["logs", &url, "--json"]).run().success().stdout().matches("\"status\":503").count();
    while turned_away() < 5 {
        assert!(asked.elapsed() < PATIENCE, "nobody is turned away");
    }
    waiting.open();
    assert_eq!(at_gate.answer().text(), "begun\nfinished\n");
    let answers: Vec<_> = sent.into_iter().map(http::Sent::answer).collect();
    let (refused, served): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 503);
    assert_eq!((refused.len(), served.len()), (5, 1_025));
    for answer in &refused {
        assert_eq!(answer.header("x-ship-error").as_deref(), Some("FUNCTION_THROTTLED"));
        // A thousand wait, and the first has not been answered yet.
        let seconds: u32 = answer.header("retry-after").expect("there is one").parse().expect("it is a number");
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    // That is what the function answers where there is no gate.
    assert!(served.iter().all(|answer| answer.status == 502 && answer.header("x-ship-error").is_none()), "{served:?}");
}

/// Every limit that there is can be seen, with what holds where nothing is said, in words and in the words of `ship.toml`.
#[test]
fn every_limit_is_shown() {
    let environment = TestEnv::new();
    let limits = "cpu = 0.5\nmax_body_mb = 4\nnetwork = \"none\"\ntarget_utilization = 0.7\nmax_files = 256\n\
                  warm = [{ cron = \"0 8 * * 1-5\", min_instances = 2, time_zone = \"Europe/Zurich\" }, \
                  { cron = \"0 18 * * *\", min_instances = 0 }]";
    let project = speaking(&environment, limits);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    let shown = host.ship(["inspect", &url]).run().success();
    let tables = shown.stdout().split_once("LIMITS").expect("limits are shown").1;
    insta::assert_snapshot!(format!("LIMITS{tables}"), @"
    LIMITS  TIMEOUT  START  MEMORY  CPU  BODY  PROCESSES  FILES  /TMP    NETWORK  ISOLATION
    /api/f  60 s     10 s   512 MB  0.5  4 MB  512        256    256 MB  none     sandbox

    SCALING  INSTANCES  REQUESTS EACH  FULL AT  IDLE   WARM
    /api/f   0 to 10    50             0.7      300 s  2 from 0 8 * * 1-5 Europe/Zurich, 0 from 0 18 * * * UTC
    ");
    let detail = host.ship(["inspect", &url, "--json"]).run().success().json();
    let function = &detail["functions"][0];
    let expected = serde_json::json!({
        "timeout_secs": 60, "init_timeout_secs": 10, "memory_mb": 512, "cpu": 0.5, "max_body_mb": 4, "max_processes": 512,
        "max_files": 256, "tmp_mb": 256, "network": "none", "concurrency": 50, "min_instances": 0, "max_instances": 10,
        "idle_secs": 300, "target_utilization": 0.7,
    });
    assert_eq!(function["limits"], expected);
    let warm = serde_json::json!([
        { "cron": "0 8 * * 1-5", "min_instances": 2, "time_zone": "Europe/Zurich" },
        { "cron": "0 18 * * *", "min_instances": 0, "time_zone": "UTC" },
    ]);
    assert_eq!(function["warm"], warm);
}
