//! Sites that not everybody may see: who is let in, by what, and that nothing behind the gate learns of it.

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// A function that answers with all it was asked.
const FUNCTION: &str = r"
export function GET(request) {
  return Response.json({ url: request.url, headers: Object.fromEntries(request.headers) });
}
export const POST = GET;
";

const CONFIGURATION: &str = r#"
[[cors]]
source = "/api/(.*)"
origins = ["https://app.example.com"]
methods = ["GET"]
"#;

struct Site<'e> {
    host: TestHost<'e>,
    project: TestProject,
    /// The URL of the deployment.
    url: String,
}

impl<'e> Site<'e> {
    fn new(environment: &'e TestEnv) -> Self {
        let project = environment.project("site").on_branch("main").file("index.html", "<!doctype html><p>page");
        let project = project.file("api/asked.js", FUNCTION).file("ship.toml", CONFIGURATION);
        let host = TestHost::start(environment);
        let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
        Self { host, project, url }
    }

    fn protect(&self, words: &[&str], password: &str) -> String {
        let command = self.host.ship(["protect"]).and(words).within(self.project.folder());
        command.reading(password).run().success().stdout().trim().to_owned()
    }

    fn get(&self, path: &str) -> http::Request {
        http::request("GET", &format!("{}{path}", self.url))
    }

    /// Sends the form of the login page.
    fn log_in(&self, path: &str, password: &str) -> http::Answer {
        let request = http::request("POST", &format!("{}{path}", self.url)).header("accept", "text/html");
        request.header("content-type", "application/x-www-form-urlencoded").body(format!("password={password}")).send()
    }
}

/// The name and value of the cookie that an answer sets.
fn cookie_of(answer: &http::Answer) -> String {
    let line = answer.header("set-cookie").expect("a cookie is set");
    let (pair, attributes) = line.split_once("; ").expect("it has attributes");
    assert_eq!(attributes, "Path=/; Max-Age=86400; HttpOnly; SameSite=Lax");
    assert!(pair.starts_with("ship-access="), "{pair}");
    pair.to_owned()
}

/// Every kind of request to a protected preview is stopped before anything of the site is looked at; production is not, unless it is
/// covered as well. Nothing keeps the answer or shows it.
#[test]
fn closed_to_everybody() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let open = site.get("/").send();
    assert_eq!(
        (open.status, open.header("x-robots-tag").as_deref()),
        (200, Some("noindex")),
        "previews are not indexed"
    );
    let production = site.host.site_url("site");
    assert_eq!(http::get(&production).header("x-robots-tag"), None);
    let set = site.host.ship(["protect", "token"]).within(site.project.folder()).run().success();
    assert_eq!(
        set.stderr(),
        "Who has the bypass secret may see the previews of site\nThe bypass secret is on standard output, this once\n"
    );
    assert_eq!(set.stdout().trim().len(), 32);

    for url in [site.url.clone(), site.host.site_url("site-git-main")] {
        for (method, path) in [
            ("GET", "/"),
            ("HEAD", "/"),
            ("GET", "/nowhere"),
            ("GET", "/api/asked"),
            ("POST", "/api/asked"),
            ("OPTIONS", "/api/asked"),
            ("OPTIONS", "/"),
        ] {
            let answer = http::request(method, &format!("{url}{path}")).send();
            let header = |name: &str| answer.header(name);
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(header("x-ship-error").as_deref(), Some("AUTHENTICATION_REQUIRED"));
            assert_eq!(header("cache-control").as_deref(), Some("no-store"));
            assert_eq!(header("x-robots-tag").as_deref(), Some("noindex"));
            assert!(header("www-authenticate").is_some() && header("x-ship-id").is_some());
        }
    }
    let socket = site.get("/api/asked").header("connection", "upgrade").header("upgrade", "websocket");
    let socket = socket.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(socket.send().status, 401);
    assert_eq!(http::get(&production).status, 200);
    let _ = site.protect(&["--cover", "everything"], "");
    assert_eq!(http::get(&production).status, 401);
    let _ = site.protect(&["off"], "");
    assert_eq!([http::get(&production).status, site.get("/").send().status], [200, 200]);
}

/// A preflight to a path with a cross-origin rule passes; another to a path without one does not, nor does the request behind it.
#[test]
fn preflights() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let _ = site.protect(&["token"], "");
    let preflight = |path: &str| {
        let request =
            http::request("OPTIONS", &format!("{}{path}", site.url)).header("origin", "https://app.example.com");
        request.header("access-control-request-method", "GET").send()
    };
    let passed = preflight("/api/asked");
    assert_eq!(
        (passed.status, passed.header("access-control-allow-origin").as_deref()),
        (204, Some("https://app.example.com"))
    );
    assert_eq!(preflight("/").status, 401);
    let refused = site.get("/api/asked").header("origin", "https://app.example.com").send();
    assert_eq!(
        (refused.status, refused.header("vary").as_deref(), refused.header("access-control-allow-origin").as_deref()),
        (401, Some("Origin"), Some("https://app.example.com"))
    );
}

/// Programs are let in by a header, people by a link that leaves a cookie and no trace in the URL; functions and logs see neither.
#[test]
fn bypass() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let secret = site.protect(&["token"], "");
    for name in ["x-ship-protection-bypass", "x-vercel-protection-bypass"] {
        let answer = site.get("/api/asked?a=b").header(name, &secret).header("cookie", "mine=1").send().success();
        let asked = answer.json();
        assert!(asked["url"].as_str().is_some_and(|url| url.ends_with("/api/asked?a=b")), "{asked}");
        assert_eq!(asked["headers"]["cookie"], "mine=1");
        assert!(!answer.text().contains(&secret), "{}", answer.text());

        let link = format!("/api/asked?a=b&{name}={secret}");
        let answer = site.get(&link).send();
        assert_eq!((answer.status, answer.header("location").as_deref()), (307, Some("/api/asked?a=b")));
        let cookie = cookie_of(&answer);
        let asked = site.get("/api/asked").header("cookie", format!("{cookie}; mine=1")).send().success().json();
        assert_eq!(asked["headers"]["cookie"], "mine=1");
        // What cannot be asked again is let through as it is.
        let posted = http::request("POST", &format!("{}{link}", site.url)).body("x").send().success();
        assert!(!posted.text().contains(&secret), "{}", posted.text());
        // It is good for this host name alone.
        let branch = site.host.site_url("site-git-main");
        assert_eq!(http::request("GET", &branch).header("cookie", &cookie).send().status, 401);
    }
    for wrong in ["", "x", &secret[..31], &secret.to_uppercase()] {
        assert_eq!(site.get("/").header("x-ship-protection-bypass", wrong).send().status, 401, "{wrong}");
    }
    let evil = http::exchange_raw(
        site.url.strip_prefix("http://").expect("it is a URL"),
        format!(
            "GET //evil.test/?x-ship-protection-bypass={secret} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            &site.url[7..]
        )
        .as_bytes(),
    );
    let evil = String::from_utf8_lossy(&evil).to_lowercase();
    assert!(evil.contains("location: /evil.test/\r\n"), "{evil}");
    let log = site.host.ship(["logs", "-n", "100"]).within(site.project.folder()).run().success();
    assert!(!log.stdout().contains(&secret), "{}", log.stdout());

    let cookie = cookie_of(&site.get(&format!("/?x-ship-protection-bypass={secret}")).send());
    let other = site.protect(&["--rotate-bypass"], "");
    assert_ne!(other, secret);
    assert_eq!(site.get("/").header("x-ship-protection-bypass", &secret).send().status, 401);
    assert_eq!(site.get("/").header("cookie", cookie).send().status, 401);
    assert_eq!(site.get("/").header("x-ship-protection-bypass", &other).send().status, 200);
}

/// People type a password on a page without a script, and are back where they were; another password sends everybody out.
#[test]
fn password() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let short = site.host.ship(["protect", "password"]).within(site.project.folder()).reading("short\n").run();
    assert!(short.exits_with(1).stderr().contains("a password has 8 to 1024 characters"));
    let secret = site.protect(&["password"], "correct horse\n");
    let asked = site.get("/page?a=b").header("accept", "text/html").send();
    assert_eq!((asked.status, asked.header("x-ship-error").as_deref()), (401, Some("AUTHENTICATION_REQUIRED")));
    assert!(asked.text().contains("<form method=\"post\">"), "{}", asked.text());
    let program = site.get("/api/asked").send();
    assert_eq!((program.status, program.json()["error"]["code"].as_str()), (401, Some("AUTHENTICATION_REQUIRED")));

    let wrong = site.log_in("/", "wrong+horse");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    assert!(wrong.text().contains("That password is not right."));
    let right = site.log_in("/?a=b", "correct+horse");
    assert_eq!((right.status, right.header("location").as_deref()), (303, Some("/?a=b")));
    let cookie = cookie_of(&right);
    assert_eq!(site.get("/").header("cookie", &cookie).send().success().text(), "<!doctype html><p>page");
    assert_eq!(site.get("/").header("x-vercel-protection-bypass", &secret).send().status, 200);
    let forged = cookie.replacen("ship-access=1", "ship-access=2", 1);
    assert_eq!(site.get("/").header("cookie", forged).send().status, 401);

    let none = site.protect(&["password"], "another horse");
    assert_eq!(none, "", "the secret stays");
    assert_eq!(site.get("/").header("cookie", &cookie).send().status, 401);
    assert_eq!(site.log_in("/", "correct+horse").status, 401);
    assert_eq!(site.log_in("/", "another+horse").status, 303);
}

/// Guessing is slow: after ten wrong passwords none is looked at for a while, not even the right one; who is in stays in. Settings
/// outlive the host.
#[test]
fn guessing() {
    let environment = TestEnv::new();
    let mut site = Site::new(&environment);
    let _ = site.protect(&["password"], "correct horse");
    let cookie = cookie_of(&site.log_in("/", "correct+horse"));
    for _ in 0..10 {
        assert_eq!(site.log_in("/", "wrong+horse").status, 401);
    }
    let refused = site.log_in("/", "correct+horse");
    assert_eq!((refused.status, refused.header("x-ship-error").as_deref()), (429, Some("TOO_MANY_ATTEMPTS")));
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|secs| secs <= 300)));
    assert_eq!(site.get("/").header("cookie", &cookie).send().status, 200);
    site.host.ask_to_end();
    let _ = site.host.ended();
    site.host.start_again();
    assert_eq!(site.get("/").send().status, 401);
    assert_eq!(site.get("/").header("cookie", &cookie).send().status, 200);
}
