//! `ship.toml` and `vercel.json`: what is wrong is said with its place; what is right means what `vercel.json` means by it.

use std::path::Path;

use ship_core::route::{Outcome, Phase, RouteRequest, RouteTable, resolve};
use ship_core::{FunctionLimits, NetworkAccess, SiteIndex, UrlPath};

use crate::testing::{TestProject, handler};

mod schema;

/// Each file of the folder beside this one is wrong, and its message stands in the snapshot of the same name.
#[test]
fn wrong_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/tests/wrong");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let file = if is_json { "vercel.json" } else { "ship.toml" };
        let project = TestProject::new([(file, text.as_str()), ("api/date.go", &handler("Date", "now"))]);
        let error = project.detect().expect_err(&name);
        insta::assert_snapshot!(name, error.to_string());
        seen += 1;
    }
    assert_eq!(seen, 106, "files were added or lost");
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
            { source = "/u/:id/:tab", destination = "/users" },
            { source = "/v/:id/:tab", destination = "/users/:id?x=1" },
            { source = "/w/:id", destination = "/:lang/:id", has = [{ type = "header", key = "x-lang", value = "(?<lang>..)" }] },
        ]
        "#,
    )]);
    let routes = project.detect().unwrap().routes;
    let destinations: Vec<_> =
        routes.phase(Phase::Filesystem).iter().map(|route| route.dest.as_deref().unwrap()).collect();
    assert_eq!(destinations, ["/users?id=$1&tab=$2", "/users/$1?x=1", "/$lang/$1"]);
}

/// Header values take parameters of their source, and keep colons that name none.
#[test]
fn header_values() {
    let project = TestProject::new([(
        "ship.toml",
        r#"
        [[headers]]
        source = "/docs/:page"
        headers = [{ key = "x-page", value = "p-:page" }, { key = "nel", value = '{"include_subdomains":true}' }]
        "#,
    )]);
    let routes = project.detect().unwrap().routes;
    let [route] = routes.phase(Phase::Null) else { panic!("one route") };
    let headers: Vec<_> = route.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("nel", r#"{"include_subdomains":true}"#), ("x-page", "p-$1")]);
    assert!(route.continues);
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

/// Every limit of a function can be said, and what is said arrives as it is meant.
#[test]
fn every_limit() {
    let text = r#"
        [functions."api/date.go"]
        timeout_secs = 5
        init_timeout_secs = 6
        memory_mb = 64
        cpu = 0.5
        max_body_mb = 4
        max_processes = 32
        max_files = 256
        tmp_mb = 16
        network = "none"
        concurrency = 7
        min_instances = 1
        max_instances = 8
        idle_secs = 0
        target_utilization = 0.7
        warm = [{ cron = "0 8 * * MON-FRI", min_instances = 2, time_zone = "europe/zurich" }, { cron = "0 18 * * *", min_instances = 0 }]
        [functions."api/*"]
        cpu = 2
        warm = []
    "#;
    let source = handler("Handler", "ok");
    let project = TestProject::new([("ship.toml", text), ("api/date.go", &source), ("api/time.go", &source)]);
    let config = project.detect().unwrap();
    let [date, time] = config.functions() else { panic!("{config:?}") };
    let said = FunctionLimits {
        timeout_secs: 5,
        init_timeout_secs: 6,
        memory_mb: 64,
        cpu_thousandths: Some(500),
        max_body_mb: Some(4),
        max_processes: 32,
        max_files: 256,
        tmp_mb: 16,
        network: NetworkAccess::None,
        concurrency: 7,
        min_instances: 1,
        max_instances: 8,
        idle_secs: 0,
        target_utilization_percent: 70,
    };
    assert_eq!(
        (date.limits, time.limits),
        (said, FunctionLimits { cpu_thousandths: Some(2_000), ..Default::default() })
    );
    let warm: Vec<_> =
        date.warm.iter().map(|warm| (warm.cron.as_str(), warm.min_instances, warm.time_zone.as_str())).collect();
    assert_eq!(warm, [("0 8 * * MON-FRI", 2, "Europe/Zurich"), ("0 18 * * *", 0, "UTC")]);
    assert_eq!(time.warm, []);
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

/// What runs a function is what the most specific entry says, else what its file asks for, else what the project does. An ending
/// may be a choice of letters.
#[test]
fn interpreters() {
    let web = "export const GET = () => new Response('');\n";
    let deno = "#!/usr/bin/env deno\nexport default () => new Response('');\n";
    let files = [("api/a.ts", web), ("api/b.js", web), ("api/[id].ts", web), ("api/d.ts", deno)];
    let of = |name: &'static str, text: &'static str| {
        let project = TestProject::new([(name, text)].into_iter().chain(files));
        let config = project.detect().unwrap();
        let shown = config.functions().iter().map(|function| format!("{} {}", function.name, function.runtime));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(of("ship.toml", ""), ["api/[id] node", "api/a node", "api/b node", "api/d deno"]);
    assert_eq!(
        of(
            "vercel.json",
            r#"{ "bunVersion": "1.x", "functions": { "api/*.[j]s": { "runtime": "vercel-deno@3.1.1" } } }"#
        ),
        ["api/[id] bun", "api/a bun", "api/b deno", "api/d deno"]
    );
    assert_eq!(
        of("ship.toml", "[functions.\"**\"]\nruntime = \"bun\"\n[functions.\"api/[id].ts\"]\nruntime = \"node\"\n"),
        ["api/[id] node", "api/a bun", "api/b bun", "api/d bun"]
    );
    assert_eq!(
        of(
            "vercel.json",
            r#"{ "builds": [{ "src": "api/a.ts", "use": "vercel-deno" }, { "src": "api/b.js", "use": "@vercel/node" }] }"#
        ),
        ["api/a.ts deno", "api/b.js node"]
    );
}
