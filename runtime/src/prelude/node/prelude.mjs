// Does all of Node's start that does not depend on the function, waits, and becomes `node launcher.mjs` of the function that it
// is told. The protocol is in mod.rs, in the folder above.

import { closeSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import * as modules from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import v8 from "node:v8";
import vm from "node:vm";
import zlib from "node:zlib";
import * as launcher from "./launcher.mjs";

const ASSIGNMENT_FD = 4;
const LINE_FEED = 10;
// What a pipe holds, and the empty line.
const LINE_BYTES = 64 * 1024 + 1;
// Sources that are kept beside what was compiled of them, together. Longer ones take longer to find there than to read.
const KEPT_SOURCE_CHARACTERS = 16 * 1024;
// The first of them compiles what the others find compiled. More would make V8 optimize in the background while the first visitor
// waits.
const REHEARSALS = 2;
// One for each kind of handler.
const REHEARSED = ["web", "plain"];
const VISITS = 2;

// That of the process: looking at `process.env` takes longer.
let environment = {};

async function main() {
  const connection = inheritedConnection();
  // What V8 learns from a function's first calls, it would begin to keep with the eighth.
  v8.setFlagsFromString("--no-lazy-feedback-allocation");
  // The first local time looks for the time zone.
  new Date().getMilliseconds();
  // Whatever socket is closed is compared with it, which would open it.
  const stderr = Object.getOwnPropertyDescriptor(process, "stderr");
  Object.defineProperty(process, "stderr", { configurable: true, value: { write() {} } });
  const timers = innerTimers();
  const loader = fasterLoader();
  for (const name of REHEARSED) {
    let cache;
    for (let count = 0; count < REHEARSALS; count++) cache = await rehearse(loader, `./rehearsal/${name}.mjs?${count}`, cache);
  }
  environment = { ...process.env };
  for (let count = 0; count < REHEARSALS; count++) rehearseHearing();
  v8.setFlagsFromString("--lazy-feedback-allocation");
  await timers?.bringForward();
  // What was closed is gone some turns later.
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  Object.defineProperty(process, "stderr", stderr);
  process.execArgv = plainFlags();
  launcher.makeServer();
  loader?.stand();
  emptyNursery();
  const hear = hearing((heard, end) => readSync(ASSIGNMENT_FD, heard, end, heard.length - end, null));
  const assignment = JSON.parse(hear());
  setEnvironment(assignment.env);
  hear();
  closeSync(ASSIGNMENT_FD);
  await become(assignment, loader, { connection });
}

// The connection of the first request, if this process has it from its start. It is not read before somebody serves it.
function inheritedConnection() {
  const descriptor = process.argv[2];
  if (descriptor === undefined) return undefined;
  const options = { readable: true, writable: true, allowHalfOpen: true, manualStart: true };
  // Whoever looks at what is open finds what a fresh start has.
  return new net.Socket({ fd: Number(descriptor), ...options }).unref();
}

// Gives one line of what this process is told after the other, and ends it where there is none.
function hearing(read) {
  const heard = Buffer.allocUnsafe(LINE_BYTES);
  let [begin, end] = [0, 0];
  return () => {
    let over;
    while ((over = heard.subarray(0, end).indexOf(LINE_FEED, begin)) < 0) {
      const count = read(heard, end);
      if (count === 0) process.exit(0);
      end += count;
    }
    const line = heard.toString("utf8", begin, over);
    begin = over + 1;
    return line;
  };
}

// What the rehearsals left would be collected while the first visitor waits.
function emptyNursery() {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc");
  v8.setFlagsFromString("--no-expose-gc");
  collect({ type: "minor" });
}

function setEnvironment(env) {
  for (const name of Object.keys(environment)) if (!(name in env)) delete process.env[name];
  // Setting some of them has consequences, such as to forget what was known of the time zone.
  for (const [name, value] of Object.entries(env)) if (environment[name] !== value) process.env[name] = value;
}

async function become({ root, launch, code_cache: cache, make_code_cache: isMaking = false }, loader, { address, connection }) {
  process.chdir(root);
  process.argv.splice(1, process.argv.length, `${root}/launcher.mjs`);
  const url = pathToFileURL(`${root}/`).href;
  if (cache === undefined || isMaking) loader?.stepAside();
  const save = cache === undefined ? undefined : useCache(loader, cache, isMaking);
  loader?.readAtOnce(url);
  if (launch === undefined) {
    await import(`${url}launcher.mjs`);
    connection?.destroy();
  } else {
    await launcher.launch(launch, url, { load: loader?.load, address, connection, hidden: [import.meta.url] });
  }
  if (isMaking && address === undefined) {
    save?.();
    process.exit(0);
  }
}

// ---- Rehearsals: a function is run and asked, because what is done for the first time takes longest.

// Runs a function of this folder and takes it back. Gives a code cache for the next time.
async function rehearse(loader, entry, cache) {
  // A file, because names that are none can be asked by whoever sees the machine's network.
  const address = `${tmpdir()}/ship-prelude-${process.pid}-${process.hrtime.bigint()}`;
  const root = fileURLToPath(new URL(".", import.meta.url)).slice(0, -1);
  const env = { ...process.env, SHIP_LISTEN_FD: "3" };
  const launch = { entry, isEdge: false, isMiddleware: false, helpers: "all" };
  const isMaking = cache === undefined;
  environment = { ...process.env };
  setEnvironment(env);
  const [connection, visitor] = await connected(address);
  launcher.makeServer();
  const assignment = { root, launch, code_cache: cache ?? "", make_code_cache: isMaking };
  await become(assignment, loader, { address: { path: address }, connection });
  await visit(visitor);
  for (let count = 0; count < VISITS; count++) await visit(net.connect(address));
  const made = isMaking ? loader?.savedForRehearsals() : cache;
  await launcher.takeBack();
  loader?.takeBack();
  return made;
}

// Is told who it is, as if it were.
function rehearseHearing() {
  const env = { ...environment, SHIP_LISTEN_FD: "3" };
  const said = Buffer.from(`${JSON.stringify({ env })}\n\n`);
  const pieces = [said.subarray(0, -1), said.subarray(-1)];
  const hear = hearing((heard, end) => pieces.shift().copy(heard, end));
  const assignment = JSON.parse(hear());
  setEnvironment(assignment.env);
  hear();
  closeSync(openSync("/dev/null"));
  for (const name of Object.keys(env)) if (!(name in environment)) delete process.env[name];
}

// Both ends of a connection, and nobody listens.
async function connected(address) {
  const listener = net.createServer({ allowHalfOpen: true });
  await new Promise((resolve) => listener.listen(address, resolve));
  const visitor = net.connect(address);
  const connection = await new Promise((resolve) => listener.once("connection", resolve));
  listener.close();
  return [connection, visitor];
}

function visit(visitor) {
  const lines = [
    "GET /?a=b HTTP/1.1",
    "host: x",
    "x-forwarded-for: 127.0.0.1",
    "x-forwarded-proto: http",
    "cookie: a=b",
    "connection: close",
  ];
  return new Promise((resolve) => {
    visitor.on("error", resolve).on("close", resolve).resume();
    visitor.write(`${lines.join("\r\n")}\r\n\r\n`);
  });
}

// ---- Modules. From 22.10 on Node has a code cache for them. Node 20 has what it takes, out of reach: its line has ended, so what is
// inside does not change any more. Where something is not as it was there, modules are loaded as always.

function fasterLoader() {
  const { emitWarning } = process;
  try {
    process.emitWarning = () => {};
    closeInsideOfWorkers();
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

// The flags of a fresh start.
function plainFlags() {
  return process.execArgv.filter((argument) => argument !== "--expose-internals");
}

// Workers that are told no flags have those that this process was started with, whatever `process.execArgv` says by now. Node's class
// of workers takes this one for its own when it is first asked for.
function closeInsideOfWorkers() {
  const flags = plainFlags();
  const binding = inside("test/binding").internalBinding("worker");
  const Plain = binding.Worker;
  binding.Worker = class Worker extends Plain {
    constructor(url, env, given, ...rest) {
      super(url, env, given ?? flags, ...rest);
    }
  };
}

// What Node has set itself for later while there were rehearsals would be done while the first visitor waits: the date of answers, for one,
// is forgotten within a second.
function innerTimers() {
  try {
    const { timerListMap: lists } = inside("timers");
    const { peek } = inside("linkedlist");
    return { bringForward: () => bringForward(lists, peek) };
  } catch {
    return undefined;
  }
}

async function bringForward(lists, peek) {
  const set = [];
  for (const list of Object.values(lists)) {
    for (let timer = peek(list); timer; timer = peek(list)) {
      set.push(timer._onTimeout);
      clearTimeout(timer);
    }
  }
  for (const run of set) setTimeout(run, 1);
  await new Promise((resolve) => setTimeout(resolve, 1));
}

class Loader {
  // What was compiled earlier, by URL, and what of.
  cached = new Map();
  texts = new Map();
  isStanding = false;
  // The sources of what was compiled now, if they are wanted.
  sources;

  constructor() {
    Object.assign(this, inside("modules/esm/utils"));
    this.binding = inside("test/binding").internalBinding("module_wrap");
    this.symbols = inside("test/binding").internalBinding("symbols");
    this.esm = inside("modules/esm/loader").getOrInitializeCascadedLoader();
    this.plainLoad = this.esm.load;
    this.plainResolve = this.esm.resolve;
    this.translators = inside("modules/esm/translators").translators;
    this.translate = this.translators.get("module");
    const parts = [this.translate, this.plainLoad, this.plainResolve, this.registerModule, this.compileSourceTextModule, this.initializeESM, zlib.crc32];
    if (!parts.every((part) => typeof part === "function")) throw new Error("this is another Node");
  }

  // Has modules compiled here, and finds those that were compiled earlier.
  stand() {
    if (this.isStanding) return;
    this.standBetween();
    this.importFromCached();
    this.isStanding = true;
  }

  standBetween() {
    const own = this;
    this.translators.set("module", function (url, source, ...rest) {
      return own.compiled(url, source) ?? own.compiling(url, source, (text) => own.translate.call(this, url, text, ...rest));
    });
  }

  // Has modules compiled as always.
  stepAside() {
    if (!this.isStanding) return;
    this.translators.set("module", this.translate);
    this.initializeESM();
    this.isStanding = false;
  }

  // Has modules compiled and loaded as always.
  takeBack() {
    this.esm.load = this.plainLoad;
    this.esm.resolve = this.plainResolve;
    this.translators.set("module", this.translate);
    this.cached.clear();
    this.texts.clear();
    this.sources = undefined;
    this.isStanding = false;
    this.initializeESM();
  }

  // A module by its URL. It is a file below what is read at once, so nothing is looked for.
  load = (module) => {
    const { plainResolve } = this;
    this.esm.resolve = function (wanted, ...rest) {
      return wanted === module ? { __proto__: null, format: "module", url: module } : plainResolve.call(this, wanted, ...rest);
    };
    return this.esm.import(module, module, { __proto__: null });
  };

  // Files below `url` are read at once, not by other threads.
  readAtOnce(url) {
    const own = this;
    this.esm.load = async function (wanted, context) {
      if (context?.format !== "module" || !wanted.startsWith(url)) return own.plainLoad.call(this, wanted, context);
      return { __proto__: null, format: "module", responseURL: wanted, source: own.texts.get(wanted) ?? readFileSync(new URL(wanted)) };
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

  open(bytes) {
    // V8 looks at the first bytes alone, and trusts the others.
    if (zlib.crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) return;
    let at = 8 + bytes.readUInt32LE(4);
    for (const [url, size, text] of JSON.parse(bytes.toString("utf8", 8, at))) {
      this.cached.set(url, bytes.subarray(at, at + size));
      if (text !== undefined) this.texts.set(url, text);
      at += size;
    }
  }

  // What V8 has of a module now, lazily compiled functions included: it gives the same code to whoever compiles the same again.
  compiledNow() {
    const again = (url, text) => this.compileSourceTextModule(url, text, this.esm).createCachedData();
    return [...this.sources].map(([url, text]) => [url, again(url, text)]);
  }

  // What is rehearsed has another name each time, so that it is loaded each time.
  savedForRehearsals() {
    for (const [url, text] of [...this.sources]) {
      for (let count = 1; count < REHEARSALS; count++) this.sources.set(url.replace(/[?]0$/, `?${count}`), text);
    }
    return this.saved();
  }

  saved() {
    const parts = this.compiledNow();
    let characters = 0;
    for (const text of this.sources.values()) characters += text.length;
    const kept = (url) => (characters > KEPT_SOURCE_CHARACTERS ? undefined : this.sources.get(url));
    const index = Buffer.from(JSON.stringify(parts.map(([url, data]) => [url, data.length, kept(url)].filter(isThere))));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(index.length);
    const content = Buffer.concat([size, index, ...parts.map(([, data]) => data)]);
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(zlib.crc32(content));
    return Buffer.concat([sum, content]);
  }
}

function isThere(value) {
  return value !== undefined;
}

// Uses what was compiled earlier, which is in the folder `cache`, or `cache` itself. Gives what writes it, if it is being made.
function useCache(loader, cache, isMaking) {
  if (loader === undefined) {
    if (cache !== "") modules.enableCompileCache?.(cache);
    return () => modules.flushCompileCache?.();
  }
  const file = `${cache}/modules`;
  if (isMaking) {
    loader.sources = new Map();
    loader.standBetween();
    return () => writeFileSync(file, loader.saved());
  }
  try {
    loader.open(typeof cache === "string" ? readFileSync(file) : cache);
    loader.stand();
  } catch {
    loader.cached.clear();
  }
  return undefined;
}

await main();
