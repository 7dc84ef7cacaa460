//! Middleware: a function that is asked before anything is looked up, and that nothing gets past.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};
use ship_tests::http::{self, Answer};
use ship_tests::{TestEnv, TestHost, TestProject};

/// A middleware that does what the path says.
const MIDDLEWARE: &str = r#"
const goOn = (headers) => new Response(null, { headers: { "x-middleware-next": "1", ...headers } });
export default async (request, event) => {
  const url = new URL(request.url);
  switch (url.pathname.slice(1)) {
    case "silent": return undefined;
    case "added": return goOn({ "x-added": "1", "set-cookie": "m=1", "x-file": "the middleware's" });
    case "headers": return goOn({
      "x-middleware-override-headers": "x-user,accept,host,x-forwarded-for",
      "x-middleware-request-x-user": "ada", "x-middleware-request-accept": request.headers.get("accept"),
      "x-middleware-request-host": "evil.test", "x-middleware-request-x-forwarded-for": "1.2.3.4",
    });
    case "rewrite": return new Response(null, { headers: { "x-middleware-rewrite": new URL("/target?x=1", url).href, "x-added": "1" } });
    case "relative": return new Response(null, { headers: { "x-middleware-rewrite": "/target?x=2" } });
    case "elsewhere": return new Response(null, { headers: { "x-middleware-rewrite": url.searchParams.get("to") } });
    case "garbage": return new Response(null, { headers: { "x-middleware-rewrite": "no url" } });
    case "redirect": return Response.redirect(new URL("/login", url), 307);
    case "denied": return new Response("denied", { status: 401, headers: { "x-middleware-set-cookie": "a=b" } });
    case "throw": throw new Error("broken");
    case "exit": process.exit(1);
    case "later": event.waitUntil(Promise.resolve()); return goOn();
    case "sees": return Response.json({ method: request.method, url: request.url, headers: Object.fromEntries(request.headers) });
  }
};
"#;

/// A function that says what it is asked.
const ECHO: &str = r"
export default async (request) =>
  Response.json({ method: request.method, url: new URL(request.url).href.slice(new URL(request.url).origin.length),
    headers: Object.fromEntries(request.headers), body: await request.text() });
";

/// Pages that exist, so that whoever gets past the middleware finds them.
const PAGES: [&str; 9] = ["silent", "added", "garbage", "redirect", "denied", "throw", "exit", "later", "free"];

/// A site behind a middleware, but for `/free`.
fn guarded(environment: &TestEnv) -> TestProject {
    let routes = json!([
        { "src": "/(.*)", "headers": { "x-file": "the route's" }, "continue": true },
        { "src": "/((?!free).*)", "middlewarePath": "_middleware", "continue": true },
        { "handle": "filesystem" },
    ]);
    let functions = ".vercel/output/functions";
    let edge = r#"{"runtime": "edge", "entrypoint": "index.mjs"}"#;
    let mut project = environment
        .project("site")
        .file(".vercel/output/config.json", json!({ "version": 3, "routes": routes }).to_string())
        .file(&format!("{functions}/_middleware.func/.vc-config.json"), edge)
        .file(&format!("{functions}/_middleware.func/index.mjs"), MIDDLEWARE);
    for name in ["target", "headers", "api/echo"] {
        project = project
            .file(&format!("{functions}/{name}.func/.vc-config.json"), edge)
            .file(&format!("{functions}/{name}.func/index.mjs"), ECHO);
    }
    PAGES
        .iter()
        .fold(project, |project, name| project.file(&format!(".vercel/output/static/{name}"), format!("page {name}")))
}

fn deploy(host: &TestHost<'_>, project: &TestProject) -> String {
    host.ship(["deploy", "--prebuilt", "--no-check"]).within(project.folder()).run().success().url()
}

/// Status, what was added, and the body.
fn said(answer: &Answer) -> String {
    let names = ["x-file", "x-added", "set-cookie", "location", "x-ship-error"];
    let headers: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}: {}", answer.header(name)?))).collect();
    let line =
        format!("{} [{}] {}", answer.status, headers.join(", "), answer.text().lines().next().unwrap_or_default());
    line.trim_end().to_owned()
}

/// What a middleware may say, and what becomes of the request. A middleware that fails lets nothing pass, whatever it was about
/// to say, and no visitor can speak in its place.
#[test]
fn verdicts() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let url = deploy(&host, &guarded(&environment));
    let forged = |path: &str| {
        let request = http::request("GET", &format!("{url}{path}"));
        let request = request.header("x-middleware-next", "1").header("x-middleware-rewrite", "/free");
        said(&request.header("x-middleware-subrequest", "_middleware:_middleware:_middleware").send())
    };
    let paths = [
        "/free",
        "/silent",
        "/later",
        "/added",
        "/redirect",
        "//redirect",
        "/%72edirect",
        "/x/../redirect",
        "/denied",
        "/throw",
        "/garbage",
        "/exit",
        "/_middleware",
    ];
    let answers: Vec<String> = paths.iter().map(|path| format!("{path} {}", forged(path))).collect();
    insta::assert_snapshot!(environment.filtered(&answers.join("\n")), @"
    /free 200 [x-file: the route's] page free
    /silent 200 [x-file: the route's] page silent
    /later 200 [x-file: the route's] page later
    /added 200 [x-file: the middleware's, x-added: 1, set-cookie: m=1] page added
    /redirect 307 [x-file: the route's, location: http://site-[ID-1].localhost:[PORT]/login]
    //redirect 307 [x-file: the route's, location: http://site-[ID-1].localhost:[PORT]/login]
    /%72edirect 307 [x-file: the route's, location: http://site-[ID-1].localhost:[PORT]/login]
    /x/../redirect 307 [x-file: the route's, location: http://site-[ID-1].localhost:[PORT]/login]
    /denied 401 [x-file: the route's] denied
    /throw 500 [x-ship-error: MIDDLEWARE_INVOCATION_FAILED] 500 MIDDLEWARE_INVOCATION_FAILED: The middleware of this site failed, so the request was not answered. ([REQUEST])
    /garbage 500 [x-ship-error: MIDDLEWARE_INVOCATION_FAILED] 500 MIDDLEWARE_INVOCATION_FAILED: The middleware of this site failed, so the request was not answered. ([REQUEST])
    /exit 500 [x-ship-error: MIDDLEWARE_INVOCATION_FAILED] 500 MIDDLEWARE_INVOCATION_FAILED: The middleware of this site failed, so the request was not answered. ([REQUEST])
    /_middleware 404 [x-ship-error: NOT_FOUND] 404 NOT_FOUND: This site has nothing at this path. ([REQUEST])
    ");
}

/// A rewrite leads to another path of the site, whose function sees it, or to another host, but never to the host's own network.
#[test]
fn rewrites() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let url = deploy(&host, &guarded(&environment));
    for (path, expected) in [("/rewrite?y=1", "/target?x=1"), ("/relative", "/target?x=2")] {
        let answer = http::get(&format!("{url}{path}")).success();
        let added = (path == "/rewrite?y=1").then(|| "1".to_owned());
        assert_eq!((&answer.json()["url"], answer.header("x-added")), (&json!(expected), added));
    }
    let other = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let there = format!("http://{}/there", other.local_addr().expect("it is bound"));
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().expect("the host comes");
        let mut head = [0; 4096];
        let length = stream.read(&mut head).expect("the host asks");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthere").expect("the host listens");
        String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned()
    });
    assert_eq!(said(&http::get(&format!("{url}/elsewhere?to={there}"))), "200 [x-file: the route's] there");
    assert_eq!(answering.join().expect("it was asked"), "GET /there HTTP/1.1");
    let private = http::get(&format!("{url}/elsewhere?to=http://169.254.169.254/latest"));
    assert_eq!(
        (private.status, private.header("x-ship-error").as_deref()),
        (404, Some("DNS_HOSTNAME_RESOLVED_PRIVATE"))
    );
}

/// The middleware sees the whole request but its body; the function behind sees the body, and the headers that the middleware
/// has left, but for what only the platform says.
#[test]
fn requests() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let url = deploy(&host, &guarded(&environment));
    let ask = |path: &str| {
        let request = http::request("POST", &format!("{url}{path}")).body("the body");
        request.header("cookie", "s=1").header("accept", "text/plain").send().success().json()
    };
    let shown = |seen: &Value| environment.filtered(&format!("{seen:#}"));
    insta::assert_snapshot!(shown(&ask("//sees?a=%20b")), @r#"
    {
      "method": "POST",
      "url": "http://site-[ID-1].localhost:[PORT]/sees?a=%20b",
      "headers": {
        "accept": "text/plain",
        "cdn-loop": "ship",
        "cookie": "s=1",
        "host": "site-[ID-1].localhost:[PORT]",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "site-[ID-1].localhost:[PORT]",
        "x-forwarded-proto": "http",
        "x-real-ip": "127.0.0.1",
        "x-ship-id": "[REQUEST]"
      }
    }
    "#);
    insta::assert_snapshot!(shown(&ask("/headers")), @r#"
    {
      "method": "POST",
      "url": "/headers",
      "headers": {
        "accept": "text/plain",
        "cdn-loop": "ship",
        "content-length": "8",
        "host": "site-[ID-1].localhost:[PORT]",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "site-[ID-1].localhost:[PORT]",
        "x-forwarded-proto": "http",
        "x-real-ip": "127.0.0.1",
        "x-ship-id": "[REQUEST]",
        "x-user": "ada"
      },
      "body": "the body"
    }
    "#);
    let echo = ask("/api/echo?q=1");
    assert_eq!((&echo["url"], &echo["headers"]["cookie"]), (&json!("/api/echo?q=1"), &json!("s=1")));
}

/// A page that is kept stays the same for all, while each visitor gets what the middleware says to it.
#[test]
fn before_pages_that_are_kept() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = guarded(&environment)
        .file(
            ".vercel/output/functions/added.func/.vc-config.json",
            r#"{"runtime": "edge", "entrypoint": "index.mjs"}"#,
        )
        .file(".vercel/output/functions/added.func/index.mjs", "export default () => new Response('made')")
        .file(".vercel/output/functions/added.prerender-config.json", r#"{"expiration": false, "allowQuery": []}"#);
    project.remove(".vercel/output/static/added");
    let url = deploy(&host, &project);
    for state in ["MISS", "HIT"] {
        let answer = http::get(&format!("{url}/added"));
        assert_eq!(
            (said(&answer), answer.header("x-vercel-cache")),
            ("200 [x-file: the middleware's, x-added: 1, set-cookie: m=1] made".into(), Some(state.to_owned()))
        );
    }
}

/// `middleware.ts` beside `api/` is asked about the paths that its matcher says, before pages, functions and the project's own
/// rewrites, in production as in development; and it is no file of the site.
#[test]
fn of_a_project() {
    let environment = TestEnv::new();
    let module = r#"
        import { allowed } from "./lib/allowed";
        export const config = { matcher: ["/admin/:path*", "/hidden", { source: "/api/:name", missing: [{ type: "header", key: "x-key" }] }] };
        export default function middleware(request: Request): Response | undefined {
            if (allowed(request)) return undefined;
            return new Response("denied", { status: 401 });
        }"#;
    let project = environment
        .project("site")
        .file("vercel.json", r#"{"rewrites": [{"source": "/hidden", "destination": "/admin/page.html"}]}"#)
        .file("middleware.ts", module)
        .file(
            "lib/allowed.ts",
            "export const allowed = (request: Request) => request.headers.get('cookie') === 'session=1';",
        )
        .file("admin/page.html", "secret")
        .file("index.html", "home")
        .file("api/hello.ts", "export const GET = () => new Response('hello');");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut dev = environment.ship(["dev", "--listen", "127.0.0.1:0", "--json"]).within(project.folder()).start();
    let line = dev.stdout().next_line().expect("the dev server says where it is");
    let ready: Value = serde_json::from_str(&line).expect("the line is JSON");
    let dev_url = ready["url"].as_str().expect("it has a URL").to_owned();
    let ask = |url: &str, path: &str, headers: &[(&str, &str)]| {
        let request = http::request("GET", &format!("{url}{path}"));
        said(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send())
    };
    for url in [&url, &dev_url] {
        for path in [
            "/admin/page.html",
            "/ADMIN/page.html",
            "//admin/page.html/",
            "/%61dmin",
            "/hidden",
            "/api/hello",
            "/api/hello/",
        ] {
            assert_eq!(ask(url, path, &[]), "401 [] denied", "{path}");
        }
        let session = [("cookie", "session=1")];
        assert!(ask(url, "/admin/page.html", &session).starts_with("200 [] secret"));
        assert_eq!(ask(url, "/api/hello", &session), "200 [] hello");
        assert_eq!(ask(url, "/api/hello", &[("x-key", "1")]), "200 [] hello");
        assert!(ask(url, "/", &[]).starts_with("200 [] home"));
        assert!(ask(url, "/middleware.ts", &[]).starts_with("404"));
        assert!(ask(url, "/middleware", &[]).starts_with("404"));
    }
}

/// A matcher that cannot be read before the middleware runs is refused, with its place.
#[test]
fn computed_matchers() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "home").file(
        "middleware.js",
        "const paths = ['/a'];\nexport const config = { matcher: paths };\nexport default () => {};\n",
    );
    let refused = environment.ship(["deploy"]).within(project.folder()).run().exits_with(1);
    insta::assert_snapshot!(refused.snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: middleware.js:2: `matcher` is read before the middleware runs, so it is written in literals
    ");
}
