//! Addresses that somebody typed, or cut off.

use ship_tests::{TestHost, http};

use crate::stage::{deploy, environment, session};

/// What cannot be an id, a name or a range has a page that says so, from which one can go on; whoever is not logged in is led to the login.
#[test]
fn pages() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let _ = deploy(&host, &environment.project("blue").file("index.html", "one"), &[]);
    let session = session(&host, &host.token());
    let get = |path: &str| http::request("GET", &format!("{}{path}", host.control_url()));
    for (path, status, said) in [
        ("/projects/blue/deployments/zzzz", 404, "`zzzz` is not a deployment id"),
        ("/projects/blue/deployments/zzzz/promote", 404, "`zzzz` is not a deployment id"),
        ("/projects/Blue/logs", 404, "`Blue`"),
        ("/tokens/!/remove", 404, "this is not the id of a token"),
        ("/host?range=never", 400, "range: `never` is no range: expected `hour`, `day` or `month`"),
        ("/projects/blue?older_than=zzzz", 400, "`zzzz` is not a deployment id"),
        ("/projects/blue/logs?status=zzz", 400, "status: `zzz` names no status"),
    ] {
        let page = get(path).header("cookie", &session).send();
        let text = page.text();
        assert_eq!(page.status, status, "{path}: {text}");
        assert!(text.contains(said) && text.contains("aria-label=\"Host\""), "{path}: {text}");
        assert!(!text.contains("deserialize") && !text.contains("Invalid URL"), "{path}: {text}");
        let stranger = get(path).send();
        assert_eq!(stranger.status, 303, "{path}");
        assert!(stranger.header("location").is_some_and(|login| login.starts_with("/login?next=")), "{path}");
    }
}
