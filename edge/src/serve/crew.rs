//! The runtimes that a listener's connections live on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::shares::Shares;

/// The runtimes among which a listener's connections are divided. Each goes to the one that has fewest, and stays there.
///
/// With one single-threaded runtime per processor, a request is answered where its bytes arrive: no task moves between
/// threads, and none is woken across them, which would cost more than the answer itself.
#[derive(Clone)]
pub struct Crew {
    members: Arc<[Member]>,
    shares: Shares,
}

struct Member {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    handshakes: Arc<Semaphore>,
}

/// The place of a connection on one of the runtimes, until it is dropped.
pub(super) struct Post {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    handshakes: Arc<Semaphore>,
}

impl Crew {
    /// A crew of these runtimes, which must outlive the listener.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn of(runtimes: impl IntoIterator<Item = Handle>) -> Self {
        let member = |runtime| Member { runtime, connections: Arc::default(), handshakes: Arc::new(Semaphore::new(1)) };
        let members: Arc<[Member]> = runtimes.into_iter().map(member).collect();
        assert!(!members.is_empty(), "somebody must answer");
        Self { members, shares: Shares::default() }
    }

    /// The same, whose work is shared out among visitors' addresses.
    #[must_use]
    pub fn shared_out(mut self, shares: Shares) -> Self {
        self.shares = shares;
        self
    }

    /// How its work is shared out.
    pub(super) fn shares(&self) -> &Shares {
        &self.shares
    }

    /// A crew of one: the runtime that this is called on.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn here() -> Self {
        Self::of([Handle::current()])
    }

    /// A place for one more connection, where there are fewest.
    pub(super) fn post(&self) -> Post {
        let fewest = self.members.iter().min_by_key(|member| member.connections.load(Relaxed));
        let Member { runtime, connections, handshakes } = fewest.expect("a crew has members");
        connections.fetch_add(1, Relaxed);
        let (connections, handshakes) = (Arc::clone(connections), Arc::clone(handshakes));
        Post { runtime: runtime.clone(), connections, handshakes }
    }
}

impl Post {
    /// Where the connection is to live.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Turns to shake hands there: one at a time.
    pub(super) fn handshakes(&self) -> &Arc<Semaphore> {
        &self.handshakes
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections are divided evenly, also after some have ended.
    #[tokio::test]
    async fn evenly() {
        let crew = Crew::of([Handle::current(), Handle::current()]);
        let counts = || crew.members.iter().map(|member| member.connections.load(Relaxed)).collect::<Vec<_>>();
        let mut posts: Vec<Post> = (0..6).map(|_| crew.post()).collect();
        assert_eq!(counts(), [3, 3]);
        // The first runtime's are the even ones.
        drop((posts.remove(4), posts.remove(2)));
        assert_eq!(counts(), [1, 3]);
        posts.extend([crew.post(), crew.post()]);
        assert_eq!(counts(), [3, 3]);
    }
}
