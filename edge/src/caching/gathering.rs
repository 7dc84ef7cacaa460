//! An answer that goes to its visitor while it is gathered.

use http::response;

use super::CachingServer;
use super::making::finish;
use super::place::Place;
use crate::body::Pouring;
use crate::kept::{Leader, Outcome};

/// How long an answer may be that a visitors' thread makes the tag of, in bytes: some 100 µs.
const AT_ONCE_BYTES: usize = 64 * 1024;

/// An answer that goes to its visitor while it is gathered.
pub(super) struct Gathering {
    pub(super) server: CachingServer,
    pub(super) leader: Option<Leader>,
    pub(super) place: Place,
    pub(super) head: response::Parts,
}

impl Gathering {
    /// Gathers it to its end, whether its visitor stays or leaves, because others may wait for it.
    pub(super) async fn run(mut self, pouring: Pouring) {
        let leader = self.leader.take();
        let stop = self.server.stop.clone();
        let deadline = self.place.deadline();
        let given_up = async move {
            tokio::select! {
                () = tokio::time::sleep(deadline) => {}
                () = stop.cancelled() => {}
            }
        };
        let Some((gathered, pin)) = pouring.run(given_up).await else {
            self.server.pass(&self.place.deployment, &self.place.key);
            return finish(leader, Outcome::Private);
        };
        let Self { server, place, head, .. } = self;
        let length = gathered.len();
        let keep = move || place.keep(&server, head, pin.into_bytes(gathered.concat()));
        let kept = aside(length, keep).await;
        finish(leader, kept.map_or(Outcome::Private, Outcome::Told));
    }
}

/// Does what takes long for a long answer, to put it together and to make its tag, where no visitor waits for it. `None` if the host stops.
pub(super) async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes <= AT_ONCE_BYTES { Some(work()) } else { tokio::task::spawn_blocking(work).await.ok() }
}
