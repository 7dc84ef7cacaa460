//! What is done for functions beside their requests.
//!
//! Requests are answered on threads on which nothing else may take time: what a function can have the host do as often as it likes, from making its
//! connections to reading what it prints, is done elsewhere. A descriptor is watched where it was registered, so that counts as much as where a task runs.

use tokio::runtime::{EnterGuard, Handle};
use tokio::task::JoinHandle;
use tokio_util::context::TokioContext;
use tokio_util::task::TaskTracker;

/// The tasks of a runtime that answer no request, and where they run.
#[derive(Clone, Debug)]
pub(crate) struct Background {
    tasks: TaskTracker,
    handle: Handle,
}

impl Background {
    /// Has `tasks` own what runs on the tokio runtime of `handle`.
    pub(crate) const fn new(tasks: TaskTracker, handle: Handle) -> Self {
        Self { tasks, handle }
    }

    /// Does something there.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tasks.spawn_on(work, &self.handle)
    }

    /// Whether the runtime takes no more tasks.
    pub(crate) fn is_closed(&self) -> bool {
        self.tasks.is_closed()
    }

    /// Has what is registered be watched there, until the guard is dropped.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// A future that is polled where it is awaited, and all of whose descriptors and timers are watched there.
    pub(crate) fn watching<F: Future>(&self, work: F) -> TokioContext<F> {
        TokioContext::new(work, self.handle.clone())
    }
}
