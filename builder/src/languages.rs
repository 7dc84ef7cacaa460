//! The languages that functions are written in, side by side: what each is given, and one build of them all.

use crate::build::{Artifacts, BuildError, BuildJob};
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
    /// Builds the functions of every language, one language after the other: each uses all processors by itself.
    pub(crate) fn build(&self, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
        let mut artifacts = go::build(&self.go, job)?;
        artifacts.extend(node::build(&self.node, job)?);
        artifacts.extend(python::build(&self.python, job)?);
        artifacts.extend(rust::build(&self.rust, job)?);
        Ok(artifacts)
    }
}
