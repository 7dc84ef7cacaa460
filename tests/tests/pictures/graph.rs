//! Routes and functions as an SVG.

use std::fs;

use regex::Regex;
use ship_tests::{Browser, TestEnv, TestHost, TestProject};

const HANDLER: &str = "export function GET() { return new Response('1') }\n";

fn shop(environment: &TestEnv) -> TestProject {
    let config = r#"{
        "redirects": [{ "source": "/old", "destination": "/new?a=1&b=<2>" }],
        "rewrites": [
            { "source": "/price", "destination": "/api/price",
              "has": [{ "type": "header", "key": "x-shop", "value": "open" }] },
            { "source": "/far/:path*", "destination": "https://example.com/:path*" }
        ],
        "headers": [{ "source": "/(.*)", "headers": [{ "key": "x-frame-options", "value": "DENY" }] }]
    }"#;
    let project = environment.project("shop").file("public/index.html", "a shop").file("vercel.json", config);
    project.file("api/price.js", HANDLER).file("api/items/[id].js", HANDLER)
}

/// What the picture says, in the order in which it stands there.
fn texts(svg: &str) -> String {
    let text = Regex::new(r#"<text class="([a-z ]+)"[^>]*>([^<]*)</text>"#).expect("the pattern is a constant");
    let sizes = Regex::new(r"\d+(\.\d+)? (B|kB)").expect("the pattern is a constant");
    let lines = text.captures_iter(svg).map(|found| format!("{}: {}\n", &found[1], &found[2]));
    sizes.replace_all(&lines.collect::<String>(), "[SIZE]").replace("&#x2f;", "/")
}

/// What is built and what is deployed give the same picture but for its name, each time; names from outside are escaped.
#[test]
fn routes_and_functions() {
    let environment = TestEnv::new();
    let project = shop(&environment);
    let host = TestHost::start(&environment);
    let _ = host.ship(["build"]).within(project.folder()).run().success();
    let built = || host.ship(["inspect", "--prebuilt", "--graph"]).within(project.folder()).run().success();
    let svg = built().stdout().to_owned();
    assert_eq!(svg, built().stdout());
    assert!(!svg.contains("<2>") && svg.contains("b=&lt;2&gt;"), "{svg}");
    insta::assert_snapshot!(texts(&svg), @r#"
    name: shop, as it was built
    quiet: 7 routes, 2 functions, 1 file ([SIZE])
    heading: Functions
    heading: 1. Before anything is looked up
    heading: 2. What stands at the path
    heading: 3. Where nothing stands there
    heading: 4. Where still nothing was found
    heading: 5. Last, dynamic paths
    kind: redirect
    code: ^/old$
    quiet: 308 → /new?a=1&amp;b=&lt;2&gt;
    kind: header
    code: ^(?:/(.*))$
    quiet: sets x-frame-options
    kind: static
    code: files and functions
    quiet: 1 file, [SIZE]; 2 functions, each at its own path
    kind: function
    code: ^/price$
    quiet: → /api/price
    quiet: if header x-shop is open
    kind: proxy
    code: ^/far(?:/((?:[^/]+?)(?:/(?:[^/]+?))*))?$
    quiet: → https://example.com/$1
    kind: rewrite
    code: ^/api/(.+)\.js$
    quiet: → /api/$1
    kind: function
    code: ^/api/items/([^/]+)/?$
    quiet: → /api/items/[id]?id=$1
    kind: status
    code: ^/api(?:/.*)?$
    quiet: answers 404
    code: api/items/[id]
    quiet: node, [SIZE]
    code: api/price
    quiet: node, [SIZE]
    "#);

    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let drawn = host.ship(["inspect", &url, "--graph", "-o", "shop.svg"]).within(project.folder()).run().success();
    assert!(drawn.stdout().trim_end().ends_with("/shop.svg"), "{}", drawn.stdout());
    let deployed = fs::read_to_string(project.path("shop.svg")).unwrap();
    let without_title = |svg: &str| texts(svg).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(without_title(&deployed), without_title(&svg));
    let document = host.ship(["inspect", &url, "--graph", "--json"]).run().success().json();
    assert_eq!(document["svg"].as_str(), Some(deployed.as_str()));
}

/// What is too long for its box is cut, and stands in it whichever letters it has.
#[test]
fn long_destinations() {
    let environment = TestEnv::new();
    let wide = "WWWWWWWWWM".repeat(20);
    let config = format!(
        "[[rewrites]]\nsource = \"/{wide}\"\ndestination = \"https://example.com/{wide}\"\n\
         has = [{{ type = \"header\", key = \"x-{wide}\", value = \"{wide}\" }}]\n"
    );
    let project = environment.project("shop").file("public/index.html", "a shop").file("ship.toml", config);
    let project = project.file(&format!("api/{}.js", &wide[..150]), HANDLER);
    let _ = environment.ship(["build"]).within(project.folder()).run().success();
    let drawn = environment.ship(["inspect", "--prebuilt", "--graph", "-o", "shop.svg"]).within(project.folder());
    let _ = drawn.run().success();
    let browser = Browser::start();
    browser.open(&format!("file://{}", project.path("shop.svg").display()));
    let outside = "const end = (one) => one.getBBox().x + one.getBBox().width;
        const boxes = [...document.querySelectorAll('g:has(.box)')];
        return boxes.flatMap((box) => [...box.querySelectorAll('text')].filter((text) => end(text) > end(box.querySelector('.box'))))
            .map((text) => text.textContent)";
    assert_eq!(browser.run(outside), serde_json::json!([]));
}

/// On a terminal nobody wants to read it.
#[test]
fn not_on_a_terminal() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "a page");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let shown = host.ship(["inspect", "--graph"]).within(project.folder()).start_on_terminal(80).finish();
    assert_eq!(shown.code(), Some(2));
    assert!(shown.snapshot().contains("`--output graph.svg` writes it into a file"), "{}", shown.snapshot());
}
