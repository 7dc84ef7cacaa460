//! Edits, counted as the watch hears of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ship_builder::FrontendTraces;
use tokio::sync::watch;

/// How many paths of edits are remembered until the next build, for a line that says what changed.
const MAX_PATHS: usize = 16;

/// The number of edits so far, and the paths of those since the last build.
#[derive(Clone, Debug)]
pub(crate) struct Edits {
    count: Arc<watch::Sender<u64>>,
    paths: Arc<Mutex<BTreeSet<String>>>,
    passed_over: Arc<Mutex<FrontendTraces>>,
}

impl Edits {
    /// As if everything had just been edited: a first build is due.
    pub(super) fn new() -> Self {
        Self { count: Arc::new(watch::Sender::new(1)), paths: Arc::default(), passed_over: Arc::default() }
    }

    /// Counts an edit.
    pub(crate) fn note(&self, path: Option<String>) {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = path.filter(|_| paths.len() < MAX_PATHS) {
            paths.insert(path);
        }
        self.count.send_modify(|count| *count += 1);
    }

    /// From now on, what a build leaves at `traces` is no edit.
    pub(crate) fn pass_over(&self, traces: FrontendTraces) {
        *self.passed_over.lock().unwrap_or_else(PoisonError::into_inner) = traces;
    }

    /// Whether a change at `path`, absolute, is no edit but what a build has left.
    pub(super) fn is_passed_over(&self, path: &Path) -> bool {
        self.passed_over.lock().unwrap_or_else(PoisonError::into_inner).hold(path)
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        *self.count.borrow()
    }

    /// Hears of each further one.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// The paths since this was last asked, relative to the project, as people write them.
    pub(crate) fn take_paths(&self) -> Vec<String> {
        let taken = std::mem::take(&mut *self.paths.lock().unwrap_or_else(PoisonError::into_inner));
        taken.into_iter().collect()
    }
}
