//! Variables that a host keeps: set without a trace, seen by the functions that they are for from the next publish on, read by nobody
//! else, and what becomes of them when the host's key is not there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};
use ship_tests::{TestEnv, TestHost, TestProject, http};

/// A function that answers with its environment, prints what it is asked to print, and waits where it is asked to.
const FUNCTION: &str = r#"
import { existsSync } from "node:fs";
console.log(`started with ${process.env.API_KEY}`);
export async function GET(request) {
  const url = new URL(request.url, "http://site");
  const name = url.searchParams.get("print");
  if (name) console.log(`the value of ${name} is <${process.env[name]}>.`);
  const form = url.searchParams.get("form");
  if (form) {
    const value = process.env[form];
    console.log(JSON.stringify({ json: value, twice: JSON.stringify({ value }) }));
    console.log(`https://api.example/?value=${encodeURIComponent(value)}&${new URLSearchParams({ value })}`);
  }
  if (url.searchParams.has("fail")) throw new Error(process.env.API_KEY);
  return Response.json(process.env);
}
"#;

/// The value that no file, answer or log may hold.
const SECRET: &str = "s3cr3t-value-of-the-key";

fn project(environment: &TestEnv) -> TestProject {
    let page = "<!doctype html><p>page";
    environment.project("site").on_branch("main").file("api/environment.js", FUNCTION).file("index.html", page)
}

struct Site<'e> {
    host: TestHost<'e>,
    project: TestProject,
}

impl<'e> Site<'e> {
    fn new(environment: &'e TestEnv) -> Self {
        Self { host: TestHost::start(environment), project: project(environment) }
    }

    fn ship(&self, words: &[&str]) -> ship_tests::ShipCommand<'e> {
        self.host.ship(words).within(self.project.folder())
    }

    #[track_caller]
    fn set(&self, words: &[&str], value: &str) {
        let _ = self.ship(&["env", "set"]).and(words).reading(value).run().success();
    }

    #[track_caller]
    fn deploy(&self, words: &[&str]) -> String {
        self.ship(&["deploy"]).and(words).run().success().url()
    }
}

/// What a function at `url` finds set under `name`.
#[track_caller]
fn seen(url: &str, name: &str) -> Value {
    http::get(&format!("{url}/api/environment")).success().json()[name].clone()
}

/// A value is read from standard input, is shown by no command and no answer, and stands in no file of the host but sealed.
#[test]
fn set_and_listed() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let set = site.ship(&["env", "set", "API_KEY", "--target", "production"]).reading(format!("{SECRET}\n")).run();
    insta::assert_snapshot!(set.snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Set API_KEY for production of site
    hint: functions find it set from the next `ship deploy` on
    ");
    site.set(&["VITE_API", "--plain"], "https://api.example.com");
    site.set(&["API_KEY", "--branch", "feature/a"], "of a branch");
    let json = site.ship(&["env", "ls", "--json"]).run().success().json();
    let row = |variable: &Value| {
        let fields = ["name", "target", "branch", "kind"].map(|field| variable[field].as_str().unwrap_or("-"));
        fields.join(" ")
    };
    let rows: Vec<String> = json["variables"].as_array().expect("a list").iter().map(row).collect();
    assert_eq!(
        rows,
        [
            "API_KEY production - secret",
            "API_KEY preview feature/a secret",
            "VITE_API production - plain",
            "VITE_API preview - plain",
        ]
    );
    let url = site.deploy(&[]);
    assert_eq!(seen(&url, "API_KEY"), SECRET);
    let inspected = site.ship(&["inspect", &url, "--json"]).run().success();
    assert!(!inspected.stdout().contains(SECRET));
    for (path, mode) in [("secrets.key", 0o600), ("state.db", 0o600)] {
        let metadata = fs::metadata(site.host.data().join(path)).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
    site.host.ask_to_end();
    let mut site = site;
    let _ = site.host.ended();
    assert_eq!(files_with(environment.folder(), SECRET.as_bytes()), [] as [String; 0]);

    site.host.start_again();
    let removed = site.ship(&["env", "rm", "API_KEY", "--target", "production"]).run();
    insta::assert_snapshot!(removed.snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Removed API_KEY for production of site
    hint: deployments that see it keep it until they are deployed again or removed
    ");
    assert_eq!(seen(&url, "API_KEY"), SECRET, "what runs stays what it was");
    assert_eq!(seen(&site.deploy(&[]), "API_KEY"), Value::Null);
    let again = site.ship(&["env", "rm", "API_KEY", "--target", "production", "--json"]).run();
    insta::assert_snapshot!(again.snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    {"error":{"kind":"project","exit_code":1,"code":"NOT_FOUND","message":"`API_KEY` is not set for that in the project `site`","details":[],"causes":[],"hints":["`ship env ls` shows what is set"],"places":[]}}
    ----- stderr -----
    "#);
}

/// Every file below `folder` that holds these bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is readable").flatten() {
        let kind = entry.file_type().expect("it has a type");
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), bytes));
        } else if kind.is_file() && fs::read(entry.path()).is_ok_and(|content| memmem(&content, bytes)) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

fn memmem(content: &[u8], bytes: &[u8]) -> bool {
    content.windows(bytes.len()).any(|window| window == bytes)
}

/// Names and values that no function can be given are refused when they are set, and say why.
#[test]
fn refused() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let attempt = |words: &[&str], value: &[u8]| {
        let output = site.ship(&["env", "set"]).and(words).reading(value).run();
        (output.code(), output.stderr().lines().next().unwrap_or_default().to_owned())
    };
    for name in ["SHIP_TOKEN", "VERCEL_ENV", "PATH", "NODE_OPTIONS", "LD_PRELOAD", "1A", "A-B"] {
        assert_eq!(attempt(&[name], b"x").0, Some(2), "{name}");
    }
    assert_eq!(attempt(&["A", "--branch", "b", "--target", "production"], b"x").0, Some(2));
    assert_eq!(
        attempt(&["A"], b"a\0b"),
        (Some(1), "error: the value has a NUL in it, which no environment can hold".to_owned())
    );
    assert_eq!(attempt(&["A"], b"\xff"), (Some(1), "error: the value of `A` is not UTF-8".to_owned()));
    let large = "x".repeat(30 * 1024);
    for name in ["A", "B"] {
        assert_eq!(attempt(&[name], large.as_bytes()).0, Some(0));
    }
    assert_eq!(
        attempt(&["C"], large.as_bytes()),
        (Some(1), "error: the variables have 92163 bytes, more than the 65536 that they may have together".to_owned())
    );
    let url = site.deploy(&[]);
    assert_eq!(seen(&url, "B"), large.as_str(), "what was taken starts");
    assert_eq!(seen(&url, "C"), Value::Null);
}

/// A branch's value goes before its target's, a target's before what stands in `vercel.json`, and the platform's own before all.
#[test]
fn order() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    site.project.write("vercel.json", r#"{"env": {"A": "file", "B": "file", "C": "file"}}"#);
    site.set(&["B", "--target", "preview"], "preview");
    site.set(&["C", "--target", "preview"], "preview");
    site.set(&["C", "--branch", "feature/a"], "branch\nof two lines");
    site.set(&["B", "--target", "production"], "production");
    let of = |url: &str| ["A", "B", "C"].map(|name| seen(url, name));
    assert_eq!(of(&site.deploy(&[])), ["file", "production", "file"]);
    site.project.write("index.html", "<p>another");
    assert_eq!(of(&site.deploy(&["--branch", "feature/b"])), ["file", "preview", "preview"]);
    let url = site.deploy(&["--branch", "feature/a"]);
    assert_eq!(of(&url), ["file", "preview", "branch\nof two lines"]);
    // The very same content, aimed at production.
    assert_eq!(of(&site.deploy(&["--prod"])), ["file", "production", "file"]);
    assert_eq!(seen(&url, "VERCEL_ENV"), "production");
}

/// What is set is seen after the next deploy, also of the same content, with no request lost; a rollback brings back what a
/// deployment ran with.
#[test]
fn changes() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    site.set(&["API_KEY"], "the first value");
    let first = site.deploy(&[]);
    assert_eq!(seen(&first, "API_KEY"), "the first value");
    site.set(&["API_KEY"], "the second value");
    assert_eq!(seen(&first, "API_KEY"), "the first value", "nothing changes before a deploy");
    let production = site.host.site_url("site");
    let values: Vec<Value> = thread::scope(|scope| {
        let visitors =
            (0..4).map(|_| scope.spawn(|| (0..40).map(|_| seen(&production, "API_KEY")).collect::<Vec<_>>()));
        let visitors: Vec<_> = visitors.collect();
        assert_eq!(site.deploy(&[]), first, "the same content is the same deployment");
        assert_eq!(seen(&production, "API_KEY"), "the second value", "from the moment on in which the deploy is done");
        visitors.into_iter().flat_map(|visitor| visitor.join().expect("no request failed")).collect()
    });
    assert!(values.iter().all(|value| value == "the first value" || value == "the second value"), "{values:?}");

    site.project.write("index.html", "<p>another");
    site.set(&["API_KEY"], "the third value");
    let second = site.deploy(&["--prod"]);
    assert_eq!(seen(&second, "API_KEY"), "the third value");
    let _ = site.ship(&["rollback"]).run().success();
    assert_eq!(seen(&production, "API_KEY"), "the second value");
    // A preview gets the values of previews, and those of production when it is promoted.
    site.set(&["API_KEY", "--target", "preview"], "the value of previews");
    site.project.write("index.html", "<p>a preview");
    let preview = site.deploy(&[]);
    assert_eq!(seen(&preview, "API_KEY"), "the value of previews");
    let _ = site.ship(&["promote", &preview]).run().success();
    assert_eq!(seen(&production, "API_KEY"), "the third value");
    // A function that does not start with the new value leaves the old one where it is.
    site.project.write("api/environment.js", format!("if (!process.env.API_KEY) throw new Error('no key');{FUNCTION}"));
    let strict = site.deploy(&["--prod"]);
    let _ = site.ship(&["env", "rm", "API_KEY"]).run().success();
    let refused = site.ship(&["deploy", "--prod"]).run().exits_with(1);
    assert!(refused.stderr().contains("does not start"), "{}", refused.stderr());
    assert_eq!(seen(&strict, "API_KEY"), "the third value");
}

/// What is rather a mistake is done and said: a project by a name that nothing is deployed under, and a value without a character.
#[test]
fn doubtful() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let _ = site.deploy(&[]);
    let unknown = site.ship(&["env", "set", "API_KEY", "--project", "sight"]).reading(SECRET).run();
    insta::assert_snapshot!(unknown.snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Set API_KEY for production and preview of sight
    warning: the host has no project `sight` yet: API_KEY waits for its first deployment
    hint: functions find it set from the next `ship deploy` on
    ");
    let empty = site.ship(&["env", "set", "API_KEY", "--project", "site"]).run();
    insta::assert_snapshot!(empty.snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Set API_KEY for production and preview of site
    warning: the value that was read for API_KEY is empty
    hint: functions find it set from the next `ship deploy` on
    ");
}

/// What a function prints of its secrets is hidden in its log and in error messages; what is plain or short is not.
#[test]
fn masked() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    site.set(&["API_KEY"], SECRET);
    site.set(&["PEM"], "-----BEGIN KEY-----\nMIIEvQIBADANBg\n");
    site.set(&["PLAIN", "--plain"], "a plain value");
    site.set(&["PASS"], r#"s3c "r3t"\ü & more"#);
    let short = site.ship(&["env", "set", "SHORT"]).reading("short").run().success();
    assert!(short.stderr().contains("fewer than 6 characters"), "{}", short.stderr());
    let url = site.deploy(&[]);
    for name in ["API_KEY", "PEM", "PLAIN", "SHORT"] {
        let _ = http::get(&format!("{url}/api/environment?print={name}")).success();
    }
    let _ = http::get(&format!("{url}/api/environment?form=PASS")).success();
    let log = site.ship(&["logs", &url]).run().success();
    for line in [
        r#"{"json":"[secret PASS]","twice":"{\"value\":\"[secret PASS]\"}"}"#,
        "https://api.example/?value=[secret PASS]&value=[secret PASS]",
        "started with [secret API_KEY]",
        "the value of API_KEY is <[secret API_KEY]>.",
        "the value of PEM is <[secret PEM]",
        "[secret PEM]>.",
        "the value of PLAIN is <a plain value>.",
        "the value of SHORT is <short>.",
    ] {
        assert!(log.stdout().contains(line), "{line}\n{}", log.stdout());
    }
    let audit = site.ship(&["audit", "--json"]).run().success();
    assert!(audit.stdout().contains(r#""resource":"API_KEY, PASS, PEM, PLAIN, SHORT for "#), "{}", audit.stdout());
    site.project.write("api/environment.js", "throw new Error(`no: ${process.env.API_KEY}`);export function GET() {}");
    let refused = site.ship(&["deploy"]).run().exits_with(1);
    assert!(refused.stderr().contains("no: [secret API_KEY]"), "{}", refused.stderr());
    assert!(!refused.stderr().contains(SECRET));
}

/// Development values, and those that were set as plain, come into an environment file; secrets do not, and each read is recorded.
#[test]
fn pulled() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    let _ = site.deploy(&[]);
    site.set(&["API_KEY", "--target", "development", "--target", "production"], "of development");
    site.set(&["TWO_LINES", "--target", "development"], "one\n$two\n\n");
    let pulled = site.ship(&["env", "pull"]).run();
    insta::assert_snapshot!(pulled.snapshot(), @"
    exit code: 0
    ----- stdout -----
    .env.local
    ----- stderr -----
    Wrote 2 variables to .env.local
    warning: .env.local is not ignored by git, so it may be committed
    hint: add `.env.local` to .gitignore
    ");
    let file = site.project.path(".env.local");
    assert_eq!(fs::metadata(&file).expect("it was written").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("it was written");
    assert_eq!(
        text,
        "# Written by `ship env pull`, which writes over what is changed here.\nAPI_KEY=of development\nTWO_LINES=\"one\n\\$two\n\"\n"
    );
    let of_production = site.ship(&["env", "pull", "--target", "production", "--json", "p.env"]).run().success().json();
    assert_eq!((&of_production["written"], &of_production["secret"]), (&json!([]), &json!(["API_KEY"])));
    site.project.write("mine.env", "A=1\n");
    let foreign = site.ship(&["env", "pull", "mine.env"]).run().exits_with(1);
    assert!(foreign.stderr().contains("was not written by `ship env pull`"), "{}", foreign.stderr());
    assert_eq!(fs::read_to_string(site.project.path("mine.env")).expect("it is there"), "A=1\n");
    let audit = site.ship(&["audit", "--json"]).run().success();
    assert!(audit.stdout().contains(r#""resource":"API_KEY, TWO_LINES""#), "{}", audit.stdout());
}

/// Builds see what was set as plain for their target, and are told what they lack; development sees what is for it, below what stands
/// in the project's own files.
#[test]
fn builds_and_development() {
    let environment = TestEnv::new();
    let site = Site::new(&environment);
    site.project.write("package.json", r#"{"type": "module", "scripts": {"build": "node build.mjs"}}"#);
    site.project.write(
        "build.mjs",
        r#"import { mkdirSync, writeFileSync } from "node:fs";
mkdirSync("dist", { recursive: true });
writeFileSync("dist/index.html", `${process.env.VITE_API} ${process.env.VITE_KEY} ${process.env.API_KEY} ${process.env.GIT_SSH}`);"#,
    );
    site.project.remove("index.html");
    site.set(&["GIT_SSH", "--plain"], "/somewhere/else");
    site.set(&["VITE_API", "--plain", "--target", "production"], "https://api");
    site.set(&["VITE_API", "--plain", "--target", "preview"], "https://preview");
    site.set(&["VITE_KEY"], "not for pages");
    site.set(&["API_KEY"], SECRET);
    let deployed = site.ship(&["deploy", "--prod"]).run().success();
    assert_eq!(http::get(&deployed.url()).success().text(), "https://api undefined undefined undefined");
    let command = "warning: `GIT_SSH` can choose programs, so a host decides nothing by it here";
    assert!(deployed.stderr().contains(command), "{}", deployed.stderr());
    let warning = "warning: `VITE_KEY` is set as a secret, which only functions can read, so the build lacks it";
    assert!(deployed.stderr().contains(warning), "{}", deployed.stderr());
    assert_eq!(http::get(&site.deploy(&[])).success().text(), "https://preview undefined undefined undefined");

    site.set(&["API_KEY", "--target", "development"], "of development");
    site.set(&["OTHER", "--target", "development"], "of development");
    site.project.write(".env", "OTHER=of a file\n");
    let mut running = site.ship(&["dev", "--json", "--listen", "127.0.0.1:0"]).start();
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: Value = serde_json::from_str(&ready).expect("each line is JSON");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    assert_eq!(["API_KEY", "OTHER"].map(|name| seen(&url, name)), ["of development", "of a file"]);
    let _ = running.terminate();
}

/// A host without its key, or with another, serves what needs no variables, says what is wrong, and makes no other key. One that is
/// given its key by systemd reads it there.
#[test]
fn lost_key() {
    let environment = TestEnv::new();
    let mut site = Site::new(&environment);
    site.set(&["API_KEY"], SECRET);
    let url = site.deploy(&[]);
    let key = site.host.data().join("secrets.key");
    let right = fs::read_to_string(&key).expect("it was made");
    for wrong in [None, Some("ab".repeat(32))] {
        site.host.ask_to_end();
        let _ = site.host.ended();
        match wrong {
            None => fs::remove_file(&key).expect("it was there"),
            Some(wrong) => {
                fs::write(&key, wrong).expect("the folder is writable");
                fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("it is ours");
            }
        }
        site.host.start_again();
        assert_eq!(http::get(&url).success().text(), "<!doctype html><p>page");
        let answer = http::get(&format!("{url}/api/environment"));
        assert_eq!(
            (answer.status, answer.header("x-ship-error").as_deref()),
            (500, Some("FUNCTION_INVOCATION_FAILED"))
        );
        let log = site.ship(&["logs", &url]).run().success();
        assert!(log.stdout().contains("The variables of this deployment cannot be opened"), "{}", log.stdout());
    }
    site.host.ask_to_end();
    let said = site.host.ended();
    assert!(said.stderr().contains("was sealed under another key"), "{}", said.stderr());
    fs::remove_file(&key).expect("it was there");
    site.host.start_again();
    let refused = site.ship(&["env", "set", "B"]).reading("value").run().exits_with(4);
    assert!(refused.stderr().contains("the host's key is missing, wrong or open to others"), "{}", refused.stderr());
    assert!(!key.exists(), "no other key takes its place");
    site.host.ask_to_end();
    let _ = site.host.ended();

    let credentials = environment.folder().join("credentials");
    fs::create_dir(&credentials).expect("the folder is writable");
    fs::write(credentials.join("ship-host-key"), right).expect("the folder is writable");
    fs::set_permissions(credentials.join("ship-host-key"), fs::Permissions::from_mode(0o400)).expect("it is ours");
    drop(site);
    let variables = [("CREDENTIALS_DIRECTORY", credentials.to_str().expect("the path is text"))];
    let host = TestHost::start_in(&environment, &variables);
    let id = url.split(['.', '-']).nth(1).expect("the URL has an id");
    assert_eq!(seen(&host.site_url(&format!("site-{id}")), "API_KEY"), SECRET);
    assert!(!key.exists());
}
