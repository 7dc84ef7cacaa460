//! A log that is looked at while it is written.

use std::time::{SystemTime, UNIX_EPOCH};

use ship_tests::{TestHost, http};

use crate::stage::{Desk, deploy_talkative, environment};

/// Notes when a row with a text is there, by the browser's clock, which is this machine's.
const NOTE_ARRIVAL: &str = "
    window.arrived = {};
    new MutationObserver(() => {
        for (const [word] of document.getElementById('log').innerText.matchAll(/word-\\d+/g)) {
            window.arrived[word] ??= Date.now();
        }
    }).observe(document.getElementById('log'), { childList: true });
";

/// What is printed is on the page within 200 milliseconds of the answer, without the page being asked for again; filters are the words of
/// `ship logs`; and one request's lines stand together.
#[test]
fn as_they_are_written() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden/logs");
    let _ = desk.browser.wait_for_text("#following", "appear as they are written");
    let _ = desk.browser.run(NOTE_ARRIVAL);
    let _ = http::get(&format!("{say}?word=awake")).success();
    let _ = desk.browser.wait_for_text("#log", "awake");
    let latency = |number: i64| {
        let _ = http::get(&format!("{say}?word=word-{number}")).success();
        let answered = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let _ = desk.browser.wait_for_text("#log", &format!("word-{number}"));
        let arrived = desk.browser.run(&format!("return window.arrived['word-{number}']")).as_i64().unwrap();
        arrived - i64::try_from(answered).unwrap()
    };
    let mut latencies: Vec<i64> = (0..9).map(latency).collect();
    latencies.sort_unstable();
    assert!(latencies[4] < 200, "half of the lines took longer: {latencies:?}");
    let failed = http::get(&format!("{say}?fail=yes"));
    assert_eq!(failed.status, 500);
    let _ = desk.browser.wait_for_text("#log", "fail=yes");
    desk.is_right("logs");

    desk.browser.fill("#status", "5xx");
    desk.browser.click(".submit button");
    let _ = desk.browser.wait_for_text("#log", "fail=yes");
    assert!(!desk.browser.text("#log").contains("word-1"));
    desk.browser.click("#log .about a");
    let own = desk.browser.wait_for_text("#log", "told to fail");
    assert!(own.contains("fail=yes") && !own.contains("word-1"), "{own}");
    desk.go("/projects/garden/logs?level=loud");
    let _ = desk.browser.wait_for_text(".problem", "loud");
    let refused = desk.browser.console();
    assert!(refused.iter().all(|line| line.message.contains("400")), "{refused:?}");
    desk.is_right("logs-wrong-filter");
}

/// A page behind others keeps no connection, of which a browser has six for a host, and goes on where it was when it is looked at again.
#[test]
fn behind_other_pages() {
    let environment = environment();
    let host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden/logs");
    let _ = desk.browser.wait_for_text("#following", "appear as they are written");
    let _ = http::get(&format!("{say}?word=before")).success();
    let _ = desk.browser.wait_for_text("#log", "before");
    let show = |is_hidden: bool| {
        let script = format!(
            "Object.defineProperty(document, 'hidden', {{ value: {is_hidden}, configurable: true }});
             document.dispatchEvent(new Event('visibilitychange'));"
        );
        let _ = desk.browser.run(&script);
    };
    show(true);
    // A browser counts what it has loaded when it has ended.
    let _ = desk.browser.wait_for(
        "const [done] = arguments;
         const isOver = (one) => new URL(one.name).pathname === '/projects/garden/logs/live';
         const look = () => (performance.getEntriesByType('resource').some(isOver) ? done() : setTimeout(look, 20));
         look();",
    );
    let _ = http::get(&format!("{say}?word=meanwhile")).success();
    assert!(!desk.browser.text("#log").contains("meanwhile"));
    show(false);
    let shown = desk.browser.wait_for_text("#log", "meanwhile");
    assert_eq!(shown.matches("before").count(), 2, "the line and its request, once each: {shown}");
}

/// A host that is killed under an open page: the page says so, and goes on where it was when there is a host again.
#[test]
fn over_a_restart() {
    let environment = environment();
    let mut host = TestHost::start(&environment);
    let say = deploy_talkative(&environment, &host);
    let desk = Desk::of(&host, &host.token());
    desk.go("/projects/garden/logs");
    let _ = http::get(&format!("{say}?word=before")).success();
    let _ = desk.browser.wait_for_text("#log", "before");
    host.kill();
    let _ = desk.browser.wait_for_text("#connection", "The host does not answer");
    let _ = desk.browser.wait_for_text("#following", "The host does not answer");
    host.start_again();
    let _ = http::get(&format!("{say}?word=after")).success();
    let shown = desk.browser.wait_for_text("#log", "after");
    assert_eq!(shown.matches("before").count(), 2, "the line and its request, once each: {shown}");
    let _ = desk.browser.wait_for_text("body:has(#connection[hidden])", "garden");
    assert_eq!(desk.path(), "/projects/garden/logs");
}
