//! Requests that share a connection, as in HTTP/2 and HTTP/3: where they run, how many there may be, and what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use tokio_util::task::TaskTracker;

use super::ConnectionLimits;
use super::pace::{Pace, keep_pace};
use super::shares::{Pass, Seat, in_turn};
use super::state::{ConnectionState, Order};

/// How many requests of one connection are answered at once: what RFC 9113 recommends as the least, and what nginx and Go are near to.
pub(super) const MAX_STREAMS: u32 = 100;

/// How many requests a visitor may give up on one connection if that is more than they waited for: those of a page that is left
/// many times over, and far fewer than an attack needs.
const MAX_ABANDONED: u32 = 200;

/// How many requests the connections of a listener answer at once. Each takes what a connection in HTTP/1.1 takes: a descriptor of a file
/// or of a function, and pieces of a response.
///
/// The more places are taken, the fewer a connection may have: a quarter of those that are left, and always one. So a few connections
/// cannot take all of them, however long they hold what they have, and one alone is not held back.
#[derive(Debug)]
pub(super) struct StreamPlaces {
    places: usize,
    taken: AtomicUsize,
}

impl StreamPlaces {
    pub(super) fn new(places: usize) -> Self {
        Self { places, taken: AtomicUsize::new(0) }
    }

    /// Whether a connection that answers this many requests may answer one more.
    pub(super) fn let_in(&self, of_connection: u32) -> bool {
        let left = self.places.saturating_sub(self.taken.load(Relaxed));
        usize::try_from(of_connection).is_ok_and(|taken| taken < (left / 4).max(1))
    }
}

/// Where the streams of a connection run: each is a task, which ends with its connection at the latest.
#[derive(Clone)]
pub(super) struct Streams {
    seat: Option<Arc<Seat>>,
    state: Arc<ConnectionState>,
    tasks: TaskTracker,
    limits: ConnectionLimits,
    places: Arc<StreamPlaces>,
    tally: Arc<Tally>,
}

impl Streams {
    /// Those of one connection, as tasks of `tasks`.
    pub(super) fn new(
        seat: Option<Arc<Seat>>,
        state: Arc<ConnectionState>,
        tasks: TaskTracker,
        limits: ConnectionLimits,
        places: Arc<StreamPlaces>,
    ) -> Self {
        Self { seat, state, tasks, limits, places, tally: Arc::default() }
    }
}

/// What became of a connection's requests.
#[derive(Default)]
struct Tally {
    answered: AtomicU32,
    abandoned: AtomicU32,
}

impl Streams {
    /// Runs what answers one request.
    pub(super) fn run(&self, stream: impl Future<Output = ()> + Send + 'static) {
        let open = OpenStream { pace: Arc::new(Pace::on(&self.state)), streams: self.clone() };
        self.state.stream_begins();
        self.places.taken.fetch_add(1, Relaxed);
        self.tasks.spawn(async move {
            let mut pass = Pass::of(open.streams.seat.as_ref());
            in_turn(&mut pass, keep_pace(stream, &open.pace, open.streams.limits.write_timeout)).await;
            drop(open);
        });
    }
}

/// A stream that is counted as long as this lives.
struct OpenStream {
    pace: Arc<Pace>,
    streams: Streams,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Streams { state, tally, places, .. } = &self.streams;
        state.stream_ends();
        places.taken.fetch_sub(1, Relaxed);
        if self.pace.has_ended() {
            tally.answered.fetch_add(1, Relaxed);
            return;
        }
        let abandoned = tally.abandoned.fetch_add(1, Relaxed) + 1;
        if abandoned > MAX_ABANDONED && abandoned > tally.answered.load(Relaxed) {
            state.tell(Order::Drain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that keep all they can get leave places for one that comes later, and nobody is left without any.
    #[test]
    fn places() {
        let places = StreamPlaces::new(1000);
        let fill = || {
            let mut taken = 0;
            while taken < MAX_STREAMS && places.let_in(taken) {
                places.taken.fetch_add(1, Relaxed);
                taken += 1;
            }
            taken
        };
        assert_eq!(fill(), MAX_STREAMS);
        let crowd: Vec<u32> = (0..200).map(|_| fill()).collect();
        assert!(crowd.iter().all(|taken| *taken >= 1), "{crowd:?}");
        assert!(crowd[..10].iter().all(|taken| *taken > 10), "{crowd:?}");
    }
}
