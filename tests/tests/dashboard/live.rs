//! Pages that are open while something happens.

use ship_tests::TestHost;

use crate::stage::{Desk, deploy, environment};

/// A list goes on while the keyboard is at one of its links, which is where it was afterwards; what is gone takes the keyboard no further
/// than to its list.
#[test]
fn with_the_keyboard() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let page = environment.project("garden").file("index.html", "one");
    let first = deploy(&host, &page, &["--prod"]);
    page.write("index.html", "two");
    let second = deploy(&host, &page, &[]);
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden");
    let at = |path: &str| format!("[data-live=deployments] a[href='/projects/garden/deployments/{path}']");
    let _ = desk.browser.run(&format!("document.querySelector(\"{}\").focus()", at(&format!("{second}/promote"))));
    page.write("index.html", "three");
    let third = deploy(&host, &page, &[]);
    let _ = desk.browser.wait_for_text(&at(&third), &third[..8]);
    let focused = "return [document.activeElement.getAttribute('href'), document.activeElement.dataset.live ?? null]";
    let promote = format!("/projects/garden/deployments/{second}/promote");
    assert_eq!(desk.browser.run(focused), serde_json::json!([promote, null]));
    let _ = host.ship(["promote", &second]).run().success();
    let _ = host.ship(["rm", &first, "--yes"]).run().success();
    let gone = format!("[data-live=deployments]:not(:has(a[href*='{first}'])) tbody");
    let _ = desk.browser.wait_for_text(&gone, &second[..8]);
    assert_eq!(desk.browser.run(focused), serde_json::json!([null, "deployments"]));
}
