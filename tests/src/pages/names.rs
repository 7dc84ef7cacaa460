//! What a page calls by a name that is another on every machine: deployments, addresses, and what the page itself says.

use std::sync::LazyLock;

use regex::Regex;

/// A deployment in its URL, and where a host or a dev server listens.
static NAMES: LazyLock<[Regex; 3]> = LazyLock::new(|| {
    [r"-([0-9a-v]{8})\.localhost", r"(localhost:\d+)", r"(127\.0\.0\.1:\d+)"]
        .map(|pattern| Regex::new(pattern).expect("the pattern is a constant"))
});

/// What a page says, beside what is there instead.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    /// Learns what stands for the names in a text of the page, from the text that was there instead: they come in the same order.
    pub(super) fn learn(&mut self, written: &str, found: &str) {
        for pattern in &*NAMES {
            for (name, instead) in all(pattern, written).into_iter().zip(all(pattern, found)) {
                self.add(name, instead);
            }
        }
    }

    /// From now on `name` means `instead`, unless it means something already.
    pub(super) fn add(&mut self, name: String, instead: String) {
        if !self.0.iter().any(|(known, _)| *known == name) {
            self.0.push((name, instead));
        }
    }

    /// A text of the page, as it would be here.
    pub(super) fn translate(&self, written: &str) -> String {
        self.0.iter().fold(written.to_owned(), |text, (name, instead)| text.replace(name, instead))
    }
}

/// What a pattern finds, each once.
fn all(pattern: &Regex, text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in pattern.captures_iter(text).map(|name| name[1].to_owned()) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
