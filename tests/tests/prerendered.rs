//! Prerendered pages: kept for everybody, made anew in the background, and never out of what one visitor sent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use ship_tests::http::{self, Answer};
use ship_tests::{PATIENCE, TestEnv, TestHost, TestProject};

/// How many visitors come at once where many do.
const CROWD: usize = 50;

/// A function that notes what it is asked, waits at a gate if it is told to, and answers what it is told to answer. It is told by
/// `POST` requests with a header of their own, which no page is made of: they reach the instance that is asked for pages.
const MODULE: &str = r#"
const seen = [], waiting = [], watching = [];
let told = { body: "page" };
const orders = {
  answer: (order) => (told = order),
  seen: () => seen,
  arrival: () => waiting.length > 0 || new Promise((resolve) => watching.push(resolve)),
  open: () => waiting.splice(0).forEach((open) => open()),
};
module.exports = async (request, response) => {
  const order = orders[request.headers["x-order"]];
  if (order) return response.json((await order(request.body)) ?? null);
  const call = seen.push({ method: request.method, url: request.url, headers: request.headers });
  const { body, gate, headers, length, status } = told;
  if (gate) {
    await new Promise((resolve) => {
      waiting.push(resolve);
      watching.splice(0).forEach((arrived) => arrived());
    });
  }
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  response.statusCode = status ?? 200;
  response.end(`${body} ${call}`.padEnd(length ?? 0, "."));
};
"#;

/// A project with a page at `/page` that a function makes.
struct PageStory<'e> {
    host: TestHost<'e>,
    project: TestProject,
}

/// A site that is deployed, and what the story tells its function.
struct Site {
    url: String,
}

impl<'e> PageStory<'e> {
    /// A page that is kept as `prerender` says, with these routes.
    fn new(environment: &'e TestEnv, prerender: &Value, routes: &Value) -> Self {
        let config = json!({ "runtime": "nodejs20.x", "handler": "index.js", "launcherType": "Nodejs", "shouldAddHelpers": true });
        let functions = ".vercel/output/functions";
        let project = environment
            .project("site")
            .file(".vercel/output/config.json", json!({ "version": 3, "routes": routes }).to_string())
            .file(&format!("{functions}/page.func/.vc-config.json"), config.to_string())
            .file(&format!("{functions}/page.func/index.js"), MODULE)
            .file(&format!("{functions}/page.prerender-config.json"), prerender.to_string());
        Self { host: TestHost::start(environment), project }
    }

    /// Deploys it.
    fn deploy(&self) -> Site {
        let deploy = self.host.ship(["deploy", "--prebuilt", "--no-check"]).within(self.project.folder());
        Site { url: deploy.run().success().url() }
    }
}

impl Site {
    /// The page.
    fn page(&self) -> String {
        format!("{}/page", self.url)
    }

    /// Says what the function answers from now on.
    fn tell(&self, told: &Value) {
        self.order("answer", told);
    }

    /// What the function was asked, call by call.
    fn seen(&self) -> Vec<Value> {
        self.order("seen", &Value::Null).as_array().expect("there is a list of calls").clone()
    }

    /// Waits until the function stands at the gate.
    fn wait_for_arrival(&self) {
        self.order("arrival", &Value::Null);
    }

    /// Lets it go on.
    fn open_gate(&self) {
        self.order("open", &Value::Null);
    }

    fn order(&self, order: &str, content: &Value) -> Value {
        let order = http::request("POST", &self.page()).header("x-order", order);
        order.header("content-type", "application/json").body(content.to_string()).send().success().json()
    }
}

/// Where an answer came from, and what it is.
fn told(answer: &Answer) -> String {
    let state = answer.header("x-vercel-cache").unwrap_or_else(|| "-".to_owned());
    assert_eq!(answer.header("x-ship-cache").unwrap_or_else(|| "-".to_owned()), state);
    format!("{state} {} {}", answer.status, answer.text())
}

fn get(url: &str) -> String {
    told(&http::get(url))
}

fn get_with(url: &str, headers: &[(&str, &str)]) -> String {
    told(&headers.iter().fold(http::request("GET", url), |request, (name, value)| request.header(name, value)).send())
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

/// What many visitors get who come at once.
fn crowd(url: &str) -> Vec<String> {
    std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..CROWD).map(|_| scope.spawn(|| get(url))).collect();
        visitors.into_iter().map(|visitor| visitor.join().expect("a visitor is answered")).collect()
    })
}

/// A crowd at a page that nobody has made costs one call, also when the visitor who caused it leaves.
#[test]
fn one_call_for_a_crowd() {
    let environment = TestEnv::new();
    let story = PageStory::new(&environment, &json!({ "expiration": false }), &json!([]));
    let site = story.deploy();
    site.tell(&json!({ "body": "page", "gate": true }));
    let url = site.page();
    let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("the URL has a host");
    let port = authority.rsplit(':').next().and_then(|port| port.parse().ok()).expect("the URL has a port");
    let come = || {
        let mut visitor = TcpStream::connect(("127.0.0.1", port)).expect("the host takes the connection");
        write!(visitor, "GET /page HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").expect("it is sent");
        visitor
    };
    let leaving = come();
    site.wait_for_arrival();
    let crowd: Vec<TcpStream> = (0..CROWD).map(|_| come()).collect();
    drop(leaving);
    // Who came after them was answered, so the host has them all.
    assert_eq!(http::get(&format!("{url}/of/another/name")).status, 404);
    site.open_gate();
    for mut visitor in crowd {
        let mut answer = String::new();
        visitor.read_to_string(&mut answer).expect("the host answers");
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\npage 1"), "{answer}");
    }
    assert_eq!((get(&url), site.seen().len()), ("HIT 200 page 1".into(), 1));
}

/// When a page is stale all get the stale one at once, and one call makes the next.
#[test]
fn stale_while_made_anew() {
    let environment = TestEnv::new();
    let story = PageStory::new(&environment, &json!({ "expiration": 1, "allowQuery": [] }), &json!([]));
    let site = story.deploy();
    let url = site.page();
    assert_eq!(get(&url), "MISS 200 page 1");
    site.tell(&json!({ "body": "second", "gate": true }));
    assert_eq!(get_until(&url, |answer| answer.starts_with("STALE")), "STALE 200 page 1");
    site.wait_for_arrival();
    assert_eq!(crowd(&url), vec!["STALE 200 page 1"; CROWD]);
    assert_eq!(site.seen().len(), 2);
    site.tell(&json!({ "body": "third" }));
    site.open_gate();
    get_until(&url, |answer| answer.ends_with("200 second 2"));
}

/// A function that fails, or answers with an error, takes nothing away: the stale page stays, and the function is left alone for
/// a while. Without a page that was kept, its error is what there is.
#[test]
fn failing_functions() {
    let environment = TestEnv::new();
    let story =
        PageStory::new(&environment, &json!({ "expiration": 1, "allowQuery": ["q"], "passQuery": true }), &json!([]));
    let site = story.deploy();
    let url = site.page();
    assert_eq!(get(&url), "MISS 200 page 1");
    for (status, calls) in [(500, 2), (429, 4)] {
        site.tell(&json!({ "body": "broken", "status": status }));
        let page = format!("{url}?q={status}");
        let url = if status == 500 { &url } else { &page };
        if status == 429 {
            site.tell(&json!({ "body": "page" }));
            assert_eq!(get(url), "MISS 200 page 3");
            site.tell(&json!({ "body": "broken", "status": status }));
        }
        let kept = format!("STALE 200 page {}", calls - 1);
        assert_eq!(get_until(url, |answer| answer.starts_with("STALE")), kept);
        let started = Instant::now();
        while site.seen().len() < calls {
            assert!(started.elapsed() < PATIENCE, "the function was not asked again");
        }
        for _ in 0..5 {
            assert_eq!(get(url), kept);
        }
        assert_eq!(site.seen().len(), calls);
    }
    assert_eq!(get(&format!("{url}?q=new")), "MISS 429 broken 5");
    assert_eq!(get(&format!("{url}?q=new")), "MISS 429 broken 6");
}

/// Nothing of a visitor reaches the function that makes a page for all, but the parameters that tell pages apart; and no
/// visitor's headers change what the next one gets.
#[test]
fn what_the_function_sees() {
    let environment = TestEnv::new();
    let routes = json!([{ "src": "/blog/(?<slug>[^/]+)", "dest": "/page?__pathname=/blog/$slug" }]);
    let prerender = json!({ "expiration": false, "allowQuery": ["__pathname", "q"], "passQuery": true });
    let story = PageStory::new(&environment, &prerender, &routes);
    let site = story.deploy();
    let url = &site.url;
    let forged = [
        ("cookie", "session=1"),
        ("authorization", "Bearer secret"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "https"),
        ("x-middleware-subrequest", "middleware"),
        ("x-now-route-matches", "__pathname=/admin"),
        ("x-prerender-revalidate", ""),
        ("range", "bytes=0-1"),
        ("if-none-match", "\"other\""),
        ("accept-language", "de"),
        ("user-agent", "somebody"),
    ];
    assert_eq!(get_with(&format!("{url}/blog/a?utm=1&q=2&__pathname=/admin"), &forged), "MISS 200 page 1");
    assert_eq!(get(&format!("{url}/blog/a?q=2&utm=3")), "HIT 200 page 1");
    assert_eq!(get(&format!("{url}/blog/a?q=3")), "MISS 200 page 2");
    assert_eq!(get(&format!("{url}/blog/b")), "MISS 200 page 3");
    let seen = site.seen();
    let urls: Vec<&str> = seen.iter().filter_map(|call| call["url"].as_str()).collect();
    assert_eq!(urls, ["/page?__pathname=/blog/a&q=2", "/page?__pathname=/blog/a&q=3", "/page?__pathname=/blog/b"]);
    let headers = environment.filtered(&format!("{:#}", seen[0]["headers"]));
    insta::assert_snapshot!(headers, @r#"
    {
      "host": "site.localhost:[PORT]",
      "x-forwarded-host": "site.localhost:[PORT]",
      "x-forwarded-proto": "http",
      "cdn-loop": "ship",
      "x-ship-id": "[REQUEST]"
    }
    "#);
}

/// Where the function does not take parameters in its URL, it finds them in a header that no visitor can send.
#[test]
fn parameters_in_a_header() {
    let environment = TestEnv::new();
    let routes = json!([{ "src": "(?<__isr_route>/news/.*)", "dest": "/page?__isr_route=$__isr_route" }]);
    let story = PageStory::new(&environment, &json!({ "expiration": false }), &routes);
    let site = story.deploy();
    let url = &site.url;
    assert_eq!(get(&format!("{url}/news/today?b=1&a=2")), "MISS 200 page 1");
    assert_eq!(get(&format!("{url}/news/today?a=2&b=1")), "HIT 200 page 1");
    assert_eq!(get_with(&format!("{url}/page"), &[("x-now-route-matches", "__isr_route=/admin")]), "MISS 200 page 2");
    let seen: Vec<_> =
        site.seen().iter().map(|call| (call["url"].clone(), call["headers"]["x-now-route-matches"].clone())).collect();
    assert_eq!(seen, [(json!("/page"), json!("__isr_route=%2Fnews%2Ftoday&a=2&b=1")), (json!("/page"), Value::Null)]);
}

/// What is for one visitor is never given to another: cookies that the function sets, and answers that it calls private. What
/// is too large to keep is streamed to each.
#[test]
fn private_answers() {
    let environment = TestEnv::new();
    let story = PageStory::new(&environment, &json!({ "expiration": 60, "allowQuery": ["q"] }), &json!([]));
    let site = story.deploy();
    let url = site.page();
    for (number, (name, value)) in
        [("set-cookie", "session=1"), ("cache-control", "private"), ("cache-control", "no-store")].iter().enumerate()
    {
        site.tell(&json!({ "body": "mine", "headers": { *name: value } }));
        for call in 1..=2 {
            let answer = http::get(&format!("{url}?q={number}"));
            assert_eq!(
                (told(&answer), answer.header(name).as_deref()),
                (format!("MISS 200 mine {}", 2 * number + call), Some(*value))
            );
        }
    }
    site.tell(&json!({ "body": "large", "length": 5_000_000 }));
    for call in 7..=8 {
        let answer = http::get(&format!("{url}?q=large")).success();
        let expected = (format!("large {call}"), 5_000_000, Some("MISS".to_owned()));
        assert_eq!((answer.text()[..7].to_owned(), answer.body.len(), answer.header("x-vercel-cache")), expected);
    }
}

/// Whoever knows the token has a page made anew for everybody, or sees drafts that nobody else sees. Whoever does not, does not.
#[test]
fn bypass_token() {
    let environment = TestEnv::new();
    let prerender = json!({ "expiration": false, "allowQuery": [], "bypassToken": "the-token" });
    let story = PageStory::new(&environment, &prerender, &json!([]));
    let site = story.deploy();
    let url = site.page();
    assert_eq!(get(&url), "MISS 200 page 1");
    for (name, value) in [
        ("x-prerender-revalidate", "the-tokem"),
        ("x-prerender-revalidate", ""),
        ("cookie", "__prerender_bypass=the-toke"),
        ("cookie", "__prerender_bypass="),
        ("cookie", "x__prerender_bypass=the-token"),
    ] {
        assert_eq!(get_with(&url, &[(name, value)]), "HIT 200 page 1", "{name}: {value}");
    }
    site.tell(&json!({ "body": "new" }));
    assert_eq!(get_with(&url, &[("x-prerender-revalidate", "the-token")]), "REVALIDATED 200 new 2");
    assert_eq!(get(&url), "HIT 200 new 2");
    site.tell(&json!({ "body": "broken", "status": 500 }));
    assert_eq!(get_with(&url, &[("x-prerender-revalidate", "the-token")]), "MISS 500 broken 3");
    assert_eq!(get(&url), "HIT 200 new 2");
    site.tell(&json!({ "body": "draft" }));
    let editor = [("cookie", "a=b; __prerender_bypass=the-token"), ("accept-language", "de")];
    assert_eq!(get_with(&format!("{url}?x=1"), &editor), "BYPASS 200 draft 4");
    assert_eq!(told(&http::request("POST", &url).body("x").send()), "BYPASS 200 draft 5");
    assert_eq!(get(&url), "HIT 200 new 2");
    let call = &site.seen()[3];
    assert_eq!((&call["url"], &call["headers"]["accept-language"]), (&json!("/page?x=1"), &json!("de")));
    assert_eq!(call["headers"]["cookie"], "a=b; __prerender_bypass=the-token");
}

/// Missing pages and redirects are kept like pages; `HEAD` and `If-None-Match` are answered from what is kept.
#[test]
fn forms_of_answers() {
    let environment = TestEnv::new();
    let prerender = json!({ "expiration": 60, "allowQuery": ["q"] });
    let story = PageStory::new(&environment, &prerender, &json!([]));
    let site = story.deploy();
    let url = site.page();
    site.tell(&json!({ "body": "none", "status": 404 }));
    assert_eq!(
        (get(&format!("{url}?q=1")), get(&format!("{url}?q=1"))),
        ("MISS 404 none 1".into(), "HIT 404 none 1".into())
    );
    site.tell(&json!({ "body": "", "status": 307, "headers": { "location": "/elsewhere" } }));
    for state in ["MISS", "HIT"] {
        let answer = http::get(&format!("{url}?q=2"));
        assert_eq!((told(&answer), answer.header("location")), (format!("{state} 307  2"), Some("/elsewhere".into())));
    }
    site.tell(&json!({ "body": "page", "headers": { "cache-control": "s-maxage=60, stale-while-revalidate" } }));
    let page = format!("{url}?q=3");
    let head = http::request("HEAD", &page).send();
    assert_eq!((told(&head), head.header("content-length").as_deref()), ("MISS 200 ".into(), Some("6")));
    let whole = http::get(&page).success();
    let names = ["x-vercel-cache", "content-length", "cache-control"];
    insta::assert_snapshot!(whole.snapshot(&names), @"
    200
    x-vercel-cache: HIT
    content-length: 6
    cache-control: public, max-age=0, must-revalidate

    page 3
    ");
    assert!(whole.header("age").and_then(|age| age.parse::<u32>().ok()).is_some_and(|age| age < 60));
    let tag = whole.header("etag").expect("a page has a tag");
    assert_eq!(get_with(&page, &[("if-none-match", &tag)]), "HIT 304 ");
    assert_eq!(get_with(&page, &[("if-none-match", "\"other\"")]), "HIT 200 page 3");
}

/// What was made with the site is the first answer; where a parameter asks for another page it stands in until that is made.
/// Another deployment shares nothing.
#[test]
fn fallbacks_and_deployments() {
    let environment = TestEnv::new();
    let prerender = json!({
        "expiration": 3600, "allowQuery": ["q"], "initialStatus": 404, "initialHeaders": { "X-Made": "once", "set-cookie": "a=b" },
        "fallback": { "type": "FileFsRef", "mode": 33188, "fsPath": "page.prerender-fallback.html" },
    });
    let story = PageStory::new(&environment, &prerender, &json!([]));
    story.project.write(".vercel/output/functions/page.prerender-fallback.html", "made before");
    let site = story.deploy();
    let first = &site.url;
    let answer = http::get(&format!("{first}/page"));
    let names = ["x-vercel-cache", "content-type", "x-made", "set-cookie"];
    insta::assert_snapshot!(answer.snapshot(&names), @"
    404
    x-vercel-cache: PRERENDER
    content-type: text/html; charset=utf-8
    x-made: once
    set-cookie: -

    made before
    ");
    assert_eq!(get(&format!("{first}/page?q=1")), "PRERENDER 404 made before");
    assert_eq!(get_until(&format!("{first}/page?q=1"), |answer| answer.starts_with("HIT")), "HIT 200 page 1");
    assert_eq!(get(&format!("{first}/page")), "PRERENDER 404 made before");
    assert_eq!(site.seen().len(), 1);

    story.project.write(".vercel/output/static/other.txt", "");
    let second = &story.deploy().url;
    assert_ne!(second, first);
    assert_eq!(get(&format!("{second}/page?q=1")), "PRERENDER 404 made before");
    assert_eq!(get(&format!("{first}/page?q=1")), "HIT 200 page 1");
}

/// What `ship build` writes of prerendered pages is the very same deployment.
#[test]
fn written_and_read() {
    let environment = TestEnv::new();
    let prerender = json!({
        "expiration": 3600, "allowQuery": ["q"], "passQuery": true, "bypassToken": "the-token", "initialStatus": 404,
        "initialHeaders": { "x-made": "once" }, "fallback": "page.prerender-fallback.html",
    });
    let story = PageStory::new(&environment, &prerender, &json!([]));
    story.project.write(".vercel/output/functions/page.prerender-fallback.html", "made before");
    let id = |arguments: &[&str]| {
        let deploy = ["deploy", "--json", "--no-check"].iter().chain(arguments).copied();
        let document = story.host.ship(deploy).within(story.project.folder()).run().success().json();
        document["deployment"]["id"].clone()
    };
    let direct = id(&["--prebuilt"]);
    std::fs::rename(story.project.path(".vercel"), story.project.path("left")).expect("the folder is writable");
    story.project.write("ship.toml", "[build]\ncommand = \"rm -rf .vercel && cp -r left .vercel\"\n");
    let _ = story.host.ship(["build"]).within(story.project.folder()).run().success();
    std::fs::remove_dir_all(story.project.path(".vercel")).expect("the build has left it");
    assert_eq!(id(&["--prebuilt"]), direct);
}

/// A page that is to be made anew needs something that makes it.
#[test]
fn without_a_function() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file(".vercel/output/config.json", r#"{"version": 3}"#)
        .file(".vercel/output/functions/blog/page.prerender-config.json", r#"{"expiration": 60}"#);
    let refused = environment.ship(["deploy", "--prebuilt"]).within(project.folder()).run().exits_with(1);
    insta::assert_snapshot!(refused.snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `.vercel/output/functions/blog/page.prerender-config.json` has no function beside it that makes the page
    ");
}
