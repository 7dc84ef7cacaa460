//! What builds said, who wrote what, and how large it became.

use ship_tests::TestHost;

use crate::stage::{Desk, deploy, environment};

/// The page of a deployment has what its build said, in which nothing is obeyed, and its author; the page of the project has the sizes of
/// its deployments.
#[test]
fn on_their_pages() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let command = "mkdir -p dist && cp page.html dist/index.html && printf 'odd \\\\033]0;t\\\\007 <b>bold</b>\\\\n'";
    let project = environment.project("garden").file("page.html", "a garden");
    project.write("ship.toml", format!("[build]\ncommand = \"{command}\"\noutput = \"dist\"\n"));
    let first = deploy(&host, &project, &[]);
    let body = r#"{"author":"Ada <b>Lovelace</b>","subject":"Roses <i>at last</i>"}"#;
    let request = host.control("PUT", &format!("/v1/deployments/{first}/build"));
    let _ = request.header("content-type", "application/json").body(body).send().success();
    project.write("page.html", "a larger garden ".repeat(100));
    let second = deploy(&host, &project, &[]);

    let desk = Desk::of(&host, &host.token());
    desk.go(&format!("/projects/garden/deployments/{first}"));
    let said = desk.browser.wait_for_text(".build", "Built 1 file");
    insta::assert_snapshot!(environment.filtered(&said), @r"
    Building the frontend: mkdir -p dist && cp page.html dist/index.html && printf 'odd \033]0;t\007 <b>bold</b>\n'
    odd ]0;t <b>bold</b>
    Built the frontend in [TIME]
    Built 1 file
    ");
    let facts = desk.browser.text(".facts");
    assert!(facts.contains("Ada <b>Lovelace</b>") && facts.contains("Roses <i>at last</i>"), "{facts}");
    desk.is_right("build");
    desk.go("/projects/garden");
    let figure = desk.browser.wait_for_text(".sizes", "newest");
    assert!(figure.contains("1.6 kB"), "{figure}");
    let bars = desk.browser.run("return [...document.querySelectorAll('.sizes title')].map((one) => one.textContent)");
    assert_eq!(bars, serde_json::json!([format!("{}: 8 B", &first[..8]), format!("{}: 1.6 kB", &second[..8])]));
    let rows = desk.browser.text("tbody");
    assert!(rows.contains("Ada <b>Lovelace</b>") && rows.contains("Roses <i>at last</i>"), "{rows}");
    desk.is_right("sizes");
}
