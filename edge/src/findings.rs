//! What is learnt of a request on its way to an answer, for its log record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ship_core::FunctionIndex;
use ship_runtime::Course;

/// What is learnt of a request on its way. Whoever learns something notes it; a request for a file passes nobody who does.
#[derive(Default)]
pub(crate) struct Findings(Mutex<Found>);

/// What was learnt so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    /// The function that was asked last.
    pub(crate) function: Option<FunctionIndex>,
    /// How that went, if it answered.
    pub(crate) course: Option<Course>,
}

impl Findings {
    /// A function is asked.
    pub(crate) fn asks(&self, function: FunctionIndex) {
        *self.found() = Found { function: Some(function), course: None };
    }

    /// The function that was asked has answered.
    pub(crate) fn answered(&self, course: Course) {
        self.found().course = Some(course);
    }

    /// Takes over what another request has learnt.
    pub(crate) fn follow(&self, other: &Self) {
        *self.found() = other.so_far();
    }

    /// What was learnt so far.
    pub(crate) fn so_far(&self) -> Found {
        *self.found()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
