//! What a build said, and who wrote what was built.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use ship_tests::{TestEnv, TestHost, TestProject};

const SECRET: &str = "hunter2-and-more";

/// A project whose build prints what it should not, and what a terminal would obey.
fn chatty(environment: &TestEnv) -> TestProject {
    let command = "mkdir -p dist && cp page.html dist/index.html && . ./.env && echo key $API_KEY && printf 'odd \\\\033]0;t\\\\007 <b>\\\\n'";
    environment
        .project("chatty")
        .file("page.html", "a page")
        .file(".env", format!("API_KEY={SECRET}\n"))
        .file("ship.toml", format!("[build]\ncommand = \"{command}\"\noutput = \"dist\"\n"))
}

/// Makes a repository of a folder, with one commit.
fn commit(folder: &Path, author: &str) {
    for arguments in [&["init", "-q"][..], &["add", "page.html"], &["commit", "-q", "-m", "a page"]] {
        let mut git = Command::new("git");
        let _ = git.args(["-c", &format!("user.name={author}"), "-c", "user.email=ada@example.com"]);
        let done = git.args(arguments).current_dir(folder).status().expect("git is there");
        assert!(done.success(), "{arguments:?}");
    }
}

/// It is kept with the deployment, without the values of secrets; the same content deployed again by somebody else changes nothing of it;
/// and it goes with its deployment.
#[test]
fn kept_and_harmless() {
    let environment = TestEnv::new();
    let project = chatty(&environment);
    commit(project.folder(), "Ada Lovelace");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let log = host.ship(["inspect", &url, "--build-log"]).run();
    insta::assert_snapshot!(log.snapshot(), @r#"
    exit code: 0
    ----- stdout -----
    Building the frontend: mkdir -p dist && cp page.html dist/index.html && . ./.env && echo key $API_KEY && printf 'odd \033]0;t\007 <b>\n'
    key [secret API_KEY]
    odd ]0;t <b>
    Built the frontend in [TIME]
    Built 1 file
    ----- stderr -----
    "#);
    let detail = host.ship(["inspect", &url, "--json"]).run().success().json();
    assert_eq!(detail["deployment"]["author"], "Ada Lovelace");
    assert_eq!(detail["deployment"]["subject"], "a page");
    let id = detail["deployment"]["id"].as_str().unwrap().to_owned();

    let path = format!("/v1/deployments/{id}/build");
    let before = host.control("GET", &path).send().success().json();
    assert!(!before.to_string().contains(SECRET), "{before}");
    let other = r#"{"author":"Mallory","subject":"a trap","log":{"text":"nothing"},"of_a_later_version":1}"#;
    let answer = host.control("PUT", &path).header("content-type", "application/json").body(other).send().success();
    assert_eq!(answer.json(), before);
    assert_eq!(host.control("GET", &path).send().success().json(), before);
}

/// A client of an earlier version says nothing of a build; a host keeps no more than it has room for; and what is no log is refused.
#[test]
fn other_versions() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "a page");
    let host = TestHost::start(&environment);
    let old = publish_as_before(&host, "old");
    let path = format!("/v1/deployments/{old}/build");
    assert_eq!(host.control("GET", &path).send().success().json(), json!({}));
    insta::assert_snapshot!(host.ship(["inspect", &old, "--build-log"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Whoever published it sent no log of its build
    ");
    let put = |body: &Value| {
        host.control("PUT", &path).header("content-type", "application/json").body(body.to_string()).send()
    };
    assert_eq!(put(&json!({ "log": "text" })).status, 400);
    assert_eq!(put(&json!({ "author": "\u{7}" })).status, 400);
    assert_eq!(put(&json!({ "subject": "\u{7}" })).status, 400);
    let long = "line\n".repeat(100_000) + "last line\n";
    let kept = put(&json!({ "log": { "text": long } })).success().json();
    let text = kept["log"]["text"].as_str().expect("it is text");
    assert!(text.len() <= 256 * 1024 && text.ends_with("last line\n"));
    assert_eq!(kept["log"]["left_out_bytes"], long.len() - text.len());
}

/// Publishes a page as clients of earlier versions did: the blob, and the manifest. The deployment's id.
fn publish_as_before(host: &TestHost<'_>, project: &str) -> String {
    let page = b"an old page";
    let digest = ship_core::Digest::of(page);
    let sent = host.control("PUT", &format!("/v1/blobs/{digest}")).body(page.to_vec()).send();
    let asset = json!({ "path": "index.html", "digest": digest, "size_bytes": page.len(), "media_type": "text/html" });
    let manifest = json!({ "version": 1, "functions": [], "routes": [], "cors": [], "assets": [asset] });
    let body = json!({ "manifest": manifest, "publish": {} }).to_string();
    let request = host.control("POST", &format!("/v1/projects/{project}/deployments"));
    let published = request.header("content-type", "application/json").body(body).send();
    assert_eq!((sent.status, published.status), (201, 201));
    published.json()["deployment"]["id"].as_str().expect("it has an id").to_owned()
}
