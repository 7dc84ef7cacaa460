//! What happened: a line per request and per printed line, tied together by the request's id.

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// A project with a function that prints.
fn talkative(environment: &TestEnv) -> TestProject {
    environment.project("talkative").file("public/index.html", "a page").file(
        "api/say.go",
        "package handler

import (
	\"fmt\"
	\"net/http\"
	\"os\"
)

func Say(w http.ResponseWriter, r *http.Request) {
	fmt.Println(\"out:\", r.URL.Query().Get(\"word\"))
	fmt.Fprintln(os.Stderr, \"err:\", r.URL.Query().Get(\"word\"))
	fmt.Fprintln(w, \"said\")
}
",
    )
}

/// Every response carries the id under which the logs know its request and what the function printed meanwhile.
#[test]
fn one_id_from_answer_to_log() {
    let environment = TestEnv::new();
    let project = talkative(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();

    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let answer = http::get(&format!("{url}/api/say?word=hello")).success();
    let id = answer.header("x-ship-id").expect("every response carries an id");
    let mut lines: Vec<serde_json::Value> = Vec::new();
    while lines.len() < 3 {
        let line = following.stdout().wait_for(|line| line.contains(&id));
        lines.push(serde_json::from_str(&line).expect("each line is one JSON document"));
    }
    let of = |source: &str| lines.iter().filter(|line| line["source"] == source).collect::<Vec<_>>();
    let printed: Vec<&serde_json::Value> = of("function").iter().map(|line| &line["message"]).collect();
    assert!(printed.contains(&&"out: hello".into()) && printed.contains(&&"err: hello".into()), "{lines:?}");
    let request = of("request");
    assert_eq!((&request[0]["status"], &request[0]["path"]), (&200.into(), &"/api/say?word=hello".into()));
    let ended = following.terminate();
    assert!(matches!(ended.code(), Some(0 | 130 | 143) | None), "{}", ended.snapshot());
}

/// Without `-f`, the newest lines are shown, for a person or for a program.
#[test]
fn newest_lines() {
    let environment = TestEnv::new();
    let project = talkative(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let _ = http::get(&format!("{url}/api/say?word=hello")).success();
    let _ = http::get(&format!("{url}/nothing/here"));
    // Logs are written beside the answer, not before it: what a follower has seen is there.
    for _ in 0..4 {
        let _ = following.stdout().wait_for(|line| line.contains("source"));
    }
    drop(following);
    insta::assert_snapshot!(host.ship(["logs"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    [AT] GET /api/say?word=hello 200 [TIME]  [REQUEST]
    [AT]   api/say stdout: out: hello  [REQUEST]
    [AT]   api/say stderr: err: hello  [REQUEST]
    [AT] GET /nothing/here 404 [TIME] NOT_FOUND  [REQUEST]
    ----- stderr -----
    ");
    let only = host.ship(["logs", &url, "--json"]).within(project.folder()).run().success();
    assert!(only.stdout().lines().count() >= 4, "{}", only.stdout());
}

/// A client cannot choose an id, and a function sees the one that the log has.
#[test]
fn ids_are_the_hosts() {
    let environment = TestEnv::new();
    let project = environment.project("echo").file(
        "api/id.go",
        "package handler

import (
	\"fmt\"
	\"net/http\"
)

func ID(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Header.Get(\"x-ship-id\"), \" \", r.Header.Get(\"x-ship-secret\"))
}
",
    );
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let request = http::request("GET", &format!("{url}/api/id"));
    let answer = request.header("x-ship-id", "mine").header("x-ship-secret", "stolen").send().success();
    let id = answer.header("x-ship-id").expect("every response carries an id");
    assert_ne!(id, "mine");
    assert_eq!(answer.text(), format!("{id} "));
}

/// A project that the host does not know has no log, not an empty one; a deployment of another project is not this one's.
#[test]
fn logs_of_nobody() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "x");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    insta::assert_snapshot!(host.ship(["logs", "--project", "nobody"]).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the host has no project `nobody`
    hint: `ship deploy` makes it, `ship ls` shows those there are
    ");
    insta::assert_snapshot!(host.ship(["logs", &url, "--project", "other"]).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `site-[ID-1]` is a deployment of `site`, not of `other`
    ");
    insta::assert_snapshot!(host.ship(["open", &url, "--project", "other"]).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `site-[ID-1]` is a deployment of `site`, not of `other`
    ");
}
