//! What visitors get: files, the page for what is not there, ranges, and answers that other origins may read.

use ship_tests::{TestEnv, TestHost, TestProject, http};

fn site(environment: &TestEnv) -> TestProject {
    environment
        .project("site")
        .file("public/index.html", "<!doctype html><p>home")
        .file("public/about.html", "<!doctype html><p>about")
        .file("public/assets/app-3f9a1c2b7d.js", "console.log('hello');\n".repeat(100))
        .file("public/ten.txt", "0123456789")
}

/// Files come with the right type, an entity tag and how long they may be kept.
#[test]
fn files() {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let shown = ["content-type", "content-length", "cache-control", "accept-ranges", "x-content-type-options"];
    let seen = |path: &str| http::get(&format!("{url}{path}")).snapshot(&shown);
    insta::assert_snapshot!(seen("/"), @"
    200
    content-type: text/html; charset=utf-8
    content-length: 22
    cache-control: public, max-age=0, must-revalidate
    accept-ranges: bytes
    x-content-type-options: -

    <!doctype html><p>home
    ");
    insta::assert_snapshot!(seen("/ten.txt"), @"
    200
    content-type: text/plain; charset=utf-8
    content-length: 10
    cache-control: public, max-age=0, must-revalidate
    accept-ranges: bytes
    x-content-type-options: -

    0123456789
    ");
    assert!(seen("/assets/app-3f9a1c2b7d.js").contains("immutable"), "a hashed name never changes");

    let whole = http::get(&format!("{url}/ten.txt")).success();
    let tag = whole.header("etag").expect("a file has an entity tag");
    let again = http::request("GET", &format!("{url}/ten.txt")).header("if-none-match", &tag).send();
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)));
    let head = http::request("HEAD", &format!("{url}/ten.txt")).send();
    assert_eq!((head.status, head.body.len(), head.header("content-length").as_deref()), (200, 0, Some("10")));
}

/// One part of a file, the end of a file, and a part that is not there.
#[test]
fn ranges() {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let part = |range: &str| {
        let answer = http::request("GET", &format!("{url}/ten.txt")).header("range", range).send();
        (answer.status, answer.header("content-range"), answer.text())
    };
    let of = |range: &str| Some(format!("bytes {range}/10"));
    assert_eq!(part("bytes=2-4"), (206, of("2-4"), "234".to_owned()));
    assert_eq!(part("bytes=-3"), (206, of("7-9"), "789".to_owned()));
    assert_eq!(part("bytes=8-99"), (206, of("8-9"), "89".to_owned()));
    let (status, range, _) = part("bytes=10-");
    assert_eq!((status, range), (416, of("*")));
    assert_eq!(part("lines=1-2"), (200, None, "0123456789".to_owned()));
}

/// Files that compress well are sent compressed to whoever asks, made once in the background after a deploy.
#[test]
fn compressed() {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let file = format!("{url}/assets/app-3f9a1c2b7d.js");
    let encoded = |accept: &str| http::request("GET", &file).header("accept-encoding", accept).send().success();
    let deadline = std::time::Instant::now() + ship_tests::PATIENCE;
    while encoded("br").header("content-encoding").is_none() {
        assert!(std::time::Instant::now() < deadline, "no compressed form is ever made");
    }
    let identity = encoded("identity");
    for (accept, expected) in [("br, zstd, gzip", "br"), ("zstd, gzip", "zstd"), ("gzip", "gzip")] {
        let answer = encoded(accept);
        assert_eq!(answer.header("content-encoding").as_deref(), Some(expected));
        assert_eq!(answer.header("vary").as_deref().map(str::to_ascii_lowercase).as_deref(), Some("accept-encoding"));
        assert!(answer.body.len() < identity.body.len() / 2);
        assert_ne!(answer.header("etag"), identity.header("etag"));
    }
}

/// A path that is not there gets ship's page or the site's own, and a host name nobody deployed to says so.
#[test]
fn not_found() {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let plain = host.ship(["deploy"]).within(project.folder()).run().success().url();
    project.write("public/404.html", "<!doctype html><p>our own");
    let own = host.ship(["deploy"]).within(project.folder()).run().success().url();

    let shown = ["content-type", "x-ship-error", "cache-control"];
    let missing = http::get(&format!("{own}/nothing/here"));
    insta::assert_snapshot!(missing.snapshot(&shown), @"
    404
    content-type: text/html; charset=utf-8
    x-ship-error: -
    cache-control: public, max-age=0, must-revalidate

    <!doctype html><p>our own
    ");
    let missing = http::get(&format!("{plain}/nothing/here"));
    assert_eq!((missing.status, missing.header("x-ship-error").as_deref()), (404, Some("NOT_FOUND")));
    assert!(missing.text().contains("NOT_FOUND"), "the page carries the code");
    let as_json = http::request("GET", &format!("{plain}/nothing")).header("accept", "application/json").send();
    assert_eq!(as_json.json()["error"]["code"], "NOT_FOUND");
    let nobody = http::get(&host.site_url("nobody-deployed-this"));
    assert_eq!((nobody.status, nobody.header("x-ship-error").as_deref()), (404, Some("DEPLOYMENT_NOT_FOUND")));
    assert!(nobody.header("x-ship-id").is_some());
}

/// The functions of the example hold no CORS code: `ship.toml` says who may read, and ship tells browsers.
#[test]
fn cors() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let shown = [
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-allow-credentials",
        "access-control-max-age",
        "vary",
    ];
    let from = |method: &str, origin: &str| {
        let request = http::request(method, &format!("{url}/api/weather?city=Atlantis")).header("origin", origin);
        let request =
            if method == "OPTIONS" { request.header("access-control-request-method", "GET") } else { request };
        let answer = request.send();
        let headers = answer.snapshot(&shown);
        headers.split("\n\n").next().unwrap_or_default().to_owned()
    };
    insta::assert_snapshot!(from("OPTIONS", "https://app.example.com"), @"
    204
    access-control-allow-origin: https://app.example.com
    access-control-allow-methods: GET
    access-control-allow-headers: -
    access-control-allow-credentials: -
    access-control-max-age: 7200
    vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers
    ");
    insta::assert_snapshot!(from("GET", "https://app.example.com"), @"
    404
    access-control-allow-origin: https://app.example.com
    access-control-allow-methods: -
    access-control-allow-headers: -
    access-control-allow-credentials: -
    access-control-max-age: -
    vary: Origin
    ");
    insta::assert_snapshot!(from("GET", "https://app.example.com.evil.test"), @"
    404
    access-control-allow-origin: -
    access-control-allow-methods: -
    access-control-allow-headers: -
    access-control-allow-credentials: -
    access-control-max-age: -
    vary: Origin
    ");
    insta::assert_snapshot!(from("GET", "null"), @"
    404
    access-control-allow-origin: -
    access-control-allow-methods: -
    access-control-allow-headers: -
    access-control-allow-credentials: -
    access-control-max-age: -
    vary: Origin
    ");
    let production = host.site_url("date-weather");
    assert!(
        from("GET", &production).contains(&format!("access-control-allow-origin: {production}\n")),
        "self is allowed"
    );
}

/// A browser asks before it asks: the answer comes from the edge and wakes no function.
#[test]
fn preflight_wakes_nobody() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    let preflight = http::request("OPTIONS", &format!("{url}/api/date"))
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "GET");
    assert_eq!(preflight.send().status, 204);
    let status = host.control("GET", "/v1/status").send().success().json();
    assert_eq!(status["instances"], serde_json::json!([]));
}

/// A file takes `GET` and `HEAD` and nothing else.
#[test]
fn methods() {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let answer = http::request("POST", &format!("{url}/ten.txt")).body("x").send();
    assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some("GET, HEAD")));
}
