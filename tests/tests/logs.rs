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

/// The next `count` records that a follower prints.
fn next_records(following: &mut ship_tests::RunningShip<'_>, count: usize) -> Vec<serde_json::Value> {
    let next = |_| following.stdout().wait_for(|line| line.contains("source"));
    (0..count).map(next).map(|line| serde_json::from_str(&line).expect("each line is one JSON document")).collect()
}

/// A line has the level that its language gave it, or that it says of itself, and a request that of its status.
#[test]
fn levels() {
    let environment = TestEnv::new();
    let project = environment
        .project("levels")
        .file(
            "api/node.js",
            "export function GET() {
  console.log('as it should be');
  console.group('a group');
  console.warn('careful:\\n%d', 4, new Map([[1, 2]]));
  console.groupEnd();
  console.error('broken');
  console.log(JSON.stringify({ level: 40, msg: 'structured' }));
  return new Response('', { status: 404 });
}
",
        )
        .file(
            "api/python.py",
            "import logging, sys
from http.server import BaseHTTPRequestHandler

logging.basicConfig(level=logging.DEBUG, format='%(message)s')

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        logging.debug('detail')
        logging.warning('careful\\nin two lines')
        logging.critical('over')
        print('broken', file=sys.stderr)
        self.send_response(500)
        self.end_headers()
",
        );
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let mut told = |path: &str, count: usize| {
        let _ = http::get(&format!("{url}{path}"));
        let mut lines: Vec<String> = next_records(&mut following, count)
            .iter()
            .map(|record| {
                let message = record["message"].as_str().map_or_else(|| record["status"].to_string(), str::to_owned);
                let stream = record["stream"].as_str().unwrap_or("request");
                format!("{stream} {}: {message}", record["level"].as_str().expect("each record has a level"))
            })
            .collect();
        // Between the two streams there is no order.
        lines.sort();
        lines.join("\n")
    };
    insta::assert_snapshot!(told("/api/node", 7), @r#"
    request warning: 404
    stderr error: broken
    stderr warning:   4 Map(1) { 1 => 2 }
    stderr warning:   careful:
    stdout info: a group
    stdout info: as it should be
    stdout warning: {"level":40,"msg":"structured"}
    "#);
    insta::assert_snapshot!(told("/api/python", 6), @"
    request error: 500
    stderr error: broken
    stderr fatal: over
    stderr info: detail
    stderr warning: careful
    stderr warning: in two lines
    ");
}

/// A request's record says whether it waited for a start and how long that took, and what memory its instance had; the next
/// one waits for nothing.
#[test]
fn cold_starts() {
    let environment = TestEnv::new();
    let project = environment.project("cold").file("api/hello.js", "export const GET = () => new Response('hello');");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let mut ask = || {
        let _ = http::get(&format!("{url}/api/hello")).success();
        next_records(&mut following, 1).remove(0)
    };
    let (first, second) = (ask(), ask());
    assert_eq!(first["cold_start"], true, "{first}");
    let [init, duration] = ["init_micros", "duration_micros"].map(|key| first[key].as_u64().unwrap_or_default());
    assert!(init > 1_000 && init <= duration, "{first}");
    assert!((second.get("cold_start"), second.get("init_micros")) == (None, None), "{second}");
    for record in [first, second] {
        let memory_mb = record["memory_mb"].as_u64().unwrap_or_default();
        assert!((5..500).contains(&memory_mb), "{record}");
    }
}

/// A visitor who does not wait for the answer leaves a record all the same.
#[test]
fn visitor_who_leaves() {
    let environment = TestEnv::new();
    let project = environment.project("slow").file(
        "api/slow.js",
        "export default (request, response) => {
  console.log('begun');
  response.on('close', () => console.log('left'));
};
",
    );
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let asking = http::request("GET", &format!("{url}/api/slow")).send_only();
    let _ = following.stdout().wait_for(|line| line.contains("begun"));
    drop(asking);
    let line = following.stdout().wait_for(|line| line.contains(r#""source":"request""#));
    let record: serde_json::Value = serde_json::from_str(&line).expect("each line is one JSON document");
    assert_eq!(
        (&record["status"], &record["function"], &record["level"]),
        (&499.into(), &"api/slow".into(), &"warning".into())
    );
}
