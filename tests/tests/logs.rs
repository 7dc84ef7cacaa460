//! What happened: a line per request and per printed line, tied together by the request's id.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ship_tests::{PATIENCE, TestEnv, TestHost, TestProject, http};

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

/// What work behind a response prints belongs to the request that began it, and what is printed when it is over to nobody.
#[test]
fn work_behind_the_response() {
    let environment = TestEnv::new();
    let project = environment.project("later").file(
        "api/later.js",
        "const later = (wait, line) => new Promise((done) => setTimeout(() => { console.log(line); done(); }, wait));\n\
         export function GET(request, { waitUntil }) {\n\
         \twaitUntil(later(50, 'the work').then(() => { later(50, 'nobody waits'); }));\n\
         \treturn new Response('at once');\n\
         }\n",
    );
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let id =
        http::get(&format!("{url}/api/later")).success().header("x-ship-id").expect("every response carries an id");
    for (message, requests) in [("the work", serde_json::json!([id])), ("nobody waits", serde_json::Value::Null)] {
        let line = following.stdout().wait_for(|line| line.contains(r#""source":"function""#));
        let line: serde_json::Value = serde_json::from_str(&line).expect("each line is one JSON document");
        assert_eq!((&line["message"], &line["requests"]), (&message.into(), &requests));
    }
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

/// Programs open their output anew by its path, as those do that are told to log to a file: in a process that was made for one function,
/// in one that waited for any, and in one that was forked of another.
#[test]
fn output_by_its_path() {
    let environment = TestEnv::new();
    let go = "package handler

import (
	\"fmt\"
	\"net/http\"
	\"os\"
)

func Say(w http.ResponseWriter, r *http.Request) {
	for _, path := range []string{\"/dev/stdout\", \"/dev/stderr\", \"/proc/self/fd/1\"} {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(file, \"go to\", path)
		file.Close()
	}
}
";
    let node = "import { appendFileSync } from 'node:fs';
export function GET() {
  for (const path of ['/dev/stdout', '/dev/stderr', '/proc/self/fd/1']) appendFileSync(path, `node to ${path}\\n`);
  return new Response();
}
";
    let python = "from http.server import BaseHTTPRequestHandler

class handler(BaseHTTPRequestHandler):
    def do_GET(self):
        for path in ['/dev/stdout', '/dev/stderr', '/proc/self/fd/1']:
            with open(path, 'a') as output:
                print('python to', path, file=output)
        self.send_response(200)
        self.end_headers()
";
    let project = environment.project("paths").file("api/go.go", go).file("api/node.ts", node);
    let project = project.file("api/python.py", python);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    for language in ["go", "node", "python"] {
        let _ = http::get(&format!("{url}/api/{language}")).success();
        let mut lines: Vec<serde_json::Value> = (0..3)
            .map(|_| following.stdout().wait_for(|line| line.contains(&format!("{language} to "))))
            .map(|line| serde_json::from_str(&line).expect("each line is one JSON document"))
            .collect();
        lines.sort_by_key(|line| line["message"].to_string());
        let printed: Vec<_> = lines.iter().map(|line| format!("{} {}", line["stream"], line["message"])).collect();
        let printed_at = |stream, path| format!("\"{stream}\" \"{language} to {path}\"");
        let wanted = [("stderr", "/dev/stderr"), ("stdout", "/dev/stdout"), ("stdout", "/proc/self/fd/1")];
        assert_eq!(printed, wanted.map(|(stream, path)| printed_at(stream, path)));
    }
}

/// A line without an end is in the log when its request is over, and is that request's; one that is printed beside others comes when
/// nothing more does. Nobody has to wait for the next line to hear what was dropped.
#[test]
fn lines_without_an_end() {
    let environment = TestEnv::new();
    let function = "export const GET = async (request: Request) => {
  const query = new URL(request.url).searchParams;
  process.stdout.write(query.get('print') ?? '');
  if (query.has('flood')) for (let i = 0; i < 16; i++) process.stdout.write(`${'x'.repeat(1023)}\\n`.repeat(1 << 10));
  return new Response();
};
";
    let project = environment.project("endless").file("api/print.ts", function);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    for text in ["first", "second"] {
        let id = http::get(&format!("{url}/api/print?print={text}")).success().header("x-ship-id").expect("it has one");
        let line = following.stdout().wait_for(|line| line.contains(r#""source":"function""#));
        let record: serde_json::Value = serde_json::from_str(&line).expect("each line is one JSON document");
        assert_eq!((&record["message"], &record["requests"]), (&text.into(), &serde_json::json!([id])));
    }
    let _ = http::get(&format!("{url}/api/print?flood")).success();
    let line = following.stdout().wait_for(|line| line.contains("bytes of output were dropped"));
    assert!(line.contains(r#""level":"warning""#), "{line}");
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
    error: `site-[ID-1].localhost` is a deployment of `site`, not of `other`
    ");
    insta::assert_snapshot!(host.ship(["open", &url, "--project", "other"]).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `site-[ID-1].localhost` is a deployment of `site`, not of `other`
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
    let asking = http::request("GET", &format!("{url}/api/slow")).begin();
    let _ = following.stdout().wait_for(|line| line.contains("begun"));
    drop(asking);
    let line = following.stdout().wait_for(|line| line.contains(r#""source":"request""#));
    let record: serde_json::Value = serde_json::from_str(&line).expect("each line is one JSON document");
    assert_eq!(
        (&record["status"], &record["function"], &record["level"]),
        (&499.into(), &"api/slow".into(), &"warning".into())
    );
}

/// A site with a function that prints in two levels, and the records of four requests to it.
fn busy<'e>(environment: &'e TestEnv, host: &TestHost<'e>) -> (TestProject, String) {
    let project = environment.project("busy").file("public/index.html", "a page").file(
        "api/say.js",
        "export function GET(request) {
  const status = Number(new URL(request.url).searchParams.get('status'));
  if (status >= 500) console.error(`it is BAD: ${status}`);
  else console.log(`it is fine: ${status}`);
  return new Response('', { status });
}
",
    );
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    for path in ["/", "/api/say?status=201", "/api/say?status=503", "/missing"] {
        let _ = http::get(&format!("{url}{path}"));
    }
    let _ = next_records(&mut following, 6);
    (project, url)
}

/// The host leaves out what was not asked for; filters are joined, and what is none says what it should be.
#[test]
fn filters() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let (project, url) = busy(&environment, &host);
    let logs = |arguments: &[&str]| {
        let words = ["logs", "--json"].iter().chain(arguments).copied();
        let shown = host.ship(words).within(project.folder()).run().success();
        let shown = shown.stdout().lines().map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).expect("each line is one JSON document");
            record["message"].as_str().or(record["path"].as_str()).expect("each has one of them").to_owned()
        });
        let mut shown: Vec<String> = shown.collect();
        shown.sort();
        shown.join(" | ")
    };
    let all = "/ | /api/say?status=201 | /api/say?status=503 | /missing | it is BAD: 503 | it is fine: 201";
    assert_eq!(logs(&[]), all);
    assert_eq!(logs(&["--since", "1h"]), all);
    assert_eq!(logs(&["--since", "2099-01-01"]), "");
    assert_eq!(logs(&["--until", "2099-01-01T00:00:00Z", "--limit", "1"]), "/missing");
    assert_eq!(logs(&["--until", "1h"]), "");
    assert_eq!(logs(&["--level", "error"]), "/api/say?status=503 | it is BAD: 503");
    assert_eq!(logs(&["--level", "warning,fatal"]), "/missing");
    assert_eq!(logs(&["--status", "5xx,404"]), "/api/say?status=503 | /missing");
    assert_eq!(logs(&["--status-code", "200-299", "--function", "api/say"]), "/api/say?status=201");
    assert_eq!(logs(&["--function", "api/say", "--level", "info"]), "/api/say?status=201 | it is fine: 201");
    assert_eq!(logs(&["--function", "/api/say", "--level", "info"]), "/api/say?status=201 | it is fine: 201");
    assert_eq!(logs(&["--search", "bad: 5"]), "it is BAD: 503");
    insta::assert_snapshot!(host.ship(["logs", "--function", "/api/sing"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: no deployment of `busy` has a function `api/sing`
    hint: the newest has api/say
    ");
    insta::assert_snapshot!(host.ship(["logs", &url, "--function", "api/sing"]).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: [ID-1] has no function `api/sing`
    hint: it has api/say
    ");
    let answer = http::get(&format!("{url}/api/say?status=404"));
    let id = answer.header("x-ship-id").expect("every response carries an id");
    let mut following = host.ship(["logs", "-f", "--request-id", &id]).within(project.folder()).start();
    let _ = following.stdout().wait_for(|line| line.contains("/api/say?status=404 404"));
    drop(following);
    assert_eq!(logs(&["--request-id", &id]), "/api/say?status=404 | it is fine: 404");
    insta::assert_snapshot!(host.ship(["logs", "--status", "6xx"]).within(project.folder()).run().snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value '6xx' for '--status <STATUS,…>': `6xx` names no status: write 404, 5xx or 400-499

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(host.ship(["logs", "--since", "soon"]).within(project.folder()).run().snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'soon' for '--since <TIME>': `soon` names no time: write 30m, 1h, 2d, 2026-04-14 or [AT]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(host.ship(["logs", "--level", "loud"]).within(project.folder()).run().snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'loud' for '--level <LEVEL,…>': `loud` is no level: they are info, warning, error and fatal

    For more information, try '--help'.
    ");
    let refused = host.control("GET", "/v1/projects/busy/logs?status=6xx").send();
    assert_eq!(refused.status, 400, "{}", refused.text());
}

/// Whoever follows is told that the host went away, and goes on where they were when it is back: nothing is missing, nothing
/// comes twice.
#[test]
fn following_across_a_restart() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let (project, url) = busy(&environment, &host);
    let ask = |number: usize| {
        let answer = http::get(&format!("{url}/missing/{number}"));
        assert_eq!(answer.status, 404);
    };
    let mut following = host.ship(["logs", "-f", "--search", "/missing/"]).within(project.folder()).start();
    // Written and shown, and written by a host that is gone before it is shown.
    ask(1);
    let _ = following.stdout().wait_for(|line| line.contains("/missing/1 "));
    following.process().signal(rustix::process::Signal::STOP);
    ask(2);
    host.ask_to_end();
    assert_eq!(host.ended().code(), Some(0));
    following.process().signal(rustix::process::Signal::CONT);
    let _ = following.stderr().wait_for(|line| line.contains("the host went away; waiting 30 s for it to come back"));
    host.start_again();
    let _ = following.stderr().wait_for(|line| line == "The host is back");
    ask(3);
    let _ = following.stdout().wait_for(|line| line.contains("/missing/3 "));
    let ended = following.terminate();
    let shown: Vec<&str> = ended.stdout().lines().filter_map(|line| line.split_ascii_whitespace().nth(3)).collect();
    assert_eq!(shown, ["/missing/1", "/missing/2", "/missing/3"]);
}

/// Whoever follows a log for somebody who has seen enough ends with the next line.
#[test]
fn following_for_nobody() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let (project, url) = busy(&environment, &host);
    let following = host.ship(["logs", "-f"]).within(project.folder());
    let following = following.started_by(["sh", "-c", "\"$@\" | head -n 1", "sh"]).start();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(http::get(&format!("{url}/missing")).status, 404);
            }
        });
        let shown = following.finish();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(shown.success().stdout().lines().count(), 1);
    });
}

/// A host that does not come back ends whoever follows, and not as if all were well.
#[test]
fn following_a_host_that_stays_away() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let (project, _) = busy(&environment, &host);
    for (seconds, end) in [
        ("1", (|host: &TestHost<'_>| host.ask_to_end()) as fn(&TestHost<'_>)),
        ("0", |host| host.process().signal(rustix::process::Signal::KILL)),
    ] {
        let words = ["logs", "-f", "-n", "1", "--reconnect", seconds];
        let mut following = host.ship(words).within(project.folder()).start();
        let _ = following.stdout().wait_for(|line| line.contains("/missing 404"));
        end(&host);
        let _ = host.ended();
        let said = following.finish().exits_with(3);
        let sentence = format!("error: the host went away and did not come back within {seconds} s");
        let hint = "hint: `ship logs -f --since 10m` goes on where this ended";
        assert!(said.stderr().ends_with(&format!("{sentence}\n{hint}\n")), "{}", said.stderr());
        host.start_again();
    }
}

/// A project's log takes no more of the disk than the operator gives it.
#[test]
fn bound_of_a_log() {
    let environment = TestEnv::new();
    let host = TestHost::start_with(&environment, &["--log-mb", "4"]);
    let project = environment.project("loud").file(
        "api/flood.js",
        "export function GET() {
  for (let line = 0; line < 60; line += 1) console.log(String(line).padEnd(50_000, 'x'));
  return new Response('flooded');
}
",
    );
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut following =
        host.ship(["logs", "-f", "--level", "info", "--search", "/api/flood"]).within(project.folder()).start();
    let segments = || -> BTreeMap<OsString, u64> {
        let entries = std::fs::read_dir(host.data().join("logs/loud")).expect("there is a log").flatten();
        entries.filter_map(|entry| Some((entry.file_name(), entry.metadata().ok()?.len()))).collect()
    };
    // A host that has much else to do leaves lines out, so it takes as many calls as it takes until the oldest of them are gone.
    let mut flood = || {
        let _ = http::get(&format!("{url}/api/flood")).success();
        let _ = following.stdout().wait_for(|line| line.contains("/api/flood 200"));
    };
    flood();
    let (begun, oldest) = (Instant::now(), segments().into_keys().next().expect("there are lines"));
    let bytes = loop {
        flood();
        let now = segments();
        let bytes: u64 = now.values().sum();
        if !now.contains_key(&oldest) {
            break bytes;
        }
        assert!(begun.elapsed() < PATIENCE, "{now:?}");
    };
    assert!((2 << 20..=4 << 20).contains(&bytes), "{bytes}");
}
