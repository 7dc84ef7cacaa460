//! The examples with a frontend deploy and answer. Their packages come from the npm registry.

use ship_tests::{TestEnv, TestHost, http};

/// A page of client code whose paths all lead to it, with a function beside it.
#[test]
fn vite_spa() {
    let environment = TestEnv::new();
    let project = environment.example("vite-spa");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let get = |path: &str| http::get(&format!("{url}{path}"));
    let page = get("/greet/Ada").success().text();
    assert_eq!(page, get("/").success().text());
    let script = page.split('"').find(|word| word.starts_with("/assets/")).expect("the page loads a script");
    let script = get(script).success();
    assert!(script.text().contains("One page, one function"), "{}", script.text());
    assert_eq!(script.header("cache-control").as_deref(), Some("public, max-age=31536000, immutable"));
    assert_eq!(get("/api/greet?name=Ada").success().json()["greeting"], "Hello, Ada");
    assert_eq!(["/api/absent", "/assets/absent.js", "/.env"].map(|path| get(path).status), [404; 3]);
}

/// A framework's adapter leaves a Build Output: one page is made when it is asked for, the other was made once.
#[test]
fn astro() {
    let environment = TestEnv::new();
    let project = environment.example("astro");
    let host = TestHost::start(&environment);
    let deployed = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(deployed["functions"][0]["runtime"], "node");
    let url = deployed["url"].as_str().expect("the document has the URL");
    let get = |path: &str| http::get(&format!("{url}{path}"));
    assert!(get("/?name=Ada").success().text().contains("Hello, Ada"));
    assert!(get("/about").success().text().contains("Made once"));
    assert_eq!(get("/data.json?a=1").success().json(), serde_json::json!({"query": {"a": "1"}}));
    assert_eq!(get("/absent").status, 404);
}

/// One function in each language behind one page: all are built in one deploy, and none of them a second time.
#[test]
fn polyglot() {
    let environment = TestEnv::new();
    let project = environment.example("polyglot");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let answers = ["go", "python", "rust", "typescript"].map(|language| {
        let answer = http::get(&format!("{url}/api/{language}?word=harbour")).success().json();
        (answer["language"].as_str().expect("a function names its language").to_owned(), answer["answer"].clone())
    });
    let expected = [
        ("Go", serde_json::json!({"a": 1, "b": 1, "h": 1, "o": 1, "r": 2, "u": 1})),
        ("Python", serde_json::json!({"vowels": 3, "letters": 7})),
        ("Rust", serde_json::json!("66223055b061ec68")),
        ("TypeScript", serde_json::json!("ruobrah")),
    ];
    assert_eq!(answers, expected.map(|(language, answer)| (language.to_owned(), answer)));
    assert_eq!(http::get(&format!("{url}/api/_lib/answer")).status, 404);
    let again = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let cached: Vec<_> =
        again["functions"].as_array().expect("a list").iter().map(|one| one["cached"].clone()).collect();
    assert_eq!(cached, [true; 4]);
}

/// A server of a framework, bundled with what it uses of its packages, beside a page.
#[test]
fn hono() {
    let environment = TestEnv::new();
    let project = environment.example("hono");
    let host = TestHost::start(&environment);
    let deployed = host.ship(["deploy"]).within(project.folder()).run().success();
    assert!(deployed.stderr().contains("Installing packages: npm install"), "{}", deployed.stderr());
    let url = deployed.url();
    let get = |path: &str| http::get(&format!("{url}{path}"));
    assert!(get("/").success().text().contains("A sheet of paper"));
    let a4 = serde_json::json!({"name": "A4", "width": 210, "height": 297});
    assert_eq!(get("/api/paper/a4").success().json(), a4);
    let fit = |body: &str| http::request("POST", &format!("{url}/api/fit")).body(body).send();
    assert_eq!(fit(r#"{"width": 290, "height": 200}"#).success().json(), a4);
    let wrong = fit(r#"{"width": "wide"}"#);
    assert_eq!(
        (wrong.status, wrong.json()),
        (400, serde_json::json!({"error": "width and height are millimetres above 0"}))
    );
    let mut folds = http::get_events(&format!("{url}/api/fold/c"));
    assert_eq!(folds.next_event(), serde_json::json!({"name": "C0", "width": 917, "height": 1297}));
    assert_eq!(folds.next_event(), serde_json::json!({"name": "C1", "width": 648, "height": 917}));
    let absent = ["/api/paper/a11", "/src/index.ts", "/package.json"].map(|path| get(path).status);
    assert_eq!(absent, [404; 3]);
}
