//! Outputs that were built before: what an adapter of a framework left, and what `ship build` wrote, deploy as they are.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// A function that Node runs, at `name`.
fn node_function(project: TestProject, name: &str, module: &str, more: &str) -> TestProject {
    let folder = format!(".vercel/output/functions/{name}.func");
    let config = format!(r#"{{"runtime": "nodejs20.x", "handler": "index.js", "launcherType": "Nodejs"{more}}}"#);
    project.file(&format!("{folder}/.vc-config.json"), config).file(&format!("{folder}/index.js"), module)
}

/// A project with an output of these routes and overrides, and nothing in it yet.
fn output(environment: &TestEnv, config: &str) -> TestProject {
    environment.project("site").file(".vercel/output/config.json", format!("{{\"version\": 3{config}}}"))
}

/// Static files with what overrides say of them, routes of every phase, and headers.
#[test]
fn files_and_routes() {
    let environment = TestEnv::new();
    let config = r#",
        "routes": [
            {"src": "/old", "status": 308, "headers": {"Location": "/new"}},
            {"src": "/(.*)", "headers": {"x-all": "1"}, "continue": true, "important": true},
            {"src": "/guarded", "mitigate": {"action": "deny"}},
            {"src": "/only", "has": [{"type": "query", "key": "q", "value": {"eq": "a.b"}}], "dest": "/about"},
            {"handle": "filesystem"},
            {"handle": "hit"},
            {"src": "/index\\.html|/", "headers": {"cache-control": "no-store"}, "continue": true},
            {"handle": "error"},
            {"src": "/.*", "status": 404, "dest": "/lost"},
            {"handle": "resource"},
            {"src": "/.*", "status": 404}
        ],
        "overrides": {
            "about.html": {"path": "about", "contentType": "text/html; charset=utf-8"},
            "lost.html": {"path": "lost", "contentType": "text/html"},
            "feed": {"contentType": "application/rss+xml"}
        },
        "crons": [{"path": "/", "schedule": "0 0 * * *"}], "cache": [], "somethingNew": {"a": 1}"#;
    let project = output(&environment, config)
        .file(".vercel/output/static/index.html", "home")
        .file(".vercel/output/static/about.html", "about")
        .file(".vercel/output/static/lost.html", "lost")
        .file(".vercel/output/static/feed", "<rss/>")
        .file(".vercel/output/static/.env", "SECRET=1");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--prebuilt"]).within(project.folder()).run().success().url();
    let seen = |path: &str| {
        let answer = http::get(&format!("{url}{path}"));
        let headers = ["content-type", "cache-control", "location", "x-all"];
        let headers: Vec<String> =
            headers.iter().filter_map(|name| Some(format!("{name}: {}", answer.header(name)?))).collect();
        format!("{path} {} {:?} [{}]", answer.status, answer.text().lines().next(), headers.join(", "))
    };
    let paths = ["/", "/about", "/about.html", "/feed", "/old", "/guarded", "/only?q=a.b", "/only?q=axb", "/.env"];
    insta::assert_snapshot!(environment.filtered(&paths.map(seen).join("\n")), @r#"
    / 200 Some("home") [content-type: text/html; charset=utf-8, cache-control: no-store, x-all: 1]
    /about 200 Some("about") [content-type: text/html; charset=utf-8, cache-control: public, max-age=0, must-revalidate, x-all: 1]
    /about.html 404 Some("lost") [content-type: text/html, cache-control: public, max-age=0, must-revalidate, x-all: 1]
    /feed 200 Some("<rss/>") [content-type: application/rss+xml, cache-control: public, max-age=0, must-revalidate, x-all: 1]
    /old 308 None [cache-control: public, max-age=0, must-revalidate, location: /new]
    /guarded 403 Some("403: Forbidden ([REQUEST])") [content-type: text/plain; charset=utf-8, cache-control: no-store, x-all: 1]
    /only?q=a.b 200 Some("about") [content-type: text/html; charset=utf-8, cache-control: public, max-age=0, must-revalidate, x-all: 1]
    /only?q=axb 404 Some("lost") [content-type: text/html, cache-control: public, max-age=0, must-revalidate, x-all: 1]
    /.env 404 Some("lost") [content-type: text/html, cache-control: public, max-age=0, must-revalidate, x-all: 1]
    "#);
}

/// Functions of every kind that frameworks emit: both styles of handlers, edge functions, shared and mapped files, variables;
/// and none of it holds an environment file.
#[test]
fn functions() {
    let environment = TestEnv::new();
    let routes =
        r#", "routes": [{"handle": "filesystem"}, {"src": "/blog/(?<slug>[^/]+)", "dest": "/web?slug=$slug"}]"#;
    let project =
        output(&environment, routes).file("lib/shared.js", "module.exports = 'shared'").file("lib/.env", "S=1");
    let mapped =
        r#", "filePathMap": {"lib/shared.js": "lib/shared.js", "lib/.env": "lib/.env"}, "environment": {"MODE": "x"}"#;
    let plain = r"
        const fs = require('node:fs');
        module.exports = (request, response) =>
            response.end(`${require('./lib/shared.js')} ${process.env.MODE} ${request.url} ${fs.existsSync('lib/.env')}`);";
    let project = node_function(project, "api/hello", plain, mapped);
    let web = "module.exports = { fetch: (request) => new Response(new URL(request.url).search) }";
    let project = node_function(project, "web", web, "");
    let helped = "module.exports = (request, response) => response.json({ query: request.query, body: request.body })";
    let project = node_function(project, "helped", helped, r#", "shouldAddHelpers": true"#)
        .file(".vercel/output/functions/edge.func/.vc-config.json", r#"{"runtime": "edge", "entrypoint": "index.mjs"}"#)
        .file(
            ".vercel/output/functions/edge.func/index.mjs",
            "export default (request) => new Response(request.method)",
        );
    symlink("./hello.func", project.path(".vercel/output/functions/api/also.func")).expect("the folder is writable");
    let host = TestHost::start(&environment);
    let deployed = host.ship(["deploy", "--prebuilt", "--json"]).within(project.folder()).run().success().json();
    let functions = deployed["functions"].as_array().expect("the document lists functions");
    let digests: Vec<_> = functions[..2].iter().map(|function| &function["digest"]).collect();
    assert_eq!(digests[0], digests[1], "api/also and api/hello share one artifact");
    let url = deployed["url"].as_str().expect("the document has the URL");
    let text = |path: &str| http::get(&format!("{url}{path}")).success().text();
    assert_eq!(text("/api/hello?a=1"), "shared x /api/hello?a=1 false");
    assert_eq!(text("/api/also"), "shared x /api/also false");
    assert_eq!(text("/blog/first?a=1"), "?slug=first&a=1");
    assert_eq!(text("/edge"), "GET");
    let post = http::request("POST", &format!("{url}/helped?a=1")).header("content-type", "application/json");
    let answer = post.body(r#"{"b": 2}"#).send().success().json();
    assert_eq!(answer, serde_json::json!({"query": {"a": "1"}, "body": {"b": 2}}));
}

/// A page that never changes is served as a file, with the headers that its function sent; one that expires is kept.
#[test]
fn prerendered() {
    let environment = TestEnv::new();
    let module = "module.exports = (request, response) => response.end('from the function')";
    let project = node_function(output(&environment, ""), "fixed", module, "");
    let project = node_function(project, "fresh", module, "")
        .file(
            ".vercel/output/functions/fixed.prerender-config.json",
            r#"{"expiration": false, "allowQuery": [], "fallback": {"type": "FileFsRef", "mode": 33188,
                "fsPath": "fixed.prerender-fallback.html"}, "initialHeaders": {"x-made": "once"}}"#,
        )
        .file(".vercel/output/functions/fixed.prerender-fallback.html", "from the file")
        .file(
            ".vercel/output/functions/fresh.prerender-config.json",
            r#"{"expiration": 60, "fallback": "fresh.prerender-fallback.html"}"#,
        )
        .file(".vercel/output/functions/fresh.prerender-fallback.html", "from the file");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--prebuilt"]).within(project.folder()).run().success().url();
    let fixed = http::get(&format!("{url}/fixed")).success();
    let header = |name: &str| fixed.header(name).unwrap_or_default();
    assert_eq!(
        (fixed.text(), header("x-made"), header("content-type")),
        ("from the file".into(), "once".into(), "text/html; charset=utf-8".into())
    );
    let fresh = http::get(&format!("{url}/fresh")).success();
    let state = (fixed.header("x-vercel-cache"), fresh.header("x-vercel-cache"));
    assert_eq!((fresh.text(), state), ("from the file".into(), (None, Some("PRERENDER".into()))));
}

/// What `ship build` wrote is the very deployment that `ship deploy` makes of the same project, and so is what was built
/// from an output.
#[test]
fn the_same_deployment() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let example = environment.example("date-weather");
    let from_output = node_function(
        output(
            &environment,
            r#", "routes": [{"src": "/a", "dest": "/b"}],
        "overrides": {"a.html": {"path": "a", "contentType": "text/html"}}"#,
        ),
        "b",
        "module.exports = (q, r) => r.end()",
        "",
    )
    .file(".vercel/output/static/a.html", "<p>");
    let in_folder = environment
        .project("mono")
        .file("ship.toml", "[build]\nroot = \"apps/web\"\n")
        .file("apps/web/public/index.html", "web");
    for (project, direct) in
        [(&example, &["deploy"][..]), (&in_folder, &["deploy"]), (&from_output, &["deploy", "--prebuilt"])]
    {
        let deploy = |arguments: &[&str]| {
            let output =
                host.ship(arguments.iter().copied().chain(["--json"])).within(project.folder()).run().success();
            output.json()["deployment"]["id"].clone()
        };
        let before = deploy(direct);
        if direct.len() == 1 {
            let built = host.ship(["build"]).within(project.folder()).run().success();
            assert!(built.stdout().trim_end().ends_with(".ship/output"));
            assert_eq!(deploy(&["deploy", "--prebuilt"]), before);
        }
        assert_eq!(deploy(direct), before);
    }
}

/// What a build command leaves in `.vercel/output` is deployed, beside the functions of the project.
#[test]
fn left_by_a_build() {
    let environment = TestEnv::new();
    let command = "mkdir -p .vercel/output/static && echo built > .vercel/output/static/index.html && \
                   echo '{\\\"version\\\": 3, \\\"routes\\\": [{\\\"src\\\": \\\"/x\\\", \\\"dest\\\": \\\"/\\\"}]}' > .vercel/output/config.json";
    let project = environment
        .example("date-weather")
        .file("ship.toml", format!("name = \"both\"\n[build]\ncommand = \"{command}\"\n"));
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&format!("{url}/x")).success().text(), "built\n");
    assert!(http::get(&format!("{url}/api/date")).success().json()["now"].is_u64());
}

/// What cannot be deployed as it is says why: each with its own words and code.
#[test]
fn refused() {
    let environment = TestEnv::new();
    let refusal = |project: &TestProject| {
        environment.ship(["deploy", "--prebuilt"]).within(project.folder()).run().exits_with(1).snapshot().to_owned()
    };
    insta::assert_snapshot!(refusal(&environment.project("none").file("index.html", "")), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no output to deploy: looked for `.vercel/output/config.json` and `.ship/output/config.json` in `[ENV]/projects/none`
    hint: `ship build` makes one, and so do the adapters of frameworks; `ship deploy` builds by itself
    ");
    insta::assert_snapshot!(refusal(&environment.project("old").file(".vercel/output/config.json", r#"{"version": 2}"#)), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: .vercel/output/config.json: the output has version 2, and only version 3 is known
    ");
    insta::assert_snapshot!(refusal(&environment.project("broken").file(".vercel/output/config.json", "{\n  oops")), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: .vercel/output/config.json:2:3: key must be a string
    ");
    let guard = r#", "routes": [{"src": "/.*", "middlewarePath": "_middleware", "continue": true}]"#;
    insta::assert_snapshot!(refusal(&output(&environment, guard).file(".vercel/output/static/a", "")), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: a route asks the middleware `_middleware`, and there is no such function
    "#);
    let of = |name: &str, config: &str| {
        let folder = format!(".vercel/output/functions/{name}.func");
        environment
            .project(name)
            .file(".vercel/output/config.json", r#"{"version": 3}"#)
            .file(&format!("{folder}/.vc-config.json"), config)
    };
    insta::assert_snapshot!(refusal(&of("snake", r#"{"runtime": "python3.12", "handler": "vc__handler__python.vc_handler"}"#)), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `.vercel/output/functions/snake.func` cannot be run: it is a Python function that was packed for another platform: `ship deploy` without `--prebuilt` builds it from its source
    ");
    insta::assert_snapshot!(refusal(&of("box", r#"{"runtime": "container", "handler": "image"}"#)), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `.vercel/output/functions/box.func` cannot be run: it is a container image, and functions here are files
    ");
    insta::assert_snapshot!(refusal(&of("lost", r#"{"runtime": "nodejs20.x", "handler": "index.js", "launcherType": "Nodejs"}"#)), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `.vercel/output/functions/lost.func` lacks `index.js`, which its .vc-config.json names
    ");
    let outside = r#"{"runtime": "nodejs20.x", "handler": "a", "filePathMap": {"a": "../../../../../etc/passwd"}}"#;
    insta::assert_snapshot!(refusal(&of("thief", outside)), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: .vercel/output/functions/thief.func/.vc-config.json: `../../../../../etc/passwd` leads out of the project
    ");

    let mut other = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
    other.extend_from_slice(&(if cfg!(target_arch = "aarch64") { 62_u16 } else { 183 }).to_le_bytes());
    let foreign = of("foreign", r#"{"runtime": "executable", "handler": "bootstrap"}"#)
        .file(".vercel/output/functions/foreign.func/bootstrap", other);
    let said = refusal(&foreign).replace("amd64", "[ARCH]").replace("arm64", "[ARCH]");
    insta::assert_snapshot!(said, @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `.vercel/output/functions/foreign.func/bootstrap` is a program for linux/[ARCH], and this deployment is for [ARCH]
    hint: build it for the host's processor: `ship build --arch [ARCH]`, or `GOARCH=[ARCH]`
    ");

    let large = of("large", r#"{"runtime": "nodejs20.x", "handler": "index.js"}"#)
        .file(".vercel/output/functions/large.func/index.js", "");
    let file = |name: &str, size: u64| {
        let path = large.path(&format!(".vercel/output/functions/large.func/{name}"));
        File::create(path).and_then(|file| file.set_len(size)).expect("the folder is writable");
    };
    file("model.bin", 200_000_000);
    file("data.bin", 80_000_000);
    insta::assert_snapshot!(refusal(&large), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: FUNCTION_TOO_LARGE: `.vercel/output/functions/large.func` has [SIZE] unpacked, more than the [SIZE] that a function may have; its largest files are
      [SIZE]  model.bin
      [SIZE]  data.bin
      [SIZE]  index.js
    ");
}

/// Packages as pnpm links them: each finds what it needs beside its real place, and is there once, whoever asks for it.
#[test]
fn linked_packages() {
    let environment = TestEnv::new();
    let function = "const lamp = require('lamp');\nmodule.exports = async (request, response) => {\n  \
                    const { light, name } = await import('shade');\n  response.end(`${lamp.name} ${name} ${light === lamp.light}`);\n};\n";
    let store = |package: &str, file: &str| {
        format!(".vercel/output/functions/api/lit.func/node_modules/.pnpm/{package}@1/node_modules/{package}/{file}")
    };
    let lamp = "exports.light = require('bulb').light;\nexports.name = require('bulb').name;\n";
    let shade =
        "import { name as bulb, light } from 'bulb';\nexport const name = `shade of a ${bulb}`;\nexport { light };\n";
    let project = node_function(output(&environment, ""), "api/lit", function, "")
        .file(&store("lamp", "index.js"), lamp)
        .file(&store("shade", "index.js"), shade)
        .file(&store("shade", "package.json"), r#"{"type": "module", "exports": "./index.js"}"#)
        .file(&store("bulb", "index.js"), "exports.light = {};\nexports.name = 'bulb';\n");
    let link = |target: &str, name: &str| {
        let name = project.path(".vercel/output/functions/api/lit.func/node_modules").join(name);
        std::os::unix::fs::symlink(target, name).expect("the folder is there");
    };
    link(".pnpm/lamp@1/node_modules/lamp", "lamp");
    link(".pnpm/shade@1/node_modules/shade", "shade");
    link("../../bulb@1/node_modules/bulb", ".pnpm/lamp@1/node_modules/bulb");
    link("../../bulb@1/node_modules/bulb", ".pnpm/shade@1/node_modules/bulb");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--prebuilt"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&format!("{url}/api/lit")).success().text(), "bulb shade of a bulb true");
}

/// The folder of static files may be a link, but not one that publishes what is outside of the project.
#[test]
fn linked_static_files() {
    let environment = TestEnv::new();
    let elsewhere = environment.project("elsewhere").file("private.txt", "private");
    let inside = output(&environment, "").file("dist/index.html", "home");
    symlink("../../dist", inside.path(".vercel/output/static")).expect("the folder is writable");
    let host = TestHost::start(&environment);
    let deploy = || host.ship(["deploy", "--prebuilt"]).within(inside.folder()).run();
    assert_eq!(http::get(&deploy().success().url()).success().text(), "home");
    std::fs::remove_file(inside.path(".vercel/output/static")).expect("it was made above");
    symlink(elsewhere.folder(), inside.path(".vercel/output/static")).expect("the folder is writable");
    let refused = deploy().exits_with(1);
    let link = "the symlink `.vercel/output/static` leads to";
    assert!(refused.stderr().starts_with(&format!("error: symlink_leaves_project: {link}")), "{}", refused.stderr());
}

/// Images are answered at the addresses of an image optimizer as they are, if the output allows the question.
#[test]
fn images() {
    let environment = TestEnv::new();
    let config = r#",
        "images": {"sizes": [64, 640], "qualities": [75], "domains": [], "formats": ["image/webp"], "minimumCacheTTL": 60,
            "localPatterns": [{"pathname": "^/photos/.*$"}]},
        "routes": [{"src": "/photos/secret.png", "status": 403}, {"handle": "filesystem"}]"#;
    let project = output(&environment, config)
        .file(".vercel/output/static/photos/a b.png", "a picture")
        .file(".vercel/output/static/photos/secret.png", "a secret")
        .file(".vercel/output/static/other.png", "another");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--prebuilt"]).within(project.folder()).run().success().url();
    for (question, status, text) in [
        ("url=%2Fphotos%2Fa%20b.png&w=640&q=75", 200, "a picture"),
        ("url=/photos/a+b.png&w=64", 200, "a picture"),
        ("url=%2Fphotos%2Fsecret.png&w=64", 403, ""),
        ("url=%2Fother.png&w=64", 400, ""),
        ("url=%2Fphotos%2Fa%20b.png&w=65", 400, ""),
        ("url=%2Fphotos%2Fa%20b.png&w=64&q=80", 400, ""),
        ("url=%2F%2Fexample.com%2Fphotos%2Fa.png&w=64", 400, ""),
        ("url=http%3A%2F%2F127.0.0.1%2Fphotos%2Fa.png&w=64", 400, ""),
        ("url=%2Fphotos%2Fabsent.png&w=64", 404, ""),
        ("w=64", 400, ""),
    ] {
        let answer = http::get(&format!("{url}/_vercel/image?{question}"));
        let seen = (answer.status, if answer.status == 200 { answer.text() } else { String::new() });
        assert_eq!(seen, (status, text.to_owned()), "{question}");
    }
}

/// Images of another server are asked for there, if the output names it, and nowhere else.
#[test]
fn images_of_another_server() {
    let environment = TestEnv::new();
    let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = other.local_addr().expect("a bound listener has an address").port();
    let there = format!("http://localhost:{port}");
    // The thread ends with the test process.
    std::thread::spawn(move || {
        for stream in other.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let asked = lines.next().unwrap_or_default();
            lines.for_each(drop);
            let path = asked.split(['?', ' ']).nth(1).unwrap_or_default();
            write!(&stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len())
                .expect("the host listens");
        }
    });
    let config = format!(
        r#", "images": {{"sizes": [64], "remotePatterns":
            [{{"protocol": "http", "hostname": "^(?:localhost)$", "port": "{port}", "pathname": "^/photos/.*$"}}]}}"#
    );
    let host = TestHost::start(&environment);
    let project = output(&environment, &config).file(".vercel/output/static/index.html", "home");
    let url = host.ship(["deploy", "--prebuilt"]).within(project.folder()).run().success().url();
    let ask = |image: &str| http::get(&format!("{url}/_vercel/image?w=64&url={}", image.replace(':', "%3A")));
    let answer = ask(&format!("{there}/photos/a.png"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "/photos/a.png"));
    for elsewhere in ["/index.html", "/photos.png", ".evil.test/photos/a.png", "@evil.test/photos/a.png"] {
        assert_eq!(ask(&format!("{there}{elsewhere}")).status, 400, "{elsewhere}");
    }
}

/// Where the domain decides the language, routes find its word.
#[test]
fn wildcard() {
    let environment = TestEnv::new();
    let config = r#",
        "wildcard": [{"domain": "site.localhost", "value": "/en"}, {"domain": "elsewhere.test", "value": "/fr"}],
        "routes": [{"src": "/(.*)", "dest": "$wildcard/$1", "headers": {"x-language": "$wildcard"}, "continue": true}]"#;
    let project = output(&environment, config)
        .file(".vercel/output/static/en/a.txt", "hello")
        .file(".vercel/output/static/fr/a.txt", "bonjour")
        .file(".vercel/output/static/a.txt", "no language");
    let host = TestHost::start(&environment);
    let deployed = host.ship(["deploy", "--prebuilt"]).within(project.folder()).run().success().url();
    let of = |url: &str| {
        let answer = http::get(&format!("{url}/a.txt"));
        (answer.text(), answer.header("x-language").unwrap_or_default())
    };
    assert_eq!(of(&host.site_url("site")), ("hello".to_owned(), "/en".to_owned()));
    assert_eq!(of(&deployed), ("no language".to_owned(), String::new()));
}
