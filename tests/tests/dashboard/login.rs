//! Getting in, and out again.

use serde_json::json;
use ship_tests::{TestHost, http};

use crate::stage::{Desk, deploy, environment, session, token};

/// Somebody comes to a page, is asked for a token, mistypes it, gets it right, is where they wanted to be, and leaves.
#[test]
fn in_and_out() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let project = environment.project("garden").file("index.html", "<h1>a garden</h1>");
    let _ = deploy(&host, &project, &[]);
    let desk = Desk::new(&host);
    desk.go("/projects/garden?text=a");
    assert_eq!(desk.path(), "/login");
    desk.is_right("login");
    desk.browser.fill("#token", "ship_mistyped");
    desk.browser.click("button.primary");
    let _ = desk.browser.wait_for_text(".problem", "mistyped or cut off");
    let refused = desk.browser.console();
    assert!(refused.iter().all(|line| line.message.contains("401")), "{refused:?}");
    desk.is_right("login-refused");
    desk.browser.fill("#token", &host.token());
    desk.browser.click("button.primary");
    let _ = desk.browser.wait_for_text("h1", "garden");
    assert_eq!(desk.browser.run("return location.pathname + location.search"), "/projects/garden?text=a");
    assert_eq!(desk.browser.run("return document.cookie"), "", "no script sees the session");
    desk.browser.click(".brand");
    let _ = desk.browser.wait_for_text("h1", "Projects");
    desk.is_right("projects");
    // The first stop of the keyboard leads past what is on every page, and can be seen then.
    for kind in ["keyDown", "keyUp"] {
        desk.browser
            .devtools("Input.dispatchKeyEvent", &json!({ "type": kind, "key": "Tab", "windowsVirtualKeyCode": 9 }));
    }
    let stop = desk.browser.run(
        "const stop = document.activeElement; document.getAnimations().forEach((animation) => animation.finish());
         return [stop.className, stop.getBoundingClientRect().top >= 0, stop.hash]",
    );
    assert_eq!(stop, json!(["skip", true, "#content"]));
    desk.browser.click(".me button");
    let _ = desk.browser.wait_for_text("label", "Token");
    desk.go("/");
    assert_eq!(desk.path(), "/login");
}

/// The browser keeps the session at each name that this machine has for itself, without TLS.
#[test]
fn kept_at_loopback() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let mut desk = Desk::new(&host);
    desk.url = desk.url.replace("127.0.0.1", "localhost");
    desk.log_in(&host.token());
    let _ = desk.browser.wait_for_text("h1", "Projects");
}

/// A command logs a browser in, once, without a token in an address.
#[test]
fn by_a_command() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let printed = host.ship(["dashboard"]).run().success();
    let url = printed.stdout().trim().to_owned();
    assert!(url.starts_with(&host.control_url()) && !url.contains(&host.token()), "{url}");
    let get = |site: &str| http::request("GET", &url).header("sec-fetch-site", site).send();
    assert!(get("cross-site").text().contains("Token"), "a page elsewhere leads to the form");
    let desk = Desk::new(&host);
    desk.browser.open(&url);
    let _ = desk.browser.wait_for_text("h1", "Projects");
    assert_eq!(desk.path(), "/");
    let again = get("none");
    assert_eq!(again.status, 401);
    assert!(again.text().contains("The link was used, or is older than a minute"), "{}", again.text());
    let created = token(&host, "viewer", None);
    let link =
        host.ship(["dashboard", "--json"]).with("SHIP_TOKEN", created["token"].as_str().unwrap()).run().success();
    let link = link.json()["url"].as_str().unwrap().to_owned();
    let _ = host.ship(["tokens", "rm", created["id"].as_str().unwrap()]).run().success();
    assert_eq!(http::get(&link).status, 401, "the token is gone");
}

/// A session is as good as its token, outlives a host that is killed, and ends with the token.
#[test]
fn as_good_as_its_token() {
    let environment = environment();
    let mut host = TestHost::start(&environment);
    for name in ["blue", "red"] {
        let _ = deploy(&host, &environment.project(name).file("index.html", name), &[]);
    }
    let created = token(&host, "viewer", Some("blue"));
    let session = session(&host, created["token"].as_str().unwrap());
    let get = |host: &TestHost<'_>, path: &str| {
        http::request("GET", &format!("{}{path}", host.control_url())).header("cookie", &session).send()
    };
    let projects = get(&host, "/").success();
    assert!(projects.text().contains("blue") && !projects.text().contains("red"), "{}", projects.text());
    assert_eq!(get(&host, "/projects/red").status, 404);
    assert!(!get(&host, "/projects/blue").success().text().contains("Promote"));
    for path in ["/logs", "/projects/blue/absent"] {
        let absent = get(&host, path);
        assert_eq!((absent.status, absent.header("content-type").as_deref()), (404, Some("text/html; charset=utf-8")));
        assert!(absent.text().contains("there is no page"), "{}", absent.text());
        assert!(absent.header("content-security-policy").is_some());
    }
    assert_eq!(http::get(&format!("{}/logs", host.control_url())).status, 401, "a stranger is asked who they are");
    host.kill();
    host.start_again();
    let _ = get(&host, "/projects/blue").success();
    let _ = host.ship(["tokens", "rm", created["id"].as_str().unwrap()]).run().success();
    let gone = get(&host, "/projects/blue");
    assert_eq!((gone.status, gone.header("location").as_deref()), (303, Some("/login?next=%2Fprojects%2Fblue")));
}
