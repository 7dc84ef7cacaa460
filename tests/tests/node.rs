//! Functions in TypeScript and JavaScript: what they are called with, what they answer, and what is said of mistakes.

use std::time::{Duration, Instant};

use ship_tests::{GoToolchain, TestEnv, TestHost, TestProject, http};

/// Deploys `project` and gives its URL.
fn deployed(host: &TestHost<'_>, project: &TestProject) -> String {
    host.ship(["deploy"]).within(project.folder()).run().success().url()
}

/// A web handler gets a Request and answers with a Response: methods, bodies, several cookies, and 405 for what it lacks.
#[test]
fn web_handlers() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/things/[id].ts",
        "export function GET(request: Request): Response {\n\
         \tconst url = new URL(request.url);\n\
         \treturn Response.json({ id: url.searchParams.get('id'), path: url.pathname });\n\
         }\n\
         export async function POST(request: Request): Promise<Response> {\n\
         \tconst headers = new Headers({ 'x-kind': 'post' });\n\
         \theaders.append('set-cookie', 'a=1');\n\
         \theaders.append('set-cookie', 'b=2');\n\
         \treturn new Response((await request.text()).toUpperCase(), { status: 201, headers });\n\
         }\n\
         export const PUT = () => new Response(null, { status: 204 });\n",
    );
    let host = TestHost::start(&environment);
    let url = format!("{}/api/things/7", deployed(&host, &project));
    let got = http::get(&url).success();
    assert_eq!(got.json(), serde_json::json!({ "id": "7", "path": "/api/things/7" }));
    assert_eq!(got.header("content-length").as_deref(), Some("33"));

    let posted = http::request("POST", &url).body("some words").send();
    assert_eq!((posted.status, posted.text().as_str()), (201, "SOME WORDS"));
    insta::assert_snapshot!(posted.snapshot(&["x-kind", "set-cookie"]), @"
    201
    x-kind: post
    set-cookie: a=1, b=2

    SOME WORDS
    ");

    let head = http::request("HEAD", &url).send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    let empty = http::request("PUT", &url).body("ignored").send();
    assert_eq!((empty.status, empty.body.len()), (204, 0));
    let refused = http::request("DELETE", &url).send();
    assert_eq!((refused.status, refused.header("allow").as_deref()), (405, Some("GET, POST, PUT, HEAD")));
}

/// A (request, response) handler has the helpers: query, cookies, parsed bodies, status, json, send and redirect.
#[test]
fn node_handlers() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/echo.js",
        "export default function handler(req, res) {\n\
         \tif (req.query.to) return res.redirect(req.query.to);\n\
         \tif (req.query.raw) {\n\
         \t\tlet length = 0;\n\
         \t\treq.on('data', (piece) => (length += piece.length)).on('end', () => res.send(`${length} bytes`));\n\
         \t\treturn;\n\
         \t}\n\
         \tres.status(201).json({ query: req.query, cookies: req.cookies, body: req.body });\n\
         }\n",
    );
    let host = TestHost::start(&environment);
    let url = format!("{}/api/echo", deployed(&host, &project));
    let post = |kind: &str, body: &str| http::request("POST", &url).header("content-type", kind).body(body).send();

    let json = http::request("POST", &format!("{url}?a=1&b=2&b=3"))
        .header("content-type", "application/json; charset=utf-8")
        .header("cookie", "name=some%20body; theme=dark")
        .body("{\"list\":[1,2]}")
        .send();
    assert_eq!(json.status, 201);
    let expected = serde_json::json!({
        "query": { "a": "1", "b": ["2", "3"] },
        "cookies": { "name": "some body", "theme": "dark" },
        "body": { "list": [1, 2] },
    });
    assert_eq!(json.json(), expected);
    assert_eq!(
        post("application/x-www-form-urlencoded", "a=1&b=x+y").json()["body"],
        serde_json::json!({ "a": "1", "b": "x y" })
    );
    assert_eq!(post("text/plain", "words").json()["body"], "words");
    assert_eq!(http::get(&url).json()["body"], serde_json::Value::Null);
    let wrong = post("application/json", "{\"list\":");
    assert_eq!((wrong.status, wrong.text().as_str()), (400, "Invalid JSON"));

    let redirected = http::request("GET", &format!("{url}?to=/there")).send();
    assert_eq!((redirected.status, redirected.header("location").as_deref()), (307, Some("/there")));
    let large = "x".repeat(3 * 1024 * 1024);
    for kind in ["text/plain", "video/mp4"] {
        let read =
            http::request("POST", &format!("{url}?raw=1")).header("content-type", kind).body(large.as_str()).send();
        assert_eq!(read.text(), format!("{} bytes", large.len()), "{kind}");
    }
}

/// A handler that reads the body itself, to check its signature for one, gets it as it was sent, and has the other helpers.
#[test]
fn raw_body() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/webhook.ts",
        "export const config = { api: { bodyParser: false } };\n\
         export default async function (req: any, res: any) {\n\
         \tconst pieces: Buffer[] = [];\n\
         \tfor await (const piece of req) pieces.push(Buffer.from(piece));\n\
         \tres.status(202).json({ raw: Buffer.concat(pieces).toString(), body: typeof req.body, id: req.query.id });\n\
         }\n",
    );
    let host = TestHost::start(&environment);
    let url = format!("{}/api/webhook?id=7", deployed(&host, &project));
    let sent = http::request("POST", &url).header("content-type", "application/json").body("{ \"a\": 1 ").send();
    let expected = serde_json::json!({ "raw": "{ \"a\": 1 ", "body": "undefined", "id": "7" });
    assert_eq!((sent.status, sent.json()), (202, expected));
}

/// What a module of ECMAScript requires by a `require` of its own comes along, and pages that Express renders, with what
/// renders them. Who asks where a request comes from hears of a proxy on the same machine.
#[test]
fn what_comes_along() {
    let environment = TestEnv::new();
    let engine = "exports.__express = (file, options, done) => done(null, require('fs').readFileSync(file, 'utf8') + options.name);\n";
    let project = environment
        .project("site")
        .file("data/words.json", "{\"word\": \"hello\"}")
        .file("lib/old.cjs", "exports.shout = (word) => word.toUpperCase();\n")
        .file("views/home.tiny", "to ")
        .file("node_modules/tiny/package.json", "{\"name\":\"tiny\",\"version\":\"1.0.0\",\"main\":\"index.js\"}")
        .file("node_modules/tiny/index.js", engine)
        .file(
            "api/page.mjs",
            "import { createRequire } from 'node:module';\n\
             const require = createRequire(import.meta.url);\n\
             const { word } = require('../data/words.json');\n\
             const { shout } = require('../lib/old.cjs');\n\
             const settings = new Map();\n\
             settings.set('view engine', 'tiny');\n\
             export default (req, res) => {\n\
             \tconst engine = settings.get('view engine');\n\
             \trequire(engine).__express(`views/home.${engine}`, { name: 'all' }, (_, page) => {\n\
             \t\tres.end(`${shout(word)} ${page} ${req.socket.remoteAddress}`);\n\
             \t});\n\
             };\n",
        );
    let host = TestHost::start(&environment);
    let url = format!("{}/api/page", deployed(&host, &project));
    assert_eq!(http::get(&url).success().text(), "HELLO to all 127.0.0.1");
}

/// A file that only loads a server which listens is a function.
#[test]
fn loads_a_server() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("public/index.html", "page")
        .file("api/index.js", "require('../backend/main');\n")
        .file(
            "backend/main.js",
            "require('http').createServer((req, res) => res.end('main ' + req.url)).listen(5000);\n",
        );
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    assert_eq!(http::get(&format!("{url}/api?a=1")).success().text(), "main /api?a=1");
}

/// Whatever a response is made of, its visitor gets what `fetch` would give; one that was read already has nothing left to send.
#[test]
fn bodies_of_responses() {
    let environment = TestEnv::new();
    let module = r#"
        const bodies: Record<string, () => Response | Promise<Response>> = {
            text: () => new Response("grün"),
            nothing: () => new Response(""),
            bytes: () => new Response(new TextEncoder().encode("__bytes__").subarray(2, 7)),
            words: () => new Response(new URLSearchParams({ a: "1 2" })),
            blob: () => new Response(new Blob(["bl", "ob"])),
            pieces: () => new Response(ReadableStream.from(["pie", "ces"]).pipeThrough(new TextEncoderStream())),
            copied: () => new Response("copied").clone(),
            own: () => new (class extends Response {})("own"),
            changed: () => Object.defineProperty(new Response("first"), "body", { value: new Response("second").body }),
            read: async () => {
                const read = new Response("read");
                await read.text();
                return read;
            },
            held: () => {
                const held = new Response("held");
                held.body!.getReader();
                return held;
            },
        };
        export const GET = (request: Request) => bodies[new URL(request.url).search.slice(1)]();
    "#;
    let project = environment.project("site").file("api/bodies.ts", module);
    let host = TestHost::start(&environment);
    let url = format!("{}/api/bodies", deployed(&host, &project));
    let kinds =
        ["text", "nothing", "bytes", "words", "blob", "pieces", "copied", "own", "changed", "read", "held", "text"];
    let answers = kinds.map(|kind| {
        let answer = http::get(&format!("{url}?{kind}"));
        let told = ["content-type", "content-length"].map(|name| answer.header(name).unwrap_or_else(|| "-".to_owned()));
        match answer.header("x-ship-error") {
            Some(error) => format!("{kind}: {} {error}", answer.status),
            None => format!("{kind}: {} {} {:?}", answer.status, told.join(" "), answer.text()),
        }
    });
    insta::assert_snapshot!(answers.join("\n"), @r#"
    text: 200 text/plain;charset=UTF-8 5 "grün"
    nothing: 200 text/plain;charset=UTF-8 0 ""
    bytes: 200 - 5 "bytes"
    words: 200 application/x-www-form-urlencoded;charset=UTF-8 5 "a=1+2"
    blob: 200 - 4 "blob"
    pieces: 200 - 6 "pieces"
    copied: 200 text/plain;charset=UTF-8 6 "copied"
    own: 200 text/plain;charset=UTF-8 3 "own"
    changed: 200 text/plain;charset=UTF-8 6 "second"
    read: 500 FUNCTION_INVOCATION_FAILED
    held: 500 FUNCTION_INVOCATION_FAILED
    text: 200 text/plain;charset=UTF-8 5 "grün"
    "#);
    let head = http::request("HEAD", &format!("{url}?text")).send();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// A body arrives as it is made, not when it is complete; a visitor who leaves is noticed.
#[test]
fn streaming() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/stream.ts",
        "const left: string[] = [];\n\
         export default {\n\
         \tasync fetch(request: Request): Promise<Response> {\n\
         \t\tif (new URL(request.url).searchParams.has('left')) return Response.json(left);\n\
         \t\trequest.signal.addEventListener('abort', () => left.push('abort'));\n\
         \t\tconst encoder = new TextEncoder();\n\
         \t\tconst body = new ReadableStream({\n\
         \t\t\tstart(controller) { controller.enqueue(encoder.encode('first\\n')); },\n\
         \t\t\tcancel() { left.push('cancel'); },\n\
         \t\t});\n\
         \t\treturn new Response(body);\n\
         \t},\n\
         };\n",
    );
    let host = TestHost::start(&environment);
    let url = format!("{}/api/stream", deployed(&host, &project));
    let mut opened = http::request("GET", &url).open();
    assert_eq!(opened.body().next_line().as_deref(), Some("first"), "it never ends, and is here");
    drop(opened);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut left: Vec<String> =
            serde_json::from_value(http::get(&format!("{url}?left=1")).success().json()).expect("a list of words");
        left.sort();
        if left == ["abort", "cancel"] {
            break;
        }
        assert!(Instant::now() < deadline, "the function heard only of {left:?}");
    }
}

/// Two functions share a module; a file that exports no handler is a helper; one that comes near is named.
#[test]
fn modules_and_helpers() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file(
            "api/one.ts",
            "import { shared } from './shared';\nexport const GET = () => new Response(shared('one'));\n",
        )
        .file(
            "api/two.mjs",
            "import { shared } from './shared.js';\nexport default (req, res) => res.end(shared('two'));\n",
        )
        .file("api/shared.ts", "export const shared = (name: string): string => `shared by ${name}`;\n")
        .file("api/near.ts", "\nexport const handler = () => new Response('never');\n")
        .file("api/one.test.ts", "import app from './one';\napp.listen(80);\n");
    let host = TestHost::start(&environment);
    let output = host.ship(["deploy"]).within(project.folder()).run().success();
    assert!(
        output
            .stderr()
            .contains("warning: api/near.ts:2: this is not a function of the site, because it exports `handler`"),
        "{}",
        output.stderr()
    );
    let url = output.url();
    assert_eq!(http::get(&format!("{url}/api/one")).success().text(), "shared by one");
    assert_eq!(http::get(&format!("{url}/api/two")).success().text(), "shared by two");
    for helper in ["shared", "near", "one.test"] {
        assert_eq!(http::get(&format!("{url}/api/{helper}")).status, 404, "{helper}");
    }
}

/// `CommonJS`, the files beside a module, and a server that listens by itself.
#[test]
fn other_ways() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file(
            "api/legacy.cjs",
            "const path = require('path');\nconst { readFileSync } = require('fs');\n\
             module.exports = (req, res) => res.end(readFileSync(path.join(__dirname, 'words.txt')));\n",
        )
        .file("api/words.txt", "words beside it")
        .file(
            "api/server.ts",
            "import { createServer } from 'node:http';\n\
             createServer((req, res) => res.end(`served ${req.url}`)).listen(Number(process.env.PORT ?? 3000));\n",
        )
        .file(
            "api/exported.js",
            "const { createServer } = require('http');\n\
             module.exports = createServer((req, res) => res.end(`exported ${req.url}`));\n",
        )
        .file("api/edge.ts", "export const config = { runtime: 'edge' };\nexport default (request: Request) => new Response(request.method);\n");
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    assert_eq!(http::get(&format!("{url}/api/legacy")).success().text(), "words beside it");
    assert_eq!(http::get(&format!("{url}/api/server?a=1")).success().text(), "served /api/server?a=1");
    assert_eq!(http::get(&format!("{url}/api/exported")).success().text(), "exported /api/exported");
    assert_eq!(http::get(&format!("{url}/api/edge")).success().text(), "GET");
}

/// A module at a constant path that is there only when the function runs is loaded then.
#[test]
fn modules_made_later() {
    let environment = TestEnv::new();
    let place = format!("/tmp/ship-made-later-{}", std::process::id());
    let project = environment
        .project("site")
        .file(
            "api/imports.ts",
            format!(
                "import {{ writeFileSync }} from 'node:fs';\n\
                 export async function GET() {{\n\
                 \twriteFileSync('{place}.mjs', 'export default \"imported\"');\n\
                 \tconst [one, two] = [await import('{place}.mjs'), await import('file://{place}.mjs')];\n\
                 \treturn new Response(one.default + two.default);\n\
                 }}\n"
            ),
        )
        .file(
            "api/requires.js",
            format!(
                "const {{ writeFileSync }} = require('fs');\n\
                 module.exports = (req, res) => {{\n\
                 \twriteFileSync('{place}.cjs', 'module.exports = \"required\"');\n\
                 \tres.end(require('{place}.cjs'));\n\
                 }};\n"
            ),
        );
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    assert_eq!(http::get(&format!("{url}/api/imports")).success().text(), "importedimported");
    assert_eq!(http::get(&format!("{url}/api/requires")).success().text(), "required");
}

/// Hono's `serve` is a way to listen: a file that calls it is a function.
#[test]
fn serves_with_hono() {
    let environment = TestEnv::new();
    let package = "exports.serve = ({ fetch, port }, listening) => {\n\
                   \tconst server = require('http').createServer(async (req, res) => res.end(await (await fetch(req)).text()));\n\
                   \treturn server.listen(port, () => listening(server.address()));\n\
                   };\n";
    let project = environment
        .project("site")
        .file("public/index.html", "page")
        .file(
            "node_modules/@hono/node-server/package.json",
            "{\"name\":\"@hono/node-server\",\"version\":\"1.0.0\",\"main\":\"index.js\"}",
        )
        .file("node_modules/@hono/node-server/index.js", package)
        .file(
            "api/index.ts",
            "import { serve } from '@hono/node-server';\n\
             const fetch = (request: any) => new Response(`hono ${request.url}`);\n\
             serve({ fetch, port: 3000 }, (info) => console.log(info.port));\n",
        );
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    assert_eq!(http::get(&format!("{url}/api?a=1")).success().text(), "hono /api?a=1");
}

/// A module of `CommonJS` has the arguments that Node calls it with, in its own file and in one that it requires.
#[test]
fn arguments_of_modules() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file(
            "api/entry.js",
            "const seen = [arguments.length, arguments[0] === exports, arguments[2] === module, arguments[3] === __filename];\n\
             const { sep } = arguments[1]('path');\n\
             module.exports = (req, res) => res.json([...seen, sep, require('../lib/other.cjs').folder]);\n",
        )
        .file("lib/other.cjs", "exports.folder = arguments[4] === __dirname && arguments[4].endsWith('/lib');\n");
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    let expected = serde_json::json!([5, true, true, true, "/", true]);
    assert_eq!(http::get(&format!("{url}/api/entry")).success().json(), expected);
}

/// A handler that throws answers 500, and its stack names the lines that the user wrote; what is deployed in a broken state
/// is refused with what it printed.
#[test]
fn what_goes_wrong_when_it_runs() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/throws.ts",
        "type Nothing = null;\n\nexport function GET(): Response {\n\tthrow new Error('not today');\n}\n",
    );
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    let answer = http::get(&format!("{url}/api/throws"));
    assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (500, Some("FUNCTION_INVOCATION_FAILED")));
    let logs = host.ship(["logs", "--project", "site"]).run().success();
    assert!(logs.stdout().contains("Error: not today"), "{}", logs.stdout());
    assert!(logs.stdout().contains("at GET (api/throws.ts:4:8)"), "{}", logs.stdout());

    project.write("api/throws.ts", "const settings: string | undefined = process.env.ABSENT;\nexport default { fetch: make(settings!.length) };\nfunction make(_: number) { return () => new Response(); }\n");
    let refused = host.ship(["deploy"]).within(project.folder()).run().exits_with(1);
    assert!(
        refused.stderr().contains("TypeError") && refused.stderr().contains("api/throws.ts:2:"),
        "{}",
        refused.stderr()
    );
}

/// What a function says of itself in vain is told with its place and what was expected, and keeps nothing from being deployed.
#[test]
fn settings_in_vain() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/a.ts",
        "export const config = {\n  maxDuration: '10',\n  memroy: 512,\n};\nexport const maxDuration = 10;\n\
         export const GET = () => new Response('a');\n",
    );
    let built = environment.ship(["build"]).within(project.folder()).run().success();
    insta::assert_snapshot!(built.snapshot(), @"
    exit code: 0
    ----- stdout -----
    [ENV]/projects/site/.ship/output
    ----- stderr -----
    warning: api/a.ts:2: `maxDuration` changes nothing, because it is `'10'`: expected a number of seconds from 1 to 3600, in digits
    warning: api/a.ts:3: there is no setting `memroy`: did you mean `memory`?
    warning: api/a.ts:5: `maxDuration` changes nothing here: expected `export const config = { maxDuration: … }`
    Built 1 function in [TIME]
    ");
}

/// An import by a name that `paths` of tsconfig.json give leads nowhere: it is said where it was looked for, not that a package lacks.
#[test]
fn paths_that_lead_nowhere() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file(
            "tsconfig.json",
            r#"{ "compilerOptions": { "paths": { "@/*": ["./src/*"], "words": ["./lib/words"] } } }"#,
        )
        .file(
            "api/a.ts",
            "import { a } from '@/ferry';\nimport { b } from 'words';\nexport const GET = () => new Response(a + b);\n",
        );
    insta::assert_snapshot!(environment.ship(["build"]).within(project.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the functions cannot be bundled:
    api/a.ts:1:19: `@/ferry` leads to no file: by tsconfig.json it is `src/ferry`
     1 | import { a } from '@/ferry';
       |                   ^
    api/a.ts:2:19: `words` leads to no file: by tsconfig.json it is `lib/words`
     2 | import { b } from 'words';
       |                   ^
    ");
}

/// A mistake in a function is found without the interpreter that would run it: nothing is fetched to hear of it.
#[test]
fn mistakes_before_the_interpreter() {
    let environment = TestEnv::with_go(GoToolchain::FetchedByShip);
    let project = environment.project("site").file("api/a.ts", "export const GET = () => new Response(;\n");
    let build = || {
        let nowhere = [("PATH", ""), ("npm_config_registry", "http://127.0.0.1:1")];
        let build = environment.ship(["build"]).within(project.folder());
        nowhere.iter().fold(build, |build, (name, value)| build.with(name, value)).run().exits_with(1)
    };
    insta::assert_snapshot!(build().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the functions cannot be bundled:
    api/a.ts:1:39: Unexpected token
     1 | export const GET = () => new Response(;
       |                                       ^
    ");
    project.write("api/a.ts", "export const GET = () => new Response();\n");
    assert!(build().stderr().contains("127.0.0.1:1"), "without a mistake it is asked for");
}

/// What a module throws while it is loaded is what is said of the function that does not start, with its place in the sources, wherever in the
/// module it is thrown. Something that is no error knows no place, and that is said, too.
#[test]
fn thrown_while_it_is_loaded() {
    let environment = TestEnv::new();
    let handler = "export const GET = (): Response => new Response('a');\n";
    let project = environment.project("site").file("lib/down.ts", "throw new RangeError('from below');\n");
    let host = TestHost::start(&environment);
    let said = |source: &str| {
        project.write("api/a.ts", source);
        let refused = host.ship(["deploy"]).within(project.folder()).run().exits_with(1);
        let lines = refused.stderr().lines().filter(|line| line.starts_with("  ") && !line.contains("(node:"));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    };
    let first = said(&format!("type A = 1;\nthrow new Error('first');\n{handler}"));
    assert_eq!(first, "Error: first\nat api/a.ts:2:7");
    assert_eq!(said(&format!("{handler}type A = 1;\nthrow new Error('last');\n")), "Error: last\nat api/a.ts:3:7");
    let named = "throw new Error('named');\nconst GET = () => new Response('a');\nexport { GET };\n";
    assert_eq!(said(named), "Error: named\nat api/a.ts:1:7");
    assert_eq!(said(&format!("import '../lib/down';\n{handler}")), "RangeError: from below\nat lib/down.ts:1:7");
    let located = format!("const from = import.meta.url; if (from) throw new Error('located');\n{handler}");
    assert_eq!(said(&located), "Error: located\nat api/a.ts:1:47");
    let below = format!("if (1) {{\n  throw new Error('below');\n}}\n{handler}");
    assert_eq!(said(&below), "Error: below\nat api/a.ts:2:9");
    let rejected = format!("await Promise.reject(new Error('rejected'));\n{handler}");
    assert_eq!(said(&rejected), "Error: rejected\nat api/a.ts:1:22");
    let nowhere = "what was thrown is no Error, so nothing says where: `throw new Error(…)` does";
    assert_eq!(said(&format!("throw 'only text';\n{handler}")), format!("only text\n{nowhere}"));

    let _ = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success();
    assert_eq!(http::get(&format!("{}/api/a", host.site_url("site"))).status, 500);
    let logs = host.ship(["logs", "--project", "site"]).run().success();
    assert!(logs.stdout().contains("only text") && logs.stdout().contains(nowhere), "{}", logs.stdout());
}

/// What a function is compiled to is kept once it was seen to start, and the next instance has it, where it cannot write.
#[test]
fn compiled_code_is_kept() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/code.ts",
        "import { readdirSync, writeFileSync } from 'node:fs';\n\
         const attempt = (work: () => unknown) => { try { return String(work()); } catch (error) { return (error as any).code; } };\n\
         export function GET(): Response {\n\
         \tconst seen = [attempt(() => readdirSync('/var/code').length > 0), attempt(() => writeFileSync('/var/code/x', 'x'))];\n\
         \treturn Response.json(seen);\n\
         }\n",
    );
    let mut host = TestHost::start(&environment);
    let url = format!("{}/api/code", deployed(&host, &project));
    assert_eq!(http::get(&url).success().json(), serde_json::json!(["ENOENT", "ENOENT"]));
    until_kept(&compiled_code(&host), |_| {});
    host.ask_to_end();
    let _ = host.ended();
    host.start_again();
    assert_eq!(http::get(&url).success().json(), serde_json::json!(["true", "EROFS"]));
}

/// What a function leaves instead of compiled code fills its own memory and not the host's disk, and is not kept if there is more
/// in it than files.
#[test]
fn compiled_code_is_copied() {
    let environment = TestEnv::new();
    let hostile = environment.project("hostile").file(
        "api/code.ts",
        "import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';\n\
         if (existsSync('/tmp/code')) {\n\
         \twriteFileSync('/tmp/code/much', Buffer.alloc(48 << 20, 'x'));\n\
         \tAtomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);\n\
         \tsymlinkSync('/etc/passwd', '/tmp/code/link');\n\
         \trenameSync('/tmp/code', '/tmp/moved');\n\
         \tmkdirSync('/tmp/code');\n\
         }\n\
         export function GET(): Response { return new Response('hello'); }\n",
    );
    let other = environment
        .project("other")
        .file("api/code.ts", "export function GET(): Response { return new Response('hello'); }\n");
    let host = TestHost::start(&environment);
    let folder = compiled_code(&host);
    assert_eq!(http::get(&format!("{}/api/code", deployed(&host, &hostile))).success().text(), "hello");
    assert_eq!(http::get(&format!("{}/api/code", deployed(&host, &other))).success().text(), "hello");
    // One is made at a time, and the first that was asked for first.
    until_kept(&folder, |bytes| assert!(bytes < 1 << 20, "{bytes} bytes of the host's disk"));
}

/// Waits until something is kept, and looks at the bytes in the folder until then.
fn until_kept(folder: &std::path::Path, look: impl Fn(u64)) {
    let files = |folder: std::path::PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| (entry.file_name(), entry.path()))
    };
    let began = std::time::Instant::now();
    loop {
        let made: Vec<_> = files(folder.to_owned()).collect();
        let bytes = made.iter().flat_map(|(_, path)| files(path.clone()));
        look(bytes.filter_map(|(_, path)| path.symlink_metadata().ok()).map(|file| file.len()).sum());
        let kept = made.iter().filter(|(name, _)| !name.to_string_lossy().starts_with("making-")).count();
        if kept > 0 {
            assert_eq!(kept, 1);
            return;
        }
        assert!(began.elapsed().as_secs() < 60, "it is never kept");
        std::thread::yield_now();
    }
}

/// Where a host keeps what functions are compiled to.
fn compiled_code(host: &TestHost) -> std::path::PathBuf {
    let status = host.ship(["host", "status", "--json"]).run().success().json();
    std::path::Path::new(status["data"].as_str().expect("a host has a folder")).join("run/code")
}

/// Work that outlives its response is done before an instance that was asked to stop is gone, also where it takes longer than what
/// a program without such work is given to end.
#[test]
fn work_after_the_response() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/later.ts",
        "const context = (globalThis as any)[Symbol.for('@vercel/request-context')];\n\
         export function GET(request: Request): Response {\n\
         \tcontext.get().waitUntil(new Promise<void>((resolve) => setTimeout(() => { console.log('work is done'); resolve(); }, 6_000)));\n\
         \treturn new Response('at once');\n\
         }\n",
    );
    let mut host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    let is_done = |host: &TestHost<'_>| host.ship(["logs", &url]).run().success().stdout().contains("work is done");
    assert_eq!(http::get(&format!("{url}/api/later")).success().text(), "at once");
    assert!(!is_done(&host));
    host.ask_to_end();
    let _ = host.ended();
    host.start_again();
    assert!(is_done(&host));
}

/// What functions import is installed where it is missing, once, also beside a function in a package of its own.
#[test]
fn packages_are_installed() {
    let environment = TestEnv::new();
    let source = "import ms from 'ms';\nexport const GET = () => new Response(ms(1000));\n";
    let project = environment
        .project("site")
        .file("package.json", r#"{"dependencies": {"ms": "2.1.3"}}"#)
        .file("api/a.ts", source)
        .file("api/own/package.json", r#"{"dependencies": {"ms": "2.1.2"}}"#)
        .file("api/own/b.ts", source);
    let host = TestHost::start(&environment);
    let deploy = || host.ship(["deploy"]).within(project.folder()).run().success();
    let installed = |stderr: &str| stderr.lines().filter(|line| line.starts_with("Installing packages")).count();
    let first = deploy();
    assert_eq!(installed(first.stderr()), 2, "{}", first.stderr());
    for path in ["/api/a", "/api/own/b"] {
        assert_eq!(http::get(&format!("{}{path}", first.url())).success().text(), "1s");
    }
    assert_eq!(installed(deploy().stderr()), 0);
    std::fs::remove_dir_all(project.path("node_modules")).expect("the packages are there");
    assert_eq!(installed(deploy().stderr()), 1);
    assert!(project.path("node_modules/ms/package.json").is_file());
}

/// A file without a handler where none has one was meant as a function, in whichever language.
#[test]
fn no_handlers() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("api/a.ts", "export const x = 1;\n")
        .file("api/b.py", "x = 1\n")
        .file("api/c.rs", "fn x() {}\n")
        .file("api/_helper.ts", "export const y = 1;\n");
    insta::assert_snapshot!(environment.ship(["build"]).within(project.folder()).run().exits_with(1).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    warning: `api/a.ts` is not a function of the site, because it has no handler: expected a default export that is a function or has `fetch`, or exported functions named GET, POST, …
    warning: `api/b.py` is not a function of the site, because it has no handler: expected `app`, an ASGI or WSGI application, or `class handler(BaseHTTPRequestHandler)`
    warning: `api/c.rs` is not a function of the site, because it has no handler: expected `async fn handler(request: Request) -> Result<Response, Error>`
    error: there is nothing to deploy in `[ENV]/projects/site`: looked for a folder `public/`, static files in the folder itself, functions in `api/**/*.{go,js,ts,py,rs}`
    hint: `ship init` makes a project here, and `ship deploy PATH` or `ship dev PATH` takes another folder
    ");
}

/// What cannot be bundled is shown with its place and its line, and with what to type.
#[test]
fn mistakes() {
    let environment = TestEnv::new();
    let project =
        environment.project("site").file("api/a.ts", "export function GET() {\n  return new Response('a';\n}\n");
    let deploy = || environment.ship(["build"]).within(project.folder()).run().exits_with(1).snapshot().to_owned();
    insta::assert_snapshot!(deploy(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the functions cannot be bundled:
    api/a.ts:2:26: Expected `,` or `)` but found `;`
     2 |   return new Response('a';
       |                          ^
    ");
    project.write("api/a.ts", "import { z } from 'zod';\n\nexport const GET = () => new Response(z);\n");
    insta::assert_snapshot!(deploy(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: api/a.ts:1:19: the package `zod` is not installed
     1 | import { z } from 'zod';
       |                   ^
    hint: `npm install zod`
    ");
    project.remove("api/a.ts");
    project.write(
        "api/page.tsx",
        "const Page = () => <p>a</p>;\n\nexport const GET = () => new Response(render(Page));\n",
    );
    insta::assert_snapshot!(deploy(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: api/page.tsx:1:20: the package `react` is not installed, which JSX needs
     1 | const Page = () => <p>a</p>;
       |                    ^
    hint: `npm install react`
    ");
}

/// A server of its own answers wherever no file stands, and its sources are nobody's to read.
#[test]
fn a_server() {
    let environment = TestEnv::new();
    let express = "const http = require('http');\n\
                   module.exports = () => {\n\
                   \tconst app = (req, res) => res.end(`app ${req.method} ${req.url}`);\n\
                   \tapp.listen = (...parameters) => http.createServer(app).listen(...parameters);\n\
                   \treturn app;\n\
                   };\n";
    let project = environment
        .project("site")
        .file("package.json", "{\"dependencies\":{\"express\":\"5\"}}")
        .file("node_modules/express/package.json", "{\"name\":\"express\",\"version\":\"5.0.0\",\"main\":\"index.js\"}")
        .file("node_modules/express/index.js", express)
        .file("src/index.ts", "import express from 'express';\nconst app = express();\nawait new Promise<void>((resolve) => app.listen(3000, resolve));\n")
        .file("secret.ts", "export const secret = 'a secret';\n");
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    for path in ["/", "/users/7?a=1", "/src/index.ts", "/secret.ts", "/package.json"] {
        assert_eq!(http::get(&format!("{url}{path}")).success().text(), format!("app GET {path}"));
    }
    project.write("public/hello.txt", "a file");
    let url = deployed(&host, &project);
    assert_eq!(http::get(&format!("{url}/hello.txt")).success().text(), "a file");
    assert_eq!(http::get(&format!("{url}/other")).success().text(), "app GET /other");
}

/// A limit that a function's own `config` asks for holds, unless `ship.toml` says otherwise.
#[test]
fn own_limits() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file(
            "api/a.ts",
            "export const config = { maxDuration: 7, memory: 256 };\nexport const GET = () => new Response('a');\n",
        )
        .file("ship.toml", "[functions.\"api/*\"]\nmemory_mb = 128\n");
    let _ = environment.ship(["build"]).within(project.folder()).run().success();
    let config = std::fs::read_to_string(project.path(".ship/output/functions/api/a.func/.vc-config.json"))
        .expect("it was built");
    let config: serde_json::Value = serde_json::from_str(&config).expect("it is JSON");
    assert_eq!((&config["maxDuration"], &config["memory"]), (&serde_json::json!(7), &serde_json::json!(128)));
}

/// What is missed to the end of a file is missed at the end of what is written there.
#[test]
fn a_bracket_that_is_never_closed() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/t.ts", "export const GET = () => Response.json({ n: 2 }\n\n");
    let built = environment.ship(["build"]).within(project.folder()).run();
    insta::assert_snapshot!(built.snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the functions cannot be bundled:
    api/t.ts:1:48: Expected `)` but found `EOF`
     1 | export const GET = () => Response.json({ n: 2 }
       |                                                ^
    ");
}
