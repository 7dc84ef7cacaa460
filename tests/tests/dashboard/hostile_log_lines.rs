//! What strangers have written into a log is text, whatever it is.

use std::time::Instant;

use ship_tests::{PATIENCE, TestHost, http};

use crate::stage::{Desk, deploy_talkative, environment};

/// Markup, control characters and a megabyte on one line, printed and asked for: all is shown as what it is, nothing of it runs, and the
/// page stays small. It is the same whether it was there or came while somebody looked.
#[test]
fn harmless() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let markup = "</span><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    let escapes = [("<", "%3c"), (">", "%3e"), ("\"", "%22"), ("'", "%27"), (" ", "%20"), ("/", "%2f"), ("=", "%3d")];
    let encoded = escapes.iter().fold(markup.to_owned(), |text, (character, escape)| text.replace(character, escape));
    let attack = || {
        let _ = http::get(&format!("{say}?word={encoded}")).success();
        let _ = http::get(&format!("{say}?word=%1b%5b31mred%1b%5b0m%00%07%e2%80%aereversed")).success();
        let _ = http::get(&format!("{say}?long=yes&word=done")).success();
    };
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden/logs");
    let _ = desk.browser.wait_for_text("#following", "appear as they are written");
    attack();
    let is_harmless = |how: &str| {
        let shown = desk.browser.wait_for_text("#log", "done");
        let shown = format!("{shown}{}", desk.browser.wait_for_text("#log", "more characters"));
        assert!(shown.contains(markup), "{how}: {shown}");
        assert!(shown.contains("red␀␇<U+202E>reversed"), "{how}: {shown}");
        assert_eq!(desk.browser.run("return document.title"), "Logs of garden · ship", "{how}");
        assert_eq!(desk.browser.run("return document.querySelectorAll('#log img, #log script').length"), 0, "{how}");
    };
    is_harmless("live");
    for _ in 0..20 {
        attack();
    }
    // A log that has too much to take leaves lines out, until it has taken that.
    let begun = Instant::now();
    loop {
        attack();
        desk.go("/projects/garden/logs");
        let shown = desk.browser.wait_for_text("#log", "done");
        if shown.contains(markup) && shown.contains("reversed") && shown.contains("more characters") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{shown}");
    }
    is_harmless("loaded");
    let bytes = desk.browser.run("return performance.getEntriesByType('navigation')[0].transferSize");
    assert!(bytes.as_u64().unwrap() < 50_000, "{bytes} bytes");
    desk.is_right("logs-hostile");
}
