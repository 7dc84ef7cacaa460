//! Access, given and taken with a mouse.

use ship_tests::{TestEnv, TestHost};

use crate::stage::{Desk, environment};

/// A machine shows a code; an admin types it, sees whose it is, and approves it; the machine is logged in.
#[test]
fn approved() {
    let (environment, elsewhere) = (environment(), TestEnv::new());
    let host = TestHost::start(&environment);
    let mut waiting = elsewhere.ship(["login", &host.control_url(), "--name", "laptop", "--json"]).start();
    let line = waiting.stderr().wait_for(|line| line.contains("The code of this login is"));
    let code = line.rsplit(' ').next().unwrap().to_owned();
    let desk = Desk::of(&host, &host.token());
    desk.browser.click("nav a[href='/device']");
    desk.browser.fill("#code", "no code");
    desk.browser.click("form.fields button");
    let _ = desk.browser.wait_for_text(".problem", "That is no code");
    let refused = desk.browser.console();
    assert!(refused.iter().all(|line| line.message.contains("400")), "{refused:?}");
    desk.browser.fill("#code", &code.to_lowercase());
    desk.is_right("device");
    desk.browser.click("form.fields button");
    let asked = desk.browser.wait_for_text("#content", "laptop");
    assert!(asked.contains(&code) && asked.contains("127.0.0.1"), "{asked}");
    desk.is_right("device-asked");
    desk.browser.run("document.getElementById('role').value = 'viewer'");
    desk.browser.click("form.fields button.primary");
    let _ = desk.browser.wait_for_text(".done", "laptop at 127.0.0.1 is logged in as viewer");
    desk.is_right("device-approved");
    let logged_in = waiting.finish().success().json();
    assert_eq!((&logged_in["token"]["name"], &logged_in["token"]["role"]), (&"laptop".into(), &"viewer".into()));
}

/// A token is made, shown once, and removed; what was done stands in the audit log.
#[test]
fn tokens() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let desk = Desk::of(&host, &host.token());
    desk.go("/tokens");
    desk.browser.fill("#name", "ci <b>of</b> the garden");
    desk.browser.run("document.getElementById('role').value = 'viewer'");
    desk.browser.click("form.fields button.primary");
    let _ = desk.browser.wait_for_text("#made", "ci <b>of</b> the garden");
    let made = desk.browser.run("return document.getElementById('created').value").as_str().unwrap().to_owned();
    let who = host.ship(["whoami", "--json"]).with("SHIP_TOKEN", &made).run().success().json();
    assert_eq!(who["token"]["role"], "viewer");
    desk.is_right("tokens");
    desk.go("/tokens");
    assert!(!desk.browser.text("#content").contains(&made));
    desk.browser.click(&format!("a[href='/tokens/{}/remove']", who["token"]["id"].as_str().unwrap()));
    let _ = desk.browser.wait_for_text("h1", "Remove ci");
    assert!(!desk.browser.text("#content").contains("token file"));
    desk.browser.click("button.danger");
    let _ = desk.browser.wait_for_text("h1", "Tokens");
    let _ = host.ship(["whoami"]).with("SHIP_TOKEN", &made).run().exits_with(3);
    // The last that may do everything, and one's own: it is said before.
    desk.browser.click("a[href$='/remove']");
    let asked = desk.browser.wait_for_text("#content", "Remove owner?");
    let said = ["You are logged in with it", "When the host starts again it makes one, in its token file."];
    assert!(said.iter().all(|part| asked.contains(part)), "{asked}");
    desk.browser.click("nav a[href='/audit']");
    let audit = desk.browser.wait_for_text("table", "token.remove");
    assert!(audit.contains("token.create") && audit.contains("owner"), "{audit}");
    desk.is_right("audit");
}
