//! `ship build`: what would be deployed, in a folder that can be looked at, the same bytes wherever it is made.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ship_core::Digest;
use ship_tests::TestEnv;

/// Every file below a folder, by its path in it, with its digest.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).expect("the folder is readable").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let bytes = fs::read(entry.path()).expect("the file is readable");
                let name = entry.path().strip_prefix(folder).expect("it is below the folder").to_owned();
                files.insert(name, Digest::of(&bytes).to_string());
            }
        }
    }
    files
}

/// The layout of the Build Output API, and beside it one zip per function.
#[test]
fn layout() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let output = environment.ship(["build"]).within(project.folder()).run();
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 0
    ----- stdout -----
    [ENV]/projects/date-weather/.ship/output
    ----- stderr -----
    Built 2 functions and 4 files in [TIME]
    ");
    let files: Vec<String> =
        tree(&project.path(".ship/output")).keys().map(|path| path.display().to_string()).collect();
    insta::assert_snapshot!(files.join("\n"), @"
    config.json
    functions/api/date.func/.vc-config.json
    functions/api/date.func/bootstrap
    functions/api/date.zip
    functions/api/weather.func/.vc-config.json
    functions/api/weather.func/bootstrap
    functions/api/weather.zip
    static/app.js
    static/favicon.svg
    static/index.html
    static/style.css
    ");
    let config = fs::read_to_string(project.path(".ship/output/functions/api/date.func/.vc-config.json"));
    insta::assert_snapshot!(config.expect("the function has a configuration"), @r#"
    {
      "runtime": "executable",
      "handler": "bootstrap",
      "runtimeLanguage": "go",
      "architecture": "x86_64",
      "memory": 512,
      "maxDuration": 60,
      "maxConcurrency": 50,
      "supportsResponseStreaming": true,
      "ship": {
        "runtime": "go",
        "limits": {
          "timeout_secs": 60,
          "init_timeout_secs": 10,
          "memory_mb": 512,
          "concurrency": 50,
          "min_instances": 0,
          "max_instances": 10,
          "idle_secs": 300
        }
      }
    }
    "#);
}

/// The same tree in another folder, for another umask, in another time zone and with other times gives the same bytes.
#[test]
fn same_bytes_anywhere() {
    let environment = TestEnv::new();
    let here = environment.example("date-weather");
    let there = environment.project("deeper/folder/somewhere else").copied_from(here.folder());
    let very_old = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    for file in ["api/date.go", "api/weather.go", "public/index.html"] {
        let opened = fs::File::options().write(true).open(there.path(file)).expect("the copy is ours");
        opened.set_times(very_old).expect("the copy is ours");
        fs::set_permissions(there.path(file), fs::Permissions::from_mode(0o600)).expect("the copy is ours");
    }
    let _ = environment.ship(["build"]).within(here.folder()).run().success();
    let other = TestEnv::new();
    let with_umask = ["sh", "-c", "umask 077 && exec \"$0\" \"$@\""];
    let build = other.ship(["build"]).within(there.folder()).started_by(with_umask);
    let _ = build.with("TZ", "Asia/Kathmandu").with("LC_ALL", "tr_TR.UTF-8").run().success();
    let (left, right) = (tree(&here.path(".ship/output")), tree(&there.path(".ship/output")));
    assert!(left.keys().any(|path| path.extension().is_some_and(|extension| extension == "zip")), "{left:?}");
    assert_eq!(left, right);
}

/// Functions can be built for a machine of another kind.
#[test]
fn other_architecture() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let _ = environment.ship(["build", "--arch", "arm64"]).within(project.folder()).run().success();
    let program =
        fs::read(project.path(".ship/output/functions/api/date.func/bootstrap")).expect("the program is there");
    // The machine in an ELF header: 0xb7 is AArch64.
    assert_eq!((&program[..4], program[18]), (&b"\x7fELF"[..], 0xb7));
}

/// Building leaves the user's own files alone, whatever else is in the folder.
#[test]
fn leaves_the_project_alone() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let before = tree(project.folder());
    let host = ship_tests::TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    assert_eq!(tree(project.folder()), before, "a deploy writes nothing into the project");
    let _ = environment.ship(["build"]).within(project.folder()).run().success();
    let after: BTreeMap<_, _> =
        tree(project.folder()).into_iter().filter(|(path, _)| !path.starts_with(".ship")).collect();
    assert_eq!(after, before, "a build writes nothing but .ship");
}

/// A server that nothing makes the site's is a file of it. The build says so, and what would make it one does.
#[test]
fn a_server_of_no_project() {
    let environment = TestEnv::new();
    let server = "require('http').createServer((_, answer) => answer.end('served')).listen(process.env.PORT);\n";
    let project = environment.project("site").file("server.js", server);
    insta::assert_snapshot!(environment.ship(["build"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    [ENV]/projects/site/.ship/output
    ----- stderr -----
    warning: server.js:1: this is not the server of the site, because there is no package.json: `npm init --yes` makes one
    Built 1 file in [TIME]
    ");
    project.write("package.json", "{}");
    let built = environment.ship(["build"]).within(project.folder()).run().success();
    assert!(built.stderr().starts_with("Built 1 function in "), "{}", built.stderr());
}
