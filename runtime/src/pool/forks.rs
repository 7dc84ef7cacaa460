//! What forks the instances of a function, if anything does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::{Event, Pool};
use crate::limits::{FORK_PAUSE, FORK_WORTH};
use crate::supervisor::{self, Child};
use crate::zygote::Zygote;

/// What forks the instances of a function, if anything does.
#[derive(Default)]
pub(super) struct Forks(Mutex<State>);

#[derive(Default)]
enum State {
    /// Nobody knows yet whether it is worth it.
    #[default]
    Unknown,
    /// It is being prepared, or is not to be.
    Settled,
    /// This does.
    By(Arc<Zygote>),
}

impl Forks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn zygote(&self) -> Option<Arc<Zygote>> {
        match &*self.state() {
            State::By(zygote) => Some(Arc::clone(zygote)),
            State::Unknown | State::Settled => None,
        }
    }

    /// Gives up what forks, if no instance of it is there and memory is short.
    pub(super) fn give_up_unused(&self) {
        let mut state = self.state();
        if matches!(&*state, State::By(zygote) if zygote.is_unused()) {
            *state = State::Settled;
        }
    }

    /// Forgets what was found out about a function whose instances all end, unless there is what forks the next ones. Whatever kept the last ones
    /// from being forked ends with them.
    pub(super) fn begin_anew(&self) {
        let mut state = self.state();
        if matches!(&*state, State::Settled) {
            *state = State::Unknown;
        }
    }

    /// Gives up what forks. The instances that it has forked stay.
    pub(super) fn give_up(&self) {
        *self.state() = State::Settled;
    }
}

impl Pool {
    /// An instance was ready so long after its start. If that was long, the next ones are forked; or one is started ahead where
    /// requests are to be kept apart, which forks would not do: they have one `/tmp`.
    pub(super) fn consider_forks(self: &Arc<Self>, init: Duration) {
        let mut state = self.forks.state();
        if !matches!(*state, State::Unknown) {
            return;
        }
        *state = State::Settled;
        drop(state);
        if init < FORK_WORTH || self.spec.function.limits.max_instances < 2 {
            return;
        }
        if self.spec.function.limits.concurrency == 1 {
            self.books().roster.start_one_ahead();
            return self.tell(Event::Due);
        }
        let (pool, spares) = (Arc::clone(self), Arc::clone(&self.surroundings.spares));
        self.surroundings.background.spawn(async move {
            let prepare = async {
                sleep(FORK_PAUSE).await;
                match Zygote::start(&pool.spec, &pool.surroundings, pool.journal.clone()).await {
                    Ok(Some(zygote)) => {
                        let zygote = Arc::new(zygote);
                        zygote.fork_ahead();
                        *pool.forks.state() = State::By(zygote);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, function = %pool.spec.function.name, "a function could not be prepared for forks");
                    }
                }
            };
            tokio::select! {
                () = spares.closing() => {}
                () = pool.closed.cancelled() => {}
                () = prepare => {}
            }
        });
    }

    /// An instance that was forked, if that is possible now.
    pub(super) async fn fork(&self) -> Option<Child> {
        let zygote = self.forks.zygote()?;
        let child = match zygote.take().await {
            Ok(forked) => {
                let (program, journal) = (zygote.program.clone(), self.journal.clone());
                supervisor::start_forked(forked, program, &self.spec, journal, &self.surroundings.background)
            }
            Err(error) => Err(error),
        };
        child
            .inspect_err(|error| {
                tracing::warn!(%error, function = %self.spec.function.name, "an instance could not be forked");
                self.forks.give_up();
            })
            .ok()
    }
}
