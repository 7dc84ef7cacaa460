//! Next.js with its server: one function behind the static files, as `next build` leaves it. Its packages come from the npm
//! registry.

use std::fs;
use std::time::{Duration, Instant};

use ship_tests::{TestEnv, TestHost, http};

/// How long a page may take until it is made anew.
const PATIENCE: Duration = Duration::from_secs(30);

/// The page at `url` as soon as it is another one than `before`.
#[track_caller]
fn newer_than(before: &str, url: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = http::get(url).success().text();
        if page != before {
            return page;
        }
        assert!(Instant::now() < deadline, "{url} is still {page}");
    }
}

/// All that a site with a server does: pages made at each request, routes with parameters, handlers, streams, images, files that
/// the site guards and files that it does not; beside it what `vercel.json` says. A build that fails is told as others are.
#[test]
fn next_example() {
    let environment = TestEnv::new();
    let project = environment.example("next");
    let mut host = TestHost::start(&environment);
    let deployed = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let functions: Vec<_> = deployed["functions"].as_array().expect("a list").iter().collect();
    assert_eq!(functions.len(), 1);
    assert_eq!((&functions[0]["route"], &functions[0]["runtime"]), (&"/".into(), &"node".into()));
    let url = deployed["url"].as_str().expect("the document has the URL").to_owned();
    let get = |path: &str| http::get(&format!("{url}{path}"));

    let page = get("/").success();
    assert!(page.text().contains("Good night"), "{}", page.text());
    assert_ne!(page.text(), get("/").success().text(), "it is made at each request");
    assert!(get("/stars/vega").success().text().contains("The light of "));
    assert_eq!(get("/stars/unknown").status, 404);

    // A handler reads a body, and knows where the visitor is.
    let echo = http::request("POST", &format!("{url}/api/echo")).body(r#"{"a":1}"#).send().success();
    assert_eq!(echo.json(), serde_json::json!({"said": {"a": 1}, "at": format!("{url}/api/echo")}));
    let away = get("/api/echo");
    assert_eq!((away.status, away.header("location")), (302, Some(format!("{url}/stars/vega"))));
    let mut numbers = http::request("GET", &format!("{url}/countdown?ms=1")).open();
    let numbers: Vec<_> = std::iter::from_fn(|| numbers.body().next_line()).collect();
    assert_eq!(numbers, ["3", "2", "1"]);

    // The site's own proxy goes before files, for the paths that it names.
    assert_eq!(get("/planets/mars").header("location").as_deref(), Some("/stars/sirius"));
    assert_eq!(get("/chart.txt").status, 403);
    let chart = http::request("GET", &format!("{url}/chart.txt")).header("cookie", "astronomer=1").send();
    assert!(chart.success().text().starts_with("Alpha Canis Majoris"));
    let robots = get("/robots.txt").success();
    assert_eq!((robots.text().as_str(), robots.header("x-powered-by")), ("User-agent: *\nAllow: /\n", None));
    let image = get("/_next/image?url=%2Fstar.png&w=64&q=75").success();
    assert_eq!(image.header("content-type").as_deref(), Some("image/png"));
    let page = page.text();
    let style = page.split('"').find(|word| word.starts_with("/_next/static/")).expect("the page has a style");
    let style = get(style).success();
    assert_eq!(style.header("cache-control").as_deref(), Some("public, max-age=31536000, immutable"));

    // What stands in vercel.json.
    assert_eq!(robots.header("x-clacks-overhead").as_deref(), Some("GNU Caroline Herschel"));
    assert_eq!(get("/stars/vega").header("x-clacks-overhead").as_deref(), Some("GNU Caroline Herschel"));
    assert_eq!(get("/constellations/lyra").header("location").as_deref(), Some("/stars/lyra"));
    let shown = host.ship(["inspect", &url, "--json"]).run().success().json();
    assert_eq!(shown["functions"][0]["limits"]["timeout_secs"], 120, "{shown}");
    assert_eq!(shown["crons"][0]["path"], "/sky", "{shown}");

    // A page is made anew while its server runs. One that starts again begins with the page of the build.
    let sky = format!("{url}/sky");
    let first = http::get(&sky).success().text();
    let second = newer_than(&first, &sky);
    assert!(made_at(&second) > made_at(&first), "{second} is older than {first}");
    host.ask_to_end();
    let _ = host.ended();
    host.start_again();
    assert_eq!(http::get(&sky).success().text(), first);

    let again = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    assert_eq!((&again["url"], &again["functions"][0]["cached"]), (&deployed["url"], &true.into()));

    fs::write(project.path("app/page.jsx"), "export default function Page() {\n  return <p>;\n}\n")
        .expect("it is writable");
    let failed = host.ship(["deploy"]).within(project.folder()).run().exits_with(1);
    assert!(failed.stderr().contains("error: `npm run build` failed with exit status: 1"), "{}", failed.stderr());
    assert!(failed.stderr().contains("./app/page.jsx:3:1"), "{}", failed.stderr());
}

/// When the page `/sky` says that it was made.
fn made_at(page: &str) -> &str {
    let (_, time) = page.split_once("as it was at <time>").expect("the page says so");
    time.split_once('<').expect("the element ends").0
}
