//! `ship.toml`: what is wrong is said with its place; what is right means what `vercel.json` means by it.

use std::path::Path;

use ship_core::route::{Outcome, RouteRequest, RouteTable, resolve};
use ship_core::{SiteIndex, UrlPath};

use crate::testing::{TestProject, handler};

/// Each file of the folder beside this one is wrong, and its message stands in the snapshot of the same name.
#[test]
fn wrong_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/tests/wrong");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let project = TestProject::new([("ship.toml", text.as_str()), ("api/date.go", &handler("Date", "now"))]);
        let error = project.detect().expect_err(&name);
        insta::assert_snapshot!(name, error.to_string());
        seen += 1;
    }
    assert_eq!(seen, 30, "files were added or lost");
}

fn outcome(routes: &RouteTable, path: &str) -> Outcome {
    let path = UrlPath::parse(path).unwrap();
    let header = |_: &str| None;
    let request = RouteRequest { method: "GET", host: "a.test", path: &path, query: None, header: &header };
    resolve(routes, &SiteIndex::default(), &request).outcome
}

fn redirect(status: u16, location: &str) -> Outcome {
    Outcome::Redirect { status, location: location.to_owned() }
}

/// Redirects take the status that is written, or that of `vercel.json`.
#[test]
fn redirects() {
    let project = TestProject::new([(
        "ship.toml",
        r#"
        redirects = [
            { source = "/old/:slug", destination = "/new/:slug" },
            { source = "/soon", destination = "/later", permanent = false },
            { source = "/see", destination = "https://example.com/", status = 303 },
        ]
        "#,
    )]);
    let routes = project.detect().unwrap().routes;
    assert_eq!(outcome(&routes, "/old/a"), redirect(308, "/new/a"));
    assert_eq!(outcome(&routes, "/soon"), redirect(307, "/later"));
    assert_eq!(outcome(&routes, "/see"), redirect(303, "https://example.com/"));
}

/// Parameters of a rewrite that its destination does not use arrive in the query.
#[test]
fn rewrites() {
    let project = TestProject::new([(
        "ship.toml",
        r#"
        rewrites = [
            { source = "/u/:id/:tab", destination = "https://up.test/users" },
            { source = "/v/:id/:tab", destination = "https://up.test/users/:id" },
        ]
        "#,
    )]);
    let routes = project.detect().unwrap().routes;
    let external = |url: &str| Outcome::External { url: url.to_owned() };
    assert_eq!(outcome(&routes, "/u/7/posts"), external("https://up.test/users?id=7&tab=posts"));
    assert_eq!(outcome(&routes, "/v/7/posts"), external("https://up.test/users/7"));
}

/// Clean URLs and trailing slashes redirect to one address, and never to another host.
#[test]
fn clean_urls_and_slashes() {
    let project = TestProject::new([("ship.toml", "clean_urls = true\ntrailing_slash = false")]);
    let routes = project.detect().unwrap().routes;
    assert_eq!(outcome(&routes, "/about.html"), redirect(308, "/about"));
    assert_eq!(outcome(&routes, "/docs/index.html"), redirect(308, "/docs"));
    assert_eq!(outcome(&routes, "/index.html"), redirect(308, "/"));
    assert_eq!(outcome(&routes, "/docs/"), redirect(308, "/docs"));

    let project = TestProject::new([("ship.toml", "clean_urls = true\ntrailing_slash = true")]);
    let routes = project.detect().unwrap().routes;
    assert_eq!(outcome(&routes, "/index.html"), redirect(308, "/"));
    assert_eq!(outcome(&routes, "/about"), redirect(308, "/about/"));
    assert_eq!(outcome(&routes, "/.well-known/acme"), Outcome::NotFound);
}

/// For each key the most specific glob that sets it wins; a glob that is a path means that path, brackets and all.
#[test]
fn function_limits() {
    let text = r#"
        [functions."api/**"]
        timeout_secs = 10
        memory_mb = 128
        [functions."api/users/*"]
        memory_mb = 256
        [functions."api/users/[id].go"]
        timeout_secs = 30
    "#;
    let source = handler("Handler", "ok");
    let project = TestProject::new([
        ("ship.toml", text),
        ("api/date.go", &source),
        ("api/users/[id].go", &source),
        ("api/users/i.go", &source),
    ]);
    let config = project.detect().unwrap();
    let found: Vec<_> = config
        .functions()
        .iter()
        .map(|function| (function.name.as_str(), function.limits.timeout_secs, function.limits.memory_mb))
        .collect();
    assert_eq!(found, [("api/date", 10, 128), ("api/users/[id]", 30, 256), ("api/users/i", 10, 256)]);
}

/// A rule without methods allows those of pages, and its numbers have defaults.
#[test]
fn cors_defaults() {
    let project = TestProject::new([(
        "ship.toml",
        "[[cors]]\nsource = \"/api/(.*)\"\norigins = [\"self\"]\nheaders = [\"X-Key\"]",
    )]);
    let config = project.detect().unwrap();
    let [rule] = config.cors.as_slice() else { panic!("one rule") };
    assert_eq!(rule.methods(), ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
    assert_eq!(
        (rule.headers(), rule.max_age_secs(), rule.allows_credentials()),
        (["x-key".to_owned()].as_slice(), 7200, false)
    );
    assert!(rule.matches_path("/api/date") && !rule.matches_path("/about"));
}
