//! A site with bad functions and a neighbour that behaves.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use ship_tests::http::{self, Answer};
use ship_tests::{Process, TestEnv, TestHost, TestProject};

/// How long something may be there after its end.
const MOMENT: Duration = Duration::from_secs(1);

/// How long the neighbour may take for an answer, whatever others do: more than it ever takes, on machines that build other
/// things beside the tests.
const NEIGHBOURS_PATIENCE: Duration = Duration::from_secs(2);

/// How long the neighbour is left alone between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// What bad functions are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    Go,
    Node,
    Python,
    Rust,
    /// A program in Rust, which says what handlers cannot.
    RustProgram,
}

/// Those that take no time to build.
pub(crate) const QUICK: [Language; 3] = [Language::Go, Language::Node, Language::Python];

impl Language {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Node => "node",
            Self::Python => "python",
            Self::Rust => "rust",
            Self::RustProgram => "program",
        }
    }

    const fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Go => ("go.go", include_str!("sources/misbehave.go")),
            Self::Node => ("node.js", include_str!("sources/misbehave.js")),
            Self::Python => ("python.py", include_str!("sources/misbehave.py")),
            Self::Rust => ("rust.rs", include_str!("sources/misbehave.rs")),
            Self::RustProgram => ("program.rs", include_str!("sources/program.rs")),
        }
    }
}

const MANIFEST: &str =
    "[package]\nname = \"bad\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nhttp = \"1\"\n";

const NEIGHBOUR: &str =
    "export default (request, response) => response.send(`${process.env.SHIP_FUNCTION} is well`);\n";

/// A site that is deployed.
pub(crate) struct Site<'e> {
    pub(crate) host: TestHost<'e>,
    pub(crate) url: String,
    languages: Vec<Language>,
}

/// The bad functions in one language.
#[derive(Clone, Copy)]
pub(crate) struct Bad<'s> {
    pub(crate) site: &'s Site<'s>,
    pub(crate) language: Language,
}

/// A kind of bad functions: they do the same, and differ in what they may use and how they start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Starts at once, and has limits that are reached soon.
    Bad,
    /// Has to answer within a second.
    Hasty,
    /// Takes nine seconds to start, and then has to answer within a second.
    Slow,
    /// May connect to this machine.
    Open,
    /// Never gets to listen, and has a second until it should.
    Deaf,
}

impl Kind {
    const fn folder(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Hasty => "hasty",
            Self::Slow => "slow",
            Self::Open => "open",
            Self::Deaf => "deaf",
        }
    }

    /// What its functions may use, in words of `ship.toml`.
    const fn limits(self) -> &'static str {
        match self {
            Self::Bad => "timeout_secs = 10\nmax_processes = 64\nmax_files = 256\ntmp_mb = 16\nmemory_mb = 192\n",
            Self::Hasty => "timeout_secs = 1\ninit_timeout_secs = 60\nmax_processes = 64\n",
            Self::Slow => "timeout_secs = 1\ninit_timeout_secs = 60\n",
            Self::Open => "network = \"all\"\n",
            Self::Deaf => "init_timeout_secs = 1\n",
        }
    }
}

/// The project of a site with functions of these kinds in these languages.
pub(crate) fn project(environment: &TestEnv, languages: &[Language], kinds: &[Kind]) -> TestProject {
    let limits = kinds.iter().map(|kind| format!("[functions.\"api/{}/*\"]\n{}", kind.folder(), kind.limits()));
    let settings: String = std::iter::once("name = \"bad\"\n".to_owned()).chain(limits).collect();
    let mut project = environment.project("bad").file("ship.toml", settings).file("api/neighbour.js", NEIGHBOUR);
    for language in languages {
        let (name, source) = language.file();
        if matches!(language, Language::Rust | Language::RustProgram) {
            project = project.file("Cargo.toml", MANIFEST);
        }
        for kind in kinds {
            project = project.file(&format!("api/{}/{name}", kind.folder()), source);
        }
    }
    project
}

impl<'e> Site<'e> {
    /// A site with functions of these kinds, without waiting until they start.
    #[track_caller]
    pub(crate) fn deploy(environment: &'e TestEnv, languages: &[Language], kinds: &[Kind]) -> Self {
        Self::deploy_to(TestHost::start(environment), environment, languages, kinds)
    }

    /// The same on a machine that lets the host make no control groups.
    #[track_caller]
    pub(crate) fn deploy_without_control_groups(
        environment: &'e TestEnv,
        languages: &[Language],
        kinds: &[Kind],
    ) -> Self {
        let script = "mount -t tmpfs nothing /sys/fs/cgroup && exec \"$0\" \"$@\"";
        let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", script].map(AsRef::as_ref);
        let host = TestHost::start_by(environment, &environment.folder().join("data"), &wrapper);
        Self::deploy_to(host, environment, languages, kinds)
    }

    /// The same on a machine that allows no namespaces, by an operator who does without, with the host's data in a folder.
    #[track_caller]
    pub(crate) fn deploy_without_sandbox(
        environment: &'e TestEnv,
        data: &Path,
        languages: &[Language],
        kinds: &[Kind],
    ) -> Self {
        let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\" --isolation process";
        let wrapper = ["unshare", "--map-root-user", "sh", "-c", script].map(AsRef::as_ref);
        Self::deploy_to(TestHost::start_by(environment, data, &wrapper), environment, languages, kinds)
    }

    #[track_caller]
    fn deploy_to(host: TestHost<'e>, environment: &'e TestEnv, languages: &[Language], kinds: &[Kind]) -> Self {
        let project = project(environment, languages, kinds);
        let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
        Self { host, url, languages: languages.to_vec() }
    }

    /// The functions of each language.
    pub(crate) fn each(&self) -> impl Iterator<Item = Bad<'_>> {
        self.languages.iter().map(|&language| Bad { site: self, language })
    }

    /// Asks the neighbour without pause while something else goes on: each answer is right and comes soon.
    #[track_caller]
    pub(crate) fn beside_the_neighbour<T>(&self, act: impl FnOnce() -> T) -> T {
        let url = format!("{}/api/neighbour", self.url);
        let ask = || {
            let asked = Instant::now();
            (http::get(&url).success().text(), asked.elapsed())
        };
        // It may have to start first, which is not what is measured here.
        let (right, _) = ask();
        let (ended, end) = channel::<()>();
        std::thread::scope(|scope| {
            let asking = scope.spawn(move || {
                let mut slowest = Duration::ZERO;
                while end.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                    let (answer, took) = ask();
                    assert_eq!(answer, right);
                    slowest = slowest.max(took);
                }
                slowest
            });
            let result = act();
            drop(ended);
            let slowest = asking.join().expect("the neighbour answers");
            assert!(slowest < NEIGHBOURS_PATIENCE, "the neighbour took {slowest:?}");
            result
        })
    }
}

impl Bad<'_> {
    /// The URL at which a function of a kind does something.
    pub(crate) fn url(&self, kind: Kind, what: &str) -> String {
        format!("{}/api/{}/{}?do={what}", self.site.url, kind.folder(), self.language.name())
    }

    /// Has a function of a kind do something.
    #[track_caller]
    pub(crate) fn ask(&self, kind: Kind, what: &str) -> Answer {
        http::get(&self.url(kind, what))
    }

    /// The same while the neighbour is asked.
    #[track_caller]
    pub(crate) fn ask_beside_the_neighbour(&self, kind: Kind, what: &str) -> Answer {
        self.site.beside_the_neighbour(|| self.ask(kind, what))
    }

    /// The next request is served as if nothing had been.
    #[track_caller]
    pub(crate) fn is_served(&self, kind: Kind) {
        assert_eq!(self.ask(kind, "nothing").success().text(), "behaved\n", "{:?}", self.language);
    }

    /// Every process of a kind's instances, as the machine sees them.
    #[track_caller]
    pub(crate) fn processes(&self, kind: Kind) -> Vec<Process> {
        let shown = self.site.host.ship(["inspect", &self.site.url, "--json"]).run().success().json();
        let name = format!("api/{}/{}", kind.folder(), self.language.name());
        let functions = shown["functions"].as_array().expect("there are functions");
        let function = functions.iter().find(|function| function["name"] == *name).expect("the function is there");
        let instances = function["instances"].as_array().into_iter().flatten();
        let ids = instances.filter_map(|instance| instance["pid"].as_u64()?.try_into().ok());
        ids.flat_map(|id| Process::with_id(id).cell()).collect()
    }

    /// Has a function of a kind do something that ends it. When it is answered none of its processes is left, but for a moment,
    /// and the next request is served by others.
    #[track_caller]
    pub(crate) fn ask_for_its_end(&self, kind: Kind, what: &str) -> Answer {
        self.is_served(kind);
        let before = self.processes(kind);
        assert!(!before.is_empty(), "{:?} has processes", self.language);
        let answer = self.ask_beside_the_neighbour(kind, what);
        assert_gone(&before);
        self.is_served(kind);
        let after = self.processes(kind);
        assert!(!after.is_empty() && after.iter().all(|process| !before.contains(process)), "{after:?}");
        answer
    }
}

/// None of the processes is left, but for a moment.
#[track_caller]
pub(crate) fn assert_gone(processes: &[Process]) {
    let deadline = Instant::now() + MOMENT;
    for process in processes {
        let rest = deadline.saturating_duration_since(Instant::now());
        assert!(process.ends_within(rest), "process {} is still there: {}", process.id(), process.command_line());
    }
}

/// The status of an answer, and the platform's code in it.
pub(crate) fn code(answer: &Answer) -> (u16, Option<String>) {
    let code = answer.header("x-ship-error");
    if let Some(code) = &code {
        let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let said = document.and_then(|document| Some(document["error"]["code"].as_str()?.to_owned()));
        assert!(said.is_none_or(|said| said == *code), "{}", answer.text());
    }
    (answer.status, code)
}

/// What [`code`] gives for an answer of the platform.
pub(crate) fn platform(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}
