//! The task that keeps a pool: it starts and stops instances as the books say.
//!
//! It is a loop over a closed set of events. After each of them, and at each deadline that the books name, everything that
//! is due is done; what is due is decided in the books and nowhere else.

use std::sync::Arc;

use ship_core::LogLevel;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::roster::{Conclusion, InstanceNumber, Slot};
use super::{Event, Member, Pool, throttled};
use crate::connection::Connection;
use crate::error::{Failure, FailureReason, InvokeError, SpawnError};
use crate::instance::{EndReason, Instance};
use crate::life::InstanceState;
use crate::request::Outgoing;
use crate::stop::Lenience;
use crate::supervisor::{self, Child};

/// Keeps `pool` until it is closed and empty.
pub(super) async fn keep(pool: &Arc<Pool>, mut inbox: mpsc::UnboundedReceiver<Event>) {
    loop {
        pool.do_what_is_due();
        let now = Instant::now();
        let due = {
            let mut books = pool.books();
            if books.roster.close_if_empty(now) {
                return;
            }
            let is_over = |slot: &Slot<Member>| matches!(slot.state, InstanceState::Stopping | InstanceState::Stopped);
            if books.roster.slots().iter().all(is_over) {
                // A function falls asleep with its last instance, also where somebody wakes it in that very moment.
                pool.forks.begin_anew();
            }
            books.roster.next_due(now)
        };
        let event = tokio::select! {
            event = inbox.recv() => event,
            () = sleep_until(due.unwrap_or(now)), if due.is_some() => Some(Event::Due),
        };
        // The pool itself holds a sender, so the inbox never ends before it.
        pool.handle(event.unwrap_or(Event::Abandon));
    }
}

impl Pool {
    fn handle(self: &Arc<Self>, event: Event) {
        match event {
            Event::Due => {}
            Event::Started(Ok(child)) => self.take_in(child),
            Event::Started(Err(error)) => self.note_spawn_failure(error),
            Event::Gone(number) => self.books().roster.gone(number),
            Event::Close => self.books().roster.close_door(),
            Event::Abandon => self.give_up(),
        }
    }

    /// Does everything that the books say is due now.
    fn do_what_is_due(self: &Arc<Self>) {
        let now = Instant::now();
        self.conclude_ended(now);
        self.end_overdue(now);
        while self.reserve_start(now) {
            self.start_one();
        }
        self.serve_waiting();
        self.refuse_hopeless();
        self.stop_unneeded(now);
        self.probe_silent(now);
    }

    fn reserve_start(&self, now: Instant) -> bool {
        self.books().roster.reserve_start(now)
    }

    fn start_one(self: &Arc<Self>) {
        let pool = Arc::clone(self);
        self.tasks().spawn(async move {
            let started = match pool.fork().await {
                Some(child) => Ok(child),
                None => supervisor::start(&pool.spec, &pool.surroundings, pool.journal.clone()).await,
            };
            pool.tell(Event::Started(started));
        });
    }

    fn take_in(self: &Arc<Self>, child: Child) {
        let member = Member { instance: Arc::clone(child.instance()), idle: Vec::new(), trunks: Vec::new() };
        let number = {
            let mut books = self.books();
            let number = books.roster.spawned(member, Instant::now());
            // It may have come too late for a pool that has given up.
            if books.roster.slot_mut(number).is_some_and(|slot| slot.state == InstanceState::Stopping) {
                child.instance().stop(Lenience::ForNothing);
            }
            number
        };
        let pool = Arc::clone(self);
        self.surroundings.background.spawn(async move {
            child.supervise().await;
            pool.tell(Event::Gone(number));
        });
    }

    fn note_spawn_failure(&self, error: SpawnError) {
        self.journal.remark(LogLevel::Fatal, Vec::new(), format!("The function could not be started: {error}."));
        let failure = Failure { reason: FailureReason::Spawn(error), output: Vec::new() };
        let mut books = self.books();
        books.roster.spawn_failed(Instant::now());
        books.last_failure = Some(Arc::new(failure));
    }

    /// Takes the instances out of the books that are gone.
    fn conclude_ended(&self, now: Instant) {
        let mut books = self.books();
        while let Some((slot, conclusion)) = books.roster.conclude(now) {
            if conclusion == Conclusion::NeverReady
                && let Some(failure) = slot.member.instance.noted_failure()
            {
                books.last_failure = Some(Arc::new(failure));
            }
        }
    }

    /// Ends the instances that are not ready in their time.
    fn end_overdue(&self, now: Instant) {
        let init_timeout_secs = self.spec.function.limits.init_timeout_secs;
        while let Some(slot) = self.books().roster.next_overdue(now) {
            let requests = slot.member.instance.output.current_requests();
            self.journal.remark(
                LogLevel::Fatal,
                requests,
                format!("The function was not ready in {init_timeout_secs} s."),
            );
            slot.member.instance.kill(EndReason::NotReady { init_timeout_secs });
        }
    }

    /// Answers the requests that no instance will answer.
    fn refuse_hopeless(&self) {
        let mut books = self.books();
        let hopeless = books.roster.take_hopeless();
        let failure = books.last_failure.clone();
        drop(books);
        for waiter in hopeless {
            // A request that was given up needs no answer.
            let _ = waiter.place.send(Err(failure.clone().map_or_else(throttled, InvokeError::from)));
        }
    }

    /// Stops the instances that nobody needs.
    fn stop_unneeded(&self, now: Instant) {
        while let Some(slot) = self.books().roster.next_to_stop(now) {
            slot.member.idle.clear();
            slot.member.trunks.clear();
            slot.member.instance.stop(Lenience::ForWork);
        }
        while let Some(slot) = self.books().roster.next_to_cut_short() {
            slot.member.instance.kill(EndReason::Stopped);
        }
    }

    /// Asks the instances that were not heard of whether they are there, which tells a slow start from a slow request. The
    /// question waits in the instance's socket until it accepts; it ends with the instance at the latest.
    fn probe_silent(self: &Arc<Self>, now: Instant) {
        while let Some(slot) = self.books().roster.next_to_probe(now) {
            let (number, instance, pool) = (slot.number, Arc::clone(&slot.member.instance), Arc::clone(self));
            self.tasks().spawn(async move { pool.probe(number, &instance).await });
        }
    }

    async fn probe(self: &Arc<Self>, number: InstanceNumber, instance: &Instance) {
        let Ok(socket) = instance.address.connect() else { return };
        let (mut connection, mut check) = (Connection::new(socket), Outgoing::check());
        instance.note_question(connection.socket());
        tokio::select! {
            answer = connection.ask(&mut check) => {
                if answer.is_ok() {
                    self.note_ready(number, instance);
                }
            }
            _ = instance.ended() => {}
        }
    }

    /// Stops everything, whatever it is doing.
    fn give_up(&self) {
        let mut books = self.books();
        for slot in books.roster.slots() {
            slot.member.instance.stop(Lenience::ForNothing);
        }
        let waiting = books.roster.give_up();
        drop(books);
        for waiter in waiting {
            let _ = waiter.place.send(Err(throttled()));
        }
    }
}
