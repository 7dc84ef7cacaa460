//! What is learnt of a request on its way to an answer, for its log record.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ship_core::{CacheState, FunctionIndex};
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
    /// How long it took until it was known what answers, where that is told.
    pub(crate) routed: Option<Duration>,
    /// Where an answer came from that may be kept for more than one visitor.
    pub(crate) cache: Option<CacheState>,
}

impl Findings {
    /// A function is asked.
    pub(crate) fn asks(&self, function: FunctionIndex) {
        let mut found = self.found();
        (found.function, found.course) = (Some(function), None);
    }

    /// The function that was asked has answered.
    pub(crate) fn answered(&self, course: Course) {
        self.found().course = Some(course);
    }

    /// Takes over what another request has learnt of the function.
    pub(crate) fn follow(&self, other: &Self) {
        let (mut found, other) = (self.found(), other.so_far());
        (found.function, found.course) = (other.function, other.course);
    }

    /// It is known what answers, so long after the request came.
    pub(crate) fn routed(&self, after: Duration) {
        self.found().routed = Some(after);
    }

    /// An answer that may be kept for more than one visitor came from there.
    pub(crate) fn came_from(&self, cache: CacheState) {
        self.found().cache = Some(cache);
    }

    /// What was learnt so far.
    pub(crate) fn so_far(&self) -> Found {
        *self.found()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
