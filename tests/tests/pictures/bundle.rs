//! What functions are made of, as a page and as numbers.

use std::fmt::Write as _;

use serde_json::Value;
use ship_tests::{Browser, ConsoleLine, TestEnv, TestHost, TestProject, take_pictures};

/// A function that is bundled with two packages, one of them with a scope.
fn calendar(environment: &TestEnv) -> TestProject {
    let function =
        "import { add } from 'tiny-dates';\nimport { say } from '@words/say';\nimport { zone } from '../lib/zone';\n
        export function GET() { return new Response(say(add(1, 2)) + zone()) }\n";
    let long = "export function add(a, b) { return [a, b].map((one) => one + 1).reduce((all, one) => all + one, 0) }\n";
    environment
        .project("calendar")
        .file("api/date.ts", function)
        .file("lib/zone.ts", "export const zone = (): number => new Date().getTimezoneOffset();\n")
        .file("node_modules/tiny-dates/package.json", r#"{"name":"tiny-dates","version":"1.0.0","type":"module"}"#)
        .file("node_modules/tiny-dates/index.js", long)
        .file("node_modules/@words/say/package.json", r#"{"name":"@words/say","version":"1.0.0","type":"module"}"#)
        .file("node_modules/@words/say/index.js", "export const say = (what) => `it is ${what}`;\n")
}

/// Packages by name, so that a byte more or less in a launcher changes nothing here.
fn told(composition: &Value) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut packages = list(&composition["packages"]);
    packages.sort_by_key(|package| package["name"].as_str().map(str::to_owned));
    let mut text = String::new();
    for package in packages {
        let word = |key: &str| package[key].as_str().expect("it is text");
        let _ = writeln!(text, "{} ({})", word("name"), word("kind"));
        let mut files: Vec<_> = list(&package["files"]).iter().map(|file| file["path"].to_string()).collect();
        files.sort();
        text.extend(files.iter().map(|file| format!("  {file}\n")));
    }
    text
}

/// Of a bundle each module is told apart, by the package that it is of; what is deployed is made of what was built; and all of it is told.
#[test]
fn modules_of_a_bundle() {
    let environment = TestEnv::new();
    let project = calendar(&environment);
    let host = TestHost::start(&environment);
    let _ = host.ship(["build"]).within(project.folder()).run().success();
    let bundle = ["inspect", "--bundle", "api/date", "--json"];
    let built = host.ship(bundle).and(["--prebuilt"]).within(project.folder()).run().success().json();
    insta::assert_snapshot!(told(&built), @r#"
    @words/say (dependency)
      "index.js"
    ship's launcher (platform)
      "launcher.mjs"
    source maps (data)
      "_ship/api~date.mjs.map"
    the bundler (platform)
      "_ship/api~date.mjs"
    the project (own)
      "api/date.ts"
      "lib/zone.ts"
    tiny-dates (dependency)
      "index.js"
    "#);
    let sum =
        |of: &Value| of["packages"].as_array().unwrap().iter().map(|one| one["bytes"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(Some(sum(&built)), built["bytes"].as_u64());

    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let deployed = host.ship(bundle).within(project.folder()).run().success().json();
    assert_eq!(deployed["packages"], built["packages"]);
    insta::assert_snapshot!(host.ship(["inspect", "--bundle", "api/nothing"]).within(project.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no function `api/nothing` in it
    hint: it has api/date
    ");
}

/// The page in a browser: it fits, says nothing to the console, can be used by everybody, and with the keyboard alone.
#[test]
fn page() {
    let environment = TestEnv::new();
    let name = "a_package_of_one_long_word";
    let project = calendar(&environment)
        .file(&format!("node_modules/{name}/package.json"), format!(r#"{{"name":"{name}","type":"module"}}"#))
        .file(&format!("node_modules/{name}/index.js"), format!("export const long = '{}';\n", "x".repeat(900)))
        .file(
            "api/date.ts",
            format!("import {{ long }} from '{name}';\nexport const GET = () => new Response(long);\n"),
        );
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let _ = host.ship(["inspect", "--bundle", "api/date", "-o", "date.html"]).within(project.folder()).run().success();
    let browser = Browser::start();
    browser.open(&format!("file://{}", project.path("date.html").display()));
    for (width, height) in [(1280, 860), (390, 844)] {
        browser.resize(width, height);
        let wider = browser.run("return document.documentElement.scrollWidth - window.innerWidth");
        assert!(wider.as_i64() <= Some(0), "the page is {wider} pixels wider than its window");
        let broken = "return [...document.querySelectorAll('.map .name')].filter((name) => name.offsetHeight > 24)
            .map((name) => name.innerText)";
        assert_eq!(browser.run(broken), serde_json::json!([]), "names that are broken over lines, at {width} pixels");
    }
    let script = format!(
        "{}; return axe.run().then((found) => found.violations.map((one) => one.id + ': ' + one.nodes[0].failureSummary));",
        ship_tests::axe()
    );
    assert_eq!(browser.run(&script), serde_json::json!([]));
    let reached = browser.run(
        "return [...document.querySelectorAll('.map a')].every((tile) => tile.tabIndex === 0 &&
        document.querySelector(tile.getAttribute('href')).innerText.length > 0)",
    );
    assert_eq!(reached, true);
    take_pictures(&browser, "bundle");
    assert_eq!(browser.console(), [] as [ConsoleLine; 0]);
}
