//! What went wrong, as pages show it: the same lines as in the terminal.

use std::sync::Arc;

use serde::Serialize;

/// Something that went wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Report {
    /// In a few words.
    pub(super) title: String,
    /// What was said, with places and excerpts of sources.
    pub(super) lines: Arc<[String]>,
}

impl Report {
    pub(super) fn new(title: impl Into<String>, text: &str) -> Self {
        Self { title: title.into(), lines: text.lines().map(str::to_owned).collect() }
    }

    /// All of it as one text.
    pub(super) fn text(&self) -> String {
        self.lines.join("\n")
    }
}
