//! Functions in TypeScript and JavaScript that Bun or Deno runs: what the project says is what runs them, and they are called as
//! with Node.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// Deploys `project` and gives its URL.
fn deployed(host: &TestHost<'_>, project: &TestProject) -> String {
    host.ship(["deploy"]).within(project.folder()).run().success().url()
}

/// Functions of each kind, which say what runs them.
fn functions(environment: &TestEnv, settings: (&str, &str)) -> TestProject {
    environment
        .project("site")
        .file(settings.0, settings.1)
        .file(
            "api/web.ts",
            "import { interpreter } from '../lib/interpreter';\n\
             export function GET(request: Request): Response {\n\
             \tif (new URL(request.url).searchParams.has('boom')) throw new Error('not today');\n\
             \treturn Response.json({ interpreter: interpreter(), url: request.url });\n\
             }\n\
             export async function POST(request: Request): Promise<Response> {\n\
             \treturn new Response((await request.text()).toUpperCase(), { status: 201 });\n\
             }\n",
        )
        .file(
            "lib/interpreter.ts",
            "export const interpreter = (): string =>\n\
             \t'Bun' in globalThis ? 'bun' : 'Deno' in globalThis ? 'deno' : 'node';\n",
        )
        .file(
            "api/node.js",
            "import { interpreter } from '../lib/interpreter';\n\
             export default function handler(req, res) {\n\
             \tif (req.query.raw) {\n\
             \t\tlet length = 0;\n\
             \t\treq.on('data', (piece) => (length += piece.length)).on('end', () => res.send(`${length} bytes`));\n\
             \t\treturn;\n\
             \t}\n\
             \tres.status(201).json({ interpreter: interpreter(), query: req.query, cookies: req.cookies, body: req.body });\n\
             }\n",
        )
        .file(
            "api/stream.ts",
            "const left: string[] = [];\n\
             export default {\n\
             \tasync fetch(request: Request): Promise<Response> {\n\
             \t\tif (new URL(request.url).searchParams.has('left')) return Response.json(left);\n\
             \t\trequest.signal.addEventListener('abort', () => left.push('abort'));\n\
             \t\tconst reader = request.body!.getReader();\n\
             \t\tconst body = new ReadableStream({\n\
             \t\t\tasync start(controller) { controller.enqueue((await reader.read()).value); },\n\
             \t\t\tcancel() { left.push('cancel'); },\n\
             \t\t});\n\
             \t\treturn new Response(body);\n\
             \t},\n\
             };\n",
        )
        .file(
            "api/later.ts",
            "export const GET = (request: Request, { waitUntil }: { waitUntil(work: Promise<void>): void }) => {\n\
             \twaitUntil(new Promise((resolve) => setTimeout(() => { console.log('work is done'); resolve(); }, 2_000)));\n\
             \treturn new Response('at once');\n\
             };\n",
        )
}

/// The story of functions that `interpreter` runs because of `settings`.
fn handlers(interpreter: &str, settings: (&str, &str)) {
    let environment = TestEnv::new();
    let project = functions(&environment, settings);
    let mut host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    let web = format!("{url}/api/web");
    let expected = serde_json::json!({ "interpreter": interpreter, "url": web });
    assert_eq!(http::get(&web).success().json(), expected);
    let posted = http::request("POST", &web).body("some words").send();
    assert_eq!((posted.status, posted.text().as_str()), (201, "SOME WORDS"));
    let refused = http::request("DELETE", &web).send();
    assert_eq!((refused.status, refused.header("allow").as_deref()), (405, Some("GET, POST, HEAD")));

    let node = format!("{url}/api/node");
    let helped = http::request("POST", &format!("{node}?a=1"))
        .header("content-type", "application/json")
        .header("cookie", "name=some%20body")
        .body("{\"list\":[1,2]}")
        .send();
    let expected = serde_json::json!({
        "interpreter": interpreter,
        "query": { "a": "1" },
        "cookies": { "name": "some body" },
        "body": { "list": [1, 2] },
    });
    assert_eq!((helped.status, helped.json()), (201, expected));
    let large = "x".repeat(3 * 1024 * 1024);
    for kind in ["text/plain", "video/mp4"] {
        let read =
            http::request("POST", &format!("{node}?raw=1")).header("content-type", kind).body(large.as_str()).send();
        assert_eq!(read.text(), format!("{} bytes", large.len()), "{kind}");
    }
    streams(&format!("{url}/api/stream"));
    shows_stacks(&host, &web);

    let is_done = |host: &TestHost<'_>| host.ship(["logs", &url]).run().success().stdout().contains("work is done");
    assert_eq!(http::get(&format!("{url}/api/later")).success().text(), "at once");
    assert!(!is_done(&host));
    let inspected = host.ship(["inspect", &url]).run().success();
    assert_eq!(inspected.stdout().matches(&format!(" {interpreter} ")).count(), 4, "{}", inspected.stdout());
    host.ask_to_end();
    let _ = host.ended();
    host.start_again();
    assert!(is_done(&host));
}

/// What was sent comes back while neither side is done, and a visitor who leaves is noticed.
fn streams(url: &str) {
    let mut opened = http::request("POST", url).body("first\n").open();
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

/// A stack names the lines that the user wrote.
fn shows_stacks(host: &TestHost<'_>, web: &str) {
    let answer = http::get(&format!("{web}?boom=1"));
    assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (500, Some("FUNCTION_INVOCATION_FAILED")));
    let logs = host.ship(["logs", "--project", "site"]).run().success();
    assert!(logs.stdout().contains("Error: not today"), "{}", logs.stdout());
    assert!(logs.stdout().contains("at GET (api/web.ts:3:"), "{}", logs.stdout());
}

/// `bunVersion` of `vercel.json` has all functions run with Bun, called as with Node.
#[test]
fn bun() {
    handlers("bun", ("vercel.json", "{ \"bunVersion\": \"1.x\" }"));
}

/// The builder of Vercel's community has functions run with Deno, called as with Node.
#[test]
fn deno() {
    let settings = "{ \"functions\": { \"api/*.[jt]s\": { \"runtime\": \"vercel-deno@3.1.1\" } } }";
    handlers("deno", ("vercel.json", settings));
}

/// Asks for a WebSocket at `/ws`, sends `hi`, and gives the text that comes back.
fn echoed(url: &str) -> String {
    let authority = url.strip_prefix("http://").expect("it is a URL");
    let port = authority.rsplit(':').next().expect("it has a port");
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the host takes connections");
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nhost: {authority}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).expect("the host reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the host answers");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    // A text frame, masked with zeros: what a mask is not.
    stream.write_all(b"\x81\x82\0\0\0\0hi").expect("the server reads");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("the server answers");
    assert_eq!(answer[..2], *b"\x81\x03");
    String::from_utf8_lossy(&answer[2..]).into_owned()
}

/// A file that calls `Bun.serve` is a server of the whole site, with its routes, its sockets and what Bun brings along.
#[test]
fn a_server_of_bun() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "server.ts",
        "import { Database } from 'bun:sqlite';\n\
         const database = new Database(':memory:');\n\
         const server = Bun.serve({\n\
         \tport: 3000,\n\
         \troutes: { '/users/:id': (request) => Response.json(request.params) },\n\
         \tfetch(request, server) {\n\
         \t\tif (server.upgrade(request)) return;\n\
         \t\tconst { two } = database.query('select 1 + 1 as two').get();\n\
         \t\treturn Response.json({ two, url: request.url, main: import.meta.main, file: import.meta.file });\n\
         \t},\n\
         \twebsocket: { message(socket, text) { socket.send(`${text}!`); } },\n\
         });\n\
         console.log(`at ${server.url}`);\n",
    );
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    assert_eq!(http::get(&format!("{url}/users/7")).success().json(), serde_json::json!({ "id": "7" }));
    let expected =
        serde_json::json!({ "two": 2, "url": format!("{url}/server.ts"), "main": true, "file": "server.ts" });
    assert_eq!(http::get(&format!("{url}/server.ts")).success().json(), expected);
    assert_eq!(echoed(&url), "hi!");
    let logs = host.ship(["logs", "--project", "site"]).run().success();
    assert!(logs.stdout().contains("at http://localhost:3000/"), "{}", logs.stdout());
}

/// A file that calls `Deno.serve` is a server of the whole site; packages are those that are installed, by Deno's names.
#[test]
fn a_server_of_deno() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("deno.json", "{ \"imports\": { \"words\": \"npm:words@^1\", \"@/\": \"./lib/\" } }")
        .file("node_modules/words/package.json", "{\"name\":\"words\",\"version\":\"1.0.0\",\"exports\":{\"deno\":\"./deno.js\",\"default\":\"./other.js\"}}")
        .file("node_modules/words/deno.js", "export const word = 'for deno';\n")
        .file("node_modules/words/other.js", "export const word = 'for others';\n")
        .file("node_modules/wrapped/package.json", "{\"name\":\"wrapped\",\"version\":\"1.0.0\",\"gypfile\":true,\"main\":\"index.js\"}")
        .file("node_modules/wrapped/index.js", "module.exports = require('fs').existsSync(__filename);\n")
        .file("lib/shout.ts", "export const shout = (text: string): string => text.toUpperCase();\n")
        .file(
            "main.ts",
            "import { word } from 'words';\n\
             import isThere from 'npm:wrapped@1';\n\
             import { shout } from '@/shout.ts';\n\
             if (import.meta.main) {\n\
             \tDeno.serve({ port: 8000 }, (request) => {\n\
             \t\tif (request.headers.get('upgrade') === 'websocket') {\n\
             \t\t\tconst { socket, response } = Deno.upgradeWebSocket(request);\n\
             \t\t\tsocket.onmessage = ({ data }) => socket.send(`${data}!`);\n\
             \t\t\treturn response;\n\
             \t\t}\n\
             \t\treturn Response.json({ word: shout(word), isThere, url: request.url });\n\
             \t});\n\
             }\n",
        );
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    let expected = serde_json::json!({ "word": "FOR DENO", "isThere": true, "url": format!("{url}/any") });
    assert_eq!(http::get(&format!("{url}/any")).success().json(), expected);
    assert_eq!(echoed(&url), "hi!");
}

/// A project may have functions of all three; each is bundled with what its interpreter has.
#[test]
fn one_project_and_three_interpreters() {
    let environment = TestEnv::new();
    let source = "export default { fetch: () => new Response(process.versions.bun ? 'bun' : process.versions.deno ? 'deno' : 'node') };\n";
    let project = environment
        .project("site")
        .file("api/a.ts", source)
        .file("api/b.ts", format!("#!/usr/bin/env bun\n{source}"))
        .file("api/c.ts", source)
        .file("ship.toml", "[functions.\"api/c.ts\"]\nruntime = \"deno\"\n");
    let host = TestHost::start(&environment);
    let url = deployed(&host, &project);
    let answers = ["a", "b", "c"].map(|name| http::get(&format!("{url}/api/{name}")).success().text());
    assert_eq!(answers, ["node", "bun", "deno"]);
    let again = host.ship(["deploy"]).within(project.folder()).run().success();
    assert_eq!(again.url(), url, "nothing has changed");
}

/// What is wrong is shown with its place: a mistake in a file, and imports that could only be fetched.
#[test]
fn mistakes() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("ship.toml", "[functions.\"**\"]\nruntime = \"deno\"\n")
        .file("api/a.ts", "export function GET() {\n  return new Response('a';\n}\n");
    let build = || environment.ship(["build"]).within(project.folder()).run().exits_with(1).snapshot().to_owned();
    insta::assert_snapshot!(build(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the functions cannot be bundled:
    api/a.ts:2:26: Expected `,` or `)` but found `;`
     2 |   return new Response('a';
       |                          ^
    ");
    project.write(
        "api/a.ts",
        "import { serve } from 'https://deno.land/std/http/server.ts';\nimport { z } from \"npm:zod@4\";\n\
         import { join } from 'jsr:@std/path';\nimport { Database } from 'bun:sqlite';\nexport default () => serve(z, join, Database);\n",
    );
    insta::assert_snapshot!(build(), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the functions cannot be bundled:
    api/a.ts:1:23: `https://deno.land/std/http/server.ts` is not fetched: install it as a package, or keep a copy beside the function
     1 | import { serve } from 'https://deno.land/std/http/server.ts';
       |                       ^
    api/a.ts:2:19: `npm:zod@4` is not installed, and nothing is fetched when a function runs: `npm install zod`
     2 | import { z } from "npm:zod@4";
       |                   ^
    api/a.ts:3:22: `jsr:@std/path` is not installed, and nothing is fetched when a function runs: `npx jsr add @std/path`
     3 | import { join } from 'jsr:@std/path';
       |                      ^
    api/a.ts:4:26: `bun:sqlite` is a part of Bun: have `"bunVersion": "1.x"` in vercel.json, or `runtime = "bun"` in ship.toml
     4 | import { Database } from 'bun:sqlite';
       |                          ^
    "#);
}
