//! What differs from run to run, replaced by names, so that a whole output can be compared.

use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::{Captures, Regex};

/// A line that says that something goes on. How long that took decides how many there are.
static GOES_ON: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^.*: \d+ s so far\n").expect("the pattern is a constant"));

/// What was printed, without the lines that only a slow machine sees.
pub(crate) fn without_heartbeats(text: &str) -> String {
    GOES_ON.replace_all(text, "").into_owned()
}

/// Patterns whose matches say nothing about the behaviour, and what stands for them.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // What the machine allows.
        (r"(?m)^keeps     .*$", "keeps     [ISOLATION]"),
        (r"(localhost|127\.0\.0\.1):\d+", "$1:[PORT]"),
        (r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]"),
        (r"\b[0-9a-f]{64}\b", "[HEX]"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[AT]"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?", "[AT]"),
        (r"\b\d\d:\d\d:\d\d\.\d+", "[AT]"),
        (r"taken by \S+ \(pid", "taken by [WHO] (pid"),
        (r"\b(just now|\d+ ?(s|m|min|seconds?|minutes?) ago)", "[AGO]"),
        (r"http://127\.0\.0\.1:\S+ is taken.*, so sites are at .*\n", ""),
        (r"\b01[0-9a-hjkmnp-tv-z]{24}\b", "[REQUEST]"),
        (r"\bpid \d+", "pid [PID]"),
        (r"\bprocess \d+", "process [PID]"),
        (r#""pid": ?\d+"#, r#""pid":[PID]"#),
        (r"\b\d+(\.\d+)? ?(ms|µs|s)\b", "[TIME]"),
        (r"/tmp/blob-\d+-", "/tmp/blob-[PID]-"),
        (r"\b\d+(\.\d+)? (KiB|MiB|kB|KB|MB)(\W|$)", "[SIZE]$3"),
        (r#""(\w*bytes)": ?\d+"#, "\"$1\": [SIZE]"),
        (r#""(detect|build|hash|upload|publish|total|duration_micros)": ?\d+"#, "\"$1\": [TIME]"),
        (r"go1\.\d+(\.\d+)?", "go[VERSION]"),
        (r"package registry \(\S+\)", "package registry ([INDEX])"),
    ]
    .into_iter()
    .map(|(pattern, name)| (Regex::new(pattern).expect("the pattern is a constant"), name))
    .collect()
});

static FULL_ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-v]{32}\b").expect("the pattern is a constant"));
static ID_IN_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"//[a-z0-9-]+-([0-9a-v]{8})\.localhost").expect("the pattern is a constant"));

/// Replaces what differs from run to run. Deployments are numbered in the order in which they were first seen, so that
/// `[ID-1]` is the same deployment in every output of one environment.
#[derive(Debug)]
pub(crate) struct Filters {
    folder: PathBuf,
    ids: Mutex<Vec<String>>,
}

impl Filters {
    /// Filters for an environment that stands in `folder`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, ids: Mutex::default() }
    }

    /// Remembers the deployments that `text` names. To be called with every output, in order.
    pub(crate) fn learn(&self, text: &str) {
        let full = FULL_ID.find_iter(text).map(|id| (id.start(), &id.as_str()[..8]));
        let in_urls =
            ID_IN_URL.captures_iter(text).filter_map(|found| found.get(1)).map(|id| (id.start(), id.as_str()));
        let mut found: Vec<(usize, &str)> = full.chain(in_urls).collect();
        found.sort_unstable();
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, id) in found {
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
    }

    /// `text` with names for everything that differs from run to run.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut text = text.replace(self.folder.to_string_lossy().as_ref(), "[ENV]");
        for (number, id) in (1..).zip(self.ids.lock().unwrap_or_else(PoisonError::into_inner).iter()) {
            let pattern = Regex::new(&format!(r"{id}[0-9a-v]*")).expect("an id holds only letters and digits");
            text = pattern.replace_all(&text, format!("[ID-{number}]")).into_owned();
        }
        for (pattern, name) in PATTERNS.iter() {
            text = pattern.replace_all(&text, |found: &Captures<'_>| expand(found, name)).into_owned();
        }
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

fn expand(found: &Captures<'_>, name: &str) -> String {
    let mut text = String::new();
    found.expand(name, &mut text);
    text
}
