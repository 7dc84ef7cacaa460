//! How large deployments are, over time.

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
    insta::assert_snapshot!(host.ship(["ls", "--chart"]).run().snapshot(), @"");
    let list = host.ship(["ls", "--chart", "--json"]).run().success().json();
    let sizes: Vec<_> = list["deployments"].as_array().unwrap().iter().map(|one| one["size_bytes"].clone()).collect();
    assert_eq!(sizes, [40_000, 10_000]);
}
