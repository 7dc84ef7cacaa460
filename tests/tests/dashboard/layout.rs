//! Where things stand: at the same place on each page of a project, and within reach on a phone.

use ship_tests::{TestHost, http};

use crate::stage::{Desk, deploy_talkative, environment};

/// Through the tabs of a project nothing moves, and what one is in stays marked.
#[test]
fn tabs() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let _ = deploy_talkative(&environment, &host);
    let desk = Desk::of(&host, &host.token());
    let place = |path: &str| {
        desk.go(path);
        let marked = desk.browser.text(".top nav [aria-current]");
        assert_eq!(marked, "Projects", "{path}");
        desk.browser.run("return document.querySelector('.tabs').getBoundingClientRect().top").as_f64()
    };
    let first = place("/projects/garden");
    for path in ["/projects/garden/logs", "/projects/garden/metrics", "/projects/garden/settings"] {
        assert_eq!(place(path), first, "{path}");
    }
    assert!(first.is_some());
}

/// The lists of a host: each is whole on a phone, names what it belongs to, and says how many there are only where it does not show all.
#[test]
fn lists() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let _ = http::get(&say).success();
    let desk = Desk::of(&host, &host.token());
    desk.go("/");
    let _ = desk.browser.wait_for_text("tbody", "garden");
    desk.is_right("projects");
    desk.go("/host");
    let instances = desk.browser.wait_for_text("[data-live=instances] tbody", "api/say");
    assert!(instances.contains("garden"), "{instances}");
    desk.browser.click("[data-live=instances] td:nth-of-type(2) a");
    let _ = desk.browser.wait_for_text("[data-live=functions]", "api/say");
    desk.go("/audit");
    let audit = desk.browser.wait_for_text("#content", "deployment.publish");
    assert!(!audit.contains("The newest"), "{audit}");
    desk.is_right("audit");
}
