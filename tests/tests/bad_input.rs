//! What is wrong is said clearly, with its place and the next thing to do, and nothing is lost by it.
//!
//! Each story compares everything that a person sees: exit code, standard output, standard error.

use std::os::unix::fs::symlink;

use ship_tests::{TestEnv, TestHost, TestProject, http};

/// Deploys a project that cannot be deployed, and checks that the host has heard of nothing.
fn refused(environment: &TestEnv, project: &TestProject) -> String {
    let host = TestHost::start(environment);
    let output = host.ship(["deploy"]).within(project.folder()).run().exits_with(1);
    assert_eq!(output.stdout(), "", "nothing on standard output");
    let projects = host.control("GET", "/v1/projects").send().success().json();
    assert_eq!(projects["projects"], serde_json::json!([]), "no half deployment");
    output.snapshot().to_owned()
}

/// A folder with nothing to deploy.
#[test]
fn nothing_to_deploy() {
    let environment = TestEnv::new();
    insta::assert_snapshot!(refused(&environment, &environment.project("empty")), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is nothing to deploy in `[ENV]/projects/empty`: looked for a folder `public/`, static files in the folder itself, functions in `api/**/*.{go,js,ts,py,rs}`
    hint: `ship init` makes a project here, and `ship deploy PATH` or `ship dev PATH` takes another folder
    ");
}

/// A path that is not there, and one that is a file.
#[test]
fn not_a_folder() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "x");
    insta::assert_snapshot!(environment.ship(["deploy", "nowhere"]).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the folder `[ENV]/nowhere` does not exist
    hint: `ship init [ENV]/nowhere` makes a project there
    ");
    // Behind `deploy` stands no command, however alike the words are.
    assert!(environment.ship(["deploy", "promot"]).run().exits_with(1).stderr().contains("promot` does not exist"));
    insta::assert_snapshot!(environment.ship(["promot"]).run().snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `promot` is neither a command nor a folder
    hint: did you mean `ship promote`?
    ");
    // What is only somewhat alike is a folder that is not there.
    assert!(environment.ship(["nope"]).run().exits_with(1).stderr().contains("nope` does not exist"));
    insta::assert_snapshot!(environment.ship(["init", "--name", "shop"]).run().snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected argument '--name' found

      tip: '--project <NAME>' gives the project a name

    Usage: ship init [OPTIONS] [DIR]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(environment.ship(["deploy", "index.html"]).within(project.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `[ENV]/projects/site/index.html` is not a folder
    hint: name the folder that it stands in
    ");
}

/// A Go file that does not compile: the compiler's words, with the path and line that the user knows, and what stands there.
#[test]
fn go_does_not_compile() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    project.edit("api/date.go", "time.Now()", "time.Never()");
    insta::assert_snapshot!(refused(&environment, &project).replace('\t', "→"), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the Go compiler refuses the functions:
    api/date.go:20:40: undefined: time.Never
     20 | →fmt.Fprintf(w, "{\"now\":%d}\n", time.Never().UnixMilli())
        | →                                      ^
    "#);
}

/// A Go file that is not even Go, also when it is the only one.
#[test]
fn go_does_not_parse() {
    let environment = TestEnv::new();
    let project =
        environment.project("site").file("api/broken.go", "package handler\n\nfunc Broken(w http.ResponseWriter {\n");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the Go compiler refuses the functions:
    api/broken.go:3:35: syntax error: unexpected { in parameter list; possibly missing comma or )
     3 | func Broken(w http.ResponseWriter {
       |                                   ^
    ");
}

/// A handler with a mistyped type is no handler, and its route would be gone: the compiler is asked, whatever else is there.
#[test]
fn go_is_mistyped() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    project.write(
        "api/lunch/today.go",
        "package lunch\n\nimport \"net/http\"\n\nfunc Today(w http.ResponsWriter, r *http.Request) {}\n",
    );
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the Go compiler refuses the functions:
    api/lunch/today.go:5:19: undefined: http.ResponsWriter
     5 | func Today(w http.ResponsWriter, r *http.Request) {}
       |                   ^
    ");
}

/// A broken deploy leaves what was live as it was.
#[test]
fn a_failed_build_changes_nothing() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    project.edit("api/date.go", "time.Now()", "time.Never()");
    project.edit("public/index.html", "Two buttons", "No buttons");
    let _ = host.ship(["deploy", "--prod"]).within(project.folder()).run().exits_with(1);
    assert!(http::get(&host.site_url("date-weather")).success().text().contains("Two buttons"));
    let list = host.ship(["ls", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(list["deployments"].as_array().map(Vec::len), Some(1));
}

/// What another encoding wrote is named with its place, and the mark that editors put before UTF-8 is no part of the text.
#[test]
fn other_encodings() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "<!doctype html>");
    for (file, content, said) in [
        ("ship.toml", b"# gr\xc3\xbcn\nname = \"gr\xfcn\"\n".as_slice(), "ship.toml:2:11: the byte 0xfc is not UTF-8"),
        ("vercel.json", b"\xff\xfe{\0}\0", "vercel.json:1:1: the file is UTF-16"),
        ("package.json", b"{\n  \"name\": \"\xe9\"\n}", "package.json:2:12: the byte 0xe9 is not UTF-8"),
        ("api/a.ts", b"// \xa9\nexport const GET = () => 1;\n", "api/a.ts:1:4: the byte 0xa9 is not UTF-8"),
    ] {
        project.write(file, content);
        let refused = environment.ship(["build"]).within(project.folder()).run().exits_with(1);
        assert_eq!(refused.stderr().trim_end(), format!("error: {said}: save the file as UTF-8"));
        project.remove(file);
    }
    project.write(".env", b"A\0=\x001\0");
    let warned = environment.ship(["build"]).within(project.folder()).run().success();
    let warning = "warning: .env:1:1: the file is UTF-16: save the file as UTF-8\n";
    assert!(warned.stderr().starts_with(warning), "{}", warned.stderr());
    project.write("ship.toml", "\u{feff}nam = \"marked\"\n");
    let refused = environment.ship(["build"]).within(project.folder()).run().exits_with(1);
    assert!(refused.stderr().starts_with("error: ship.toml:1:1: unknown key `nam`"), "{}", refused.stderr());
    for (file, content) in [("ship.toml", "name = \"marked\"\n"), ("vercel.json", "{}"), (".env", "A=1\n")] {
        project.write(file, format!("\u{feff}{content}"));
        let _ = environment.ship(["build"]).within(project.folder()).run().success();
    }
}

/// Functions in four languages are wrong, each in its way: all of it is said at once, with the places for programs, and before the pages
/// are built, which would be for nothing.
#[test]
fn mistakes_in_every_language() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("package.json", "{\"scripts\": {\"build\": \"echo built > built && exit 1\"}}")
        .file("ship.toml", "[functions.\"api/c\"]\nmemory_mb = 200\n")
        .file(
            "api/a.go",
            "package handler\n\nimport \"net/http\"\n\nfunc Handler(w http.ResponseWriter, r *http.Request) { x }\n",
        )
        .file("api/b.ts", "export const GET = () => 1 +;\n")
        .file("api/c.py", "def app(environ, start:\n    pass\n")
        .file("api/d.rs", "pub async fn handler(request: Request) -> u8 {\n    1\n}\n");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the Go compiler refuses the functions:
    api/a.go:5:56: undefined: x
     5 | func Handler(w http.ResponseWriter, r *http.Request) { x }
       |                                                        ^
    the functions cannot be bundled:
    api/b.ts:1:29: Unexpected token
     1 | export const GET = () => 1 +;
       |                             ^
    api/c.py:2:5: expected an expression
     2 |     pass
       |     ^
    the Rust compiler refuses the functions:
    api/d.rs:1:43: `handler` returns `u8`: expected `async fn handler(request: Request) -> Result<Response, Error>`
     1 | pub async fn handler(request: Request) -> u8 {
       |                                           ^^
    ");
    assert!(!project.path("built").exists(), "no page was built");
    let refused = environment.ship(["build", "--json"]).within(project.folder()).run().exits_with(1).json();
    assert_eq!(refused["error"]["code"], "compile_failed");
    let places = refused["error"]["places"].as_array().expect("it is a list").iter();
    let places: Vec<String> =
        places.map(|place| format!("{}:{}:{}", place["file"], place["line"], place["column"])).collect();
    assert_eq!(places, [r#""api/a.go":5:56"#, r#""api/b.ts":1:29"#, r#""api/c.py":2:5"#, r#""api/d.rs":1:43"#]);
}

/// Programs are told the places that an error names: those of a build, of a configuration, and of a function that does not start.
#[test]
fn places_for_programs() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("ship.toml", "\nnaem = \"site\"\n");
    let host = TestHost::start(&environment);
    let places = |command: &str| {
        let folder = project.folder().file_name().expect("a project has a name");
        let above = project.folder().parent().expect("it stands in a folder");
        let refused = host.ship([command, "--json"]).and([folder]).within(above).run().exits_with(1);
        refused.json()["error"]["places"].to_string()
    };
    assert_eq!(places("build"), r#"[{"file":"ship.toml","line":2,"column":1}]"#);
    project.remove("ship.toml");
    project.write("api/a.ts", "export function GET() {\n  return new Response('a';\n}\n");
    project.write("api/b.ts", "export const GET = () => 1 +;\n");
    let both = r#"[{"file":"api/a.ts","line":2,"column":26},{"file":"api/b.ts","line":1,"column":29}]"#;
    assert_eq!(places("deploy"), both);
    project.remove("api/b.ts");
    project.write("api/a.ts", "export const GET = () => new Response();\nthrow new Error('no');\n");
    assert_eq!(places("deploy"), r#"[{"file":"api/a.ts","line":2,"column":7}]"#);
    project.remove("api/a.ts");
    project.write("api/p.py", "\nimport absent\n\ndef app(environ, start):\n    pass\n");
    assert_eq!(places("deploy"), r#"[{"file":"api/p.py","line":2,"column":null}]"#);
    project.remove("api/p.py");
    assert_eq!(places("deploy"), "[]");
}

/// A path with half of a placeholder.
#[test]
fn half_a_placeholder() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/[id.ts", "export const GET = () => new Response();\n");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: invalid_path_segment: `[id` in the path of `api/[id.ts` is no placeholder: expected `[name]` for one segment, `[...name]` or `[[...name]]` for several
    ");
}

/// Two files for one route.
#[test]
fn two_files_for_one_route() {
    let environment = TestEnv::new();
    let handler = "package handler\n\nimport \"net/http\"\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {}\n";
    let project = environment.project("site").file("api/date.go", handler).file("api/date/index.go", handler);
    insta::assert_snapshot!(refused(&environment, &project), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: conflicting_file_path: `api/date.go` and `api/date/index.go` both answer at `/api/date`: rename one of them
    ");
}

/// Two files whose paths differ only in case, and two whose names look the same.
#[test]
fn paths_that_clash() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/img/K.png", "a king").file("public/img/k.png", "a queen");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `public/img/K.png` and `public/img/k.png` differ only in case, and not every file system keeps them apart
    hint: rename one of the two
    ");
    std::fs::remove_file(project.path("public/img/K.png")).expect("the file is ours");
    let project = project.file("public/caf\u{e9}.html", "x").file("public/cafe\u{301}.html", "x");
    insta::assert_snapshot!(refused(&environment, &project), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `public/cafe\u{301}.html` and `public/caf\u{e9}.html` are the same characters in two forms of Unicode, which nobody can tell apart
    hint: rename one of the two
    ");
}

/// A project name that is no DNS label.
#[test]
fn name_is_no_label() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "x").file("ship.toml", "name = \"My_Site\"\n");
    insta::assert_snapshot!(refused(&environment, &project), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: ship.toml:1:8: `My_Site` cannot name a project: only a to z, 0 to 9 and `-` may stand in it; `my-site` would do
     1 | name = "My_Site"
       |        ^^^^^^^^^
    "#);
    insta::assert_snapshot!(environment.ship(["deploy", "--project", "-x-"]).within(project.folder()).run().snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected argument '-x' found

      tip: to pass '-x' as a value, use '-- -x'

    Usage: ship deploy [OPTIONS] [PATH]

    For more information, try '--help'.
    ");
}

/// A key that ship does not know: where it is, and which one was meant.
#[test]
fn unknown_key() {
    let environment = TestEnv::new();
    let toml = "name = \"site\"\n\n[functions.\"api/*\"]\ntimeout_sec = 60\n";
    let project = environment.project("site").file("index.html", "x").file("ship.toml", toml);
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: ship.toml:4:1: unknown key `timeout_sec`, did you mean `timeout_secs`?
     4 | timeout_sec = 60
       | ^^^^^^^^^^^
    ");
}

/// A value of the wrong type.
#[test]
fn wrong_type() {
    let environment = TestEnv::new();
    let toml = "name = \"site\"\n\n[[cors]]\nsource = \"/api/(.*)\"\norigins = \"https://app.example.com\"\n";
    let project = environment.project("site").file("index.html", "x").file("ship.toml", toml);
    insta::assert_snapshot!(refused(&environment, &project), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: ship.toml:5:11: expected a list, found the string "https://app.example.com"
     5 | origins = "https://app.example.com"
       |           ^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

/// A file that is not TOML.
#[test]
fn not_toml() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "x").file("ship.toml", "name = \"site\n");
    insta::assert_snapshot!(refused(&environment, &project), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: ship.toml:1:13: invalid basic string, expected `"`
     1 | name = "site
       |             ^
    "#);
}

/// Credentials for everybody would be a hole.
#[test]
fn cors_for_everybody_with_credentials() {
    let environment = TestEnv::new();
    let toml = "[[cors]]\nsource = \"/api/(.*)\"\norigins = [\"*\"]\ncredentials = true\n";
    let project = environment.project("site").file("index.html", "x").file("ship.toml", toml);
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: ship.toml:4:15: `*` among the origins allows every page to read answers, which cannot go with credentials: name the origins, or drop `credentials`
     4 | credentials = true
       |               ^^^^
    ");
}

/// A file that whoever deploys may not read.
#[test]
fn unreadable_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "x").file("public/secret.txt", "x");
    let locked = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(project.path("public/secret.txt"), locked).expect("the file is ours");
    let host = TestHost::start(&environment);
    // Root reads everything, so ship runs without that power.
    let powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"];
    let output = host.ship(["deploy"]).within(project.folder()).started_by(powerless).run();
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `public/secret.txt` cannot be read
    caused by: Permission denied (os error 13)
    ");
}

/// A symbolic link that leads out of the project.
#[test]
fn link_that_leaves() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "x");
    symlink("/etc/passwd", project.path("public/passwd.txt")).expect("the folder is writable");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: symlink_leaves_project: the symlink `public/passwd.txt` leads to `/etc/passwd`, which is outside of the project
    ");
    std::fs::remove_file(project.path("public/passwd.txt")).expect("the link is ours");
    symlink("../../..", project.path("public/up")).expect("the folder is writable");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: symlink_leaves_project: the symlink `public/up` leads to `[ENV]`, which is outside of the project
    ");
}

/// Links that lead to each other, and a pipe that nobody writes to, are named and not followed.
#[test]
fn loops_and_pipes() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "x");
    symlink("loop", project.path("public/loop")).expect("the folder is writable");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the symlink `public/loop` leads back to `loop`, so it never ends
    ");
    std::fs::remove_file(project.path("public/loop")).expect("the link is ours");
    let pipe = project.path("public/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o644), 0)
        .expect("the folder is writable");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `public/pipe` is a named pipe, and only files can be deployed
    ");
}

/// A function that ends as soon as it starts is never published, and what it said is shown.
#[test]
fn function_that_does_not_start() {
    let environment = TestEnv::new();
    let handler = "package handler

import (
	\"fmt\"
	\"net/http\"
	\"os\"
)

func init() {
	fmt.Fprintln(os.Stderr, \"no database at all\")
	os.Exit(3)
}

func Handler(w http.ResponseWriter, r *http.Request) {}
";
    let project = environment.project("site").file("api/doomed.go", handler);
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Built 1 function in [TIME]
    error: function `api/doomed` does not start: its process ended with exit code 3
      no database at all
    hint: nothing was published; `--no-check` publishes without starting the functions
    ");
}

/// Of several functions that do not start each is named, so that nobody mends them one deployment at a time.
#[test]
fn functions_that_do_not_start() {
    let environment = TestEnv::new();
    let exits = |code: u8| {
        format!("console.error('no {code} at all');\nprocess.exit({code});\nexport const GET = () => new Response();\n")
    };
    let project = environment.project("site").file("api/second.js", exits(2)).file("api/first.js", exits(1));
    let project = project.file("api/well.js", "export const GET = () => new Response('well');\n");
    insta::assert_snapshot!(refused(&environment, &project), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Built 3 functions in [TIME]
    error: 2 functions do not start
      `api/first`: its process ended with exit code 1
        no 1 at all
      `api/second`: its process ended with exit code 2
        no 2 at all
    hint: nothing was published; `--no-check` publishes without starting the functions
    ");
}

/// What was published unchecked does not become production unchecked.
#[test]
fn unchecked_function_is_not_promoted_by_a_deploy() {
    let environment = TestEnv::new();
    let handler = "package handler\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc init() { os.Exit(3) }\n\n\
                   func Handler(w http.ResponseWriter, r *http.Request) {}\n";
    let project = environment.project("site").file("public/index.html", "well");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    project.write("api/doomed.go", handler);
    project.write("public/index.html", "doomed");
    let _ = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success();
    insta::assert_snapshot!(host.ship(["deploy", "--prod"]).within(project.folder()).run().snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Built 1 function and 1 file in [TIME] (functions from the build cache)
    error: function `api/doomed` does not start: its process ended with exit code 3
    hint: nothing was published; `--no-check` publishes without starting the functions
    ");
    assert_eq!(http::get(&host.site_url("site")).success().text(), "well");
}

/// A command line that cannot be understood.
#[test]
fn wrong_command_line() {
    let environment = TestEnv::new();
    insta::assert_snapshot!(environment.ship(["deploy", "--produciton"]).run().exits_with(2).snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: unexpected argument '--produciton' found

      tip: a similar argument exists: '--prod'

    Usage: ship deploy --prod [PATH]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(environment.ship(["rollback", "--json", "--what"]).run().exits_with(2).snapshot(), @r#"
    exit code: 2
    ----- stdout -----
    {"error":{"kind":"usage","exit_code":2,"code":null,"message":"unexpected argument '--what' found","details":[],"causes":[],"hints":["to pass '--what' as a value, use '-- --what'","`ship rollback --json [ID|URL]`"],"places":[]}}
    ----- stderr -----
    "#);
    insta::assert_snapshot!(environment.ship(["build", "--arch", "mips"]).run().exits_with(2).snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'mips' for '--arch <ARCH>': `mips` is not an architecture: expected `amd64` or `arm64`

    For more information, try '--help'.
    ");
}

/// The disk of the host is full: the deploy says so, what is live goes on, and a smaller deploy succeeds.
#[test]
fn full_disk() {
    let environment = TestEnv::new();
    let data = environment.folder().join("small-disk");
    std::fs::create_dir(&data).expect("the folder is writable");
    // A disk of eight megabytes, in a mount namespace that ends with the host. The names are arguments of the script. What the host
    // says of itself goes there as well, as in the background, and finds no room either.
    let script = "mount -t tmpfs -o size=8m,mode=700 small-disk \"$0\" && exec \"$@\" 2>>\"$0/host.log\"";
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script];
    let wrapper: Vec<&std::ffi::OsStr> = words.iter().map(AsRef::as_ref).chain([data.as_os_str()]).collect();
    let host = TestHost::start_by(&environment, &data, &wrapper);
    let project = environment.project("site").file("public/index.html", "small");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();

    // Much more than the connection holds: the answer is there before everything was sent.
    let files: Vec<String> = (0..64).map(|number| format!("public/large-{number}.bin")).collect();
    for (seed, file) in (1..).zip(&files) {
        project.write(file, noise(seed));
    }
    let output = host.ship(["deploy", "--prod"]).within(project.folder()).run();
    insta::assert_snapshot!(output.exits_with(4).snapshot(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    Built 65 files in [TIME]
    error: the host's disk is full
    hint: make room on the host's disk and run the command again: what it has stays there
    ");
    assert_eq!(http::get(&host.site_url("site")).success().text(), "small");

    for file in &files {
        project.remove(file);
    }
    project.write("public/index.html", "smaller");
    let _ = host.ship(["deploy", "--prod"]).within(project.folder()).run().success();
    assert_eq!(http::get(&host.site_url("site")).success().text(), "smaller");
}

/// A megabyte that cannot be compressed, and is the same for the same seed, which is not 0 (xorshift64*, Vigna 2016).
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()
    };
    (0..128 * 1024).flat_map(|_| next()).collect()
}

/// The disk of the compiler's cache is full. Go itself says then that its own library is not there.
#[test]
fn full_compiler_cache() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let script = "mount -t tmpfs -o size=100k,mode=700 small-disk \"$0\" && exec \"$@\"";
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script];
    let cache = environment.folder().join("compiler-cache");
    std::fs::create_dir(&cache).expect("the folder is writable");
    let wrapper: Vec<&std::ffi::OsStr> = words.iter().map(AsRef::as_ref).chain([cache.as_os_str()]).collect();
    let build = environment.ship(["build"]).within(project.folder()).with("GOCACHE", &cache).started_by(wrapper).run();
    insta::assert_snapshot!(build.exits_with(1).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the disk is full, so the functions cannot be compiled: make room and run the command again
    Go's cache is in `[ENV]/compiler-cache`
    ");
}

/// What `ship` says where its home is a disk of this size on which one page is taken.
fn on_small_disk(environment: &TestEnv, size: &str, arguments: &[&str]) -> String {
    let project = environment.project("site").file("public/index.html", "small");
    let script =
        format!("mount -t tmpfs -o size={size},mode=700 small-disk \"$0\" && echo taken > \"$0/taken\" && exec \"$@\"");
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", &script];
    let home = environment.ship_home();
    let wrapper: Vec<&std::ffi::OsStr> = words.iter().map(AsRef::as_ref).chain([home.as_os_str()]).collect();
    let output = environment.ship(arguments).within(project.folder()).started_by(wrapper).run();
    output.exits_with(4).snapshot().to_owned()
}

/// A host that finds no room does not start, and says that it is for want of room, also from the background.
#[test]
fn no_room_for_a_host() {
    let environment = TestEnv::new();
    let host = ["host", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    insta::assert_snapshot!(on_small_disk(&environment, "4k", &host), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: cannot lock [ENV]/ship/host/lock
    caused by: No space left on device (os error 28)
    hint: make room on that disk, and run the command again
    ");
    // A database fits, and what `SQLite` keeps beside it does not.
    insta::assert_snapshot!(on_small_disk(&environment, "40k", &host), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: the state database [ENV]/ship/host/state.db cannot be opened
    caused by: no room is left for the state database
    hint: make room on that disk, and run the command again
    ");
    insta::assert_snapshot!(on_small_disk(&environment, "40k", &["deploy"]), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    Built 1 file in [TIME]
    error: the host in the background did not start: the state database [ENV]/ship/host/state.db cannot be opened
    caused by: no room is left for the state database
    hint: make room on that disk, and run the command again
    ");
    let said = on_small_disk(&environment, "4k", &["dev", "--listen", "127.0.0.1:0"]);
    let (before, after) = said.split_once("/cache/dev/").expect("the folder is named");
    insta::assert_snapshot!(format!("{before}/cache/dev/[FOLDER]{}", &after[12..]), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: [ENV]/ship/cache/dev/[FOLDER] cannot be used
    caused by: No space left on device (os error 28)
    hint: make room on that disk, and run the command again
    ");
}

/// What a program wrote may be nested far deeper than what a person writes: it is built, or refused, but ends no build.
#[test]
fn deeply_nested_sources() {
    let environment = TestEnv::new();
    let sum = vec!["1"; 50_000].join(" +\n");
    let project = environment.project("deep").file(
        "api/deep.ts",
        format!("export const sum = {sum};\nexport function GET() {{ return new Response(`${{sum}}`); }}"),
    );
    let _ = environment.ship(["build"]).within(project.folder()).run().success();
}
