//! The books of one function: which instances there are, how busy they are, who waits, and what should be done.
//!
//! Nothing here performs I/O or reads a clock, and instances (`M`) and waiting requests (`W`) are whatever the caller says,
//! so every rule of scaling and stopping is tested without a process.

#[cfg(test)]
mod book_tests;
mod demand;
mod pace;
mod slot;
mod verdict;

use std::collections::VecDeque;
use std::time::Duration;

use ship_core::FunctionLimits;
use tokio::time::Instant;

pub(crate) use slot::{InstanceNumber, Slot};
pub(crate) use verdict::{Admission, Conclusion, Overtime, Released};

use self::pace::Pace;
use super::backoff::Backoff;
use crate::life::{InstanceState, LifeEvent};
use crate::limits::{IDLE_LEAST, PROBE_AFTER, QUEUE_BEYOND_CAPACITY, RETRY_AFTER_LEAST_SECS, RETRY_AFTER_MOST_SECS};

/// Whether the function takes new requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Door {
    /// It does.
    Open,
    /// Those that wait are served, and then everything is stopped.
    Closing,
    /// Nothing is started any more.
    Closed,
}

/// The books.
pub(crate) struct Roster<M, W> {
    limits: FunctionLimits,
    /// In the order of their starts.
    slots: Vec<Slot<M>>,
    queue: VecDeque<W>,
    /// How fast that gets shorter at its front.
    pace: Pace,
    /// Starts that are being carried out.
    reserved: u32,
    /// How many instances are kept although no request waits.
    kept: u32,
    /// Whether one is wanted ahead of the first request.
    is_woken: bool,
    /// Whether one is wanted ahead of further requests, while there are any.
    is_one_ahead: bool,
    backoff: Backoff,
    door: Door,
    next: u64,
}

impl<M, W> Roster<M, W> {
    pub(crate) fn new(limits: FunctionLimits) -> Self {
        // A zero would mean a function that can never answer.
        let limits = FunctionLimits {
            concurrency: limits.concurrency.max(1),
            max_instances: limits.max_instances.max(1),
            target_utilization_percent: limits.target_utilization_percent.clamp(1, 100),
            ..limits
        };
        Self {
            limits,
            slots: Vec::new(),
            queue: VecDeque::new(),
            pace: Pace::default(),
            reserved: 0,
            kept: 0,
            is_woken: false,
            is_one_ahead: false,
            backoff: Backoff::default(),
            door: Door::Open,
            next: 0,
        }
    }

    /// Decides about a request that has just come.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission<'_, M> {
        if self.door != Door::Open {
            return Admission::Closed;
        }
        if let Some(index) = self.free_slot() {
            let slot = &mut self.slots[index];
            slot.give();
            return Admission::Serve(slot);
        }
        if self.live() == 0 && self.backoff.pause(now).is_some() {
            return Admission::Failing;
        }
        let capacity = u64::from(self.limits.concurrency) * u64::from(self.limits.max_instances);
        let most = usize::try_from(capacity).unwrap_or(usize::MAX).saturating_add(QUEUE_BEYOND_CAPACITY);
        if self.queue.len() >= most { Admission::QueueFull } else { Admission::Wait }
    }

    /// Whether a request waits.
    pub(crate) fn is_anybody_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// How many requests wait.
    pub(crate) fn queue_depth(&self) -> usize {
        self.queue.len()
    }

    /// Puts a request into the queue, after [`Admission::Wait`].
    pub(crate) fn enqueue(&mut self, waiter: W, now: Instant) {
        if self.queue.is_empty() {
            self.pace.begins(now);
        }
        self.queue.push_back(waiter);
    }

    /// What a visitor who is turned away is told to wait, in seconds: until those who wait now have had their turn, as fast as they have got it
    /// so far.
    pub(crate) fn retry_after_secs(&mut self, now: Instant) -> u32 {
        let places = u64::from(self.limits.concurrency) * u64::from(self.live());
        let time = self.pace.time_for(self.queue.len(), places, now);
        let seconds = u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        seconds.clamp(RETRY_AFTER_LEAST_SECS, RETRY_AFTER_MOST_SECS)
    }

    /// The oldest instance with room, those that have answered first. The younger ones so fall idle and are stopped.
    fn free_slot(&self) -> Option<usize> {
        let has_room = |is_meant: fn(InstanceState) -> bool| {
            self.slots.iter().position(|slot| is_meant(slot.state) && slot.in_flight < self.limits.concurrency)
        };
        has_room(InstanceState::is_awake).or_else(|| has_room(InstanceState::is_open))
    }

    /// How many instances there are that take requests, or will.
    fn live(&self) -> u32 {
        self.reserved + self.count(Slot::is_open)
    }

    fn count(&self, which: impl Fn(&Slot<M>) -> bool) -> u32 {
        u32::try_from(self.slots.iter().filter(|slot| which(slot)).count()).unwrap_or(u32::MAX)
    }

    /// The next request that waits, and an instance that has room for it. Requests that `is_gone` are let go of.
    pub(crate) fn assign(&mut self, is_gone: impl Fn(&W) -> bool) -> Option<(W, &mut Slot<M>)> {
        let index = self.free_slot()?;
        while let Some(waiter) = self.queue.pop_front() {
            if !is_gone(&waiter) {
                let slot = &mut self.slots[index];
                slot.give();
                return Some((waiter, slot));
            }
        }
        None
    }

    /// A reserved start has given a process.
    pub(crate) fn spawned(&mut self, member: M, now: Instant) -> InstanceNumber {
        let number = InstanceNumber(self.next);
        self.next += 1;
        self.reserved -= 1;
        self.is_woken = false;
        self.slots.push(Slot::new(number, member, now));
        if self.door == Door::Closed {
            self.slots.last_mut().expect("it was just put there").happen(LifeEvent::AskedToStop);
        }
        number
    }

    /// A reserved start has given nothing.
    pub(crate) fn spawn_failed(&mut self, now: Instant) {
        self.reserved -= 1;
        self.is_woken = false;
        self.backoff.failed(now);
    }

    /// An instance has answered.
    pub(crate) fn ready(&mut self, number: InstanceNumber) {
        let Some(slot) = self.slot_mut(number) else { return };
        slot.answered();
        self.backoff.succeeded();
    }

    /// A request of an instance is over. Gives the instance if it may keep the request's connection.
    pub(crate) fn release(&mut self, number: InstanceNumber, now: Instant) -> Released<'_, M> {
        let is_closing = self.door != Door::Open;
        if !self.queue.is_empty() {
            self.pace.advances();
        }
        let Some(slot) = self.slot_mut(number) else { return Released::Nothing };
        slot.take_back(now);
        if slot.in_flight == 0 && (is_closing || !slot.is_open()) {
            return Released::LastOfLeaving;
        }
        if slot.is_open() { Released::Reusable(slot) } else { Released::Nothing }
    }

    /// A request of an instance, not yet released, ran into its timeout.
    pub(crate) fn overtime(&mut self, number: InstanceNumber) -> Overtime {
        let Some(slot) = self.slot_mut(number) else { return Overtime::Retire };
        slot.happen(LifeEvent::Dismissed);
        if slot.in_flight <= 1 {
            return Overtime::Kill(number);
        }
        // Leaving instances do not count against the most there may be, or a slow request would block its function. So
        // they have their own bound.
        let leaving = |slot: &Slot<M>| matches!(slot.state, InstanceState::Draining | InstanceState::Stopping);
        match self.slots.iter().find(|slot| leaving(slot)).map(|slot| slot.number) {
            Some(oldest) if self.count(leaving) > self.limits.max_instances => Overtime::Kill(oldest),
            _ => Overtime::Retire,
        }
    }

    /// An instance takes no more requests.
    pub(crate) fn leave(&mut self, number: InstanceNumber) {
        if let Some(slot) = self.slot_mut(number) {
            slot.happen(LifeEvent::Dismissed);
        }
    }

    /// The process of an instance is gone.
    pub(crate) fn gone(&mut self, number: InstanceNumber) {
        if let Some(slot) = self.slot_mut(number) {
            slot.happen(LifeEvent::Ended);
        }
    }

    /// Takes an instance out of the books whose process is gone and whose requests are all over. Only then it is known
    /// whether it was ever ready: its requests tell. If it never was, a start has failed.
    pub(crate) fn conclude(&mut self, now: Instant) -> Option<(Slot<M>, Conclusion)> {
        // Once everything is given up, nobody waits for the holders of responses that broke off.
        let is_given_up = self.door == Door::Closed;
        let is_over = |slot: &Slot<M>| slot.state == InstanceState::Stopped && (slot.in_flight == 0 || is_given_up);
        let slot = self.slots.remove(self.slots.iter().position(is_over)?);
        if slot.was_ready {
            return Some((slot, Conclusion::Ended));
        }
        self.backoff.failed(now);
        Some((slot, Conclusion::NeverReady))
    }

    /// Forgets the starts that failed: somebody has reason to think that the next one may go better.
    pub(crate) const fn forget_failures(&mut self) {
        self.backoff.succeeded();
    }

    /// The requests that nobody will answer: they wait, starts fail, and no instance is there.
    pub(crate) fn take_hopeless(&mut self) -> VecDeque<W> {
        if self.backoff.is_failing() && self.live() == 0 { std::mem::take(&mut self.queue) } else { VecDeque::new() }
    }

    /// An instance that should be stopped: it is leaving and has no request; or it has been idle for long, and is not one of
    /// those that are kept. The youngest go first. Each is given once.
    pub(crate) fn next_to_stop(&mut self, now: Instant) -> Option<&mut Slot<M>> {
        let kept = if self.door == Door::Open { self.kept } else { 0 };
        let spare = self.count(Slot::is_open) > kept;
        let (idle, closing) = (self.idle_limit(), self.door != Door::Open && self.queue.is_empty());
        let slot = self.slots.iter_mut().rev().find(|slot| {
            slot.in_flight == 0
                && match slot.state {
                    InstanceState::Ready => spare && (closing || slot.idle_since + idle <= now),
                    InstanceState::Starting => closing,
                    InstanceState::Draining => true,
                    InstanceState::Busy | InstanceState::Stopping | InstanceState::Stopped => false,
                }
        })?;
        slot.happen(LifeEvent::AskedToStop);
        Some(slot)
    }

    /// An instance that is to end at once although it has something to finish: more of them do so than there may be that take requests. An instance may go
    /// on for half a minute after its last request, and visitors who come every other second would each leave one behind. The oldest
    /// go first. Each is given once.
    pub(crate) fn next_to_cut_short(&mut self) -> Option<&mut Slot<M>> {
        let lingers = |slot: &Slot<M>| slot.state == InstanceState::Stopping && !slot.is_cut_short;
        if self.count(lingers) <= self.limits.max_instances {
            return None;
        }
        let slot = self.slots.iter_mut().find(|slot| lingers(slot))?;
        slot.is_cut_short = true;
        Some(slot)
    }

    /// The instances that could be stopped at once without anybody noticing: they have no request and are not among those that
    /// are kept. Each with the time since when nobody has asked it, the longest first.
    pub(crate) fn idle(&self) -> Vec<(InstanceNumber, Instant)> {
        let is_idle = |slot: &&Slot<M>| slot.state == InstanceState::Ready;
        let mut idle: Vec<_> = self.slots.iter().filter(is_idle).map(|slot| (slot.number, slot.idle_since)).collect();
        idle.sort_unstable_by_key(|(_, since)| *since);
        idle.truncate(self.count(Slot::is_open).saturating_sub(self.kept) as usize);
        idle
    }

    /// An instance of [`Self::idle`] is to be stopped, unless it was asked meanwhile. True if it is.
    pub(crate) fn evict(&mut self, number: InstanceNumber) -> bool {
        let is_spare = self.idle().iter().any(|(idle, _)| *idle == number);
        if is_spare {
            self.leave(number);
        }
        is_spare
    }

    /// An instance that was not ready in its time. It is leaving from then on.
    pub(crate) fn next_overdue(&mut self, now: Instant) -> Option<&mut Slot<M>> {
        let limit = self.init_limit();
        let is_overdue = |slot: &Slot<M>| slot.state == InstanceState::Starting && slot.spawned_at + limit <= now;
        let slot = self.slots.iter_mut().find(|slot| is_overdue(slot))?;
        slot.happen(LifeEvent::Dismissed);
        Some(slot)
    }

    /// An instance that should be asked whether it is there. Each is given once.
    pub(crate) fn next_to_probe(&mut self, now: Instant) -> Option<&mut Slot<M>> {
        let is_due = |slot: &Slot<M>| {
            slot.state == InstanceState::Starting && !slot.is_probed && slot.spawned_at + PROBE_AFTER <= now
        };
        let slot = self.slots.iter_mut().find(|slot| is_due(slot))?;
        slot.is_probed = true;
        Some(slot)
    }

    /// When something may become due without an event. An instance that is starting or busy now cannot have idled too long before a whole idle
    /// time has passed, so neither its first answer nor the end of a request needs to wake anybody.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Instant> {
        // A kept instance may be past its idle time for ever; looking at it once per idle time is enough.
        let are_kept = self.count(Slot::is_open) <= self.kept;
        let due = |slot: &Slot<M>| match slot.state {
            InstanceState::Starting if !slot.is_probed => Some(slot.spawned_at + PROBE_AFTER),
            InstanceState::Starting => Some((slot.spawned_at + self.init_limit()).min(now + self.idle_limit())),
            InstanceState::Ready if !are_kept => Some(slot.idle_since + self.idle_limit()),
            InstanceState::Ready | InstanceState::Busy => Some(now + self.idle_limit()),
            InstanceState::Draining | InstanceState::Stopping | InstanceState::Stopped => None,
        };
        self.slots.iter().filter_map(due).chain(self.backoff.pause(now)).chain(self.backoff.remembered(now)).min()
    }

    fn idle_limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.limits.idle_secs)).max(IDLE_LEAST)
    }

    fn init_limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.limits.init_timeout_secs))
    }

    /// Closes the door: no new requests, and everything is stopped when what waits was served.
    pub(crate) fn close_door(&mut self) {
        if self.door == Door::Open {
            self.door = Door::Closing;
        }
    }

    /// Ends all waiting: nothing is started any more, all instances are to be stopped by the caller, and the requests that
    /// wait are given back.
    pub(crate) fn give_up(&mut self) -> VecDeque<W> {
        self.door = Door::Closed;
        for slot in &mut self.slots {
            slot.happen(LifeEvent::AskedToStop);
        }
        std::mem::take(&mut self.queue)
    }

    /// Closes the books for good if nothing is left in them and nothing has to be remembered. True if they are closed and
    /// empty.
    pub(crate) fn close_if_empty(&mut self, now: Instant) -> bool {
        let is_empty = self.slots.is_empty() && self.queue.is_empty() && self.reserved == 0;
        let must_remember =
            self.door == Door::Open && (self.kept > 0 || self.is_woken || self.backoff.remembered(now).is_some());
        if is_empty && !must_remember {
            self.door = Door::Closed;
        }
        is_empty && self.door == Door::Closed
    }

    /// All instances.
    pub(crate) fn slots(&self) -> &[Slot<M>] {
        &self.slots
    }

    /// The instance of this number, if it is still in the books.
    pub(crate) fn slot_mut(&mut self, number: InstanceNumber) -> Option<&mut Slot<M>> {
        self.slots.iter_mut().find(|slot| slot.number == number)
    }
}
