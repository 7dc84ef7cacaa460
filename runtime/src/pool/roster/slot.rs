//! One instance in the books.

use tokio::time::Instant;

/// Names an instance within its function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct InstanceNumber(pub(super) u64);

/// Where an instance is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// The process exists and was not heard of yet. It is given requests: they wait in its socket.
    Booting,
    /// It has answered.
    Ready,
    /// It gets no more requests, and is to be stopped when it has none.
    Leaving,
    /// It was asked to stop.
    Stopping,
    /// Its process is gone; its last requests are being answered for it.
    Gone,
}

/// One instance in the books.
pub(crate) struct Slot<M> {
    pub(crate) number: InstanceNumber,
    pub(crate) phase: Phase,
    pub(crate) in_flight: u32,
    pub(crate) member: M,
    pub(super) spawned_at: Instant,
    /// Since when it has had no request.
    pub(super) idle_since: Instant,
    pub(super) was_ready: bool,
    pub(super) is_probed: bool,
}

impl<M> Slot<M> {
    /// Whether it is given requests.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Booting | Phase::Ready)
    }
}
