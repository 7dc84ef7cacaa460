//! What a person sees in the browser while they edit: errors that appear on the page and go away by themselves, and pages that follow
//! their sources.

use ship_tests::{Browser, ConsoleLine, RunningShip, TestEnv, TestProject, http, take_pictures};

/// The overlay, while it is there.
const OVERLAY: &str = "#ship-dev-failure";

/// A page without the overlay.
const UNCOVERED: &str = "html:not(:has(#ship-dev-failure)) h1";

/// A dev server that is ready, and its URL.
fn dev<'e>(environment: &'e TestEnv, project: &TestProject) -> (RunningShip<'e>, String) {
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("each line is one JSON document");
    (running, ready["url"].as_str().expect("the event names the URL").to_owned())
}

/// A page with a field, and a policy that allows nothing but its own files.
const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>a page</title>\
    <meta name=viewport content=\"width=device-width\"><link rel=icon href=\"data:,\">\
    <h1>A page</h1><label>Name <input id=name></label></html>";

const TYPESCRIPT: &str = "export function GET() {\n  const user = { name: \"x\" };\n  return Response.json(user);\n}\n";
const PYTHON: &str = "from http.server import BaseHTTPRequestHandler\n\n\nclass handler(BaseHTTPRequestHandler):\n    \
    def do_GET(self):\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b\"fine\")\n";
const GO: &str = "package handler\n\nimport \"net/http\"\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {\n\tw.WriteHeader(204)\n}\n";

/// A project with a function in each of three languages.
fn project(environment: &TestEnv) -> TestProject {
    let policy = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:";
    environment
        .project("site")
        .file("public/index.html", PAGE)
        .file("api/script.ts", TYPESCRIPT)
        .file("api/snake.py", PYTHON)
        .file("api/gopher.go", GO)
        .file(
            "ship.toml",
            format!("[[headers]]\nsource = \"/(.*)\"\nheaders = [{{ key = \"Content-Security-Policy\", value = \"{policy}\" }}]\n"),
        )
}

/// An error in each language, and in the configuration: the page that is open shows the file, the line and what stands there, and is
/// as it was when the error is gone, down to what somebody has typed. A strict policy keeps nothing of it away.
#[test]
fn errors_come_and_go() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let (_running, url) = dev(&environment, &project);
    let browser = Browser::start();
    browser.open(&url);
    browser.fill("#name", "half a word");
    let configuration = std::fs::read_to_string(project.path("ship.toml")).expect("it was written");
    for (file, good, bad, place, source) in [
        (
            "api/gopher.go",
            "WriteHeader(204)",
            "WriteHeader(teapot)",
            "api/gopher.go:6:16",
            "> 6 | \tw.WriteHeader(teapot)",
        ),
        ("api/script.ts", "= {", "= = {", "api/script.ts:2:", "const user = = {"),
        ("api/snake.py", "class handler", "clas handler", "api/snake.py:4:", "clas handler"),
        ("ship.toml", "source", "sauce", "ship.toml:2:1", "sauce = \"/(.*)\""),
    ] {
        project.edit(file, good, bad);
        let shown = browser.wait_for_text(OVERLAY, place);
        assert!(shown.contains(source), "{file}: {shown}");
        if file == "api/gopher.go" {
            take_pictures(&browser, "overlay-go");
        }
        project.edit(file, bad, good);
        browser.wait_for_text(UNCOVERED, "A page");
        assert_eq!(browser.run("return document.querySelector('#name').value"), "half a word", "{file}");
    }
    assert_eq!(std::fs::read_to_string(project.path("ship.toml")).expect("it is there"), configuration);
    assert_eq!(browser.console(), [] as [ConsoleLine; 0]);
}

/// Functions that are wrong in several languages: the page shows each, and what is left when one is mended.
#[test]
fn errors_side_by_side() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let (_running, url) = dev(&environment, &project);
    let browser = Browser::start();
    browser.open(&url);
    project.edit("api/gopher.go", "WriteHeader(204)", "WriteHeader(teapot)");
    browser.wait_for_text(OVERLAY, "api/gopher.go:6:16");
    project.edit("api/script.ts", "= {", "= = {");
    browser.wait_for_text(OVERLAY, "api/script.ts:2:");
    project.edit("api/snake.py", "class handler", "clas handler");
    let shown = browser.wait_for_text(OVERLAY, "api/snake.py:4:");
    for place in ["api/gopher.go:6:16", "api/script.ts:2:"] {
        assert!(shown.contains(place), "{place}: {shown}");
    }
    take_pictures(&browser, "overlay-several");
    for (file, bad, good) in [
        ("api/snake.py", "clas handler", "class handler"),
        ("api/gopher.go", "WriteHeader(teapot)", "WriteHeader(204)"),
        ("api/script.ts", "= = {", "= {"),
    ] {
        project.edit(file, bad, good);
    }
    browser.wait_for_text(UNCOVERED, "A page");
}

/// An error that was put aside is shown again when the next edit has it still.
#[test]
fn put_aside() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let (_running, url) = dev(&environment, &project);
    let browser = Browser::start();
    browser.open(&url);
    project.edit("api/script.ts", "= {", "= = {");
    browser.wait_for_text(OVERLAY, "api/script.ts:2:");
    browser.press_escape();
    browser.wait_for_text(UNCOVERED, "A page");
    project.write("public/other.txt", "something else");
    browser.wait_for_text(OVERLAY, "api/script.ts:2:");
}

/// A page that is asked for while the site does not build is the error, and then the page.
#[test]
fn broken_when_it_is_opened() {
    let environment = TestEnv::new();
    let project =
        environment.project("site").file("public/index.html", PAGE).file("vercel.json", "{ \"redirects\": 1 }");
    let mut running = environment.ship(["dev", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let url = running.stdout().next_line().expect("the URL is on standard output");
    let browser = Browser::start();
    browser.open(&url);
    browser.wait_for_text(OVERLAY, "vercel.json:1:");
    take_pictures(&browser, "overlay-configuration");
    project.write("vercel.json", "{}");
    browser.wait_for_text(UNCOVERED, "A page");
}

/// A function that fails while it runs: the page shows what it said and where, until it answers again. Escape takes it away before.
#[test]
fn failing_functions() {
    let environment = TestEnv::new();
    let project = project(&environment);
    let (mut running, url) = dev(&environment, &project);
    let browser = Browser::start();
    browser.open(&url);
    let ask = |path: &str| http::get(&format!("{url}{path}")).status;
    for (file, good, bad, path, place, said) in [
        ("api/script.ts", "json(user)", "json(user.none.more)", "/api/script", "api/script.ts:3:", "TypeError"),
        ("api/snake.py", "_response(200", "_response({}[\"name\"]", "/api/snake", "api/snake.py:6", "KeyError: 'name'"),
        (
            "api/gopher.go",
            "w.WriteHeader(204)",
            "var m map[string]int; m[\"a\"] = 1",
            "/api/gopher",
            "api/gopher.go:6",
            "nil map",
        ),
    ] {
        project.edit(file, good, bad);
        assert!(ask(path) >= 500, "{file}");
        let shown = browser.wait_for_text(OVERLAY, place);
        assert!(shown.contains(said) && shown.contains(bad), "{file}: {shown}");
        let _ = running.stderr().wait_for(|line| line.contains(place) && line.contains(said));
        if file == "api/snake.py" {
            take_pictures(&browser, "overlay-fault");
        }
        browser.press_escape();
        browser.wait_for_text(UNCOVERED, "A page");
        project.edit(file, bad, good);
        assert!(ask(path) < 300, "{file}");
        browser.wait_for_text(UNCOVERED, "A page");
    }
}

/// A static page follows its sources: another text loads it again, another stylesheet is taken in place.
#[test]
fn live_reload() {
    let environment = TestEnv::new();
    let page = PAGE.replace("<h1>", "<link rel=stylesheet href=/style.css><h1>");
    let project =
        environment.project("site").file("public/index.html", page).file("public/style.css", "h1 { color: red }");
    let (_running, url) = dev(&environment, &project);
    let browser = Browser::start();
    browser.open(&url);
    let red = "return getComputedStyle(document.querySelector('h1')).color";
    assert_eq!(browser.run(red), "rgb(255, 0, 0)");
    browser.fill("#name", "typed");
    project.write("public/style.css", "h1 { color: rgb(0, 0, 255) } h1::after { content: ' in blue' }");
    let is_blue = "const [done] = arguments; const look = () => \
        getComputedStyle(document.querySelector('h1')).color === 'rgb(0, 0, 255)' ? done(1) : requestAnimationFrame(look); look()";
    browser.wait_for(is_blue);
    assert_eq!(browser.run("return document.querySelector('#name').value"), "typed");
    project.edit("public/index.html", "A page", "Another page");
    browser.wait_for_text("h1", "Another page");
    assert_eq!(browser.console(), [] as [ConsoleLine; 0]);
}
