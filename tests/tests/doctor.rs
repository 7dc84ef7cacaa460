//! What `ship doctor` finds wrong, what it says to do about it, and what it repairs.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use ship_tests::{TestEnv, TestHost};

/// The problems in a document, by what was looked at.
fn problems(document: &Value) -> Vec<(String, String, bool)> {
    let checks = document["checks"].as_array().expect("it is a list");
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    let of = |check: &Value| {
        let problems = check["problems"].as_array().expect("it is a list").clone();
        let name = text(&check["check"]);
        problems.into_iter().map(move |problem| (name.clone(), text(&problem["what"]), !problem["repaired"].is_null()))
    };
    // Room and ports are those of the machine that the test runs on.
    checks.iter().flat_map(of).filter(|(name, _, _)| !["disk", "port"].contains(&name.as_str())).collect()
}

/// Secrets that others may read and what killed commands have left are told, repaired when that is asked for, and wrong no more.
#[test]
fn repairs() {
    let environment = TestEnv::new();
    let credentials = environment.ship_home().join("credentials.toml");
    let left = environment.ship_home().join("cache/doctor-4194305");
    fs::write(&credentials, "").expect("the home is writable");
    fs::set_permissions(&credentials, Permissions::from_mode(0o644)).expect("the file is ours");
    fs::create_dir_all(left.join("try")).expect("the home is writable");
    let doctor = |arguments: &[&str]| environment.ship(["doctor"]).and(arguments).run().success();
    let found = doctor(&["--json"]);
    let told: Vec<_> = problems(&found.json()).into_iter().map(|(name, _, repaired)| (name, repaired)).collect();
    assert_eq!(told, [("secrets".to_owned(), false), ("left over".to_owned(), false)]);
    let snapshot = environment.filtered(found.stderr());
    assert!(
        snapshot.contains("warning: [ENV]/ship/credentials.toml is open to other accounts (mode 644)"),
        "{snapshot}"
    );
    assert!(snapshot.contains("hint: `chmod 600 [ENV]/ship/credentials.toml`, or `ship doctor --fix`"), "{snapshot}");
    assert!(left.exists());

    let repaired = doctor(&["--fix"]);
    assert!(repaired.stderr().contains("Repaired: "), "{}", repaired.stderr());
    assert_eq!(fs::metadata(&credentials).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(!left.exists());
    assert_eq!(problems(&doctor(&["--json"]).json()), []);
}

/// Where nothing can be kept, that is told, and all the rest is looked at.
#[test]
fn nothing_can_be_kept() {
    let environment = TestEnv::new();
    let found = environment.ship(["doctor", "--json"]).with("SHIP_HOME", "/sys/ship").run().success();
    let document = found.json();
    assert!(document["reason"].as_str().is_some_and(|reason| reason.contains("/sys/ship")), "{document}");
    let looked_at = document["checks"].as_array().expect("it is a list").iter().map(|check| check["check"].as_str());
    assert_eq!(looked_at.flatten().collect::<Vec<_>>(), ["secrets", "port", "clock", "data", "disk", "left over"]);
    assert!(found.stderr().contains("warning: no function can be started here: "), "{}", found.stderr());
}

/// A data directory that somebody else has locked keeps every host from starting: the process is named.
#[test]
fn locked_data() {
    let environment = TestEnv::new();
    let data = environment.ship_home().join("host");
    fs::create_dir(&data).expect("the home is writable");
    fs::write(data.join("lock"), format!("{}\n", std::process::id())).expect("the folder is writable");
    let lock = File::open(data.join("lock")).expect("it was just made");
    lock.lock().expect("nobody else has it");
    let found = problems(&environment.ship(["doctor", "--json"]).run().success().json());
    let [(name, what, false)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(name, "data");
    assert!(what.contains(&format!("is locked by process {}", std::process::id())), "{what}");
    drop(lock);
    assert_eq!(problems(&environment.ship(["doctor", "--json"]).run().success().json()), []);
}

/// Of a host that runs, its names are looked up; one that does not answer is told last, and the rest all the same.
#[test]
fn hosts() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let page = environment.project("shop").file("index.html", "<!doctype html>");
    let _ = host.ship(["deploy"]).within(page.folder()).run().success();
    assert_eq!(problems(&host.ship(["doctor", "--json"]).run().success().json()), []);
    let _ = host.ship(["domains", "add", "shop.invalid", "--project", "shop"]).run().success();
    let found = problems(&host.ship(["doctor", "--json"]).run().success().json());
    let what: Vec<_> = found.iter().map(|(name, what, _)| (name.as_str(), what.as_str())).collect();
    assert_eq!(
        what,
        [
            ("domains", "shop.invalid leads nowhere: the DNS knows no address of it"),
            ("domains", "shop.invalid is not served: nothing proves yet that it is of shop"),
        ]
    );
    let unasked = environment.ship(["doctor", "--json", "--host", "http://127.0.0.1:1"]).run().exits_with(3);
    let why = unasked.json()["unasked"][0].as_str().expect("it is text").to_owned();
    assert!(why.starts_with("the host at http://127.0.0.1:1 cannot be reached"), "{why}");
    assert_eq!(problems(&unasked.json()), []);
}
