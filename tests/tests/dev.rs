//! `ship dev`: what is edited is what the next request sees.

use serde_json::Value;
use ship_tests::{RunningShip, TestEnv, TestProject, http};

/// A dev server that is ready, and its URL.
fn dev<'e>(environment: &'e TestEnv, project: &TestProject) -> (RunningShip<'e>, String) {
    let command = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]);
    let mut running = command.within(project.folder()).start();
    let ready = wait_for_event(&mut running, "ready");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    (running, url)
}

/// The next event of this kind on standard output.
#[track_caller]
fn wait_for_event(running: &mut RunningShip<'_>, kind: &str) -> Value {
    loop {
        let line = running.stdout().wait_for(|line| line.contains("\"event\""));
        let event: Value = serde_json::from_str(&line).expect("each line is one JSON document");
        if event["event"] == kind {
            return event;
        }
    }
}

/// An edited page, a new file, a removed one and an edited function: the next request sees each.
#[test]
fn the_next_request_sees_the_edit() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let (_running, url) = dev(&environment, &project);
    assert!(http::get(&url).success().text().contains("Two buttons"));
    assert!(http::get(&format!("{url}/api/date")).success().json()["now"].is_u64());

    project.edit("public/index.html", "Two buttons", "Three buttons");
    assert!(http::get(&url).success().text().contains("Three buttons"));

    project.write("public/new/page.html", "<!doctype html>new");
    assert!(http::get(&format!("{url}/new/page.html")).success().text().contains("new"));
    project.remove("public/new/page.html");
    assert_eq!(http::get(&format!("{url}/new/page.html")).status, 404);

    project.edit("api/date.go", "{\\\"now\\\":%d}", "{\\\"then\\\":%d}");
    assert!(http::get(&format!("{url}/api/date")).success().json()["then"].is_u64());

    project.edit("ship.toml", "/api/(.*)", "/api/weather");
    let from =
        |path: &str| http::request("GET", &format!("{url}{path}")).header("origin", "https://app.example.com").send();
    assert_eq!(from("/api/date").header("access-control-allow-origin"), None);
    assert!(from("/api/weather?city=Lisbon").header("access-control-allow-origin").is_some());
}

/// What runs a function is edited like the function: the next request is answered by the other.
#[test]
fn another_interpreter() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("api/a.ts", "export const GET = () => new Response('Bun' in globalThis ? 'bun' : 'node');\n")
        .file("vercel.json", "{ \"bunVersion\": \"1.x\" }");
    let (_running, url) = dev(&environment, &project);
    assert_eq!(http::get(&format!("{url}/api/a")).success().text(), "bun");
    project.edit("api/a.ts", "'bun'", "'Bun'");
    assert_eq!(http::get(&format!("{url}/api/a")).success().text(), "Bun");
    project.write("vercel.json", "{}");
    assert_eq!(http::get(&format!("{url}/api/a")).success().text(), "node");
}

/// Many edits, each followed by a request at once: none is ever answered with what was there before.
#[test]
fn no_request_overtakes_an_edit() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "<!doctype html>");
    let (_running, url) = dev(&environment, &project);
    for number in 0..50 {
        let page = format!("<!doctype html><p>edit {number};");
        project.write("public/index.html", &page);
        let seen = http::get(&url).success().text();
        assert!(seen.contains(&page), "after edit {number}: {seen}");
    }
}

/// A function that does not compile: the request shows the compiler's words until the fix, which takes them away.
#[test]
fn compile_error() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let (mut running, url) = dev(&environment, &project);

    project.edit("api/date.go", "time.Now()", "time.Never()");
    let broken = http::get(&format!("{url}/api/date"));
    assert_eq!(broken.status, 500, "{}", broken.text());
    assert!(
        broken.text().contains("api/date.go:") && broken.text().contains("undefined: time.Never"),
        "{}",
        broken.text()
    );
    let event = wait_for_event(&mut running, "error");
    assert!(event.to_string().contains("undefined: time.Never"), "{event}");
    let place = &event["error"]["places"][0];
    assert_eq!((&place["file"], &place["line"]), (&Value::from("api/date.go"), &Value::from(20)), "{event}");

    project.edit("api/date.go", "time.Never()", "time.Now()");
    assert!(http::get(&format!("{url}/api/date")).success().json()["now"].is_u64());
    let _ = wait_for_event(&mut running, "ready");
    assert!(http::get(&url).success().text().contains("Two buttons"));
}

/// A file that stops being a function while it is edited is spoken of: its path answers 404, and nothing else would say why.
#[test]
fn no_function_any_more() {
    let environment = TestEnv::new();
    let function = "export const GET = () => new Response('here');\n";
    let project = environment.project("site").file("api/a.ts", function).file("api/b.ts", function);
    let (mut running, url) = dev(&environment, &project);
    assert_eq!(http::get(&format!("{url}/api/a")).success().text(), "here");
    project.write("api/a.ts", "export const answer = 'here';\n");
    assert_eq!(http::get(&format!("{url}/api/a")).status, 404);
    let warning = running.stderr().wait_for(|line| line.contains("warning"));
    assert_eq!(warning, "warning: `api/a.ts` is no function any more: nothing in it answers requests");
}

/// A process that ends by itself after its answer is shown with the place in its source. So is a handler that gives nothing, of which no
/// stack speaks: what is shown is where it stands.
#[test]
fn failures_of_a_process() {
    let environment = TestEnv::new();
    let late = "export function GET() {\n  setTimeout(() => { throw new Error('late boom'); }, 50);\n  return new Response('ok');\n}\n";
    let project = environment
        .project("site")
        .file("api/late.ts", late)
        .file("api/none.ts", "// Nothing.\nexport function GET() {}\n");
    let (mut running, url) = dev(&environment, &project);
    assert_eq!(http::get(&format!("{url}/api/late")).success().text(), "ok");
    let said = running.stderr().wait_for(|line| line.starts_with("  api/late.ts:"));
    assert_eq!(said, "  api/late.ts:2:28: Error: late boom");
    assert_eq!(http::get(&format!("{url}/api/none")).status, 500);
    let said = running.stderr().wait_for(|line| line.starts_with("  api/none.ts:"));
    assert_eq!(said, "  api/none.ts:2: TypeError: the handler gave nothing, not a Response");
    project.write("api/none.ts", "export function GET() {}\nthrow 'no words';\n");
    assert_eq!(http::get(&format!("{url}/api/none")).status, 500);
    let said = running.stderr().wait_for(|line| line.starts_with("  api/none.ts:"));
    assert_eq!(said, "  api/none.ts:2: no words");
}

/// What to do next is said in the page and to programs, too, not only in the terminal.
#[test]
fn next_steps_in_the_page() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("api/a.ts", "export const GET = () => new Response('fine');\n");
    let (_running, url) = dev(&environment, &project);
    project.edit("api/a.ts", "export", "import 'left-padd';\nexport");
    let broken = http::get(&format!("{url}/api/a"));
    let error: Value = serde_json::from_str(&broken.text()).expect("programs get JSON");
    let message = error["error"]["message"].as_str().expect("an error has a message");
    assert!(message.starts_with("api/a.ts:1:8: the package `left-padd` is not installed\n"), "{message}");
    assert!(message.ends_with("\nhint: `npm install left-padd`"), "{message}");
    project.edit("api/a.ts", "import 'left-padd';\n", "");
    assert_eq!(http::get(&format!("{url}/api/a")).success().text(), "fine");
}

/// A project that is broken from the start is shown as broken, and served as soon as it is mended.
#[test]
fn broken_from_the_start() {
    let environment = TestEnv::new();
    let project = environment
        .project("site")
        .file("public/index.html", "<!doctype html>fine")
        .file("ship.toml", "naem = \"site\"\n");
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let error = wait_for_event(&mut running, "error");
    assert!(error.to_string().contains("ship.toml:1:1"), "{error}");
    project.write("ship.toml", "name = \"site\"\n");
    let url = wait_for_event(&mut running, "ready")["url"].as_str().expect("the event names the URL").to_owned();
    assert!(http::get(&url).success().text().contains("fine"));
}

/// An open page hears of each change: it is told the version that is shown now.
#[test]
fn open_pages_are_told() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let (_running, url) = dev(&environment, &project);
    let page = http::get(&url).success().text();
    assert!(page.contains("<script src=\"/_ship/dev/reload.js\""), "{page}");
    let mut events = http::get_events(&format!("{url}/_ship/dev/events"));
    let first = events.next_event();
    assert!(
        page.contains(first["version"].as_str().expect("the event names the version")),
        "the page knows its version"
    );

    project.edit("public/index.html", "Two buttons", "Three buttons");
    let second = events.next_event();
    assert_ne!(first["version"], second["version"]);

    project.edit("api/date.go", "time.Now()", "time.Never()");
    assert!(events.next_event()["failure"].to_string().contains("undefined: time.Never"));
    project.edit("api/date.go", "time.Never()", "time.Now()");
    assert_eq!(events.next_event()["version"], second["version"], "the same content is the same version");
}

/// A stranger's page, whose name leads to this machine, cannot read the folder.
#[test]
fn strangers_names() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "<!doctype html>private");
    let (_running, url) = dev(&environment, &project);
    let answer = http::request("GET", &url).header("host", "evil.example").send();
    assert_eq!(answer.status, 403);
    assert!(!answer.text().contains("private"));
}

/// What a function prints is shown while it is developed, and nothing is left when the dev server ends.
#[test]
fn prints_and_ends() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    project.edit("api/date.go", "w.Header()", "fmt.Println(\"printed by the function\")\n\tw.Header()");
    let (mut running, url) = dev(&environment, &project);
    let _ = http::get(&format!("{url}/api/date")).success();
    let _ = running.stderr().wait_for(|line| line.contains("printed by the function"));
    let ended = running.terminate();
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr());
    assert_eq!(ship_tests::processes_mentioning(environment.folder()), []);
}

/// What a person sees in a terminal.
#[test]
fn what_a_person_sees() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "<!doctype html>a page");
    let mut running = environment.ship(["dev", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let url = running.stdout().next_line().expect("the URL is on standard output");
    let _ = http::get(&url).success();
    let ended = running.terminate();
    insta::assert_snapshot!(ended.snapshot(), @"
    exit code: 130
    ----- stdout -----
    http://127.0.0.1:[PORT]
    ----- stderr -----
    site: 1 file, ready in [TIME]
    [AT] GET / 200 [TIME]  [REQUEST]
    ");
}
