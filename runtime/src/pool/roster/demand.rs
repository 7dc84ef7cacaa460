//! How many instances there should be.

use tokio::time::Instant;

use super::{Door, Roster, Slot};
use crate::life::InstanceState;

impl<M, W> Roster<M, W> {
    /// Reserves a start if one more instance is wanted now.
    pub(crate) fn reserve_start(&mut self, now: Instant) -> bool {
        let wanted = self.wanted(now) > self.live();
        self.reserved += u32::from(wanted);
        wanted
    }

    /// How many instances there should be.
    fn wanted(&self, now: Instant) -> u32 {
        if self.door == Door::Closed || self.backoff.pause(now).is_some() {
            return 0;
        }
        if self.count(|slot| !slot.is_open() && !slot.was_ready) > 0 {
            // Whether its start has failed is known in a moment.
            return 0;
        }
        let unready = self.reserved + self.count(|slot| slot.state == InstanceState::Starting);
        if self.backoff.is_failing() && unready > 0 {
            // While starts fail, one is tried at a time.
            return 0;
        }
        let floor = if self.door == Door::Open { self.kept.max(u32::from(self.is_woken)) } else { 0 };
        let uncovered = (self.queue.len() as u64).saturating_sub(self.room());
        let for_queue = match uncovered.div_ceil(u64::from(self.limits.concurrency)) {
            0 => 0,
            more => self.live().saturating_add(u32::try_from(more).unwrap_or(u32::MAX)),
        };
        for_queue.max(floor).max(self.wanted_for_load()).min(self.limits.max_instances)
    }

    /// How many instances keep each below its target, with the requests that there are, and one ahead where that is wanted. Where
    /// instances are to be full before there is another, the queue says what is wanted.
    fn wanted_for_load(&self) -> u32 {
        let percent = self.limits.target_utilization_percent;
        if percent >= 100 && !self.is_one_ahead {
            return 0;
        }
        let on_instances =
            self.slots.iter().filter(|slot| slot.is_open()).map(|slot| u64::from(slot.in_flight)).sum::<u64>();
        let load = on_instances + self.queue.len() as u64;
        let most = u64::from(self.limits.concurrency) * u64::from(percent);
        let ahead = u64::from(self.is_one_ahead && load > 0);
        u32::try_from((load * 100).div_ceil(most) + ahead).unwrap_or(u32::MAX)
    }

    /// Whether a further instance should be started for the sake of those that are being answered.
    pub(crate) fn is_over_target(&self) -> bool {
        self.wanted_for_load().min(self.limits.max_instances) > self.live()
    }

    /// From now on one instance more is started than the requests that there are fill.
    pub(crate) const fn start_one_ahead(&mut self) {
        self.is_one_ahead = true;
    }

    /// How many requests the instances can take, with those that are being started.
    pub(super) fn room(&self) -> u64 {
        let most = u64::from(self.limits.concurrency);
        let free = |slot: &Slot<M>| if slot.is_open() { most - u64::from(slot.in_flight) } else { 0 };
        u64::from(self.reserved) * most + self.slots.iter().map(free).sum::<u64>()
    }

    /// Wants an instance although no request waits, if there is none.
    pub(crate) fn want_one(&mut self) {
        self.is_woken |= self.live() == 0;
    }

    /// Keeps so many instances from now on, started ahead of requests and not stopped for idling. False if the books are
    /// closed: a new pool keeps them.
    pub(crate) fn keep(&mut self, instances: u32) -> bool {
        self.kept = instances.min(self.limits.max_instances);
        self.door == Door::Open
    }
}
