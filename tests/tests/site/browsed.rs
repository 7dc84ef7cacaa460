//! Somebody in a browser before ship's own site: every link leads somewhere, a word that is typed is found, and everybody can read it.

use serde_json::json;
use ship_tests::{Browser, ColorScheme, ConsoleLine, TestEnv, TestHost, axe, http, take_pictures};

use crate::links::BuiltSite;
use crate::stage;

/// Pages of each kind: the front, a guide, an explanation with plots, commands, and one that is not there.
const SEEN: [(&str, &str); 6] = [
    ("front", "/"),
    ("guide", "/guides/netlify/"),
    ("figures", "/performance/"),
    ("command", "/reference/commands/host/"),
    ("configuration", "/reference/ship-toml/"),
    ("lost", "/nowhere/"),
];

/// What a page asked for in vain, or from somebody else.
const FAILED: &str = "return performance.getEntriesByType('resource')
    .filter((one) => one.responseStatus >= 400 || !one.name.startsWith(location.origin)).map((one) => one.name)";

/// The site as ship deploys it: no link is dead, the search knows the documentation, and nobody is kept out.
#[test]
fn own_site() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let site = stage::copy(&environment);
    let url = stage::deploy(&host, &site);
    let built = BuiltSite::read(&site.path("dist"));
    assert!(built.pages() > 50, "{} pages", built.pages());
    assert_eq!(built.dead_links().into_iter().collect::<Vec<_>>(), [] as [String; 0]);

    assert_eq!(http::get(&format!("{url}/nowhere/")).status, 404);

    let browser = Browser::start();
    search(&browser, &url);
    for (name, path) in SEEN {
        is_right(&browser, name, &format!("{url}{path}"));
    }
}

/// Types a word into the search, as somebody would who came for it, and goes where the first result leads.
#[track_caller]
fn search(browser: &Browser, url: &str) {
    browser.open(&format!("{url}/start/"));
    browser.click("button[data-open-modal]");
    browser.fill("#starlight__search input", "rollback");
    browser.wait_for_text("#starlight__search .pagefind-ui__results", "Move production back");
    take_pictures(browser, "site-search");
    is_accessible(browser, "search");
    browser.click("#starlight__search .pagefind-ui__result-link[href*='rollback']");
    browser.wait_for_text("h1", "ship rollback");
    assert_eq!(browser.console(), [] as [ConsoleLine; 0], "search");
}

/// What holds of every page: nothing is wider than the window, nobody is kept out, and nothing is asked for that is not there.
#[track_caller]
fn is_right(browser: &Browser, name: &str, url: &str) {
    for (width, height, scheme) in [(390, 844, ColorScheme::Light), (1280, 860, ColorScheme::Dark)] {
        browser.resize(width, height);
        browser.prefer(scheme);
        browser.open(url);
        let wider = browser.run("return document.documentElement.scrollWidth - window.innerWidth");
        assert!(wider.as_i64() <= Some(0), "{name} is {wider} pixels wider than its window of {width}");
        is_accessible(browser, name);
    }
    assert_eq!(browser.run(FAILED), json!([]), "{name} asks for what is not there, or somebody else");
    // A page that is not there is said to be missing by the browser too.
    let is_other = |line: &ConsoleLine| !(name == "lost" && line.message.contains("404"));
    let console: Vec<ConsoleLine> = browser.console().into_iter().filter(is_other).collect();
    assert_eq!(console, [] as [ConsoleLine; 0], "{name}");
    take_pictures(browser, &format!("site-{name}"));
}

/// Axe finds nothing that keeps somebody out, once the page has done what it does when there is time.
#[track_caller]
fn is_accessible(browser: &Browser, name: &str) {
    browser.wait_for("const done = arguments[0]; requestIdleCallback(() => requestIdleCallback(() => done()))");
    let script = format!(
        "{}; return axe.run().then((found) => found.violations.map(
            (one) => one.id + ': ' + one.nodes.map((node) => node.target + ' ' + node.failureSummary).join('; ')));",
        axe()
    );
    assert_eq!(browser.run(&script), json!([]), "{name}");
}
