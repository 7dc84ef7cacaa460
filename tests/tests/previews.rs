//! Every branch has a URL of its own, and nothing that was published changes.

use ship_tests::{TestEnv, TestHost, http};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A branch gets its URL. Production, and every earlier deployment, stay as they were.
#[test]
fn a_branch_gets_its_url() {
    let environment = TestEnv::new();
    let project = environment.project("date-weather").file("public/index.html", "main").on_branch("main");
    let host = TestHost::start(&environment);
    let production = host.site_url("date-weather");
    let main = host.ship(["deploy"]).within(project.folder()).run().success().url();

    project.check_out("feature/new-map");
    project.write("public/index.html", "new map");
    let output = host.ship(["deploy"]).within(project.folder()).run();
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://date-weather-[ID-2].localhost:[PORT]
    ----- stderr -----
    Built 1 file in [TIME]
    1 file sent, 0 already there
    Published date-weather as preview in [TIME]
      http://date-weather-git-feature-new-map.localhost:[PORT]
    ");
    let branch = host.site_url("date-weather-git-feature-new-map");
    let seen = |url: &str| http::get(url).success().text();
    assert_eq!([seen(&branch), seen(&output.url())], ["new map", "new map"]);
    assert_eq!([seen(&production), seen(&main)], ["main", "main"]);

    project.write("public/index.html", "newer map");
    let newer = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!([seen(&branch), seen(&newer)], ["newer map", "newer map"]);
    assert_eq!([seen(&output.url()), seen(&production), seen(&main)], ["new map", "main", "main"]);
}

/// A branch that is what production is leads to the same deployment, and production has not moved.
#[test]
fn a_branch_that_changed_nothing() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "main").on_branch("main");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    project.check_out("feature");
    insta::assert_snapshot!(host.ship(["deploy"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site-[ID-1].localhost:[PORT]
    ----- stderr -----
    Built 1 file in [TIME]
    Nothing to send, 1 file already there
    Published site as preview in [TIME]
      http://site-git-feature.localhost:[PORT]
      http://site.localhost:[PORT]
    ");
}

/// What is known of a deployment says which branch and commit it came from.
#[test]
fn inspect_says_where_it_came_from() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "page").on_branch("topic");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let detail = host.ship(["inspect", &url, "--json"]).run().success().json();
    let deployment = &detail["deployment"];
    assert_eq!((&deployment["branch"], &deployment["commit"]), (&"topic".into(), &COMMIT.into()));
    insta::assert_snapshot!(host.ship(["inspect", &url]).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    site  [ID-1]
      target    production, live
      branch    topic
      commit    0123456789abcdef0123456789abcdef01234567
      created   [AT] UTC
      url       http://site-[ID-1].localhost:[PORT]
      alias     http://site.localhost:[PORT]
      alias     http://site-git-topic.localhost:[PORT]
      static    1 file, 4 B
      functions 0
    ----- stderr -----
    ");
}

/// `--branch` goes before the CI's variable, which goes before git's.
#[test]
fn who_names_the_branch() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "page").on_branch("from-git");
    let host = TestHost::start(&environment);
    let branch_of = |arguments: &[&str], variables: &[(&str, &str)]| {
        let deploy = host.ship([&["deploy", "--json"], arguments].concat()).within(project.folder());
        let deploy = variables.iter().fold(deploy, |deploy, (name, value)| deploy.with(name, value));
        let aliases = deploy.run().success().json()["aliases"].clone();
        let aliases = aliases.as_array().cloned().unwrap_or_default();
        let branches =
            aliases.iter().filter_map(|url| url.as_str()?.strip_prefix("http://site-git-")?.split('.').next());
        branches.map(str::to_owned).collect::<Vec<_>>()
    };
    let ci = [("CI", "true"), ("GITHUB_REF_TYPE", "branch"), ("GITHUB_REF_NAME", "from-ci")];
    assert!(branch_of(&[], &[]).contains(&"from-git".to_owned()));
    assert!(branch_of(&[], &ci).contains(&"from-ci".to_owned()));
    assert!(branch_of(&["--branch", "by-hand"], &ci).contains(&"by-hand".to_owned()));
}

/// Two branches whose names come down to one label keep their sites apart.
#[test]
fn names_that_would_meet() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "main").on_branch("main");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let long = "x".repeat(80);
    let branches = ["fix/map", "fix-map", &format!("{long}-left"), &format!("{long}-right")].map(str::to_owned);
    let mut urls = Vec::new();
    for branch in &branches {
        project.write("public/index.html", branch);
        let deploy =
            host.ship(["deploy", "--json", "--branch", branch]).within(project.folder()).run().success().json();
        let alias = deploy["aliases"][0].as_str().expect("a branch has a URL").to_owned();
        urls.push((branch, alias));
    }
    for (branch, url) in &urls {
        assert_eq!(&http::get(url).success().text(), *branch, "{url}");
        let label = url.trim_start_matches("http://").split('.').next().unwrap_or_default();
        assert!(label.len() <= 63, "{label}");
    }
}

/// Without git, without a CI and without `--branch`, a deployment has its own URL and belongs to no branch.
#[test]
fn no_branch() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "page");
    let host = TestHost::start(&environment);
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(document["deployment"]["branch"], serde_json::Value::Null);
    assert_eq!(document["aliases"], serde_json::json!([host.site_url("site")]));
}
