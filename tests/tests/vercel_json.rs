//! Projects that were made for Vercel: a `vercel.json` is read as it is.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use ship_tests::{TestEnv, TestHost, http};

const VERCEL_JSON: &str = r#"{
  "$schema": "https://openapi.vercel.sh/vercel.json",
  "version": 2,
  "name": "shop",
  "regions": ["fra1"],
  "cleanUrls": true,
  "functions": { "api/*.go": { "maxDuration": 20, "memory": 1024 } },
  "redirects": [
    { "source": "/old/:slug*", "destination": "/docs/:slug*", "permanent": false },
    { "source": "/", "has": [{ "type": "cookie", "key": "lang", "value": "(?<lang>de|fr)" }], "destination": "/:lang" }
  ],
  "rewrites": [
    { "source": "/users/:id", "destination": "/about" },
    { "source": "/(.*)", "missing": [{ "type": "header", "key": "x-strict", "value": { "eq": "1" } }], "destination": "/index.html" }
  ],
  "headers": [{ "source": "/(.*)", "headers": [{ "key": "X-Frame-Options", "value": "DENY" }] }],
  "crons": [{ "path": "/api/daily", "schedule": "0 5 * * *" }]
}
"#;

/// A project with only a `vercel.json` deploys, and redirects, rewrites, headers, clean URLs, conditions and crons are what it says.
#[test]
fn runs_unchanged() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment
        .project("folder")
        .file("vercel.json", VERCEL_JSON)
        .file("public/index.html", "home")
        .file("public/about.html", "about")
        .file("api/date.go", "package api\n\nimport \"net/http\"\n\nfunc Date(w http.ResponseWriter, r *http.Request) { w.Write([]byte(\"now\")) }\n");
    let deployed = host.ship(["deploy", "--json"]).within(project.folder()).run().success();
    let url = deployed.json()["url"].as_str().expect("there is a URL").trim_end_matches('/').to_owned();
    assert!(url.contains("//shop"), "the name is that of the file: {url}");
    let get = |path: &str| http::get(&format!("{url}{path}"));

    let home = get("/");
    assert_eq!(
        (home.status, home.text().as_str(), home.header("x-frame-options").as_deref()),
        (200, "home", Some("DENY"))
    );
    let old = get("/old/a/b?x=1");
    assert_eq!((old.status, old.header("location").as_deref()), (307, Some("/docs/a/b?x=1")));
    let german = http::request("GET", &format!("{url}/")).header("cookie", "lang=de").send();
    assert_eq!((german.status, german.header("location").as_deref()), (308, Some("/de")));
    assert_eq!(get("/about").text(), "about");
    assert_eq!(get("/users/7").text(), "about", "a rewrite leads to a clean URL");
    let html = get("/about.html");
    assert_eq!((html.status, html.header("location").as_deref()), (308, Some("/about")));
    assert_eq!(get("/deep/link").text(), "home");
    let strict = http::request("GET", &format!("{url}/deep/link")).header("x-strict", "1").send();
    assert_eq!(strict.status, 404);
    assert_eq!(get("/api/date").text(), "now");
    let file = get("/api/date.go");
    assert_eq!((file.status, file.header("location").as_deref()), (308, Some("/api/date")));

    let inspected =
        host.ship(["inspect", "--project", "shop", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(inspected["crons"], serde_json::json!([{ "path": "/api/daily", "schedule": "0 5 * * *" }]));
    let limits = &inspected["functions"][0]["limits"];
    assert_eq!((&limits["timeout_secs"], &limits["memory_mb"]), (&20.into(), &1024.into()));
    let shown = host.ship(["inspect", "--project", "shop"]).within(project.folder()).run().success();
    let crons: Vec<&str> = shown.stdout().lines().skip_while(|line| !line.starts_with("CRON")).collect();
    assert_eq!(crons, ["CRON        SCHEDULE", "/api/daily  0 5 * * *"]);
}

const BUILDS: &str = r#"{
  "version": 2,
  "builds": [
    { "src": "plain.js", "use": "@vercel/node", "config": { "helpers": false } },
    { "src": "d*p/[id].js", "use": "@vercel/node" },
    { "src": "**/*.js", "use": "@vercel/node@3.0.0", "config": { "includeFiles": "data/*.txt", "maxDuration": 7 } },
    { "src": "lib/hello.go", "use": "@now/go" },
    { "src": "{assets,lib}/**", "use": "@vercel/static" },
    { "src": "gone/*.py", "use": "@vercel/python" }
  ],
  "routes": [
    { "src": "/greet/(.*)", "dest": "lib/hello.go?name=$1" },
    { "handle": "filesystem" },
    { "src": "/a/(.*)", "dest": "assets/$1" },
    { "src": "/(.*)", "status": 404, "dest": "/deep/index.js" }
  ]
}
"#;

/// With `builds`, the older form, just what it names is there: functions at the paths of their files, an `index` for its folder,
/// files at their own paths. Routes lead to all of them by name.
#[test]
fn builds() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let answering = |name: &str| format!("module.exports = (req, res) => res.end('{name} ' + req.url)\n");
    let project = environment
        .project("older")
        .file("vercel.json", BUILDS)
        .file("index.js", "const fs = require('fs');\nmodule.exports = (req, res) => res.end(fs.readFileSync('data/words.txt'));\n")
        .file("deep/index.js", answering("deep"))
        .file("deep/[id].js", answering("id"))
        .file("plain.js", "module.exports = (req, res) => res.end(req.query === undefined ? 'plain' : 'helped')\n")
        .file("deep/other.js", answering("other"))
        .file("lib/hello.go", "package lib\n\nimport \"net/http\"\n\nfunc Handler(w http.ResponseWriter, r *http.Request) { greet(w, r) }\n")
        .file("lib/helper.go", "package lib\n\nimport \"net/http\"\n\nfunc greet(w http.ResponseWriter, r *http.Request) { w.Write([]byte(\"hello \" + r.URL.Query().Get(\"name\"))) }\n")
        .file("assets/style.css", "a{}")
        .file("data/words.txt", "words")
        .file("public/index.html", "not named");
    let deployed = host.ship(["deploy"]).within(project.folder()).run().success();
    let url = deployed.url();
    let get = |path: &str| {
        let answer = http::get(&format!("{url}{path}"));
        (answer.status, answer.text())
    };
    let found = |text: &str| (200, text.to_owned());
    assert_eq!(get("/"), found("words"));
    assert_eq!(get("/index.js"), found("words"));
    assert_eq!(get("/deep"), found("deep /deep"));
    assert_eq!(get("/deep/other.js?x=1"), found("other /deep/other.js?x=1"));
    assert_eq!(get("/plain.js"), found("plain"));
    assert_eq!(get("/deep/[id].js"), found("id /deep/[id].js"), "no placeholder, but a name");
    assert_eq!(get("/greet/anna"), found("hello anna"));
    assert_eq!(get("/lib/hello.go"), found("hello "), "a function's source is nobody's to read");
    assert_eq!(get("/lib/helper.go").0, 404, "and neither is any other in Go");
    assert_eq!(get("/a/style.css"), found("a{}"));
    assert_eq!(get("/assets/style.css"), found("a{}"));
    for path in ["/public/index.html", "/data/words.txt", "/vercel.json", "/deep/other"] {
        assert_eq!(get(path), (404, format!("deep {path}")), "nothing else is there");
    }
    let warnings: Vec<&str> = deployed.stderr().lines().filter(|line| line.starts_with("warning")).collect();
    assert_eq!(warnings, ["warning: vercel.json:9: `gone/*.py` in `builds` names no file of the project"]);
    let inspected = host.ship(["inspect", &url, "--json"]).run().success().json();
    let limits = |name: &str| {
        let functions = inspected["functions"].as_array().expect("there are functions");
        functions.iter().find(|function| function["name"] == name).expect("it is there")["limits"]["timeout_secs"]
            .clone()
    };
    assert_eq!((limits("deep/index.js"), limits("lib/hello.go")), (7.into(), 60.into()));
}

/// A package's own build stands beside functions that are named; what it leaves is the site.
#[test]
fn builds_of_a_package() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let build =
        "require('fs').mkdirSync('made', { recursive: true }); require('fs').writeFileSync('made/index.html', 'made')";
    let project = environment
        .project("older")
        .file("package.json", format!("{{\"scripts\": {{\"build\": \"node -e \\\"{build}\\\"\"}}}}"))
        .file("server.js", "module.exports = (req, res) => res.end('server')\n")
        .file(
            "vercel.json",
            r#"{"builds": [
                {"src": "package.json", "use": "@vercel/static-build", "config": {"distDir": "made"}},
                {"src": "server.js", "use": "@vercel/node"}
            ], "routes": [{"src": "/api/.*", "dest": "server.js"}]}"#,
        );
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&url).success().text(), "made");
    assert_eq!(http::get(&format!("{url}/api/x")).success().text(), "server");
    assert_eq!(http::get(&format!("{url}/package.json")).status, 404);
}

/// A package in a folder is built there, and its files are served in a folder of the same name.
#[test]
fn builds_of_a_package_in_a_folder() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let build = "require('fs').mkdirSync('out/assets', { recursive: true }); require('fs').writeFileSync('out/index.html', 'client'); \
                 require('fs').writeFileSync('out/assets/a.css', 'a{}')";
    let project = environment
        .project("older")
        .file("client/package.json", format!("{{\"scripts\": {{\"build\": \"node -e \\\"{build}\\\"\"}}}}"))
        .file("server/index.js", "module.exports = (req, res) => res.end('server ' + req.url)\n")
        .file(
            "vercel.json",
            r#"{"builds": [
                {"src": "client/package.json", "use": "@vercel/static-build", "config": {"distDir": "out"}},
                {"src": "server/index.js", "use": "@vercel/node"}
            ], "routes": [{"src": "/api/.*", "dest": "server/index.js"}, {"src": "/(.*)", "dest": "client/$1"}]}"#,
        );
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let get = |path: &str| http::get(&format!("{url}{path}"));
    assert_eq!(get("/").success().text(), "client");
    assert_eq!(get("/assets/a.css").success().text(), "a{}");
    assert_eq!(get("/api/x").success().text(), "server /api/x");
    assert_eq!(get("/package.json").status, 404);
    let again = host.ship(["deploy"]).within(project.folder()).run().success();
    assert_eq!(again.url(), url);

    let both = r#"{"builds": [
        {"src": "client/package.json", "use": "@vercel/static-build"}, {"src": "server/**", "use": "@vercel/static"}
    ]}"#;
    project.write("vercel.json", both);
    insta::assert_snapshot!(host.ship(["deploy"]).within(project.folder()).run().exits_with(1).snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: vercel.json:2:17: invalid_builds: files as they are and files that are built cannot be one site: let the build copy them
     2 |         {"src": "client/package.json", "use": "@vercel/static-build"}, {"src": "server/**", "use": "@vercel/static"}
       |                 ^^^^^^^^^^^^^^^^^^^^^
    "#);
}

/// A script builds in its folder, beside functions that are named; what it leaves is the site. One that leaves nothing is said to.
#[test]
fn builds_of_a_script() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment
        .project("older")
        .file("tools/build.sh", "#!/usr/bin/env bash\nmkdir -p made/static && [[ -n $VERCEL ]] && echo 'a{}' > made/static/a.css\n")
        .file("server.js", "module.exports = (req, res) => res.end('server ' + req.url)\n")
        .file(
            "vercel.json",
            r#"{"builds": [
                {"src": "tools/build.sh", "use": "@vercel/static-build", "config": {"distDir": "made"}},
                {"src": "server.js", "use": "@vercel/node"}
            ], "routes": [{"src": "/static/(.*)", "dest": "/tools/static/$1"}, {"src": "/(.*)", "dest": "server.js"}]}"#,
        );
    let deploy = || host.ship(["deploy"]).within(project.folder()).run();
    let first = deploy().success();
    assert!(first.stderr().contains("Building the frontend: /usr/bin/env bash ./build.sh\n"), "{}", first.stderr());
    let url = first.url();
    assert_eq!(http::get(&format!("{url}/static/a.css")).success().text(), "a{}\n");
    assert_eq!(http::get(&format!("{url}/x")).success().text(), "server /x");
    let again = deploy().success();
    assert!(!again.stderr().contains("Building"), "{}", again.stderr());

    std::fs::remove_dir_all(project.path("tools/made")).expect("it was made");
    project.write("tools/build.sh", "echo nothing\n");
    let refused = deploy().exits_with(1);
    assert!(refused.stderr().contains("sh ./build.sh"), "{}", refused.stderr());
    assert!(refused.stderr().contains("made"), "{}", refused.stderr());
}

/// A source that is a group, without the `/` that its paths begin with, is about all of them.
#[test]
fn source_without_a_slash() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment
        .project("site")
        .file("api/index.js", "module.exports = (req, res) => res.end('index ' + req.url)\n")
        .file(
            "vercel.json",
            r#"{"rewrites": [{"source": "(.*)", "destination": "api/index.js"}],
                "headers": [{"source": "(.*)", "headers": [{"key": "x-all", "value": "1"}]}]}"#,
        );
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    for path in ["/", "/users/7"] {
        let answer = http::get(&format!("{url}{path}")).success();
        assert_eq!((answer.text(), answer.header("x-all").as_deref()), (format!("index {path}"), Some("1")));
    }
}

/// `env` is what functions find set, beneath what a host tells them of themselves, and `build.env` is what builds find. What is a
/// secret of Vercel's is said to be missing.
#[test]
fn variables() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let show = "export const GET = () => Response.json([process.env.GREETING, process.env.VERCEL, process.env.KEY ?? null]);\n";
    let build = "require('fs').mkdirSync('dist', { recursive: true }); require('fs').writeFileSync('dist/index.html', process.env.TITLE)";
    let project = environment
        .project("site")
        .file("package.json", format!("{{\"scripts\": {{\"build\": \"node -e \\\"{build}\\\"\"}}}}"))
        .file("api/show.ts", show)
        .file(
            "vercel.json",
            r#"{
              "env": { "GREETING": "hello = world", "VERCEL": "mine", "KEY": "@key" },
              "build": { "env": { "TITLE": "built" } }
            }"#,
        );
    let deployed = host.ship(["deploy"]).within(project.folder()).run().success();
    let answer = http::get(&format!("{}/api/show", deployed.url())).success().text();
    assert_eq!(answer, r#"["hello = world","1",null]"#);
    assert_eq!(http::get(&deployed.url()).success().text(), "built");
    let warning = "warning: vercel.json:2: `KEY` is not set: its value is a secret that only Vercel has";
    assert!(deployed.stderr().lines().any(|line| line == warning), "{}", deployed.stderr());

    let again = host.ship(["deploy"]).within(project.folder()).run().success();
    assert_eq!(again.url(), deployed.url(), "the same content is the same deployment");
    project.edit("vercel.json", "hello = world", "good day");
    let other = host.ship(["deploy"]).within(project.folder()).run().success();
    assert_eq!(http::get(&format!("{}/api/show", other.url())).success().text(), r#"["good day","1",null]"#);
}

/// A wrong key is named with its place and the key that was meant; nothing is deployed.
#[test]
fn wrong_key() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site").file("index.html", "x").file(
        "vercel.json",
        "{\n  \"redirects\": [\n    { \"source\": \"/a\", \"destination\": \"/b\", \"permanant\": true }\n  ]\n}\n",
    );
    insta::assert_snapshot!(host.ship(["deploy"]).within(project.folder()).run().snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: vercel.json:3:44: invalid_redirect: unknown key `permanant`, did you mean `permanent`?
     3 |     { "source": "/a", "destination": "/b", "permanant": true }
       |                                            ^^^^^^^^^^^
    "#);
    project.write(
        "vercel.json",
        "{ \"rewrites\": [{ \"source\": \"/to/:host\", \"destination\": \"https://:host/\" }] }\n",
    );
    let refused = host.ship(["deploy", "--json"]).within(project.folder()).run().exits_with(1);
    let all = format!("{}{}", refused.stdout(), refused.stderr());
    assert!(all.contains("\"invalid_rewrite\""), "{all}");
    let projects = host.control("GET", "/v1/projects").send().success().json();
    assert_eq!(projects["projects"], serde_json::json!([]), "no half deployment");
}

/// Where both files are, `ship.toml` is used, and it is said; what of `vercel.json` has no effect is said as well, and so is that a
/// form of it is not read.
#[test]
fn other_files() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("public/index.html", "x")
        .file("vercel.json", "{ \"devCommand\": \"true\" }")
        .file("ship.toml", "");
    let both = environment.ship(["build"]).within(project.folder()).run().success();
    assert!(both.stderr().contains("both ship.toml and vercel.json are there: ship.toml is used"), "{}", both.stderr());
    project.remove("ship.toml");
    let unused = environment.ship(["build"]).within(project.folder()).run().success();
    assert!(
        unused.stderr().contains("vercel.json:1: `devCommand` is not used by this version of ship"),
        "{}",
        unused.stderr()
    );
    std::fs::rename(project.path("vercel.json"), project.path("now.json")).expect("the file is there");
    let older = environment.ship(["build"]).within(project.folder()).run().success();
    assert!(older.stderr().contains("now.json:1: `devCommand` is not used"), "{}", older.stderr());
    project.remove("now.json");
    project.write("vercel.ts", "export default {}");
    insta::assert_snapshot!(environment.ship(["build"]).within(project.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `vercel.ts` is not read by ship: write what it says into `vercel.json` or `ship.toml`
    ");
}

/// A rewrite to another server: a host on this machine, for this machine, passes requests on to a backend beside it.
#[test]
fn another_server() {
    let backend = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = backend.local_addr().expect("it has one").port();
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let rewrite = format!(
        r#"{{ "rewrites": [{{ "source": "/backend/:path*", "destination": "http://localhost:{port}/v1/:path*" }}] }}"#
    );
    let project = environment.project("site").file("public/index.html", "home").file("vercel.json", rewrite);
    let deployed = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let url = deployed["url"].as_str().expect("there is a URL").trim_end_matches('/').to_owned();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = backend.accept().expect("it is asked");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a whole head comes");
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nmade").expect("it is read");
        String::from_utf8(head).expect("a head is text")
    });
    let answer = http::get(&format!("{url}/backend/items/7?x=1"));
    assert_eq!((answer.status, answer.text().as_str()), (201, "made"));
    let head = serving.join().expect("the backend was asked");
    assert!(head.starts_with("GET /v1/items/7?"), "{head}");
    assert!(head.contains("x=1") && head.contains(&format!("host: localhost:{port}\r\n")), "{head}");
    assert!(head.contains("x-forwarded-host: "), "{head}");
}

/// A host for a public domain leads nobody to its own machine, although it listens on loopback itself, as behind a proxy.
#[test]
fn no_server_inside() {
    let backend = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = backend.local_addr().expect("it has one").port();
    let environment = TestEnv::new();
    let public = ["sh", "-c", "exec \"$0\" \"$@\" --domain sites.test"].map(OsStr::new);
    let host = TestHost::start_by(&environment, &environment.folder().join("data"), &public);
    let rewrite =
        format!(r#"{{ "rewrites": [{{ "source": "/inside", "destination": "http://localhost:{port}/" }}] }}"#);
    let project = environment.project("site").file("public/index.html", "home").file("vercel.json", rewrite);
    let deployed = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let url = deployed["url"].as_str().expect("there is a URL").trim_end_matches('/').to_owned();
    assert!(url.contains(".sites.test"), "{url}");
    let answer = http::get(&format!("{url}/inside"));
    let error = answer.header("x-ship-error");
    assert_eq!((answer.status, error.as_deref()), (404, Some("DNS_HOSTNAME_RESOLVED_PRIVATE")));
    backend.set_nonblocking(true).expect("it can be asked without waiting");
    assert!(backend.accept().is_err(), "nothing was connected to");
}

/// The project's own command says whether there is anything to deploy: 0 leaves it, any other end goes on, and `--force` does
/// not ask. It sees what a build is told.
#[test]
fn ignore_command() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let command = "test $VERCEL_GIT_COMMIT_REF = docs";
    let project = environment
        .project("site")
        .on_branch("docs")
        .file("vercel.json", format!("{{ \"ignoreCommand\": \"{command}\" }}"))
        .file("public/index.html", "home");
    let deploy =
        |arguments: &[&str]| host.ship([&["deploy"], arguments].concat()).within(project.folder()).run().success();
    insta::assert_snapshot!(deploy(&[]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Nothing deployed: the project's own `test $VERCEL_GIT_COMMIT_REF = docs` ended with 0; `ship deploy --force` deploys anyway
    ");
    assert_eq!(deploy(&["--json"]).json(), serde_json::json!({ "ignored": command }));
    assert_eq!(http::get(&host.site_url("site")).status, 404, "nothing was deployed");
    assert_eq!(http::get(&deploy(&["--force"]).url()).success().text(), "home");

    project.check_out("main");
    project.write("public/index.html", "home again");
    assert_eq!(http::get(&deploy(&[]).url()).success().text(), "home again");
}
