//! What several languages, or several runs of one, have made: all of it, or all that was wrong.

use super::{Artifacts, BuildError};
use crate::interrupt::Interrupt;

/// What was built so far, or why there will be nothing of it.
pub(crate) struct Collected<'i> {
    interrupt: &'i Interrupt,
    artifacts: Artifacts,
    errors: Vec<BuildError>,
}

impl<'i> Collected<'i> {
    pub(crate) fn new(interrupt: &'i Interrupt) -> Self {
        Self { interrupt, artifacts: Artifacts::new(), errors: Vec::new() }
    }

    /// Adds what `build` makes, also when something before was wrong: a person is told all that is to be mended.
    pub(crate) fn add(&mut self, build: impl FnOnce() -> Result<Artifacts, BuildError>) {
        // What failed because nobody wants the build any more needs no company.
        if !self.is_right() && self.interrupt.is_raised() {
            return;
        }
        match build() {
            Ok(artifacts) => self.artifacts.extend(artifacts),
            Err(error) => self.errors.push(error),
        }
    }

    /// Whether nothing was wrong so far.
    pub(crate) const fn is_right(&self) -> bool {
        self.errors.is_empty()
    }

    /// All that was built, or all that was wrong.
    pub(crate) fn finish(self) -> Result<Artifacts, BuildError> {
        let Self { artifacts, mut errors, .. } = self;
        match errors.pop() {
            None => Ok(artifacts),
            Some(only) if errors.is_empty() => Err(only),
            Some(last) => {
                errors.push(last);
                Err(BuildError::Several { errors })
            }
        }
    }
}
