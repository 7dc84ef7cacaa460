//! What an examination says: how it stands, and what is wrong, each with what can be done about it.

use serde::Serialize;

/// What was found of one thing.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    /// How it stands, in a few words.
    pub(super) state: String,
    /// What is wrong with it.
    pub(super) problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// What is wrong, where, and why that matters.
    what: String,
    /// What to type or to do.
    hint: String,
    /// What was done about it.
    repaired: Option<String>,
}

impl Finding {
    pub(super) const fn new(check: &'static str, state: String, problems: Vec<Problem>) -> Self {
        Self { check, state, problems }
    }
}

impl Problem {
    /// Something that is wrong, a sentence without a full stop, and what to do about it.
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into(), repaired: None }
    }

    /// The same, which is wrong no more.
    pub(super) fn repaired(mut self, done: impl Into<String>) -> Self {
        self.repaired = Some(done.into());
        self
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn hint(&self) -> &str {
        &self.hint
    }

    pub(super) fn done(&self) -> Option<&str> {
        self.repaired.as_deref()
    }
}
