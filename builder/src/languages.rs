//! The languages that functions are written in, side by side: what each is given, and one build of them all.

use crate::build::{Artifacts, BuildError, BuildJob, Collected};
use crate::go::{self, GoInputs};
use crate::node::{self, NodeInputs};
use crate::python::{self, PythonInputs};
use crate::rust::{self, RustInputs};

/// What the functions of a project are made of, language by language.
#[derive(Debug)]
pub(crate) struct LanguageInputs {
    pub(crate) go: GoInputs,
    pub(crate) node: NodeInputs,
    pub(crate) python: PythonInputs,
    pub(crate) rust: RustInputs,
}

impl LanguageInputs {
    /// Builds the functions of every language, one language after the other: each uses all processors by itself. A mistake in one hides
    /// none in another, and what functions only run with is fetched once they are known to be right.
    pub(crate) fn build(&self, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
        let mut collected = Collected::new(&job.environment.interrupt);
        collected.add(|| go::build(&self.go, job));
        collected.add(|| node::build(&self.node, job));
        collected.add(|| Ok(self.python.check().map(|()| Artifacts::new())?));
        collected.add(|| rust::build(&self.rust, job));
        if collected.is_right() {
            node::ensure_interpreters(&self.node, job)?;
            collected.add(|| python::build(&self.python, job));
        }
        collected.finish()
    }
}
