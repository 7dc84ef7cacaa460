//! Who has no business here: forms of others, and guesses.

use ship_tests::{TestHost, http};

use crate::stage::{deploy, environment, session, token};

/// What changes something is taken from the dashboard's own forms alone, and no page can be framed or run what stands in it.
#[test]
fn forms_of_others() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let project = environment.project("blue").file("index.html", "one");
    let first = deploy(&host, &project, &[]);
    project.write("index.html", "two");
    let second = deploy(&host, &project, &[]);
    let session = session(&host, &host.token());
    let page = http::request("GET", &format!("{}/projects/blue/deployments/{second}/promote", host.control_url()));
    let page = page.header("cookie", &session).send().success();
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options").as_deref(), Some("nosniff"));
    assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
    let text = page.text();
    let (_, proof) = text.split_once("name=\"proof\" value=\"").expect("the form has its proof");
    let proof = &proof[..64];

    let promote = |from: &[(&str, &str)], proof: &str| {
        let request = http::request("POST", &format!("{}/projects/blue/promote", host.control_url()));
        let request = request.header("cookie", &session).header("content-type", "application/x-www-form-urlencoded");
        let request = from.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(format!("deployment={second}&expected={first}&proof={proof}")).send().status
    };
    let production = || host.control("GET", "/v1/projects").send().json()["projects"][0]["production"].clone();
    let own = [("sec-fetch-site", "same-origin")];
    for (from, proof) in [
        (&[][..], proof),
        (&[("sec-fetch-site", "same-site")][..], proof),
        (&[("sec-fetch-site", "cross-site")][..], proof),
        (&[("origin", "http://blue.localhost:7700")][..], proof),
        (&own[..], ""),
        (&own[..], &"0".repeat(64)[..]),
    ] {
        assert_eq!(promote(from, proof), 403, "{from:?}");
        assert_eq!(production(), first);
    }
    assert_eq!(promote(&own, proof), 303);
    assert_eq!(production(), second);
}

/// Whoever may only look is refused whatever a form can ask for, by the same decision as at the API; a deployer what takes an admin; and the
/// admin of another project is told that there is nothing.
#[test]
fn each_to_their_own() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let project = environment.project("blue").file("index.html", "one");
    let first = deploy(&host, &project, &[]);
    project.write("index.html", "two");
    let second = deploy(&host, &project, &[]);
    let forms = [
        ("/projects/blue/promote".to_owned(), format!("deployment={second}&expected={first}")),
        ("/projects/blue/rollback".to_owned(), String::new()),
        (format!("/projects/blue/deployments/{second}/remove"), String::new()),
        ("/tokens".to_owned(), "name=mine&role=viewer&project=&expires=1d".to_owned()),
        ("/tokens/0123456789/remove".to_owned(), String::new()),
        ("/device".to_owned(), "code=BCDF-GHJK&role=viewer&project=&expires=1d".to_owned()),
    ];
    for (role, of, expected) in [
        ("viewer", Some("blue"), [403, 403, 403, 403, 403, 403]),
        ("viewer", None, [403, 403, 403, 403, 403, 403]),
        // A deployer's promote is done, and so there is something to roll back.
        ("deployer", Some("blue"), [303, 303, 403, 403, 403, 403]),
        // Tokens and logins are the admin's own business, of which there are none yet.
        ("admin", Some("red"), [404, 404, 404, 403, 404, 403]),
    ] {
        let session = session(&host, token(&host, role, of)["token"].as_str().unwrap());
        let get = |path: &str| {
            http::request("GET", &format!("{}{path}", host.control_url())).header("cookie", &session).send()
        };
        let page = get("/").success().text();
        // Each page with a form has the same proof; whoever sees no project has it on the page for tokens.
        let with_form = if of == Some("red") {
            "/tokens".to_owned()
        } else {
            format!("/projects/blue/deployments/{second}/promote")
        };
        let form = get(&with_form).success().text();
        assert!(!form.contains("all projects</option>"), "{role} of {of:?} may make no token for all projects");
        let (_, proof) = form.split_once("name=\"proof\" value=\"").expect("the form has its proof");
        let statuses = forms.each_ref().map(|(path, fields)| {
            let request = http::request("POST", &format!("{}{path}", host.control_url())).header("cookie", &session);
            let request = request
                .header("sec-fetch-site", "same-origin")
                .header("content-type", "application/x-www-form-urlencoded");
            request.body(format!("{fields}&proof={}", &proof[..64])).send().status
        });
        assert_eq!(statuses, expected, "{role} of {of:?}");
        assert_eq!(page.contains("href=\"/tokens\""), role == "admin", "{role}");
        assert_eq!(get("/host").status, 403, "{role}");
        assert_eq!(get("/projects/blue/logs").status, if of == Some("red") { 404 } else { 200 });
    }
    let production = host.control("GET", "/v1/projects").send().json()["projects"][0]["production"].clone();
    assert_eq!(production, first, "rolled back by the deployer");
}

/// Who guesses tokens at the form is made to wait, as at the API, and stands in the audit log.
#[test]
fn guesses() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let guess = || {
        let request =
            http::request("POST", &format!("{}/login", host.control_url())).header("sec-fetch-site", "same-origin");
        request.header("content-type", "application/x-www-form-urlencoded").body("token=ship_guess").send().status
    };
    let answers: Vec<u16> = (0..260).map(|_| guess()).collect();
    assert_eq!(answers[..100], [401; 100]);
    assert!(answers.contains(&429), "{answers:?}");
    let audit = host.control("GET", "/v1/audit?limit=1").send().success().json();
    assert_eq!(
        (&audit["entries"][0]["action"], &audit["entries"][0]["resource"]),
        (&"authenticate".into(), &"/login".into())
    );
}
