//! One instance in the books.

use tokio::time::Instant;

use crate::life::{InstanceState, LifeEvent};

/// Names an instance within its function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct InstanceNumber(pub(super) u64);

/// One instance in the books.
pub(crate) struct Slot<M> {
    pub(crate) number: InstanceNumber,
    pub(crate) state: InstanceState,
    pub(crate) in_flight: u32,
    pub(crate) member: M,
    pub(super) spawned_at: Instant,
    /// Since when it has had no request.
    pub(super) idle_since: Instant,
    pub(super) was_ready: bool,
    pub(super) is_probed: bool,
    /// Whether it was told to end without finishing what it does beside requests.
    pub(super) is_cut_short: bool,
}

impl<M> Slot<M> {
    /// An instance whose process has just been started.
    pub(super) const fn new(number: InstanceNumber, member: M, now: Instant) -> Self {
        Self {
            number,
            state: InstanceState::Starting,
            in_flight: 0,
            member,
            spawned_at: now,
            idle_since: now,
            was_ready: false,
            is_probed: false,
            is_cut_short: false,
        }
    }

    /// Whether it is given requests.
    pub(super) const fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// Something happens to it.
    pub(super) fn happen(&mut self, event: LifeEvent) {
        let next = self.state.after(event);
        debug_assert!(next.is_some(), "{event:?} while {:?}", self.state);
        self.state = next.unwrap_or(self.state);
    }

    /// It is given a request.
    pub(super) fn give(&mut self) {
        self.in_flight += 1;
        self.happen(LifeEvent::Given);
    }

    /// One of its requests is over.
    pub(super) fn take_back(&mut self, now: Instant) {
        self.in_flight -= 1;
        if self.in_flight == 0 {
            self.idle_since = now;
            self.happen(LifeEvent::Emptied);
        }
    }

    /// It has answered.
    pub(super) fn answered(&mut self) {
        self.was_ready = true;
        let is_first = self.state == InstanceState::Starting;
        self.happen(LifeEvent::Answered);
        if is_first && self.in_flight > 0 {
            self.happen(LifeEvent::Given);
        }
    }
}
