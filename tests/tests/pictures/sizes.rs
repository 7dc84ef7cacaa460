//! How large deployments are, over time.

use regex::Regex;
use ship_tests::{TestEnv, TestHost};

/// A site that grows: its bars grow with it, in the terminal and on the project's page.
#[test]
fn growing() {
    let environment = TestEnv::new();
    let project = environment.project("garden").file("index.html", "x".repeat(10_000));
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    project.write("index.html", "x".repeat(40_000));
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let drawn = host.ship(["ls", "--chart"]).run().success();
    let drawn = Regex::new(r"\d\d-\d\d \d\d:\d\d").unwrap().replace_all(drawn.stdout(), "[AT]").into_owned();
    insta::assert_snapshot!(environment.filtered(&drawn), @"
    garden
    [ID-1]* [AT]    [SIZE]  ███████████▌
    [ID-2]  [AT]    [SIZE]  ██████████████████████████████████████████████
    ");
    let list = host.ship(["ls", "--chart", "--json"]).run().success().json();
    let sizes: Vec<_> = list["deployments"].as_array().unwrap().iter().map(|one| one["size_bytes"].clone()).collect();
    assert_eq!(sizes, [40_000, 10_000]);
}
