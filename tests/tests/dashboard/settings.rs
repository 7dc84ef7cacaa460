//! What a project has besides its deployments.

use ship_tests::{TestHost, http};

use crate::stage::{Desk, deploy_talkative, environment, session};

/// Names of variables are shown and never a value; a name of the world that nobody has proved says what proves it; a deployment shows its
/// functions and which instances are awake.
#[test]
fn shown() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let project = environment.project("garden");
    for set in [&["env", "set", "DATABASE_URL"][..], &["env", "set", "GREETING", "--plain"]] {
        let _ = host.ship(set).within(project.folder()).reading("a very secret value").run().success();
    }
    let claim = host.control("POST", "/v1/projects/garden/domains").body(r#"{"name":"garden.example"}"#);
    let claimed = claim.send().success().json();
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden/settings");
    let shown = desk.browser.wait_for_text("#content", "DATABASE_URL");
    assert!(shown.contains("GREETING") && shown.contains("production") && shown.contains("preview"), "{shown}");
    assert!(shown.contains("garden.example") && shown.contains(claimed["proof"].as_str().unwrap()), "{shown}");
    desk.is_right("settings");
    let page = http::request("GET", &format!("{}/projects/garden/settings", host.control_url()));
    let page = page.header("cookie", session(&host, &host.token())).send().success();
    assert!(!page.text().contains("a very secret value"));

    let _ = http::get(&say).success();
    desk.go("/projects/garden");
    desk.browser.click("tbody th a");
    let functions = desk.browser.wait_for_text("[data-live=functions]", "api/say");
    for shown in ["/api/say", "node", "kB", "sandbox", "MiB", "ready"] {
        assert!(functions.contains(shown) || shown == "sandbox" && functions.contains("process"), "{functions}");
    }
    // As many as `ship inspect --graph` says: where phases begin is no route.
    let id = desk.path().rsplit('/').next().unwrap_or_default().to_owned();
    let detail = host.control("GET", &format!("/v1/deployments/{id}")).send().success().json();
    let routes = detail["routes"].as_array().expect("it is a list");
    let count = routes.iter().filter(|route| route.get("handle").is_none()).count();
    assert!(count < routes.len());
    assert_eq!(desk.browser.text("[aria-labelledby=routes] summary"), format!("{count} in order"));
    desk.is_right("deployment-functions");
}
