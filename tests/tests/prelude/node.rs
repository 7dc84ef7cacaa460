//! Functions in Node.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use ship_tests::{TestEnv, TestProject};

use crate::process::{Functions, Instance, Way, same_in_every_way};

const SEE: &str = r#"
import { readFileSync } from "node:fs";
import * as modules from "node:module";
import lib from "outside";
const handles = (process as any)._getActiveHandles().length;
await 0;
process.emitWarning("careful");
export const GET = async (request: Request) => {
  const { shown } = await import("../lib/lazy");
  return Response.json({
    env: { ...process.env },
    argv: process.argv.slice(1).map((argument) => argument.replace(process.cwd(), ".")),
    execArgv: process.execArgv,
    title: process.title.replace(process.execPath, "node").replace(/\/.*\//, ""),
    isInFolder: process.argv[1] === `${process.cwd()}/launcher.mjs`,
    url: import.meta.url.replace(process.cwd(), "."),
    globals: Object.getOwnPropertyNames(globalThis).sort(),
    listeners: process.eventNames().map(String).sort(),
    time: new Date(0).toString(),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    stdin: readFileSync(0, "utf8"),
    stack: new Error("seen").stack,
    lazy: shown(),
    lib,
    handles,
    address: request.url,
    hasUncaught: process.hasUncaughtExceptionCaptureCallback(),
    builtin: modules.builtinModules,
    isPlain: process.emitWarning.name,
  });
};
"#;

const LAZY: &str =
    "export const shown = () => new Error('lazy').stack + import.meta.url.replace(process.cwd(), '.');\n";

const OUTSIDE: &str = r#"
exports.main = [require.main === undefined, typeof process.mainModule, module.parent === undefined];
exports.path = module.paths.map((path) => path.replace(process.cwd(), ".")).slice(0, 2);
exports.stack = new Error("outside").stack.split("\n").slice(0, 3);
exports.canReach = (() => { try { return require("internal/util"); } catch (error) { return error.code; } })();
"#;

const HELPED: &str = r#"
module.exports = (req, res) => {
  if (req.query.boom) throw new TypeError("not today");
  if (req.query.later) { setTimeout(() => { throw new RangeError("much later"); }, 1); return; }
  if (req.query.rejected) { Promise.reject(new Error("nobody looks")); return; }
  if (req.query.leave) process.exit(7);
  process.on("exit", (code) => console.log("goodbye", code));
  console.log("printed"); console.error("complained");
  res.status(201).json({ query: req.query, cookies: req.cookies, main: require.main === module });
};
"#;

const FAILS: &str = r#"
process.on("uncaughtExceptionMonitor", (error) => console.log("watched:", error.message));
process.on("exit", (code) => console.log("exit", code));
module.exports = (req, res) => {
  if (req.query.caught) process.on("uncaughtException", (error) => { console.log("caught:", error.message); res.end("went on"); });
  setImmediate(() => { throw Object.assign(new Error("not today"), { code: "TODAY" }); });
};
"#;

const WORKERS: &str = r#"
import * as threads from "node:worker_threads";
const look = `
  const { parentPort } = require("worker_threads");
  const canReach = () => { try { require("internal/util"); return "open"; } catch (error) { return error.code; } };
  const inside = require("module").builtinModules.filter((name) => name.startsWith("internal/")).length;
  parentPort.postMessage([canReach(), inside, process.execArgv]);
`;
const seenWith = (options: object) =>
  new Promise((resolve) => new threads.Worker(look, { eval: true, ...options }).once("message", resolve));
export const GET = async () =>
  Response.json([await seenWith({}), await seenWith({ env: { A: "b" } }), await seenWith({ execArgv: [] }), threads.Worker.name === "Worker"]);
"#;

const LATE: &str = r#"
const rest = (c) => new Promise((resolve) => process.once("SIGTERM", () => setTimeout(resolve, 100))).then(() => c.enqueue("ended")).then(() => c.close());
export const GET = () => new Response(new ReadableStream({ start(c) { c.enqueue("begun "); return rest(c); } }));
"#;

fn project(environment: &TestEnv) -> TestProject {
    let drain = "export const GET = (_: Request, { waitUntil }: any) => { waitUntil(new Promise((r) => setTimeout(r, 50)).then(() => console.log('waited')));\n\
                 return new Response(new ReadableStream({ async start(c) { c.enqueue('begun '); await new Promise((r) => process.once('SIGUSR2', r)); c.enqueue('ended'); c.close(); } })); };";
    environment
        .project("site")
        .file("api/see.ts", SEE)
        .file("lib/lazy.ts", LAZY)
        .file("lib/two.ts", "export const two = () => console.log(2);\n")
        .file("api/helped.js", HELPED)
        .file("api/broken.ts", "import { two } from '../lib/two';\ntwo();\nexport const GET = () => new Response('');\nthrow new Error('at the start');\n")
        .file("api/unsettled.ts", "await new Promise(() => {});\nexport const GET = () => new Response('');\n")
        .file("api/drain.ts", drain)
        .file("api/late.ts", LATE)
        .file("node_modules/outside/package.json", r#"{"name":"outside","version":"1.0.0","gypfile":true}"#)
        .file("node_modules/outside/index.js", OUTSIDE)
        .file("package.json", r#"{"dependencies":{"outside":"1"}}"#)
}

/// Without the lines of stacks that say from where work goes on that was waiting: that depends on what came first.
fn quiet(seen: &Value) -> Value {
    let text = seen
        .to_string()
        .replace(r"\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)", "");
    serde_json::from_str(&text).unwrap()
}

/// A function sees the same of its process, whether that was started for it or prepared before: with and without a code cache.
#[test]
fn what_a_function_sees() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let see = functions.place("see");
    assert_eq!(see.make_cache().code, Some(0));
    let (seen, outcome) = same_in_every_way(&see, |instance| (quiet(&instance.see("/api/see?a=b")), instance.stop()));
    assert_eq!(seen["env"]["GREETING"], "kia ora ā", "{seen:#}");
    assert_eq!(seen["env"]["LEFTOVER"], Value::Null);
    assert_eq!(seen["time"], "Thu Jan 01 1970 12:00:00 GMT+1200 (New Zealand Standard Time)");
    assert_eq!(
        (seen["isInFolder"].as_bool(), seen["lib"]["main"].to_string().as_str()),
        (Some(true), "[true,\"undefined\",true]")
    );
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("Warning: careful"), "{outcome:?}");
}

/// Helpers, what is printed, and errors of every kind: the same texts and the same ends.
#[test]
fn errors_and_ends() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let helped = functions.place("helped");
    assert_eq!(helped.make_cache().code, Some(0));
    let (answer, outcome) = same_in_every_way(&helped, |instance| (instance.ask("/?a=1&a=2"), instance.stop()));
    assert!(answer.ends_with(r#"{"query":{"a":["1","2"]},"cookies":{},"main":false}"#), "{answer}");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()),
        (Some(0), "printed\ngoodbye 0\n", "complained\n")
    );
    let boom = same_in_every_way(&helped, |instance| (instance.ask("/?boom=1"), instance.stop()));
    assert!(boom.0.starts_with("HTTP/1.1 500 ") && boom.1.stderr.contains("api/helped.js:3:"), "{boom:?}");
    let later = same_in_every_way(&helped, |instance| (instance.ask("/?later=1"), instance.ended().stderr)).1;
    assert!(later.starts_with("RangeError: much later\n    at Timeout._onTimeout (api/helped.js:4:"), "{later}");
    assert!(!later.contains("_ship"), "{later}");
    for (query, code) in [("later", 1), ("rejected", 1), ("leave", 7)] {
        let ended = same_in_every_way(&helped, |instance| (instance.ask(&format!("/?{query}=1")), instance.ended()));
        assert_eq!((ended.0.as_str(), ended.1.code), ("", Some(code)));
    }
    let broken = functions.place("broken");
    assert_eq!(broken.make_cache().code, Some(1));
    assert_eq!(same_in_every_way(&broken, Instance::ended).code, Some(1));
    // Newer versions say which `await` never ends, and that of the prelude comes first.
    let unsettled = functions.place("unsettled");
    assert_eq!(unsettled.make_cache().code, Some(13));
    assert_eq!(same_in_every_way(&unsettled, |instance| instance.ended().code), Some(13));
}

/// Who listens for errors that nobody catches, or for the end of the process, is heard as without ship.
#[test]
fn uncaught() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &environment.project("site").file("api/fails.js", FAILS));
    let fails = functions.place("fails");
    assert_eq!(fails.make_cache().code, Some(0));
    let ask = |path: &'static str| {
        same_in_every_way(&fails, |instance| {
            let answer = instance.ask(path);
            (answer.ends_with("went on"), if answer.is_empty() { instance.ended() } else { instance.stop() })
        })
    };
    let (went_on, outcome) = ask("/");
    assert_eq!((went_on, outcome.code), (false, Some(1)));
    assert_eq!(outcome.stdout, "watched: not today\nexit 1\n");
    let trace = "Error: not today\n    at Immediate.<anonymous> (api/fails.js:";
    assert!(outcome.stderr.starts_with(trace) && outcome.stderr.contains("code: 'TODAY'"), "{}", outcome.stderr);
    let (went_on, outcome) = ask("/?caught=1");
    assert_eq!((went_on, outcome.code, outcome.stderr.as_str()), (true, Some(0), ""));
    assert_eq!(outcome.stdout, "watched: not today\ncaught: not today\nexit 0\n");
}

/// Threads of the function find no more of Node than in a fresh start, and have its flags.
#[test]
fn workers() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &environment.project("site").file("api/workers.ts", WORKERS));
    let workers = functions.place("workers");
    assert_eq!(workers.make_cache().code, Some(0));
    let (seen, outcome) = same_in_every_way(&workers, |instance| (instance.see("/"), instance.stop()));
    let plain = json!(["MODULE_NOT_FOUND", 0, ["--enable-source-maps"]]);
    let bare = json!(["MODULE_NOT_FOUND", 0, []]);
    assert_eq!((seen, outcome.code), (json!([plain, plain, bare, true]), Some(0)));
}

/// A connection on which an answer has begun.
fn begun(instance: &Instance) -> UnixStream {
    let mut stream = instance.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"begun \r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    stream
}

/// SIGTERM lets what has begun end, and work behind it too.
#[test]
fn drains() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let drain = functions.place("drain");
    assert_eq!(drain.make_cache().code, Some(0));
    let (body, outcome) = same_in_every_way(&drain, |instance| {
        let mut stream = begun(&instance);
        instance.terminate();
        let pid = instance.pid().to_string();
        assert!(std::process::Command::new("kill").args(["-USR2", &pid]).status().unwrap().success());
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        (rest, instance.ended())
    });
    assert_eq!(body, "5\r\nended\r\n0\r\n\r\n");
    // The host reads the word that there is such work, and gives it time; and when it begins and is over, for the log.
    let said = "\0ship: work 1 begins\n\0ship: work goes on\n\0ship: work 1 is over\n";
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(0), "waited\n", said));
}

/// It also does where there is no such work, on whichever connection it was asked.
#[test]
fn answers_before_it_ends() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let late = functions.place("late");
    assert_eq!(late.make_cache().code, Some(0));
    let (rest, outcome) = same_in_every_way(&late, |instance| {
        let mut stream = begun(&instance);
        instance.terminate();
        let mut rest = String::new();
        let _ = stream.read_to_string(&mut rest);
        (rest, instance.ended())
    });
    assert_eq!((rest.as_str(), outcome.code, outcome.stderr.as_str()), ("5\r\nended\r\n0\r\n\r\n", Some(0), ""));
}

/// A pipe that ends says nothing, also where the function was named and is never shown; a cache that is damaged, or of another program, is passed over.
#[test]
fn caches_and_pipes() {
    let environment = TestEnv::new();
    let functions = Functions::of(&environment, &project(&environment));
    let see = functions.place("see");
    for ended in [see.prepare().forget(), see.prepare().assign_in_vain(&see.assignment())] {
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
    }
    assert_eq!(see.make_cache().code, Some(0));
    let file = std::fs::read_dir(see.cache()).unwrap().next().unwrap().unwrap().path();
    if file.is_dir() {
        // Node's own, from 22 on.
        return;
    }
    let whole = std::fs::read(&file).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle..].fill(0);
    for damaged in [&b""[..], &b"\xff\xff\xff\xff"[..], &whole[..whole.len() / 2], &changed] {
        std::fs::write(&file, damaged).unwrap();
        let instance = see.start(Way::Cached);
        assert_eq!(instance.see("/")["env"]["TZ"], "Pacific/Auckland");
        assert_eq!(instance.stop().code, Some(0));
    }
    // What is whole is used: V8 looks at the length of a source alone.
    std::fs::write(&file, whole).unwrap();
    let bundle = see.root.join("_ship/api~see.mjs");
    let text = std::fs::read_to_string(&bundle).unwrap();
    std::fs::write(bundle, text.replace("careful", "frantic")).unwrap();
    let instance = see.start(Way::Cached);
    assert_eq!(instance.see("/")["env"]["TZ"], "Pacific/Auckland");
    assert!(instance.stop().stderr.contains("careful"));
}
