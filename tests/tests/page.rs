//! A person in a browser: both buttons, on a desk and on a phone.

use ship_tests::{Browser, ConsoleLine, TestEnv, TestHost};

/// Presses both buttons as a visitor would, and reads the answers.
fn press_both(browser: &Browser) {
    browser.click("#date-button");
    let date = browser.wait_for_text("#date-answer", "Milliseconds");
    assert!(date.contains("20"), "a date has a year: {date}");
    browser.fill("#city", "Reykjavík");
    browser.click("#weather-button");
    let weather = browser.wait_for_text("#weather-answer", "Reykjavík");
    assert!(weather.contains('°') && weather.contains("Humidity"), "{weather}");
}

/// Nothing of the page is wider than the window it is shown in.
fn fits(browser: &Browser) {
    let wider = browser.run("return document.documentElement.scrollWidth - window.innerWidth");
    assert!(wider.as_i64() <= Some(0), "the page is {wider} pixels wider than its window");
}

/// The page of the example, deployed: both answers arrive, at every width, and the console stays silent.
#[test]
fn both_buttons() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let browser = Browser::start();
    for (width, height) in [(1280, 860), (390, 844)] {
        browser.resize(width, height);
        browser.open(&url);
        fits(&browser);
        press_both(&browser);
        fits(&browser);
        assert_eq!(browser.console(), [] as [ConsoleLine; 0], "at {width} pixels");
    }
}

/// A city that is not in the table: the page says so and proposes others; the one that is pressed is answered.
#[test]
fn unknown_city() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let browser = Browser::start();
    browser.open(&url);
    browser.fill("#city", "Atlantis");
    browser.click("#weather-button");
    browser.wait_for_text("#weather-answer", "Atlantis");
    browser.click("#weather-answer .chip");
    browser.wait_for_text("#weather-answer", "Humidity");
}

/// A page that is open while its folder is edited shows each edit by itself, and what keeps it from being built.
#[test]
fn reloads_itself() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let mut running = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder()).start();
    let ready = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("each line is one JSON document");
    let browser = Browser::start();
    browser.open(ready["url"].as_str().expect("the event names the URL"));
    browser.wait_for_text("h1", "Two buttons");

    project.edit("public/index.html", "Two buttons", "Three buttons");
    browser.wait_for_text("h1", "Three buttons");
    press_both(&browser);

    project.edit("api/date.go", "time.Now()", "time.Never()");
    browser.wait_for_text("#ship-dev-failure", "undefined: time.Never");
    project.edit("api/date.go", "time.Never()", "time.Now()");
    // The page is uncovered again as soon as its cause is gone.
    browser.wait_for_text("html:not(:has(#ship-dev-failure)) h1", "Three buttons");
    press_both(&browser);
}
