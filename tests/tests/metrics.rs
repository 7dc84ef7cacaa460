//! What a host counts, as Prometheus reads it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;

use ship_tests::{Exposition, TestEnv, TestHost, TestProject, http};

/// A page, and functions that answer, print without end, and die.
fn measured(environment: &TestEnv) -> TestProject {
    environment
        .project("measured")
        .file("public/index.html", "a page")
        .file("api/hello.js", "export const GET = () => new Response('hello');")
        .file("api/flood.js", "export const GET = () => { console.log(`${'x'.repeat(1000)}\\n`.repeat(8 << 10)); return new Response('flooded'); };")
        .file("api/die.js", "export const GET = () => { process.exit(3); };")
        .file("ship.toml", "[[redirects]]\nsource = \"/old\"\ndestination = \"/\"\npermanent = false\n")
}

fn metrics(host: &TestHost<'_>) -> Exposition {
    let answer = host.control("GET", "/metrics").send().success();
    assert_eq!(answer.header("content-type").as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
    Exposition::read(&answer.text())
}

/// Requests are counted by project, by what answered and by class of status; functions by name, instances by what became of them.
#[test]
fn what_is_counted() {
    let environment = TestEnv::new();
    let project = measured(&environment);
    let host = TestHost::start(&environment);
    let before = metrics(&host);
    assert_eq!(before.count("ship_blobs_bytes"), 0);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    let mut following = host.ship(["logs", "-f"]).within(project.folder()).start();
    for (path, status) in [
        ("/", 200),
        ("/", 200),
        ("/none", 404),
        ("/old", 307),
        ("/api/hello", 200),
        ("/api/hello", 200),
        ("/api/flood", 200),
        ("/api/die", 500),
    ] {
        assert_eq!(http::get(&format!("{url}{path}")).status, status, "{path}");
        // A request is counted when its answer has ended, which a visitor may see a little earlier; its record is written after that.
        let _ = following.stdout().wait_for(|line| line.contains(&format!(" GET {path} {status} ")));
    }
    assert_eq!(http::get(&host.site_url("nobody")).status, 404);
    let after = metrics(&host);
    let requests = |kind: &str, code: &str| {
        after.count(&format!("ship_requests_total{{project=\"measured\",kind=\"{kind}\",code=\"{code}\"}}"))
    };
    assert_eq!(
        [("static", "2xx"), ("function", "2xx"), ("function", "5xx"), ("routing", "3xx"), ("routing", "4xx")]
            .map(|(kind, code)| requests(kind, code)),
        [2, 3, 1, 1, 1]
    );
    assert_eq!(after.count("ship_requests_total{project=\"\",kind=\"unknown_host\",code=\"4xx\"}"), 1);
    assert_eq!(after.count("ship_requests_in_flight{project=\"measured\"}"), 0);
    assert_eq!(after.count("ship_request_duration_seconds_count{project=\"measured\",kind=\"function\"}"), 4);
    let function =
        |name: &str, function: &str| after.count(&format!("{name}{{project=\"measured\",function=\"{function}\"}}"));
    assert_eq!(function("ship_function_duration_seconds_count", "api/hello"), 2);
    assert_eq!(function("ship_function_coldstarts_total", "api/hello"), 1);
    assert_eq!(["api/hello", "api/die"].map(|name| function("ship_function_errors_total", name)), [0, 1]);
    assert_eq!(after.count("ship_function_exits_total{reason=\"crashed\"}"), 1);
    assert_eq!(after.count("ship_function_instances{state=\"ready\"}"), 2);
    assert_eq!(after.count("ship_function_queue_depth"), 0);
    let inits = after.count("ship_function_init_duration_seconds_count{runtime=\"node\"}");
    let init_seconds = after.value("ship_function_init_duration_seconds_sum{runtime=\"node\"}");
    assert!((2..=3).contains(&inits) && init_seconds > 0.002, "{inits} in {init_seconds} s");
    assert!(after.count("ship_log_dropped_bytes_total{reason=\"rate\"}") > 1_000_000);
    for phase in ["upload", "stage", "publish"] {
        assert_eq!(after.count(&format!("ship_deploy_duration_seconds_count{{phase=\"{phase}\"}}")), 1, "{phase}");
    }
    assert_eq!(
        after.labels(),
        ["code", "function", "kind", "le", "phase", "project", "reason", "runtime", "state", "version", "what"]
    );
}

/// What a visitor or a deploy makes up never becomes a label; a project that is removed is counted no longer.
#[test]
fn labels_are_bounded() {
    let environment = TestEnv::new();
    let project = measured(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let answer = http::get(&format!("{url}/made/up?by=a-visitor"));
    let _ = http::request("BREW", &format!("{url}/")).send();
    let text = host.control("GET", "/metrics").send().success().text();
    let id = url.split(['-', '.']).nth(1).expect("the label ends in the id");
    let request = answer.header("x-ship-id").expect("every response carries an id");
    for word in ["made", "a-visitor", "BREW", id, &request] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    assert!(text.contains("project=\"measured\""), "{text}");
    let _ = host.ship(["rm", "--project", "measured", "--yes"]).run().success();
    let text = host.control("GET", "/metrics").send().success().text();
    assert!(!text.contains("measured"), "{text}");
}

/// What is counted is for who has the token, unless the operator opens it; the rest of the API stays closed.
#[test]
fn who_may_read() {
    let environment = TestEnv::new();
    let status = |host: &TestHost<'_>, path: &str| http::get(&format!("{}{path}", host.control_url())).status;
    let closed = TestHost::start(&environment);
    assert_eq!(["/metrics", "/v1/status"].map(|path| status(&closed, path)), [401, 401]);
    drop(closed);
    let open = TestHost::start_with(&environment, &["--open-metrics"]);
    assert_eq!(["/metrics", "/v1/status"].map(|path| status(&open, path)), [200, 401]);
    let _ = metrics(&open);
}

/// Who leaves while a body is still to come has left: no failure of the function, whether it had begun to answer or not.
#[test]
fn visitors_who_leave_while_they_send() {
    let environment = TestEnv::new();
    let function = "export const POST = async (request: Request) => {
  if (new URL(request.url).searchParams.has('echo')) return new Response(request.body);
  console.log('waiting for the rest');
  return new Response(await request.text());
};
";
    let project = environment.project("measured").file("api/take.ts", function);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let authority = url.trim_start_matches("http://");
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    for (path, status) in [("/api/take", 499), ("/api/take?echo", 200)] {
        let mut visitor = http::connect_from(Ipv4Addr::LOCALHOST, authority).expect("the host listens");
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: {authority}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
        visitor.write_all(head.as_bytes()).expect("the host reads");
        if status == 200 {
            let mut answer = BufReader::new(&visitor);
            let mut line = String::new();
            while !line.contains("hello") {
                assert!(answer.read_line(&mut line).expect("the function echoes") > 0, "{line}");
            }
        } else {
            let _ = following.stdout().wait_for(|line| line.contains("waiting for the rest"));
        }
        drop(visitor);
        let line = following.stdout().wait_for(|line| line.contains(r#""source":"request""#));
        let record: serde_json::Value = serde_json::from_str(&line).expect("each line is one JSON document");
        assert_eq!((&record["status"], &record["level"]), (&status.into(), &"warning".into()), "{record}");
    }
    let labels = "{project=\"measured\",function=\"api/take\"}";
    let after = metrics(&host);
    assert_eq!(after.count(&format!("ship_function_duration_seconds_count{labels}")), 2);
    assert_eq!(after.count(&format!("ship_function_errors_total{labels}")), 0);
}
