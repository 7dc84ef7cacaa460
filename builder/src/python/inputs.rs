//! What the functions in Python of a project are made of: the project itself, and what it depends on.

use std::collections::BTreeMap;

use ship_core::FunctionName;

use super::dependencies::Needs;
use super::error::PythonError;
use super::sources;
use super::syntax::SyntaxError;
use crate::assets::FoundFiles;
use crate::detect::{DetectedFunction, IgnoreFile, SiteFolder};
use crate::included::Inclusion;
use crate::tree::TreeError;

/// A function in Python.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PythonEntry {
    /// The function's name.
    pub(crate) name: FunctionName,
    /// Its file, relative to the folder that `api/` stands in.
    pub(crate) file: String,
    /// What of the file answers requests.
    pub(crate) variable: Option<String>,
}

/// All that the functions in Python of a project are made of.
#[derive(Debug, Default)]
pub(crate) struct PythonInputs {
    pub(super) entries: Vec<PythonEntry>,
    /// Which files of the project each of them wants besides, and which it does not.
    pub(super) inclusions: BTreeMap<FunctionName, Inclusion>,
    /// What they share: the files of the project, and what it needs.
    pub(super) project: Option<ProjectInputs>,
    /// What is wrong with files of the project.
    mistakes: Vec<SyntaxError>,
}

/// What the functions of a project share.
#[derive(Debug)]
pub(super) struct ProjectInputs {
    pub(super) sources: FoundFiles,
    pub(super) needs: Needs,
}

impl PythonInputs {
    /// Reads what `entries` are made of.
    pub(crate) fn read(
        entries: &[PythonEntry],
        functions: &[DetectedFunction],
        site: &SiteFolder,
        ignore: &IgnoreFile,
    ) -> Result<Self, InputError> {
        if entries.is_empty() {
            return Ok(Self::default());
        }
        let sources = sources::find(site, ignore, entries.iter().map(|entry| entry.file.as_str()))?;
        let project = Some(ProjectInputs { sources, needs: Needs::read(site)? });
        let inclusion = |function: &DetectedFunction| (function.name.clone(), function.inclusion.clone());
        Ok(Self {
            entries: entries.to_vec(),
            inclusions: functions.iter().map(inclusion).collect(),
            project,
            mistakes: Vec::new(),
        })
    }
}

impl PythonInputs {
    /// The same of files that break the grammar.
    pub(crate) fn with_mistakes(self, mistakes: Vec<SyntaxError>) -> Self {
        Self { mistakes, ..self }
    }

    /// Refuses files that break the grammar, if there are any.
    pub(crate) fn check(&self) -> Result<(), PythonError> {
        match self.mistakes.as_slice() {
            [] => Ok(()),
            errors => Err(PythonError::Syntax { errors: errors.to_vec() }),
        }
    }

    /// The functions that say the same of the files they want.
    pub(super) fn entries_with(&self, inclusion: &Inclusion) -> Vec<&PythonEntry> {
        self.entries.iter().filter(|entry| self.inclusions[&entry.name] == *inclusion).collect()
    }
}

/// What functions are made of cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Python(#[from] PythonError),
}
