//! New projects: what `ship init` makes, that it deploys as it is, and what it leaves alone.

use std::fs;

use ship_tests::{TestEnv, TestHost, http};

/// Makes a project of each template, deploys it, and asks its page and its functions.
fn deployed_as_it_is(templates: &[(&str, &[(&str, &str)])]) {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    for (template, functions) in templates {
        let name = format!("my-{template}");
        let made = environment.ship(["init", &name, "--template", template, "--json"]).run().success().json();
        assert_eq!((&made["project"], &made["template"]), (&name.clone().into(), &(*template).into()));
        let folder = environment.folder().join(&name);
        let url = host.ship(["deploy"]).within(&folder).run().success().url();
        let get = |path: &str| http::get(&format!("{url}{path}"));
        let page = get("/").success().text();
        assert!(page.contains(&format!("<title>{name}</title>")), "{template}: {page}");
        assert!(get("/icon.svg").success().text().starts_with("<svg"), "{template}");
        for (path, greeting) in *functions {
            let answer = get(&format!("{path}?name=Gr%C3%A4ce%20%26%20co")).success().json();
            assert_eq!(answer["greeting"], format!("Hello Gräce & co, from {greeting}"), "{template}");
            assert!(
                get(path).success().json()["greeting"].as_str().is_some_and(|text| text.starts_with("Hello you, "))
            );
        }
        assert!(!get("/README.md").text().contains("ship deploy"), "{template}");
        assert!(!get("/package.json").text().contains("private"), "{template}");
        assert_eq!(get("/.gitignore").status, 404, "{template}");
    }
}

/// A page and a function in each language, and one with all of them.
#[test]
fn languages() {
    let hello = "/api/hello";
    deployed_as_it_is(&[
        ("go", &[(hello, "Go")]),
        ("typescript", &[(hello, "TypeScript")]),
        ("python", &[(hello, "Python")]),
        ("rust", &[(hello, "Rust")]),
        (
            "polyglot",
            &[("/api/go", "Go"), ("/api/typescript", "TypeScript"), ("/api/python", "Python"), ("/api/rust", "Rust")],
        ),
    ]);
}

/// A page or an application of each framework, with the packages that it takes.
#[test]
fn frameworks() {
    let hello = "/api/hello";
    deployed_as_it_is(&[
        ("hono", &[(hello, "Hono")]),
        ("fastapi", &[(hello, "FastAPI")]),
        ("vite-react", &[(hello, "TypeScript")]),
        ("astro", &[(hello, "TypeScript")]),
    ]);
}

/// What is said of a new project, and what to type next, where it stands and from elsewhere.
#[test]
fn new_projects() {
    let environment = TestEnv::new();
    let empty = environment.project("empty").file("README.md", "mine").file(".gitignore", "*.log").on_branch("main");
    insta::assert_snapshot!(environment.ship(["init", "Ada's Shop", "--template", "go"]).run().snapshot(), @r"
    exit code: 0
    ----- stdout -----
    Type next:
      cd 'Ada'\''s Shop'
      ship dev     the site on this machine, made anew as you edit
      ship deploy  the site live, and its URL
    ----- stderr -----
    Made ada-s-shop of the template go in [ENV]/Ada's Shop
    Wrote 7 files: .gitignore, README.md, api/hello.go, public/app.js, public/icon.svg, public/index.html, public/style.css
    ");
    // A folder as it comes from a repository's host: what is in it stays.
    let here = environment.ship(["init", "--template", "hono", "--yes"]).within(empty.folder()).run().success();
    insta::assert_snapshot!(here.snapshot(), @"
    exit code: 0
    ----- stdout -----
    Type next:
      ship dev     the site on this machine, made anew as you edit
      ship deploy  the site live, and its URL
      ship open    the live site in the browser
    ----- stderr -----
    Made empty of the template hono in [ENV]/projects/empty
    Wrote 7 files: .gitignore, package.json, public/app.js, public/icon.svg, public/index.html, public/style.css, src/index.ts
    Left as it was: README.md
    ");
    assert_eq!(fs::read_to_string(empty.path("README.md")).expect("it is there"), "mine");
    assert_eq!(
        fs::read_to_string(empty.path(".gitignore")).expect("it is there"),
        "*.log\n.env*\n.ship\nnode_modules\n"
    );
    assert!(!empty.path("ship.toml").exists());
    // Another name than the folder's is written down.
    let named = environment.ship(["init", "stand", "--project", "kiosk", "--template", "python"]).run().success();
    insta::assert_snapshot!(named.snapshot(), @"
    exit code: 0
    ----- stdout -----
    Type next:
      cd stand
      ship dev     the site on this machine, made anew as you edit
      ship deploy  the site live, and its URL
    ----- stderr -----
    Made kiosk of the template python in [ENV]/stand
    Wrote 8 files: .gitignore, README.md, api/hello.py, public/app.js, public/icon.svg, public/index.html, public/style.css, ship.toml
    ");
    let toml = fs::read_to_string(environment.folder().join("stand/ship.toml")).expect("it was written");
    insta::assert_snapshot!(toml, @r#"
    #:schema .ship/ship.schema.json
    name = "kiosk"
    "#);
    // One that cannot name a project, with nobody to ask.
    let odd = environment.folder().join("日本");
    fs::create_dir(&odd).expect("the folder is writable");
    let made = environment.ship(["init", "--template", "go", "--json"]).within(&odd).run().success().json();
    assert_eq!(made["project"], "my-site");
}

/// A terminal that takes text alone gets text alone, and its questions are answered by lines.
#[test]
fn on_a_dumb_terminal() {
    let environment = TestEnv::new();
    let empty = environment.project("empty");
    let mut made = environment.ship(["init"]).within(empty.folder()).with("TERM", "dumb").start_on_terminal(80);
    let _ = made.stdout().wait_for(|line| line.starts_with("  9  hono"));
    made.type_keys("2\nno name\nkiosk\n");
    let made = made.finish();
    assert_eq!(made.code(), Some(0), "{}", made.stdout());
    assert!(made.stdout().contains("Made kiosk of the template typescript"), "{}", made.stdout());
    assert!(!made.stdout().contains('\u{1b}'), "{:?}", made.stdout());
}

/// A terminal of a CI system has nobody at it: nothing is asked there.
#[test]
fn in_ci() {
    let environment = TestEnv::new();
    let empty = environment.project("empty");
    let made = environment.ship(["init"]).within(empty.folder()).with("CI", "true").start_on_terminal(80).finish();
    assert_eq!(made.code(), Some(2));
    assert!(made.snapshot().contains("no template was named, and nobody is here to choose one"), "{}", made.snapshot());
}

/// A folder with a project gets what it lacks, which is next to nothing, and once.
#[test]
fn projects_that_are_there() {
    let environment = TestEnv::new();
    let package = r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "8.3.8"}}"#;
    let project = environment
        .project("shop")
        .on_branch("main")
        .file("package.json", package)
        .file("index.html", "<!doctype html>")
        .file("api/price.ts", "export const GET = () => new Response('1');\n")
        .file(".gitignore", "dist\nnode_modules\n");
    let init = || environment.ship(["init"]).within(project.folder()).run();
    insta::assert_snapshot!(init().snapshot(), @"
    exit code: 0
    ----- stdout -----
    Type next:
      ship dev     the site on this machine, made anew as you edit
      ship deploy  the site live, and its URL
      ship open    the live site in the browser
    ----- stderr -----
    Found Vite, 1 function in Node: shop deploys as it is
    Wrote 1 file: .gitignore
    ");
    assert_eq!(fs::read_to_string(project.path(".gitignore")).expect("it is there"), "dist\nnode_modules\n.ship\n");
    insta::assert_snapshot!(init().snapshot(), @"
    exit code: 0
    ----- stdout -----
    Type next:
      ship dev     the site on this machine, made anew as you edit
      ship deploy  the site live, and its URL
      ship open    the live site in the browser
    ----- stderr -----
    Found Vite, 1 function in Node: shop deploys as it is
    Nothing had to be written
    ");
    let mut names: Vec<_> = fs::read_dir(project.folder())
        .expect("it is there")
        .map(|entry| entry.expect("it is readable").file_name().into_string().expect("it is text"))
        .collect();
    names.sort();
    assert_eq!(names, [".git", ".gitignore", "api", "index.html", "package.json"]);
    // Static files without version control lack nothing at all.
    let page = environment.project("page").file("index.html", "<!doctype html>");
    insta::assert_snapshot!(environment.ship(["init", "projects/page"]).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    Type next:
      cd projects/page
      ship dev     the site on this machine, made anew as you edit
      ship deploy  the site live, and its URL
    ----- stderr -----
    Found static files: page deploys as it is
    Nothing had to be written
    ");
    assert!(!page.path(".gitignore").exists());
    let template = environment.ship(["init", "--template", "go"]).within(page.folder()).run();
    insta::assert_snapshot!(template.snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `[ENV]/projects/page` is a project already, and a template needs an empty folder
    hint: `ship init` without `--template` takes it as it is
    hint: `ship init page-2 --template …` makes another one in a new folder
    ");
}

/// What cannot be done is refused before anything is written.
#[test]
fn refusals() {
    let environment = TestEnv::new();
    let full = environment.project("full").file("notes.txt", "").file("more/a.txt", "");
    let refused = |arguments: &[&str]| environment.ship(arguments).run().snapshot().to_owned();
    insta::assert_snapshot!(refused(&["init", "site", "--template", "pyton"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'pyton' for '--template <NAME>'
      [possible values: go, typescript, python, rust, polyglot, vite-react, astro, fastapi, hono]

      tip: a similar value exists: 'python'

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&["init", "site"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: no template was named, and nobody is here to choose one
      go          Page + Go
      typescript  Page + TypeScript
      python      Page + Python
      rust        Page + Rust
      polyglot    Page + all four of them
      vite-react  React by Vite + TypeScript
      astro       Astro + TypeScript
      fastapi     Page + FastAPI
      hono        Page + Hono
    hint: `ship init DIR --template go` takes the first of them
    ");
    insta::assert_snapshot!(refused(&["init", "projects/full", "--template", "go"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `[ENV]/projects/full` is not empty: `more`, `notes.txt`
    hint: `ship init DIR` makes the project in another folder; nothing was written
    ");
    insta::assert_snapshot!(refused(&["init", "projects/full/notes.txt", "--template", "go"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `[ENV]/projects/full/notes.txt` is a file, and a project is a folder
    hint: `ship init DIR` takes the name of a folder that may be new
    ");
    insta::assert_snapshot!(refused(&["init", "日本", "--template", "go"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `[ENV]/日本` cannot name a project: it has none of a to z and 0 to 9
    hint: `--project NAME` gives the project another name than its folder
    ");
    insta::assert_snapshot!(refused(&["init", "site", "--project", "My Shop", "--template", "go"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'My Shop' for '--project <NAME>': `My Shop` cannot name a project: only a to z, 0 to 9 and `-` may stand in it; `my-shop` would do

    For more information, try '--help'.
    ");
    let nameless = environment.ship(["init", "--template", "go"]).within(full.folder()).run();
    insta::assert_snapshot!(nameless.snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the folder is not empty, and a new one was not named
    hint: `ship init DIR --template NAME` makes the project in DIR
    ");
    // Nobody may write there, not even root.
    insta::assert_snapshot!(refused(&["init", "/proc/site", "--template", "go"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `/proc/site/.gitignore` cannot be written
    caused by: No such file or directory (os error 2)
    hint: `ship init DIR` takes a folder that you may write; nothing was left there
    ");
    assert!(!environment.folder().join("site").exists());
    assert_eq!(fs::read_dir(full.folder()).expect("it is there").count(), 2);
}
