//! Pictures of sites that are small, hostile, and far too large.

use serde_json::{Value, json};
use ship_api::StaticView;

use super::*;

fn site(routes: &Value, functions: &[String]) -> Site {
    let function = |name: &String| SiteFunction {
        name: name.parse().unwrap(),
        runtime: ship_core::FunctionRuntime::Go,
        size_bytes: 3_200_000,
    };
    Site {
        title: "shop k3v9x2ab".to_owned(),
        routes: serde_json::from_value(routes.clone()).unwrap(),
        functions: functions.iter().map(function).collect(),
        files: StaticView { files: 3, bytes: 12_345 },
    }
}

/// Each kind of route, with what it does, under which conditions, and what it leads to.
#[test]
fn kinds() {
    let routes = json!([
        { "src": "^/guarded$", "middlewarePath": "middleware", "continue": true },
        { "src": "^/old$", "status": 308, "headers": { "Location": "/new" } },
        { "src": "^(?:/(.*))$", "headers": { "x-frame-options": "DENY", "x-one": "1" }, "continue": true },
        { "src": "^/far/(.*)$", "dest": "https://example.com/$1" },
        { "handle": "filesystem" },
        { "src": "^/price$", "dest": "/api/price?now=1", "methods": ["GET", "POST"],
          "has": [{ "type": "header", "key": "x-shop", "value": "open" }, { "type": "query", "key": "n", "value": { "gt": 2 } }],
          "missing": [{ "type": "cookie", "key": "closed" }] },
        { "handle": "rewrite" },
        { "src": "^/api/(.+)$", "dest": "/api/$1", "check": true },
        { "handle": "error" },
        { "src": "^/.*$", "dest": "/404.html", "status": 404 },
    ]);
    let functions = ["api/price", "api/items/[id]", "middleware"].map(str::to_owned);
    insta::assert_snapshot!(draw(&site(&routes, &functions)).unwrap());
}

/// Markup, what no document may hold, and what turns text around are text; a name of forty parts is cut, and told whole in a title.
#[test]
fn hostile() {
    let name = vec!["part-of-a-name"; 40].join("/");
    let routes = json!([{ "src": "^/</text><script>alert(1)</script>\u{1}\u{202e}$", "dest": "/x\"><b>&" }]);
    let svg = draw(&site(&routes, std::slice::from_ref(&name))).unwrap();
    assert!(!svg.contains("<script") && !svg.contains("<b>") && !svg.contains(['\u{1}', '\u{202e}']), "{svg}");
    assert!(svg.contains(&format!("<title>{}</title>", name.replace('/', "&#x2f;"))), "{svg}");
    assert!(svg.contains("…"), "{svg}");
}

/// A thousand routes and functions give a picture of a size, which says what it leaves out.
#[test]
fn thousands() {
    let routes: Vec<Value> =
        (0..1_000).map(|n| json!({ "src": format!("^/{n}$"), "dest": format!("/api/f{n}") })).collect();
    let functions: Vec<String> = (0..1_000).map(|number| format!("api/f{number}")).collect();
    let svg = draw(&site(&json!(routes), &functions)).unwrap();
    assert!(svg.len() < 100_000, "{}", svg.len());
    assert_eq!(svg.matches("<rect class=\"box\"").count(), ROUTES_OF_PHASE + 1 + FUNCTIONS);
    assert!(svg.contains("and 940 further routes, not drawn") && svg.contains("and 920 further functions, not drawn"));
}

/// A site of files alone.
#[test]
fn files_alone() {
    let svg = draw(&site(&json!([]), &[])).unwrap();
    assert!(
        svg.contains("none: every page is a file") && svg.contains("0 routes, 0 functions, 3 files (12.3 kB)"),
        "{svg}"
    );
}
