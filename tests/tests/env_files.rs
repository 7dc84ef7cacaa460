//! Environment files and system variables: who sees them, and who never does.

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// A function that answers with its environment.
const ENVIRONMENT: &str = r#"package handler

import (
	"fmt"
	"net/http"
	"os"
	"strings"
)

func Environment(w http.ResponseWriter, r *http.Request) {
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(w, "%s=%q\n", name, value)
	}
}
"#;

fn project(environment: &TestEnv) -> TestProject {
    environment.project("site").on_branch("feature/a").file("api/environment.go", ENVIRONMENT).file("index.html", "")
}

/// What the function at `url` finds set, of the names that this is about.
fn seen(environment: &TestEnv, url: &str) -> String {
    let all = http::get(&format!("{url}/api/environment")).success().text();
    let of_system = ["PATH=", "HOME=", "TMPDIR=", "SHIP_LISTEN_FD=", "GOMEMLIMIT="];
    let mut lines: Vec<&str> =
        all.lines().filter(|line| !of_system.iter().any(|name| line.starts_with(name))).collect();
    lines.sort_unstable();
    environment.filtered(&lines.join("\n"))
}

/// A function on a host is told which deployment it belongs to; what stands in files beside it stays where it is, and no
/// visitor gets at it.
#[test]
fn on_a_host() {
    let environment = TestEnv::new();
    let project = project(&environment).file(".env", "SECRET=1").file(".env.production", "SECRET=2");
    let host = TestHost::start(&environment);
    let first = host.ship(["deploy"]).within(project.folder()).run().success().url();
    insta::assert_snapshot!(seen(&environment, &first), @r#"
    SHIP="1"
    SHIP_DEPLOYMENT="[ID-1]"
    SHIP_ENV="production"
    SHIP_FUNCTION="api/environment"
    SHIP_GIT_BRANCH="feature/a"
    SHIP_GIT_COMMIT="0123456789abcdef0123456789abcdef01234567"
    SHIP_PROJECT="site"
    SHIP_URL="site-[ID-1].localhost:[PORT]"
    TZ="UTC"
    VERCEL="1"
    VERCEL_ENV="production"
    VERCEL_GIT_COMMIT_REF="feature/a"
    VERCEL_GIT_COMMIT_SHA="0123456789abcdef0123456789abcdef01234567"
    VERCEL_PROJECT_PRODUCTION_URL="site.localhost:[PORT]"
    VERCEL_REGION="ship1"
    VERCEL_TARGET_ENV="production"
    VERCEL_URL="site-[ID-1].localhost:[PORT]"
    "#);
    for path in ["/.env", "/.env.production", "/.env.local", "/%2eenv", "/x/../.env"] {
        assert_eq!(http::get(&format!("{first}{path}")).status, 404, "{path}");
    }
    // A later one is a preview until production moves to it.
    project.write("index.html", "<p>");
    let second = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert!(seen(&environment, &second).contains("VERCEL_ENV=\"preview\""));
    let _ = host.ship(["promote", &second]).within(project.folder()).run().success();
    let promoted = seen(&environment, &host.site_url("site"));
    assert!(promoted.contains("VERCEL_ENV=\"production\""), "{promoted}");
}

/// In development a function sees the files for development, and the next request sees what was edited in them.
#[test]
fn in_development() {
    let environment = TestEnv::new();
    let project = project(&environment)
        .file(
            ".env",
            "A=plain\nB=plain\nexport LINES=\"one\ntwo\" # comment\nREF='${A}!'\nVERCEL_ENV=mine\nTZ=Asia/Kathmandu\n",
        )
        .file(".env.development", "B=development\n")
        .file(".env.production", "B=production\nPRODUCTION=1\n");
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("each line is JSON");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    insta::assert_snapshot!(seen(&environment, &url), @r#"
    A="plain"
    B="development"
    LINES="one\ntwo"
    REF="plain!"
    SHIP="1"
    SHIP_DEPLOYMENT="[ID-1]"
    SHIP_ENV="development"
    SHIP_FUNCTION="api/environment"
    SHIP_GIT_BRANCH="feature/a"
    SHIP_GIT_COMMIT="0123456789abcdef0123456789abcdef01234567"
    SHIP_PROJECT="site"
    SHIP_URL="127.0.0.1:[PORT]"
    TZ="Asia/Kathmandu"
    VERCEL="1"
    VERCEL_ENV="development"
    VERCEL_GIT_COMMIT_REF="feature/a"
    VERCEL_GIT_COMMIT_SHA="0123456789abcdef0123456789abcdef01234567"
    VERCEL_REGION="dev1"
    VERCEL_TARGET_ENV="development"
    VERCEL_URL="127.0.0.1:[PORT]"
    "#);

    project.write(".env.development", "B=edited\n");
    assert!(seen(&environment, &url).contains("B=\"edited\""));
    project.write(".env.local", "A=here\n");
    assert!(seen(&environment, &url).contains("REF=\"here!\""));
    project.remove(".env.local");
    project.write(".env", "A=again\nREF='${A}!'\n");
    let edited = seen(&environment, &url);
    assert!(edited.contains("A=\"again\"") && edited.contains("REF=\"again!\""), "{edited}");
    assert!(!edited.contains("LINES="), "{edited}");
    project.write(".env", "A=1\nnonsense\n");
    let shown = http::get(&format!("{url}/api/environment"));
    assert_eq!(shown.status, 500);
    assert!(shown.text().contains(".env:2: expected `NAME=value`, a comment or an empty line"), "{}", shown.text());
    project.write(".env", "A=mended\n");
    assert!(seen(&environment, &url).contains("A=\"mended\""));
    let _ = running.terminate();
}
