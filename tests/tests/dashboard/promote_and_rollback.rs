//! Moving production with a mouse.

use ship_tests::{Browser, TestHost};

use crate::stage::{Desk, deploy, environment};

/// The row of a deployment in the list.
fn row(browser: &Browser, id: &str) -> String {
    let script = format!(
        "return [...document.querySelectorAll('tbody tr')].find((row) => row.textContent.includes('{}'))?.innerText",
        &id[..8]
    );
    browser.run(&script).as_str().unwrap_or_default().to_owned()
}

/// A preview is looked at, promoted, rolled back and deleted; each step asks first, and the page shows what is.
#[test]
fn forward_and_back() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let project = environment.project("garden").file("index.html", "one").file("old.html", "old").on_branch("main");
    let first = deploy(&host, &project, &[]);
    project.write("index.html", "two");
    project.write("new.html", "new");
    project.remove("old.html");
    let second = deploy(&host, &project, &["--branch", "feature/roses"]);
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden");
    let listed = row(&desk.browser, &second);
    assert!(listed.contains("feature/roses") && listed.contains("owner") && listed.contains("+1"), "{listed}");
    assert!(listed.contains("~1") && listed.contains("−1") && !listed.contains("Production"), "{listed}");
    assert!(row(&desk.browser, &first).contains("Production"));
    desk.is_right("deployments");

    desk.browser.click(&format!("a[href$='{second}']"));
    let _ = desk.browser.wait_for_text("#content", "1 file changed");
    desk.is_right("deployment");
    desk.browser.click(&format!("a[href$='{second}/promote']"));
    let _ = desk.browser.wait_for_text("h1", "Promote");
    desk.is_right("confirm");
    desk.browser.click("form button.primary");
    let _ = desk.browser.wait_for_text(".is-production", &second[..8]);

    desk.browser.click("a[href$='/rollback']");
    let _ = desk.browser.wait_for_text("h1", "Roll back");
    desk.browser.click("form button.primary");
    let _ = desk.browser.wait_for_text(".is-production", &first[..8]);

    desk.go(&format!("/projects/garden/deployments/{second}"));
    desk.browser.click("a.danger");
    let _ = desk.browser.wait_for_text("h1", "Delete");
    desk.browser.click("form button.danger");
    let _ = desk.browser.wait_for_text(".heading", "garden.localhost");
    assert_eq!((desk.path().as_str(), row(&desk.browser, &second).as_str()), ("/projects/garden", ""));
}

/// Of two people who promote at the same time one is told what happened, and nothing moves that they have not seen.
#[test]
fn two_at_once() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let project = environment.project("garden").file("index.html", "one");
    let _ = deploy(&host, &project, &[]);
    project.write("index.html", "two");
    let second = deploy(&host, &project, &[]);
    project.write("index.html", "three");
    let third = deploy(&host, &project, &[]);
    let (one, other) = (Desk::of(&host, &host.token()), Desk::of(&host, &host.token()));
    one.go(&format!("/projects/garden/deployments/{second}/promote"));
    other.go(&format!("/projects/garden/deployments/{third}/promote"));
    one.browser.click("form button.primary");
    let _ = one.browser.wait_for_text(".is-production", &second[..8]);
    other.browser.click("form button.primary");
    let told = other.browser.wait_for_text(".problem", "Somebody else moved production");
    assert!(told.contains(&second[..8]) && told.contains("Nothing was done"), "{told}");
    let conflict = other.browser.console();
    assert!(conflict.iter().all(|line| line.message.contains("409")), "{conflict:?}");
    other.is_right("moved-meanwhile");
    // Now it was seen, and the decision stands.
    other.browser.click("form button.primary");
    let _ = other.browser.wait_for_text(".is-production", &third[..8]);
}
