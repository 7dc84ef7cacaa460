//! A real Chromium, for the stories in which a person looks at a page and presses its buttons.
//!
//! It is driven over `WebDriver`, the protocol of the W3C, through Debian's `chromedriver`. What Chromium can say by itself it
//! says by itself: elements are waited for by the driver, and texts by an observer inside the page.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;
use crate::lines::Lines;
use crate::processes::Process;

/// How long the driver waits for a page, an element or a text. Shorter than [`crate::PATIENCE`], which bounds the call to the
/// driver, so that it is the driver who says what was missing.
const PAGE_PATIENCE: Duration = Duration::from_secs(40);

/// How Chromium is started. It runs as whoever runs the tests, often root in a container, where its own sandbox cannot
/// work and `/dev/shm` is small. The rest keeps it from talking to anybody but the page's server, and every pixel for the page.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--window-size=1280,860",
];

/// The key under which `WebDriver` hands out an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Calls back as soon as the text of an element holds another text, however often the page changes until then. Of an element with a
/// shadow tree, the text is that of the section in it.
const TEXT_OBSERVER: &str = "
    const [css, wanted, done] = arguments;
    const observer = new MutationObserver(() => look());
    const look = () => {
        const found = document.querySelector(css);
        const text = (found?.shadowRoot?.querySelector('section') ?? found)?.innerText ?? '';
        if (text.includes(wanted)) { observer.disconnect(); done(text); }
    };
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    look();
";

/// A browser with one page and a profile of its own. Dropping it ends all its processes.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    process: Process,
    driver: Child,
    // Held so that the driver can go on printing, and the profile stays until the browser has gone.
    _printed: Lines,
    _profile: TempDir,
}

/// What the browser wrote to its console, or wants to say about a request that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsoleLine {
    /// `SEVERE`, `WARNING` or `INFO`.
    pub level: String,
    /// Who says so: `javascript`, `console-api`, `network`, `security`…
    pub source: String,
    /// The place in the page, and what is to be said.
    pub message: String,
}

/// The colours that a person asked their system for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColorScheme {
    /// Dark text on a light page.
    Light,
    /// Light text on a dark page.
    Dark,
}

/// How often the driver is started until it has found a port.
const DRIVER_TRIES: usize = 20;

/// Starts the driver, and gives its port. `None` if it found none.
#[track_caller]
fn start_driver() -> Option<(Child, Lines, String)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is there (on Debian: apt-get install chromium chromium-driver)");
    let mut printed = Lines::of(driver.stdout.take().expect("its output is piped"));
    while let Some(line) = printed.next_line() {
        if line.contains("started successfully on port") {
            let port = line.trim_end_matches('.').rsplit(' ').next().unwrap_or_default().to_owned();
            return Some((driver, printed, port));
        }
    }
    let ended = driver.wait().expect("it can be waited for");
    assert!(printed.text().contains("port not available"), "chromedriver ended with {ended}: {}", printed.text());
    None
}

impl Browser {
    /// Starts Chromium with an empty page.
    #[track_caller]
    pub fn start() -> Self {
        // It takes a free port for IPv6 and then the same for IPv4, which may be another program's: then it gives up.
        let (driver, printed, port) =
            (0..DRIVER_TRIES).find_map(|_| start_driver()).expect("chromedriver finds a free port");
        let profile = tempfile::Builder::new().prefix("ship-browser-").tempdir().expect("there is a temporary folder");
        let (session, process) = Session::begin(&format!("http://127.0.0.1:{port}"), &profile);
        Self { session, process, driver, _printed: printed, _profile: profile }
    }

    /// Goes to `url` and waits until the page has loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.session.ask("POST", "/url", &json!({ "url": url }));
    }

    /// Presses what `css` finds, as a mouse would: it has to be visible and in nobody's shadow.
    #[track_caller]
    pub fn click(&self, css: &str) {
        self.session.ask("POST", &format!("{}/click", self.element(css)), &json!({}));
    }

    /// Types `text` into the field that `css` finds, in place of what it held.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        let field = self.element(css);
        self.session.ask("POST", &format!("{field}/clear"), &json!({}));
        self.session.ask("POST", &format!("{field}/value"), &json!({ "text": text }));
    }

    /// Presses the Escape key.
    #[track_caller]
    pub fn press_escape(&self) {
        let escape = "\u{e00c}";
        let presses = json!([{ "type": "keyDown", "value": escape }, { "type": "keyUp", "value": escape }]);
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": presses }] });
        self.session.ask("POST", "/actions", &actions);
    }

    /// The text of what `css` finds, as a person sees it.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let deadline = Instant::now() + PAGE_PATIENCE;
        loop {
            match self.session.try_ask("GET", &format!("{}/text", self.element(css)), &Value::Null) {
                Ok(text) => return text_of(&text),
                // The element was on a page that was being left, or was replaced: there is another.
                Err(refusal) if refusal.is_of_another_page() && Instant::now() < deadline => {}
                Err(refusal) => panic!("{css}: {}: {}", refusal.error, refusal.message),
            }
        }
    }

    /// Waits until the text of what `css` finds holds `wanted`, over reloads of the page too, and gives back all of that text.
    #[track_caller]
    pub fn wait_for_text(&self, css: &str, wanted: &str) -> String {
        let deadline = Instant::now() + PAGE_PATIENCE;
        let call = json!({ "script": TEXT_OBSERVER, "args": [css, wanted] });
        loop {
            match self.session.try_ask("POST", "/execute/async", &call) {
                Ok(text) => return text_of(&text),
                // A page that is left takes its observer with it: the next one looks at the page that came instead.
                Err(_) if Instant::now() < deadline => {}
                Err(refusal) => panic!("{css} never said {wanted:?} but {:?}: {}", self.text(css), refusal.message),
            }
        }
    }

    /// Runs the body of a JavaScript function in the page and gives back what it returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.session.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs the body of a JavaScript function in the page and waits until it calls its last argument.
    #[track_caller]
    pub fn wait_for(&self, script: &str) -> Value {
        self.session.ask("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// What was written to the console since it was last asked for.
    #[track_caller]
    pub fn console(&self) -> Vec<ConsoleLine> {
        let lines = self.session.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let line = |entry: &Value| ConsoleLine {
            level: text_of(&entry["level"]),
            source: text_of(&entry["source"]),
            message: text_of(&entry["message"]),
        };
        lines.as_array().into_iter().flatten().map(line).collect()
    }

    /// Gives the page this many pixels, narrower than a window could be.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Asks pages for these colours.
    #[track_caller]
    pub fn prefer(&self, scheme: ColorScheme) {
        let value = if scheme == ColorScheme::Dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// What the page looks like: a PNG of the part that can be seen.
    #[track_caller]
    pub fn screenshot(&self) -> Vec<u8> {
        let encoded = text_of(&self.session.ask("GET", "/screenshot", &Value::Null));
        data_encoding::BASE64.decode(encoded.as_bytes()).expect("WebDriver encodes pictures in base64")
    }

    /// The path of the element that `css` finds, waiting for it to be there.
    #[track_caller]
    fn element(&self, css: &str) -> String {
        let found = self.session.ask("POST", "/element", &json!({ "using": "css selector", "value": css }));
        format!("/element/{}", text_of(&found[ELEMENT]))
    }

    /// Tells the browser something of Chrome's own protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: &Value) {
        self.session.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The story may be failing already, so nothing here may panic: who does not go when asked is ended.
        if !self.session.end() {
            self.process.signal(rustix::process::Signal::KILL);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The driver's view of one browser.
#[derive(Debug)]
struct Session {
    url: String,
}

/// Why the driver did not do what it was asked for.
#[derive(Debug)]
struct Refusal {
    /// One of the error codes of `WebDriver`.
    error: String,
    message: String,
}

impl Refusal {
    /// Whether the element was on a page that has been left. A driver that notices it late has no code for it.
    fn is_of_another_page(&self) -> bool {
        self.error == "stale element reference" || self.message.contains("does not belong to the document")
    }
}

impl Session {
    /// Starts a browser, and says which process it is.
    #[track_caller]
    fn begin(driver: &str, profile: &TempDir) -> (Self, Process) {
        let profile = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let patience = u64::try_from(PAGE_PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "timeouts": { "script": patience, "pageLoad": patience, "implicit": patience },
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        } } });
        let begun = Self { url: driver.to_owned() }.ask("POST", "/session", &wanted);
        let process = begun["capabilities"]["goog:processID"].as_u64().and_then(|id| u32::try_from(id).ok());
        let url = format!("{driver}/session/{}", text_of(&begun["sessionId"]));
        (Self { url }, Process::with_id(process.expect("the driver says which process the browser is")))
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_ask(method, path, body)
            .unwrap_or_else(|refusal| panic!("{method} {path} {body}: {}: {}", refusal.error, refusal.message))
    }

    #[track_caller]
    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refusal> {
        let request = http::request(method, &format!("{}{path}", self.url));
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let answer = request.send();
        let value = answer.json()["value"].take();
        if answer.status == 200 {
            return Ok(value);
        }
        Err(Refusal { error: text_of(&value["error"]), message: text_of(&value["message"]) })
    }

    /// Closes the browser. Whether it went.
    fn end(&self) -> bool {
        http::request("DELETE", &self.url).try_open().is_ok_and(|answer| answer.status() == 200)
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
