//! `ship dev` with a framework that has a server for development of its own: one port, and everything passes through it.

use serde_json::Value;
use ship_tests::{Browser, ConsoleLine, RunningShip, TestEnv, TestProject, http, processes_mentioning};

/// A dev server that is ready, and its URL.
fn dev<'e>(environment: &'e TestEnv, project: &TestProject) -> (RunningShip<'e>, String) {
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: Value = serde_json::from_str(&ready).expect("each line is one JSON document");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    (running, url)
}

/// Connects to Vite's WebSocket at the page's own address, and gives what is said first.
const SOCKET: &str = "const done = arguments[0];
    fetch('/@vite/client').then((client) => client.text()).then((text) => {
        const token = /wsToken = \"([^\"]+)\"/.exec(text)[1];
        const socket = new WebSocket(`ws://${location.host}/?token=${token}`, 'vite-hmr');
        socket.onmessage = ({ data }) => { socket.close(); done(data); };
        socket.onerror = () => done('error');
    });";

/// Waits until the page's text is in this colour.
fn wait_for_color(browser: &Browser, color: &str) {
    browser.wait_for(&format!(
        "const [done] = arguments; const look = () =>
         getComputedStyle(document.body).color === '{color}' ? done(1) : requestAnimationFrame(look); look()"
    ));
}

/// A project made with Vite: its pages and modules come through ship's port, and so do its WebSocket and what is edited, without the page being
/// loaded again; functions are ship's. A function that does not compile is shown on top of the page, which goes on.
#[test]
fn vite() {
    let environment = TestEnv::new();
    let project = environment.example("vite-spa");
    let (mut running, url) = dev(&environment, &project);
    let page = http::request("GET", &url).header("accept", "text/html").send().success();
    assert!(page.text().contains("/@vite/client") && page.text().contains("/_ship/dev/reload.js"), "{}", page.text());
    assert!(page.header("x-ship-id").is_some());
    assert_eq!(http::get(&format!("{url}/api/greet?name=Ada")).success().json()["greeting"], "Hello, Ada");

    let browser = Browser::start();
    browser.open(&format!("{url}/greet/Ada"));
    browser.wait_for_text("h1", "Hello, Ada");
    assert_eq!(browser.wait_for(SOCKET), "{\"type\":\"connected\"}");
    browser.run("window.isTheSame = true");
    project.edit("src/style.css", "body {", "body {\n  color: rgb(1, 2, 3);");
    wait_for_color(&browser, "rgb(1, 2, 3)");
    assert_eq!(browser.run("return window.isTheSame"), true, "the page was not loaded again");

    project.edit("api/greet.go", "// Greet", "var _ = missing\n\n// Greet");
    let shown = browser.wait_for_text("#ship-dev-failure", "undefined: missing");
    assert!(shown.contains(" | var _ = missing"), "{shown}");
    assert_eq!(http::get(&format!("{url}/api/greet")).status, 500);
    assert!(http::get(&format!("{url}/src/main.js")).success().text().contains("style.css"));
    project.edit("src/style.css", "rgb(1, 2, 3)", "rgb(4, 5, 6)");
    wait_for_color(&browser, "rgb(4, 5, 6)");
    project.edit("api/greet.go", "var _ = missing\n\n", "");
    browser.wait_for_text("html:not(:has(#ship-dev-failure)) h1", "Hello, Ada");
    assert_eq!(browser.run("return window.isTheSame"), true, "the page was not loaded again");
    assert_eq!(
        browser.console().into_iter().filter(|line| line.level == "SEVERE").collect::<Vec<_>>(),
        [] as [ConsoleLine; 0]
    );

    // What it prints names ship's port, and it ends with ship.
    let _ = running.stderr().wait_for(|line| line.starts_with("vite │") && line.contains(&url));
    let ended = running.terminate();
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr());
    assert_eq!(processes_mentioning(environment.folder()), []);
}

/// A server that cannot start says why, in the terminal and as the page, and is started again when its configuration is edited.
#[test]
fn server_that_ends() {
    let environment = TestEnv::new();
    let project = environment.example("vite-spa").file("vite.config.js", "throw new Error('no such plugin');\n");
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let error = running.stdout().wait_for(|line| line.contains("\"error\""));
    assert!(
        error.contains("no such plugin") && error.contains("`vite` of Vite: it ended with exit status: 1"),
        "{error}"
    );
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: Value = serde_json::from_str(&ready).expect("each line is one JSON document");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    let broken = http::get(&url);
    assert_eq!((broken.status, broken.header("x-ship-error")), (500, Some("BUILD_FAILED".to_owned())));
    assert!(broken.text().contains("no such plugin"), "{}", broken.text());
    // Functions need none of it.
    assert_eq!(http::get(&format!("{url}/api/greet?name=Ada")).success().json()["greeting"], "Hello, Ada");

    let browser = Browser::start();
    browser.open(&format!("{url}/greet/Ada"));
    browser.wait_for_text("#ship-dev-failure", "no such plugin");
    project.write("vite.config.js", "export default {};\n");
    browser.wait_for_text("html:not(:has(#ship-dev-failure)) h1", "Hello, Ada");
}

/// A project that has nothing but a framework: that is all there is to say, and what its configuration adds to answers is added.
#[test]
fn without_functions() {
    let environment = TestEnv::new();
    let headers = "[[headers]]\nsource = \"/(.*)\"\nheaders = [{ key = \"X-Mine\", value = \"yes\" }]\n\
                   [[redirects]]\nsource = \"/old\"\ndestination = \"/new\"\n";
    let project = environment.example("vite-spa").file("ship.toml", headers);
    project.remove("api/greet.go");
    let mut running = environment.ship(["dev", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let url = running.stdout().next_line().expect("the URL is on standard output");
    let line = running.stderr().wait_for(|line| line.starts_with("vite-spa: "));
    assert!(line.starts_with("vite-spa: Vite, ready in "), "{line}");
    let page = http::request("GET", &url).header("accept", "text/html").send().success();
    assert_eq!(page.header("x-mine").as_deref(), Some("yes"));
    assert!(page.text().contains("/@vite/client"), "{}", page.text());
    let old = http::get(&format!("{url}/old"));
    assert_eq!((old.status, old.header("location").as_deref()), (308, Some("/new")));
}

/// A script that says how: its arguments count, and a script that starts `ship dev` itself is no server.
#[test]
fn scripts() {
    let environment = TestEnv::new();
    let project = environment.example("vite-spa");
    project.edit("package.json", "\"build\"", "\"dev\": \"echo first && vite --mode other\", \"build\"");
    let (running, url) = dev(&environment, &project);
    assert!(http::get(&format!("{url}/src/main.js")).success().text().contains("\"MODE\": \"other\""));
    let _ = running.terminate();
    project.edit("package.json", "echo first && vite --mode other", "ship dev");
    let (_running, url) = dev(&environment, &project);
    assert!(http::get(&format!("{url}/src/main.js")).success().text().contains("\"MODE\": \"development\""));
}
