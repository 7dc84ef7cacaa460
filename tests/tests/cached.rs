//! Answers that functions ask to have kept (`s-maxage`): who gets them, who never does, and how often the function is asked.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use ship_tests::http::{self, Answer};
use ship_tests::{Exposition, PATIENCE, TestEnv, TestHost, TestProject};

/// How many visitors come at once where very many do.
const THRONG: usize = 1000;

/// How many come where all of them are to be in one instance at the same time, beside the one who tells it what to do.
const CROWD: usize = 40;

/// A function that notes what it is asked, waits at a gate if it is told to, and answers what it is told to answer: `told[q]` for the parameter
/// `q`. It is told by `POST` requests, whose answers are never kept.
const MODULE: &str = r#"
const seen = [], waiting = [], told = {};
let watching = () => {};
const orders = {
  answer: ({ q, ...order }) => void (told[q] = order),
  seen: () => seen,
  arrivals: (count) =>
    new Promise((resolve) => {
      watching = () => waiting.length >= count && resolve();
      watching();
    }),
  open: () => waiting.splice(0).forEach((open) => open()),
};
module.exports = async (request, response) => {
  const order = orders[request.headers["x-order"]];
  if (order) return response.json((await order(request.body)) ?? null);
  const call = seen.push({ method: request.method, url: request.url, headers: request.headers });
  const { body = "answer", gate, cache = "s-maxage=60", headers, length, status, pieces, breaks } = told[request.query.q ?? ""] ?? {};
  const wait = () => new Promise((resolve) => (waiting.push(resolve), watching()));
  if (gate) await wait();
  if (cache) response.setHeader("cache-control", cache);
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  response.statusCode = status ?? 200;
  if (pieces) {
    response.write("first ");
    await wait();
    if (breaks) return response.destroy();
  }
  response.end(`${body} ${call}`.padEnd(length ?? 0, "."));
};
"#;

/// A site with one function, and what the story tells it.
struct Story<'e> {
    host: TestHost<'e>,
    project: TestProject,
    url: String,
}

impl<'e> Story<'e> {
    fn new(environment: &'e TestEnv) -> Self {
        Self::with(environment, &[])
    }

    fn with(environment: &'e TestEnv, files: &[(&str, &str)]) -> Self {
        let project =
            environment.project("site").on_branch("main").file("index.html", "page").file("api/page.js", MODULE);
        let project = files.iter().fold(project, |project, (path, content)| project.file(path, content));
        let host = TestHost::start(environment);
        let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
        Self { host, project, url }
    }

    /// The URL of the answer that is told apart by `q`.
    fn page(&self, q: &str) -> String {
        format!("{}/api/page?q={q}", self.url)
    }

    /// Says what the function answers from now on.
    fn tell(&self, q: &str, told: &Value) {
        let mut told = told.clone();
        told["q"] = q.into();
        self.order("answer", &told);
    }

    /// What the function was asked, call by call.
    fn seen(&self) -> Vec<Value> {
        self.order("seen", &Value::Null).as_array().expect("there is a list of calls").clone()
    }

    /// How often the function was asked.
    fn calls(&self) -> usize {
        self.seen().len()
    }

    /// Waits until so many stand at the gate.
    fn wait_for_arrivals(&self, count: usize) {
        self.order("arrivals", &json!(count));
    }

    fn open_gate(&self) {
        self.order("open", &Value::Null);
    }

    fn order(&self, order: &str, content: &Value) -> Value {
        let order = http::request("POST", &format!("{}/api/page", self.url)).header("x-order", order);
        order.header("content-type", "application/json").body(content.to_string()).send().success().json()
    }

    /// The name and port that the site is reached at.
    fn authority(&self) -> &str {
        self.url.strip_prefix("http://").expect("the URL is one of HTTP")
    }

    /// A visitor who has asked for `q` and waits.
    fn come(&self, q: &str) -> TcpStream {
        let port = self.authority().rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL has a port");
        let mut visitor = TcpStream::connect(("127.0.0.1", port)).expect("the host takes the connection");
        let head = format!("GET /api/page?q={q} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.authority());
        visitor.write_all(head.as_bytes()).expect("it is sent");
        visitor
    }

    /// A visitor who has asked for `q`, and has read the answer up to `piece`.
    fn come_and_read(&self, q: &str, piece: &str) -> TcpStream {
        let mut visitor = self.come(q);
        let mut begun = String::new();
        while !begun.contains(piece) {
            let mut bytes = [0; 512];
            let count = visitor.read(&mut bytes).expect("the answer begins");
            assert_ne!(count, 0, "the answer ended after {begun}");
            begun.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        visitor
    }

    /// Waits until the host has read what was sent to it before.
    fn catch_up(&self) {
        assert_eq!(http::get(&self.url).success().text(), "page");
    }
}

/// All that a visitor gets, as text.
fn rest(mut visitor: TcpStream) -> String {
    let mut answer = String::new();
    visitor.read_to_string(&mut answer).expect("the host answers");
    answer
}

/// Where an answer came from, and what it is.
fn told(answer: &Answer) -> String {
    let state = answer.header("x-ship-cache").unwrap_or_else(|| "-".to_owned());
    assert_eq!(answer.header("x-vercel-cache").unwrap_or_else(|| "-".to_owned()), state);
    format!("{state} {} {}", answer.status, answer.text())
}

fn get(url: &str) -> String {
    told(&http::get(url))
}

fn ask(method: &str, url: &str, headers: &[(&str, &str)]) -> Answer {
    headers.iter().fold(http::request(method, url), |request, (name, value)| request.header(name, value)).send()
}

fn get_with(url: &str, headers: &[(&str, &str)]) -> String {
    told(&ask("GET", url, headers))
}

/// Asks until the answer is as wanted.
#[track_caller]
fn get_until(url: &str, wanted: impl Fn(&str) -> bool) -> String {
    let started = Instant::now();
    loop {
        let answer = get(url);
        if wanted(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "the last answer was {answer}");
    }
}

/// A throng that asks a function which nobody has asked before costs one call, also when the visitor who caused it leaves.
#[test]
fn one_call_for_a_throng() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    story.tell("", &json!({ "gate": true, "headers": { "vary": "accept-language" } }));
    let leaving = story.come("");
    story.wait_for_arrivals(1);
    let throng: Vec<TcpStream> = (0..THRONG).map(|_| story.come("")).collect();
    story.catch_up();
    drop(leaving);
    // One of the others asks in its place.
    story.wait_for_arrivals(2);
    story.open_gate();
    for visitor in throng {
        let answer = rest(visitor);
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nanswer 2"), "{answer}");
    }
    assert_eq!((get(&story.page("")), story.calls()), ("HIT 200 answer 2".into(), 2));
}

/// Where an answer turns out to be nobody else's, those who have waited for it ask all at once, and whoever comes later waits for nobody.
#[test]
fn nobody_waits_in_line() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    assert_eq!(get(&story.page("")), "MISS 200 answer 1");
    story.tell("mine", &json!({ "gate": true, "cache": "private, s-maxage=60" }));
    let first = story.come("mine");
    story.wait_for_arrivals(1);
    let crowd: Vec<TcpStream> = (0..CROWD).map(|_| story.come("mine")).collect();
    story.catch_up();
    assert_eq!(story.calls(), 2);
    story.open_gate();
    assert!(rest(first).ends_with("answer 2"));
    story.wait_for_arrivals(CROWD);
    story.open_gate();
    for visitor in crowd {
        assert!(rest(visitor).contains("x-ship-cache: BYPASS"));
    }
    let later = [story.come("mine"), story.come("mine")];
    story.wait_for_arrivals(2);
    story.open_gate();
    let _ = later.map(rest);
    // An answer that may be kept ends that.
    story.tell("mine", &json!({}));
    assert_eq!(get(&story.page("mine")), format!("MISS 200 answer {}", CROWD + 5));
    assert_eq!(get(&story.page("mine")), format!("HIT 200 answer {}", CROWD + 5));
}

/// A function that never asks has nothing kept, nobody waits for anybody, and its answers are what they were.
#[test]
fn nothing_unasked() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    story.tell(
        "",
        &json!({ "gate": true, "cache": "public, max-age=60", "headers": { "cdn-cache-control": "public" } }),
    );
    let answers = [1, 2].map(|_| {
        let visitor = story.come("");
        story.wait_for_arrivals(1);
        story.open_gate();
        rest(visitor)
    });
    for answer in &answers {
        assert!(
            !answer.contains("x-ship-cache") && answer.contains("cache-control: public, max-age=60\r\n"),
            "{answer}"
        );
    }
    let crowd = [story.come(""), story.come("")];
    story.wait_for_arrivals(2);
    story.open_gate();
    let _ = crowd.map(rest);
    assert_eq!(story.calls(), 4);
}

/// What is kept answers `GET`, `HEAD` and conditions, says how old it is and where it came from, and leaves browsers what is theirs.
#[test]
fn forms_of_answers() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    let cache = "public, max-age=5, s-maxage=60, stale-while-revalidate=30";
    story.tell("", &json!({ "cache": cache, "headers": { "content-type": "text/plain" } }));
    let page = story.page("");
    let names = ["x-ship-cache", "cache-control", "content-length", "content-type", "age"];
    insta::assert_snapshot!(http::get(&page).snapshot(&names), @"
    200
    x-ship-cache: MISS
    cache-control: public, max-age=5
    content-length: 8
    content-type: text/plain
    age: 0

    answer 1
    ");
    let head = ask("HEAD", &page, &[]);
    assert_eq!((told(&head), head.header("content-length").as_deref()), ("HIT 200 ".into(), Some("8")));
    let whole = http::get(&page).success();
    assert!(whole.header("age").and_then(|age| age.parse::<u32>().ok()).is_some_and(|age| age < 60));
    let tag = whole.header("etag").expect("an answer has a tag");
    assert_eq!(get_with(&page, &[("if-none-match", &tag)]), "HIT 304 ");
    assert_eq!(get_with(&page, &[("if-none-match", "\"other\"")]), "HIT 200 answer 1");
    // Shared caches are told by names of their own, which go before the others; what came from a cache is as old as it says.
    let targeted = json!({ "cdn-cache-control": "max-age=60", "vercel-cdn-cache-control": "max-age=30", "age": "29" });
    story.tell("cdn", &json!({ "cache": "private, no-store", "headers": targeted }));
    let names = ["x-ship-cache", "cache-control", "cdn-cache-control", "vercel-cdn-cache-control", "age"];
    insta::assert_snapshot!(http::get(&story.page("cdn")).snapshot(&names), @"
    200
    x-ship-cache: MISS
    cache-control: private, no-store
    cdn-cache-control: max-age=60
    vercel-cdn-cache-control: -
    age: 29

    answer 2
    ");
    get_until(&story.page("cdn"), |answer| answer.starts_with("MISS"));
    for (q, status) in [("gone", 410), ("none", 404), ("moved", 308)] {
        story.tell(q, &json!({ "status": status, "headers": { "location": "/" } }));
        assert!(get(&story.page(q)).starts_with(&format!("MISS {status}")));
        assert!(get(&story.page(q)).starts_with(&format!("HIT {status}")));
    }
}

/// The record of a request, the metrics and, at a preview, the timing say where an answer came from.
#[test]
fn said_everywhere() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    let preview = story.host.ship(["inspect", "--json"]).and([&story.url]).run().success().json();
    let preview = preview["url"].as_str().or(preview["deployment"]["url"].as_str()).expect("it has a URL").to_owned();
    for state in ["MISS", "HIT"] {
        let answer = http::get(&format!("{preview}/api/page"));
        let timing = answer.header("server-timing").expect("a preview tells its timing");
        assert!(timing.ends_with(&format!("cache;desc={state}")), "{timing}");
        assert_eq!(get(&story.page("log")), format!("{state} 200 answer 2"));
    }
    get_with(&story.page("log"), &[("cookie", "a=b")]);
    let logs = story.host.ship(["logs", "--json", "site"]).within(story.project.folder()).run().success();
    let records = logs.stdout().lines().map(|line| serde_json::from_str::<Value>(line).expect("a record is JSON"));
    let records = records.filter(|record| record["path"] == "/api/page?q=log");
    let records: Vec<_> = records.map(|record| (record["cache"].clone(), record["function"].clone())).collect();
    let function = json!("api/page");
    assert_eq!(records, [(json!("MISS"), function.clone()), (json!("HIT"), Value::Null), (json!("BYPASS"), function)]);
    let metrics = Exposition::read(&story.host.control("GET", "/metrics").send().success().text());
    for (state, count) in [("hit", 2), ("miss", 2), ("bypass", 1)] {
        let series = format!("ship_cache_requests_total{{project=\"site\",state=\"{state}\"}}");
        assert_eq!(metrics.count(&series), count, "{state}");
    }
    assert_eq!(metrics.count("ship_requests_total{project=\"site\",kind=\"cached\",code=\"2xx\"}"), 2);
    assert_eq!(metrics.count("ship_cache_answers"), 2);
    assert!(metrics.count("ship_cache_bytes") > 100);
}

/// Answers are told apart by host, query and what they vary by, also where the function forgot to say that; what is said by headers that are in no key
/// has no part in what others get.
#[test]
fn what_tells_answers_apart() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    let other_host = story.url.replace("localhost", "LOCALHOST");
    for (number, url) in
        [format!("{}/api/page", story.url), story.page("a"), story.page("A"), format!("{other_host}/api/page")]
            .iter()
            .enumerate()
    {
        assert_eq!(get(url), format!("MISS 200 answer {}", number + 1));
    }
    story.tell("language", &json!({ "headers": { "vary": "Accept-Language, Cookie" } }));
    let page = story.page("language");
    let speaks = |language: &str| get_with(&page, &[("accept-language", language)]);
    assert_eq!(
        [speaks("de"), speaks("en"), speaks("de"), speaks("en")].map(|told| told[..4].to_owned()),
        ["MISS", "MISS", "HIT ", "HIT "]
    );
    assert_eq!(speaks("de"), "HIT 200 answer 5");
    // In a content coding, and for one origin.
    story.tell("coded", &json!({ "headers": { "content-encoding": "br" } }));
    assert!(get_with(&story.page("coded"), &[("accept-encoding", "br")]).starts_with("MISS"));
    story.tell("coded", &json!({}));
    assert_eq!(get(&story.page("coded")), "MISS 200 answer 8");
    story.tell("origin", &json!({ "headers": { "access-control-allow-origin": "https://a.test" } }));
    for (origin, state) in [("https://a.test", "MISS"), ("https://b.test", "MISS"), ("https://a.test", "HIT")] {
        assert!(get_with(&story.page("origin"), &[("origin", origin)]).starts_with(state), "{origin}");
    }
    // What is in no key: dropped, or the request is answered alone and nothing of it is kept.
    for name in ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-ship-id", "x-middleware-prefetch"] {
        get_with(&story.page(&format!("dropped-{name}")), &[(name, "evil.test")]);
        let last = story.seen().pop().expect("it was asked");
        assert!(!last.to_string().contains("evil.test"), "{last}");
        assert!(get(&story.page(&format!("dropped-{name}"))).starts_with("HIT"));
    }
    for name in ["x-http-method-override", "x-original-url", "x-rewrite-url", "x-forwarded", "x-nextjs-data"] {
        let page = story.page(name);
        assert!(get_with(&page, &[(name, "evil")]).starts_with("BYPASS"), "{name}");
        assert!(get(&page).starts_with("MISS"), "{name}");
        assert!(get_with(&page, &[(name, "evil")]).starts_with("BYPASS"), "{name}");
    }
    let page = story.page("body");
    assert!(told(&http::request("GET", &page).body("evil").send()).starts_with("BYPASS"));
    assert!(get(&page).starts_with("MISS"));
}

/// What is one visitor's is never another's: neither is what is kept given to who shows something of their own, nor is their answer kept.
#[test]
fn never_kept() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    assert_eq!(get(&story.page("")), "MISS 200 answer 1");
    for (name, value) in
        [("cookie", "session=1"), ("authorization", "Bearer x"), ("range", "bytes=0-1"), ("cache-control", "no-store")]
    {
        assert!(get_with(&story.page(""), &[(name, value)]).starts_with("BYPASS 200 answer"), "{name}");
        let page = story.page(name);
        assert!(get_with(&page, &[(name, value)]).starts_with("BYPASS"), "{name}");
        assert!(get(&page).starts_with("MISS"), "{name}");
    }
    assert_eq!(get(&story.page("")), "HIT 200 answer 1");
    for (q, answer) in [
        ("set-cookie", json!({ "headers": { "set-cookie": "a=b" } })),
        ("private", json!({ "cache": "s-maxage=60, private" })),
        ("no-store", json!({ "cache": "s-maxage=60, no-store" })),
        ("no-cache", json!({ "cache": "s-maxage=60, no-cache" })),
        ("vary", json!({ "headers": { "vary": "*" } })),
        ("address", json!({ "headers": { "vary": "x-forwarded-for" } })),
        ("status", json!({ "status": 403 })),
        ("error", json!({ "status": 500 })),
        ("unclear", json!({ "cache": "s-maxage=60, s-maxage=1" })),
        ("max-age", json!({ "cache": "max-age=60" })),
        ("large", json!({ "length": 5_000_000 })),
        ("trailers", json!({ "headers": { "trailer": "x-sum", "transfer-encoding": "chunked" } })),
        ("events", json!({ "headers": { "content-type": "text/event-stream" } })),
    ] {
        story.tell(q, &answer);
        let before = story.calls();
        for _ in 0..2 {
            let told = get(&story.page(q));
            assert!(told.starts_with("BYPASS") || q == "large", "{q}: {}", &told[..20]);
        }
        assert_eq!(story.calls(), before + 2, "{q}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"] {
        assert!(told(&ask(method, &story.page("method"), &[])).starts_with("BYPASS 200"), "{method}");
    }
    assert!(get(&story.page("method")).starts_with("MISS"));
}

/// While an answer may be stale all get it at once, and one call behind their backs makes the next.
#[test]
fn stale_while_made_anew() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    story.tell("", &json!({ "cache": "s-maxage=1, stale-while-revalidate=60" }));
    let page = story.page("");
    assert_eq!(get(&page), "MISS 200 answer 1");
    story.tell("", &json!({ "cache": "s-maxage=1, stale-while-revalidate=60", "gate": true, "body": "next" }));
    assert_eq!(get_until(&page, |answer| answer.starts_with("STALE")), "STALE 200 answer 1");
    story.wait_for_arrivals(1);
    for visitor in (0..CROWD).map(|_| story.come("")).collect::<Vec<_>>() {
        assert!(rest(visitor).ends_with("answer 1"));
    }
    assert_eq!(story.calls(), 2);
    story.tell("", &json!({ "body": "third" }));
    story.open_gate();
    get_until(&page, |answer| answer.ends_with("200 next 2"));
}

/// The call behind visitors' backs wakes an instance where none is awake.
#[test]
fn made_anew_by_who_sleeps() {
    let environment = TestEnv::new();
    let function = r#"
        const born = Math.random();
        export const GET = () => new Response(born, { headers: { "cache-control": "s-maxage=1, stale-while-revalidate=60" } });
    "#;
    let configuration = "[functions.\"api/born\"]\nidle_secs = 0\n";
    let story = Story::with(&environment, &[("api/born.js", function), ("ship.toml", configuration)]);
    let page = format!("{}/api/born", story.url);
    let first = http::get(&page).success().text();
    let second = get_until(&page, |answer| !answer.ends_with(&first));
    assert!(second.starts_with("HIT 200") || second.starts_with("STALE 200"), "{second}");
}

/// A function that fails takes nothing away while its answer may stand in for it, and is left alone for a while; an answer that
/// is no longer for all is nobody's any more.
#[test]
fn failing_functions() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    let page = story.page("");
    story.tell("", &json!({ "cache": "s-maxage=1, stale-if-error=60" }));
    assert_eq!(get(&page), "MISS 200 answer 1");
    story.tell("", &json!({ "status": 500, "cache": null }));
    assert_eq!(get_until(&page, |answer| !answer.starts_with("HIT")), "STALE 200 answer 1");
    assert_eq!((get(&page), get(&page)), ("STALE 200 answer 1".into(), "STALE 200 answer 1".into()));
    assert_eq!(story.calls(), 2);
    story.tell("gone", &json!({ "cache": "s-maxage=1, stale-while-revalidate=60" }));
    assert_eq!(get(&story.page("gone")), "MISS 200 answer 3");
    story.tell("gone", &json!({ "cache": "private" }));
    assert_eq!(get_until(&story.page("gone"), |answer| answer.starts_with("BYPASS")).split(' ').next(), Some("BYPASS"));
    // Without such a wish an answer that is old is gone.
    story.tell("strict", &json!({ "cache": "s-maxage=1" }));
    assert!(get(&story.page("strict")).starts_with("MISS 200"));
    story.tell("strict", &json!({ "status": 500, "body": "broken" }));
    assert!(get_until(&story.page("strict"), |answer| !answer.starts_with("HIT")).starts_with("BYPASS 500 broken"));
}

/// A stream is not held up by being kept, is kept when it has ended, and not if it breaks off.
#[test]
fn streams() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    story.tell("", &json!({ "pieces": true }));
    let visitor = story.come_and_read("", "first ");
    story.wait_for_arrivals(1);
    story.open_gate();
    assert!(rest(visitor).contains("answer 1"));
    assert_eq!(get_until(&story.page(""), |answer| answer.starts_with("HIT")), "HIT 200 first answer 1");
    story.tell("breaks", &json!({ "pieces": true, "breaks": true }));
    let visitor = story.come("breaks");
    story.wait_for_arrivals(1);
    story.open_gate();
    assert!(!rest(visitor).ends_with("0\r\n\r\n"));
    story.tell("breaks", &json!({}));
    assert_eq!(get(&story.page("breaks")), "MISS 200 answer 3");
    // Whoever leaves in the middle takes nothing from others. It is the middle once the host has passed on the beginning: a call
    // whose answer has not begun ends with its visitor.
    story.tell("left", &json!({ "pieces": true }));
    let visitor = story.come_and_read("left", "first ");
    story.wait_for_arrivals(1);
    drop(visitor);
    story.open_gate();
    assert_eq!(get_until(&story.page("left"), |answer| answer.starts_with("HIT")), "HIT 200 first answer 4");
}

/// What was kept of one deployment is never the answer of another, whichever production leads to, and a site behind a gate has nothing kept.
#[test]
fn deployments_and_gates() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    let page = format!("{}/api/page", story.host.site_url("site"));
    assert_eq!((get(&page), get(&page)), ("MISS 200 answer 1".into(), "HIT 200 answer 1".into()));
    story.project.write("api/page.js", MODULE.replace("\"answer\"", "\"second\""));
    let ship =
        |arguments: &[&str]| story.host.ship(arguments.iter().copied()).within(story.project.folder()).run().success();
    let _ = ship(&["deploy", "--prod"]);
    assert_eq!((get(&page), get(&page)), ("MISS 200 second 1".into(), "HIT 200 second 1".into()));
    let _ = ship(&["rollback"]);
    assert!(get(&page).ends_with("200 answer 1"));
    let words = ["protect", "token", "--cover", "everything"];
    let secret = story.host.ship(words).within(story.project.folder()).run().success().stdout().trim().to_owned();
    let shown = [("x-ship-protection-bypass", secret.as_str())];
    assert_eq!(http::get(&page).status, 401);
    for _ in 0..2 {
        assert!(get_with(&page, &shown).starts_with("BYPASS 200"));
    }
    assert_eq!(http::get(&page).status, 401);
}

/// When a site is removed, nothing of it stays in memory.
#[test]
fn gone_with_its_site() {
    let environment = TestEnv::new();
    let story = Story::new(&environment);
    assert_eq!(get(&story.page("")), "MISS 200 answer 1");
    let kept = || {
        let metrics = Exposition::read(&story.host.control("GET", "/metrics").send().success().text());
        (metrics.count("ship_cache_answers"), metrics.count("ship_cache_bytes"))
    };
    assert!(matches!(kept(), (1, 300..1000)), "{:?}", kept());
    let _ = story.host.ship(["rm", "--project", "site", "--yes"]).run().success();
    assert_eq!(kept(), (0, 0));
}

/// `ship dev` keeps answers as a host does, and forgets them with the edit that changes the function.
#[test]
fn in_development() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "page").file("api/page.js", MODULE);
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let line = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: Value = serde_json::from_str(&line).expect("an event is JSON");
    let page = format!("{}/api/page", ready["url"].as_str().expect("the event names the URL"));
    assert_eq!((get(&page), get(&page)), ("MISS 200 answer 1".into(), "HIT 200 answer 1".into()));
    project.edit("api/page.js", "\"answer\"", "\"edited\"");
    assert_eq!((get(&page), get(&page)), ("MISS 200 edited 1".into(), "HIT 200 edited 1".into()));
    let _ = running.terminate().exits_with(130);
}
