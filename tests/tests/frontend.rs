//! Frontends: what builds them, when that runs, what it is told, and what is said when it fails.

use std::fs;

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// A build that writes one page, remembers in the home folder that it ran, and reads one source.
const BUILD: &str = r#"
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
appendFileSync(`${process.env.HOME}/runs`, "run\n");
mkdirSync("dist/assets", { recursive: true });
writeFileSync("dist/index.html", `<!doctype html>${readFileSync("source.txt")}`);
writeFileSync("dist/assets/app.js", "1");
writeFileSync(`${process.env.HOME}/seen.json`, JSON.stringify(process.env));
"#;

/// A project that node builds, without packages.
fn node_project(environment: &TestEnv) -> TestProject {
    environment
        .project("site")
        .on_branch("main")
        .file("package.json", r#"{"type": "module", "scripts": {"build": "node build.mjs"}}"#)
        .file("build.mjs", BUILD)
        .file("source.txt", "one")
}

/// How often the build of [`node_project`] ran.
fn runs(environment: &TestEnv) -> usize {
    fs::read_to_string(environment.folder().join("home/runs")).unwrap_or_default().lines().count()
}

/// The build runs once for the same sources and leaves a folder that is deployed. It runs again when a source, the output or
/// its environment is another.
#[test]
fn built_once() {
    let environment = TestEnv::new();
    let project = node_project(&environment);
    let host = TestHost::start(&environment);
    let deploy = || host.ship(["deploy"]).within(project.folder()).run().success();
    let first = deploy();
    insta::assert_snapshot!(first.snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site-[ID-1].localhost:[PORT]
    ----- stderr -----
    Building the frontend: npm run build
    Built the frontend in [TIME]
    Built 2 files in [TIME]
    2 files sent, 0 already there
    Published site as production in [TIME]
    It is the first deployment of this project, so it is production
      http://site-git-main.localhost:[PORT]
      http://site.localhost:[PORT]
    ");
    assert_eq!(http::get(&first.url()).success().text(), "<!doctype html>one");
    assert_eq!((deploy().url(), runs(&environment)), (first.url(), 1));

    project.write("source.txt", "two");
    let second = deploy();
    assert_eq!((http::get(&second.url()).success().text(), runs(&environment)), ("<!doctype html>two".into(), 2));
    fs::remove_dir_all(project.path("dist")).expect("the build has left it");
    assert_eq!((deploy().url(), runs(&environment)), (second.url(), 3));
    project.write(".env", "A=1");
    assert_eq!((deploy().url(), runs(&environment)), (second.url(), 4));
    let _ = deploy();
    assert_eq!(runs(&environment), 4);
}

/// A build is told what it is for, sees what the environment files say, and nothing of the caller that is not meant for it.
#[test]
fn environment_of_a_build() {
    let environment = TestEnv::new();
    let project = node_project(&environment)
        .file("ship.toml", "[build]\nframework = \"vite\"\n")
        .file(".env", "A=plain\nB=plain\nC=\"x${A}\"\nVITE_CALLER=file\n")
        .file(".env.production", "B=production\n");
    let host = TestHost::start(&environment);
    let deploy = host.ship(["deploy"]).within(project.folder());
    let _ = deploy.with("VITE_CALLER", "caller").with("SECRET_OF_CALLER", "no").run().success();
    let seen = fs::read_to_string(environment.folder().join("home/seen.json")).expect("the build ran");
    let seen: serde_json::Value = serde_json::from_str(&seen).expect("it is JSON");
    let names = [
        "A",
        "B",
        "C",
        "VITE_CALLER",
        "SECRET_OF_CALLER",
        "VERCEL",
        "VERCEL_ENV",
        "VERCEL_GIT_COMMIT_REF",
        "VERCEL_GIT_COMMIT_SHA",
        "VITE_VERCEL_ENV",
        "SHIP_PROJECT",
    ];
    let seen: Vec<String> = names.iter().map(|name| format!("{name}={}", seen[name])).collect();
    insta::assert_snapshot!(seen.join("\n"), @r#"
    A="plain"
    B="production"
    C="xplain"
    VITE_CALLER="caller"
    SECRET_OF_CALLER=null
    VERCEL="1"
    VERCEL_ENV="preview"
    VERCEL_GIT_COMMIT_REF="main"
    VERCEL_GIT_COMMIT_SHA="0123456789abcdef0123456789abcdef01234567"
    VITE_VERCEL_ENV="preview"
    SHIP_PROJECT="site"
    "#);
}

/// A single page answers for every path that client code may know, and for nothing else; one key switches that off.
#[test]
fn single_page() {
    let environment = TestEnv::new();
    let project = node_project(&environment).file("dist/.env", "SECRET=1").file(".env", "SECRET=1");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let status = |path: &str| http::get(&format!("{url}{path}")).status;
    assert_eq!(["/", "/users/1", "/deep/er/page"].map(status), [200; 3]);
    assert_eq!(["/api/date", "/assets/gone.js", "/.env", "/.git/HEAD", "/a/.env"].map(status), [404; 5]);

    project.write("ship.toml", "[build]\nspa = false\n");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let status = |path: &str| http::get(&format!("{url}{path}")).status;
    assert_eq!(["/", "/users/1"].map(status), [200, 404]);
}

/// A build that fails shows its last lines, how it ended and where all it printed is; one that leaves nothing says where it
/// was looked for.
#[test]
fn failures() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("source.txt", "");
    let failure = |toml: &str| {
        project.write("ship.toml", toml);
        environment.ship(["build"]).within(project.folder()).run().exits_with(1).snapshot().to_owned()
    };
    insta::assert_snapshot!(failure("[build]\ncommand = \"seq 100; echo sorry >&2; exit 3\"\noutput = \"dist\"\n"), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Building the frontend: seq 100; echo sorry >&2; exit 3
    error: `seq 100; echo sorry >&2; exit 3` failed with exit status: 3
      72
      73
      74
      75
      76
      77
      78
      79
      80
      81
      82
      83
      84
      85
      86
      87
      88
      89
      90
      91
      92
      93
      94
      95
      96
      97
      98
      99
      100
      sorry
    hint: all it printed is in [ENV]/ship/cache/frontend/[ID-1]/build.log
    ");
    insta::assert_snapshot!(failure("[build]\ncommand = \"true\"\noutput = \"dist\"\n"), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Building the frontend: true
    Built the frontend in [TIME]
    error: STATIC_BUILD_NO_OUT_DIR: the build `true` left no folder `dist`
    hint: `[build] output` of ship.toml, or `outputDirectory` of vercel.json, names the folder that the build writes
    ");
    insta::assert_snapshot!(failure("[build]\ncommand = \"mkdir -p empty/in\"\noutput = \"empty\"\n"), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Building the frontend: mkdir -p empty/in
    Built the frontend in [TIME]
    error: STATIC_BUILD_EMPTY_OUT_DIR: the build `mkdir -p empty/in` left no file in `empty`
    hint: `[build] output` of ship.toml, or `outputDirectory` of vercel.json, names the folder that the build writes
    ");
    insta::assert_snapshot!(failure("[build]\ncommand = \"touch file\"\noutput = \"file\"\n"), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Building the frontend: touch file
    Built the frontend in [TIME]
    error: STATIC_BUILD_NOT_A_DIR: the output of the build, `file`, is not a folder
    hint: `[build] output` of ship.toml, or `outputDirectory` of vercel.json, names the folder that the build writes
    ");
    let bundles = "mkdir -p build/client build/server/a build/server/b\n\
                   touch build/client/a.js build/server/a/index.js build/server/b/index.js\n";
    project.write("build.sh", bundles);
    insta::assert_snapshot!(failure("[build]\nframework = \"react-router\"\ncommand = \"sh build.sh\"\n"), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Building the frontend (React Router): sh build.sh
    Built the frontend in [TIME]
    error: missing_server: the React Router build `sh build.sh` left no page in `build/client`, and no server that ship knows beside it
    hint: its server is `build/server/index.js`, or the one bundle in `build/server/`; with several of them, give all routes the same `config`; `ssr: false` makes a site of files
    ");
    insta::assert_snapshot!(failure("[build]\nframework = \"vitr\"\n"), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: ship.toml:2:13: unknown_framework: there is no framework `vitr`: did you mean `vite`?
     2 | framework = "vitr"
       |             ^^^^^^
    "#);
}

/// What package.json and its lock file say wrongly is said before anything is installed.
#[test]
fn wrong_packages() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "");
    let failure = |package: &str, lock: &str| {
        project.write("package.json", package);
        project.write("package-lock.json", lock);
        environment.ship(["build"]).within(project.folder()).run().exits_with(1).snapshot().to_owned()
    };
    insta::assert_snapshot!(failure("{\n  \"name\": oops\n}", "{}"), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: package.json:2:11: expected value
     2 |   "name": oops
       |           ^
    "#);
    insta::assert_snapshot!(failure("[\"build\"]\n", "{}"), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: package.json:1:1: expected an object
     1 | ["build"]
       | ^
    "#);
    let package = r#"{"dependencies": {"left-pad": "^1.3.0"}, "scripts": {"build": "true"}}"#;
    insta::assert_snapshot!(failure(package, r#"{"packages": {"": {"dependencies": {"left-pad": "^1.2.0"}}}}"#), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: lock_file_out_of_date: package.json asks for `left-pad` in a way that `package-lock.json` does not know
    hint: `npm install` brings it up to date
    ");
}

/// `command = ""` serves the files as they stand, whatever they look like.
#[test]
fn nothing_to_build() {
    let environment = TestEnv::new();
    let project = node_project(&environment)
        .file("ship.toml", "[build]\ncommand = \"\"\n")
        .file("public/index.html", "<!doctype html>as it is");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&url).success().text(), "<!doctype html>as it is");
    assert_eq!(runs(&environment), 0);
}

/// A package of a monorepo is built where it stands.
#[test]
fn package_of_a_monorepo() {
    let environment = TestEnv::new();
    let project = environment
        .project("mono")
        .file("ship.toml", "[build]\nroot = \"apps/web\"\n")
        .file("package.json", r#"{"workspaces": ["apps/*"]}"#)
        .file("apps/web/package.json", r#"{"type": "module", "scripts": {"build": "node build.mjs"}}"#)
        .file("apps/web/build.mjs", BUILD)
        .file("apps/web/source.txt", "web");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&url).success().text(), "<!doctype html>web");
}

/// Ctrl-C ends the build with everything that it has started: the environment of the test sees to it that nothing is left.
#[test]
fn interrupted() {
    let environment = TestEnv::new();
    let command = "node -e 'setInterval(() => {}, 1e9)' $PWD/source.txt & echo started && wait";
    let project = environment
        .project("site")
        .file("source.txt", "")
        .file("ship.toml", format!("[build]\ncommand = \"{command}\"\noutput = \"dist\"\n"));
    let mut running = environment.ship(["build", "--verbose"]).within(project.folder()).start();
    running.stderr().wait_for(|line| line.trim() == "started");
    running.process().signal(rustix::process::Signal::INT);
    let _ = running.finish().exits_with(130);
}

/// In development the frontend is built for development, again after an edit, and not because of what the build wrote.
#[test]
fn development() {
    let environment = TestEnv::new();
    let project = node_project(&environment).file("ship.toml", "[build]\noutput = \"dist\"\n");
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("each line is JSON");
    let url = ready["url"].as_str().expect("the event names the URL");
    let page = || http::get(url).success().text();
    assert!(page().contains("one"));
    let seen = fs::read_to_string(environment.folder().join("home/seen.json")).expect("the build ran");
    assert!(seen.contains(r#""VERCEL_ENV":"development""#), "{seen}");
    project.write("source.txt", "two");
    assert!(page().contains("two"));
    assert!(page().contains("two"));
    assert_eq!(runs(&environment), 2);
    let _ = running.terminate();
}

/// The server that a framework leaves is one function behind its static files, whether it comes with all that it needs or is a
/// module of the project. What else stands beside it is nobody's to read.
#[test]
fn servers_of_frameworks() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let deployed = |framework: &str, build: &str| {
        let project = environment
            .project(framework)
            .file("package.json", r#"{"type": "module", "scripts": {"build": "node build.mjs"}}"#)
            .file("build.mjs", format!("import {{ mkdirSync, symlinkSync, writeFileSync }} from 'node:fs';\n{build}"))
            .file("ship.toml", format!("[build]\nframework = \"{framework}\"\n[functions.index]\ntimeout_secs = 7\n"));
        let deploy = || host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
        let first = deploy();
        assert_eq!(first["functions"].as_array().map(Vec::len), Some(1), "{first}");
        assert_eq!(deploy()["url"], first["url"]);
        first["url"].as_str().expect("the document has the URL").to_owned()
    };
    let get = |url: &str, path: &str| http::get(&format!("{url}{path}"));

    let svelte = deployed(
        "sveltekit-1",
        r#"
        mkdirSync("build/client", { recursive: true });
        writeFileSync("build/client/style.css", "style");
        mkdirSync("build/prerendered");
        writeFileSync("build/prerendered/about.html", "about");
        writeFileSync("build/name.js", "export const name = 'svelte';");
        writeFileSync("build/handler.js", `import { name } from "./name.js";
            export const handler = (request, response) => response.end(name + " " + request.url);`);
        "#,
    );
    assert_eq!(get(&svelte, "/style.css").success().text(), "style");
    let about = get(&svelte, "/about").success();
    assert_eq!(
        (about.text().as_str(), about.header("content-type").as_deref()),
        ("about", Some("text/html; charset=utf-8"))
    );
    assert_eq!(get(&svelte, "/handler.js").success().text(), "svelte /handler.js");

    // Packages that are linked to each other, as pnpm does, find each other through their links.
    let nitro = deployed(
        "nitro",
        r#"
        const stores = ".output/server/node_modules/.store";
        for (const name of ["one", "two"]) mkdirSync(`${stores}/${name}/node_modules/${name}`, { recursive: true });
        mkdirSync(".output/public/_nuxt", { recursive: true });
        writeFileSync(".output/public/_nuxt/app.js", "script");
        writeFileSync(`${stores}/one/node_modules/one/index.js`, "module.exports = 'one of ' + require('two');");
        writeFileSync(`${stores}/two/node_modules/two/index.js`, "module.exports = 'two';");
        symlinkSync(".store/one/node_modules/one", ".output/server/node_modules/one");
        symlinkSync("../../two/node_modules/two", `${stores}/one/node_modules/two`);
        writeFileSync(".output/server/index.mjs", `import http from "node:http";
            import one from "one";
            http.createServer((request, response) => response.end(one + " " + request.url)).listen(process.env.PORT);`);
        "#,
    );
    assert_eq!(get(&nitro, "/_nuxt/app.js").success().text(), "script");
    assert_eq!(get(&nitro, "/server/index.mjs").success().text(), "one of two /server/index.mjs");
    let shown = host.ship(["inspect", &nitro, "--json"]).run().success().json();
    assert_eq!(shown["functions"][0]["limits"]["timeout_secs"], 7, "{shown}");
}
