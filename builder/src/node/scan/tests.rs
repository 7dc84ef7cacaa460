//! Which modules are functions, and what their exports say.

use super::*;
use crate::node::Helpers;

fn is_function(text: &str) -> bool {
    scan("api/a.ts", text).is_function
}

fn near(text: &str) -> Option<(usize, String)> {
    let scan = scan("api/a.ts", text);
    assert!(!scan.is_function, "{text}");
    scan.near.map(|near| (near.line, near.found))
}

/// What can answer a request is a function, in each of the ways of saying so.
#[test]
fn functions() {
    for text in [
        "export default function (req, res) {}",
        "export default async (req: Request) => new Response('')",
        "const app = make();\nexport default app;",
        "import { app } from './app';\nexport default app;",
        "export default handle(app)",
        "export default { fetch(request) { return new Response('') } }",
        "export default { async fetch(request: Request) { return new Response('') } } satisfies Handler",
        "const worker = { fetch: answer };\nexport { worker as default };",
        "export function GET() {}",
        "export const POST = async () => {}",
        "export const DELETE = withAuth(answer)",
        "export const fetch = (request: Request) => new Response('')",
        "const answer = () => {};\nexport { answer as PATCH };",
        "export { GET } from '../lib/answers'",
        "export { default } from '../lib/answers'",
        "export * from '../lib/answers'",
        "module.exports = (req, res) => {}",
        "module.exports = app",
        "module.exports = { GET, POST }",
        "module.exports = { default: (req, res) => {} }",
        "exports.GET = () => {}",
        "exports.default = module.exports = function (req, res) {}",
        "export = handler",
        "createServer((req, res) => res.end()).listen(3000)",
        "const app = express();\nif (!process.env.VERCEL) { app.listen(3000) }",
        "import { serve } from '@hono/node-server';\nserve(app)",
        "import { Hono } from 'hono';\nimport { serve as start } from 'srvx';\nconst server = start({ fetch: app.fetch, port })",
        "const { serve } = require('@hono/node-server');\nserve({ fetch: app.fetch, port: 3000 }, (info) => console.log(info.port))",
        "export default function (",
    ] {
        assert!(is_function(text), "{text}");
    }
}

/// A module asks for an interpreter in its first line, or by calling what only that one has; one that looks first what it runs
/// on asks for none.
#[test]
fn interpreters() {
    let asked = |text: &str| scan("api/a.ts", text).interpreter;
    let (bun, deno) = (Some(FunctionRuntime::Bun), Some(FunctionRuntime::Deno));
    assert_eq!(asked("#!/usr/bin/env bun\nexport default {}"), bun);
    assert_eq!(asked("#!/usr/bin/env -S deno run -A\nexport default ("), deno);
    assert_eq!(asked("#!/usr/bin/env node\nDeno.serve(answer)"), Some(FunctionRuntime::Node));
    assert_eq!(asked("const server = Bun.serve({ routes });\nconsole.log(server.url)"), bun);
    assert_eq!(asked("if (import.meta.main) { Deno.serve(answer) }"), deno);
    assert!(is_function("Deno.serve(() => new Response(''))"));
    for text in [
        "export default { fetch }",
        "if (globalThis.Bun) { Bun.serve({ fetch }) } else { serve(app) }",
        "typeof Deno === 'undefined' || Deno.serve(answer)",
        "export const start = () => Bun.serve({ fetch })",
        "const text = 'Deno.serve()'",
    ] {
        assert_eq!(asked(text), None, "{text}");
    }
}

/// What cannot answer one is a helper, and nothing is said about it.
#[test]
fn helpers() {
    for text in [
        "",
        "export const limit = 5;\nexport function format(date: Date) { return String(date) }",
        "export type GET = string;\nexport interface Handler { handler: string }",
        "export type { GET } from './types'",
        "export default interface Thing { name: string }",
        "export * as answers from './answers'",
        "const text = 'module.exports = 1; app.listen(3000); export default 5'",
        "// export default function () {}\nconst GET = 1",
        "exports.format = (date) => String(date)",
        "import { serve } from './dishes';\nserve(dinner)",
        "import { serve } from '@hono/node-server';\nimport type { Dish } from './dishes';\nexport { serve as start };",
        "const { serveStatic } = require('@hono/node-server');\nserveStatic({ root: '.' })",
    ] {
        assert_eq!(near(text), None, "{text}");
    }
}

/// What comes near is named with its line.
#[test]
fn near_exports() {
    let found = |line, found: &str| Some((line, found.to_owned()));
    assert_eq!(near("\nexport const handler = () => {}"), found(2, "it exports `handler`"));
    assert_eq!(near("export async function get() {}"), found(1, "it exports `get`"));
    assert_eq!(near("const a = 1;\nexport { a as post }"), found(2, "it exports `post`"));
    assert_eq!(near("exports.handler = async () => {}"), found(1, "it exports `handler`"));
    assert_eq!(near("export function Get() {}"), found(1, "it exports `Get`"));
    assert_eq!(near("\nfunction GET() {}"), found(2, "`GET` is not exported"));
    assert_eq!(near("exports = (req, res) => {}"), found(1, "assigning to `exports` exports nothing"));
    assert_eq!(scan("api/a.ts", "function GET() {}\nexport { GET };").near, None);
    assert_eq!(scan("api/a.js", "exports = module.exports = (req, res) => {}").near, None);
    assert_eq!(near("export const GET = 'x'"), found(1, "`GET` is not a function"));
    assert_eq!(near("export default class {}"), found(1, "its default export is a class"));
    assert_eq!(near("export default 'text'"), found(1, "its default export is not a function"));
    let object = "its default export is an object without `fetch`";
    assert_eq!(near("export default { name: 'x' }"), found(1, object));
    assert_eq!(near("const settings = { a: 1 } as const;\n\nexport default settings"), found(3, object));
    assert_eq!(near("module.exports = { a: 1 }"), found(1, object));
}

/// `config` sets what it says in literals within bounds, and nothing else.
#[test]
fn config() {
    let config = |text: &str| scan("api/a.ts", text).config;
    let text = "export const config = { runtime: 'edge', maxDuration: 300, memory: 1_024, regions: ['fra1'] } as const";
    let edge = OwnConfig { timeout_secs: Some(300), memory_mb: Some(1024), is_edge: true, helpers: Helpers::All };
    assert_eq!(config(text), edge);
    let node = "export const config = { runtime: 'nodejs', maxDuration: limit, memory: 1.5, helpers: false }";
    assert_eq!(config(node), OwnConfig { helpers: Helpers::None, ..OwnConfig::default() });
    let both = "export const config = { helpers: false, api: { bodyParser: false } }";
    assert_eq!(config(both), OwnConfig { helpers: Helpers::None, ..OwnConfig::default() });
    let next = "export const config = { api: { bodyParser: false }, maxDuration: 4000 }";
    assert_eq!(config(next), OwnConfig { helpers: Helpers::NoBody, ..OwnConfig::default() });
    assert_eq!(config("const config = { maxDuration: 5 }"), OwnConfig::default());
}

/// Each kind of file is read in its own syntax.
#[test]
fn syntaxes() {
    assert!(!scan("api/a.tsx", "export const view = <p>hello</p>").is_function);
    assert!(!scan("api/a.ts", "export const one = <number>1").is_function);
    assert!(!scan("api/a.mts", "export const one = <T,>(value: T) => value").is_function);
    assert!(!scan("api/a.cjs", "const a = require('a'); exports.value = a").is_function);
    assert!(!scan("api/a.js", "const a = require('a'); exports.value = <p/>").is_function);
}
