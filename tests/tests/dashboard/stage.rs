//! What the stories share: a host with a browser before its dashboard, and what holds of every page.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use ship_tests::{Browser, ColorScheme, ConsoleLine, TestEnv, TestHost, TestProject, http};

/// Where pictures of pages go: outside of the repository.
fn pictures() -> PathBuf {
    let named = std::env::var_os("SHIP_TEST_PICTURES").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard"))
}

/// A project with one file, deployed as it is now. The id of the deployment.
#[track_caller]
pub(crate) fn deploy(host: &TestHost<'_>, project: &TestProject, options: &[&str]) -> String {
    let deployed = host.ship(["deploy", "--json"]).and(options).within(project.folder()).run().success().json();
    deployed["deployment"]["id"].as_str().expect("a deployment has an id").to_owned()
}

/// A function in Node that prints what it is told to, and fails if it is told that.
pub(crate) const TALKATIVE: &str = "
export function GET(request) {
    const wanted = new URL(request.url).searchParams;
    if (wanted.has('long')) console.log('long: ' + 'x'.repeat(1_000_000) + ' end');
    if (wanted.has('word')) console.log(wanted.get('word'));
    if (wanted.has('fail')) throw new Error('told to fail');
    return new Response('said');
}
";

/// A project with a page and [`TALKATIVE`], deployed. The address of its function.
#[track_caller]
pub(crate) fn deploy_talkative(environment: &TestEnv, host: &TestHost<'_>) -> String {
    let project = environment.project("garden").file("public/index.html", "a page").file("api/say.js", TALKATIVE);
    let deployed = host.ship(["deploy"]).within(project.folder()).run().success().url();
    format!("{deployed}/api/say")
}

/// A token of a role, for one project or all.
#[track_caller]
pub(crate) fn token(host: &TestHost<'_>, role: &str, project: Option<&str>) -> Value {
    let request = json!({ "name": format!("a {role}"), "role": role, "project": project });
    host.control("POST", "/v1/tokens").body(request.to_string()).send().json()
}

/// The session that a browser is given for a token, as its next requests send it.
#[track_caller]
pub(crate) fn session(host: &TestHost<'_>, token: &str) -> String {
    let request = http::request("POST", &format!("{}/login", host.control_url()));
    let request =
        request.header("sec-fetch-site", "same-origin").header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(format!("token={token}&next=%2F")).send();
    assert_eq!((answer.status, answer.header("location").as_deref()), (303, Some("/login?given=true&next=%2F")));
    let cookie = answer.header("set-cookie").expect("there is a session");
    assert!(cookie.starts_with("__Host-ship-session=ship_"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=604800"), "{cookie}");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// A browser before the dashboard of a host.
pub(crate) struct Desk {
    pub(crate) browser: Browser,
    pub(crate) url: String,
}

impl Desk {
    /// A browser that nobody is logged in with.
    #[track_caller]
    pub(crate) fn new(host: &TestHost<'_>) -> Self {
        Self { browser: Browser::start(), url: host.control_url() }
    }

    /// A browser of somebody who has logged in with a token.
    #[track_caller]
    pub(crate) fn of(host: &TestHost<'_>, token: &str) -> Self {
        let desk = Self::new(host);
        desk.log_in(token);
        desk
    }

    /// Logs in at the form that is shown.
    #[track_caller]
    pub(crate) fn log_in(&self, token: &str) {
        self.go("/");
        self.browser.fill("#token", token);
        self.browser.click("button.primary");
        let _ = self.browser.wait_for_text(".top", "Log out");
    }

    #[track_caller]
    pub(crate) fn go(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.url));
    }

    /// The path of the page that is shown.
    #[track_caller]
    pub(crate) fn path(&self) -> String {
        self.browser.run("return location.pathname").as_str().unwrap_or_default().to_owned()
    }

    /// What holds of every page: nothing is wrong in the console, nothing is wider than the window, and nobody is kept out. Its picture
    /// is taken on a desk and on a phone, by day and by night.
    #[track_caller]
    pub(crate) fn is_right(&self, name: &str) {
        self.fits(name);
        for (size, width, height) in [("desk", 1280, 900), ("phone", 390, 844)] {
            self.browser.resize(width, height);
            for (light, scheme) in [("light", ColorScheme::Light), ("dark", ColorScheme::Dark)] {
                self.browser.prefer(scheme);
                let wider = self.browser.run("return document.documentElement.scrollWidth - window.innerWidth");
                assert!(wider.as_i64() <= Some(0), "{name} is {wider} pixels wider than a {size}");
                assert_eq!(self.out_of_reach(size), [] as [String; 0], "{name} on a {size}");
                let path = pictures().join(format!("{name}-{size}-{light}.png"));
                std::fs::create_dir_all(pictures()).expect("the folder can be made");
                // Pages may fade from one colour to another; what counts is where they arrive.
                let _ = self.browser.run("document.getAnimations().forEach((animation) => animation.finish())");
                std::fs::write(path, self.browser.screenshot()).expect("the picture can be written");
                assert_eq!(self.violations(), Vec::<String>::new(), "{name} on a {size}, {light}");
            }
        }
        self.browser.resize(1280, 900);
        self.browser.prefer(ColorScheme::Light);
        assert_eq!(self.browser.console(), [] as [ConsoleLine; 0], "{name}");
    }

    /// Between a desk and the narrowest phone, tables and tabs are shown to their ends.
    #[track_caller]
    fn fits(&self, name: &str) {
        for (device, width) in [("small-phone", 320), ("tablet", 768), ("laptop", 1024)] {
            self.browser.resize(width, 900);
            let cut = "const wider = (one) => one.scrollWidth > one.clientWidth;
                return [...document.querySelectorAll(':root, .scroll, .tabs')].filter(wider).map((one) => one.outerHTML.slice(0, 120));";
            let path = pictures().join(format!("{name}-{device}.png"));
            std::fs::create_dir_all(pictures()).expect("the folder can be made");
            std::fs::write(path, self.browser.screenshot()).expect("the picture can be written");
            assert_eq!(self.browser.run(cut), json!([]), "{name} at {width} pixels");
        }
    }

    /// What a finger misses on a phone: what is cut off at the side of a table, and what can be pressed and is less than 24 pixels high.
    #[track_caller]
    fn out_of_reach(&self, size: &str) -> Vec<String> {
        if size != "phone" {
            return Vec::new();
        }
        let script = "
            const small = (one) => one.getBoundingClientRect().height > 0 && one.getBoundingClientRect().height < 24;
            const cut = [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth);
            const pressed = [...document.querySelectorAll('main :is(a, button, input, select, summary)')].filter(small);
            return [...cut, ...pressed].map((one) => one.outerHTML.slice(0, 120));";
        let found = self.browser.run(script);
        found.as_array().expect("a list").iter().map(ToString::to_string).collect()
    }

    /// What axe finds.
    #[track_caller]
    fn violations(&self) -> Vec<String> {
        let script = format!(
            "{}; return axe.run().then((found) => found.violations.map(
                (one) => one.id + ': ' + one.nodes.map((node) => node.target + ' ' + node.failureSummary).join('; ')));",
            ship_tests::axe()
        );
        let found = self.browser.run(&script);
        found.as_array().expect("axe gives a list").iter().map(ToString::to_string).collect()
    }
}

/// A host that has nothing to do with others.
pub(crate) fn environment() -> TestEnv {
    TestEnv::new()
}
