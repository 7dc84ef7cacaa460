// Does all of Node's start that does not depend on the function, waits, and becomes `node launcher.mjs` of the function that it
// is told. The protocol is in mod.rs, beside this file.

import { closeSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import * as modules from "node:module";
import net from "node:net";
import "node:os";
import v8 from "node:v8";
import vm from "node:vm";
import zlib from "node:zlib";

const ASSIGNMENT_FD = 4;
// What the launchers do for each request is done this often beforehand. More makes V8 optimize in the background while the first
// visitor waits.
const REHEARSALS = 8;

async function main() {
  for (let count = 0; count < REHEARSALS; count++) {
    await rehearse(answerPlainly);
    await rehearse(answerFromWeb);
  }
  const loader = fasterLoader();
  await loader?.rehearse();
  await new Promise(setImmediate);
  emptyNursery();
  const text = readFileSync(ASSIGNMENT_FD, "utf8");
  if (text === "") process.exit(0);
  await become(JSON.parse(text), loader);
}

// What the rehearsals left would be collected while the first visitor waits.
function emptyNursery() {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc");
  v8.setFlagsFromString("--no-expose-gc");
  collect({ type: "minor" });
}

async function become({ root, env, code_cache: cache, make_code_cache: isMaking = false }, loader) {
  closeSync(ASSIGNMENT_FD);
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(root);
  process.argv.splice(1, process.argv.length, `${root}/launcher.mjs`);
  process.execArgv = process.execArgv.filter((argument) => argument !== "--expose-internals");
  const url = new URL(`file://${root}/`).href;
  const save = cache === undefined ? undefined : useCache(loader, cache, isMaking, url);
  loader?.readAtOnce(url);
  await import(`${url}launcher.mjs`);
  if (isMaking) {
    save?.();
    process.exit(0);
  }
}

// ---- Rehearsals: functions of Node's own that requests go through are compiled when they are first called.

async function rehearse(answer) {
  // A name that is no file, and ends with the process.
  const address = `\0ship-prelude-${process.pid}`;
  const server = http.createServer(answer);
  try {
    await new Promise((resolve, reject) => server.once("error", reject).listen(address, resolve));
  } catch {
    return;
  }
  await new Promise((resolve) => {
    const visitor = net.connect(address);
    visitor.on("error", resolve).on("close", resolve).resume();
    visitor.write("GET /?a=b HTTP/1.1\r\nhost: x\r\nx-a: b\r\nconnection: close\r\n\r\n");
  });
  await new Promise((resolve) => server.close(resolve));
}

function answerPlainly(request, response) {
  // The date of a head is kept for a second of the event loop, and the loop is about to stand still.
  response.sendDate = false;
  response.statusCode = 200;
  response.setHeader("content-type", "application/json; charset=utf-8");
  const body = Buffer.from(JSON.stringify({ query: [...new URLSearchParams(request.url.slice(2))] }));
  response.setHeader("content-length", body.length);
  response.end(body);
}

async function answerFromWeb(request, response) {
  response.sendDate = false;
  const abort = new AbortController();
  response.once("close", () => {});
  const headers = new Headers();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    headers.append(request.rawHeaders[index], request.rawHeaders[index + 1]);
  }
  const asked = new Request(`http://x${request.url}`, { method: request.method, headers, signal: abort.signal });
  const answer = Response.json({ url: asked.url }, { headers: { "x-a": headers.get("x-a") } });
  for (const [name, value] of answer.headers) response.setHeader(name, value);
  answer.headers.getSetCookie();
  const reader = answer.body.getReader();
  response.once("close", () => reader.cancel().catch(() => {}));
  const first = await reader.read();
  const following = reader.read();
  following.then(() => {}).catch(() => {});
  await new Promise(setImmediate);
  response.end(first.value);
}

// ---- Modules. From 22.10 on Node has a code cache for them. Node 20 has what it takes, out of reach: its line has ended, so what is
// inside does not change any more. Where something is not as it was there, modules are loaded as always.

function fasterLoader() {
  const { emitWarning } = process;
  try {
    process.emitWarning = () => {};
    return process.version.startsWith("v20.") ? new Loader() : undefined;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
    closeInside();
  }
}

const require = modules.createRequire(import.meta.url);

function inside(name) {
  return require(`internal/${name}`);
}

// Functions find no more of Node than in a fresh start.
function closeInside() {
  const { constructor: BuiltinModule } = inside("modules/helpers").loadBuiltinModule("fs");
  const names = [...BuiltinModule.map.keys()].filter((name) => !name.startsWith("internal/"));
  BuiltinModule.setRealmAllowRequireByUsers(names);
  const Module = modules.default;
  Module.builtinModules = Object.freeze(Module.builtinModules.filter((name) => !name.startsWith("internal/")));
  BuiltinModule.map.get("module").syncExports();
}

class Loader {
  // What was compiled earlier, by URL.
  cached = new Map();
  // The sources of what was compiled now, if they are wanted.
  sources;

  constructor() {
    Object.assign(this, inside("modules/esm/utils"));
    this.binding = inside("test/binding").internalBinding("module_wrap");
    this.symbols = inside("test/binding").internalBinding("symbols");
    this.esm = inside("modules/esm/loader").getOrInitializeCascadedLoader();
    this.plainLoad = this.esm.load;
    this.translators = inside("modules/esm/translators").translators;
    this.translate = this.translators.get("module");
    const parts = [this.translate, this.plainLoad, this.registerModule, this.compileSourceTextModule, this.initializeESM, zlib.crc32];
    if (!parts.every((part) => typeof part === "function")) throw new Error("this is another Node");
  }

  // Has modules compiled here.
  standBetween() {
    const own = this;
    this.translators.set("module", function (url, source, ...rest) {
      return own.compiled(url, source) ?? own.compiling(url, source, (text) => own.translate.call(this, url, text, ...rest));
    });
  }

  // Imports this file, and then what was compiled of it.
  async rehearse() {
    const url = import.meta.url;
    this.readAtOnce(url);
    this.standBetween();
    this.sources = new Map();
    await import(`${url}?0`);
    const [[, compiled]] = this.compiledNow();
    this.sources = undefined;
    this.importFromCached();
    for (let count = 1; count <= 3; count++) {
      this.cached.set(`${url}?${count}`, compiled);
      await import(`${url}?${count}`);
    }
    this.cached.clear();
    this.translators.set("module", this.translate);
    this.initializeESM();
  }

  // Files below `url` are read at once, not by other threads.
  readAtOnce(url) {
    const own = this;
    this.esm.load = async function (wanted, context) {
      if (context?.format !== "module" || !wanted.startsWith(url)) return own.plainLoad.call(this, wanted, context);
      return { __proto__: null, format: "module", responseURL: wanted, source: readFileSync(new URL(wanted)) };
    };
  }

  // The module as it was compiled earlier. V8 refuses what another version or other flags made.
  compiled(url, source) {
    const cachedData = this.cached.get(url);
    if (cachedData === undefined) return undefined;
    try {
      const wrap = new this.binding.ModuleWrap(url, undefined, source.toString(), 0, 0, cachedData);
      const initializeImportMeta = (meta) => this.esm.importMetaInitialize(meta, { url });
      this.registerModule(wrap, { __proto__: null, initializeImportMeta });
      return wrap;
    } catch {
      return undefined;
    }
  }

  compiling(url, source, compile) {
    if (this.sources === undefined) return compile(source);
    const text = source.toString();
    this.sources.set(url, text);
    // Of the launcher all functions are wanted. Those of others lose the names that V8 infers, where nothing has called them.
    if (!url.endsWith("/launcher.mjs")) return compile(source);
    v8.setFlagsFromString("--no-lazy");
    try {
      return compile(source);
    } finally {
      v8.setFlagsFromString("--lazy");
    }
  }

  // V8 forgets who asks for `import()` in what was compiled earlier.
  importFromCached() {
    const { ModuleWrap, setImportModuleDynamicallyCallback: set } = this.binding;
    const answer = (symbol, specifier, attributes, referrer) => {
      if (symbol === undefined) return this.esm.import(specifier, referrer, attributes);
      // Everything else is Node's own affair: the question is asked again, of Node.
      const asking = new ModuleWrap(referrer ?? "", undefined, "export default (name, options) => import(name, options)", 0, 0, symbol);
      asking.instantiate();
      asking.evaluate(-1, false);
      this.initializeESM();
      try {
        return asking.getNamespace().default(specifier, { with: attributes });
      } finally {
        set(answer);
      }
    };
    set(answer);
  }

  open(file) {
    const bytes = readFileSync(file);
    // V8 looks at the first bytes alone, and trusts the others.
    if (zlib.crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) return;
    let at = 8 + bytes.readUInt32LE(4);
    for (const [url, size] of JSON.parse(bytes.toString("utf8", 8, at))) {
      this.cached.set(url, bytes.subarray(at, at + size));
      at += size;
    }
  }

  // What V8 has of a module now, lazily compiled functions included: it gives the same code to whoever compiles the same again.
  compiledNow() {
    const again = (url, text) => this.compileSourceTextModule(url, text, this.esm).createCachedData();
    return [...this.sources].map(([url, text]) => [url, again(url, text)]);
  }

  saved() {
    const parts = this.compiledNow();
    const index = Buffer.from(JSON.stringify(parts.map(([url, data]) => [url, data.length])));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(index.length);
    const content = Buffer.concat([size, index, ...parts.map(([, data]) => data)]);
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(zlib.crc32(content));
    return Buffer.concat([sum, content]);
  }
}

// Uses what was compiled earlier, in the folder `cache`. Gives what writes it, if it is being made.
function useCache(loader, cache, isMaking, url) {
  if (loader === undefined) {
    modules.enableCompileCache?.(cache);
    return () => modules.flushCompileCache?.();
  }
  const file = `${cache}/modules`;
  if (isMaking) {
    loader.sources = new Map();
    loader.standBetween();
    return () => writeFileSync(file, loader.saved());
  }
  try {
    loader.open(file);
    loader.standBetween();
    loader.importFromCached();
  } catch {
    loader.cached.clear();
  }
  return undefined;
}

// This file imports itself to rehearse imports.
if (new URL(import.meta.url).search === "") await main();
