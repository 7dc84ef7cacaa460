//! The connections of an HTTP client, owned by whoever owns the client, so that none outlives it.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Drives the connections of a client of hyper: as its executor, in place of tasks that nobody waits for.
#[derive(Clone, Debug, Default)]
pub struct ClientConnections {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl ClientConnections {
    /// No connections yet. They end with `stop`.
    #[must_use]
    pub fn until(stop: CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), stop }
    }

    /// Drives one more, until it or the client ends.
    pub fn drive<F>(&self, connection: F)
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _ = stop.run_until_cancelled(connection).await;
        });
    }

    /// Ends all of them, now.
    pub async fn close(&self) {
        self.stop.cancel();
        self.closed().await;
    }

    /// Waits until all of them have ended, after the stop.
    pub async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl<F> hyper::rt::Executor<F> for ClientConnections
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, connection: F) {
        self.drive(connection);
    }
}
