//! What a browser shows that runs no script, and one whose clock is wrong.

use std::time::Instant;

use serde_json::json;
use ship_tests::{PATIENCE, TestHost, http};

use crate::stage::{Desk, deploy, deploy_talkative, environment};

/// Waits until a page without scripts shows a text, and gives all of what holds it.
#[track_caller]
fn shows(desk: &Desk, css: &str, wanted: &str) -> String {
    let began = Instant::now();
    loop {
        let text = desk.browser.text(css);
        if text.contains(wanted) {
            return text;
        }
        assert!(began.elapsed() < PATIENCE, "{css} never said {wanted:?} but {text:?}");
    }
}

/// State, history, logs and charts are there without a script, and production is moved by forms.
#[test]
fn whole() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let project = environment.project("garden");
    let mut following = host.ship(["logs", "-f", "--json"]).within(project.folder()).start();
    let _ = http::get(&format!("{say}?word=spoken")).success();
    let _ = following.stdout().wait_for(|line| line.contains("\"spoken\""));
    drop(following);
    let desk = Desk::new(&host);
    desk.browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    desk.go("/");
    desk.browser.fill("#token", &host.token());
    desk.browser.click("button.primary");
    let _ = shows(&desk, "h1", "Projects");
    desk.browser.click("tbody a[href='/projects/garden']");
    let _ = shows(&desk, "tbody", "Production");
    desk.browser.click("tbody th a");
    let page = shows(&desk, "#content", "api/say");
    assert!(page.contains("node") && page.contains("Instances"), "{page}");
    desk.go("/projects/garden/logs");
    let _ = shows(&desk, "#log", "spoken");
    let _ = shows(&desk, "#following", "Load the page again for newer ones");
    desk.go("/projects/garden/metrics");
    let _ = shows(&desk, ".facts", "Requests");
    let _ = shows(&desk, ".chart", "Requests per ");
    desk.go("/projects/garden/settings");
    let _ = shows(&desk, "#content", "Variables");
    let changed = environment.project("later").file("index.html", "later");
    let second = deploy(&host, &changed, &["--project", "garden"]);
    desk.go(&format!("/projects/garden/deployments/{second}/promote"));
    desk.browser.click("form button.primary");
    let _ = shows(&desk, ".is-production", &second[..8]);
    desk.browser.click(".me button");
    let _ = shows(&desk, "label", "Token");
}

/// A browser whose clock is three hours ahead shows how long ago things were by the host's.
#[test]
fn wrong_clock() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let project = environment.project("garden").file("index.html", "a garden");
    let _ = deploy(&host, &project, &[]);
    let desk = Desk::of(&host, &host.token());
    let ahead = "const now = Date.now; Date.now = () => now() + 3 * 3600 * 1000;";
    desk.browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": ahead }));
    desk.go("/projects/garden");
    // The module has written the times anew when one of them has moved on.
    let shown = desk.browser.wait_for_text("tbody time", "seconds ago");
    assert!(!shown.contains("hour"), "{shown}");
}
