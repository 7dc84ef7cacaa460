//! Where things stand: at the same place on each page of a project, and within reach on a phone.

use std::process::Command;

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

/// Names that people give have no end and no spaces: what stands beside them stays on the page, and what is cut says so. What cannot be
/// taken back is not offered.
#[test]
fn long_names() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let word = "without-any-space-".repeat(8);
    let project = environment
        .project("garden")
        .file("public/index.html", "a page")
        .file(&format!("api/{}/[parameter]/{}.js", &word[..60], &word[..60]), "export default () => {};\n");
    for arguments in
        [&["init", "-q", "-b", &word[..100]][..], &["add", "."], &["commit", "-q", "-m", &word.replace('-', "")]]
    {
        let mut git = Command::new("git");
        let _ = git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
        assert!(git.args(arguments).current_dir(project.folder()).status().expect("git is there").success());
    }
    let deployed = host.ship(["deploy", "--prod", "--json"]).within(project.folder()).run().success().json();
    let id = deployed["deployment"]["id"].as_str().expect("a deployment has an id");
    let desk = Desk::of(&host, &host.token());
    let published = |table: &str| {
        let script = format!(
            "const table = document.querySelector('{table}');
             return table.scrollWidth <= table.clientWidth && getComputedStyle(table).overflowX;"
        );
        desk.browser.run(&script)
    };
    desk.go("/projects/garden");
    let listed = desk.browser.wait_for_text("tbody", "Production");
    assert_eq!(listed.matches('…').count(), 2, "the branch and the message are cut: {listed}");
    assert_eq!(published("[data-live=deployments]"), "auto");
    desk.is_right("long-names");
    assert!(!desk.browser.text(".heading").contains("Roll back"));
    desk.go(&format!("/projects/garden/deployments/{id}"));
    let _ = desk.browser.wait_for_text("[data-live=functions]", "MiB");
    assert_eq!(published("[data-live=functions]"), "auto");
    desk.is_right("long-function-name");
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
