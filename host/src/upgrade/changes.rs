//! What changes the state: it passes here, so that it can be held while the state changes hands.

use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Whether changes may begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Door {
    Open,
    /// A successor is being started. Who comes now waits for what becomes of it.
    Held,
    /// Another process makes the changes from here on.
    Moved,
}

/// The door through which all changes of the state go.
#[derive(Debug)]
pub(crate) struct Changes {
    door: watch::Sender<Door>,
    under_way: TaskTracker,
}

/// A change that has begun. Nothing changes hands before it is dropped.
#[must_use]
pub(crate) struct UnderWay {
    _token: TaskTrackerToken,
}

/// Changes are made by another process now, which listens at the same address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moved;

impl Changes {
    /// Begins a change, as soon as one may begin.
    pub(crate) async fn begin(&self) -> Result<UnderWay, Moved> {
        let mut doors = self.door.subscribe();
        loop {
            {
                // Looked at and entered under one lock: whoever closes the door sees everybody who is inside.
                let door = doors.borrow_and_update();
                match *door {
                    Door::Open => return Ok(self.go_on()),
                    Door::Moved => return Err(Moved),
                    Door::Held => {}
                }
            }
            // The door is as old as this.
            let _ = doors.changed().await;
        }
    }

    /// A further part of a change that has begun, which may outlive who asked for it.
    pub(crate) fn go_on(&self) -> UnderWay {
        UnderWay { _token: self.under_way.token() }
    }

    /// Lets no change begin any more, and waits until those that have begun are done.
    pub(super) async fn hold(&self) {
        self.door.send_replace(Door::Held);
        self.under_way.close();
        self.under_way.wait().await;
    }

    /// Lets changes begin again.
    pub(super) fn open_again(&self) {
        self.under_way.reopen();
        self.door.send_replace(Door::Open);
    }

    /// Says that another process makes the changes from here on.
    pub(super) fn move_away(&self) {
        self.door.send_replace(Door::Moved);
    }

    /// Whether another process makes the changes.
    pub(super) fn have_moved(&self) -> bool {
        *self.door.borrow() == Door::Moved
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self { door: watch::Sender::new(Door::Open), under_way: TaskTracker::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Who is inside is waited for; who comes while the door is held waits for what becomes of it.
    #[tokio::test(start_paused = true)]
    async fn held() {
        let changes = Arc::new(Changes::default());
        let (inside, part) = (changes.begin().await.unwrap(), changes.go_on());
        let holding = tokio::spawn({
            let changes = Arc::clone(&changes);
            async move { changes.hold().await }
        });
        tokio::task::yield_now().await;
        let begin = || {
            let changes = Arc::clone(&changes);
            tokio::spawn(async move { changes.begin().await.map(drop) })
        };
        let waiting = begin();
        tokio::task::yield_now().await;
        drop(inside);
        tokio::task::yield_now().await;
        assert!(!holding.is_finished() && !waiting.is_finished());
        drop(part);
        holding.await.unwrap();
        assert!(!waiting.is_finished());
        changes.open_again();
        assert_eq!(waiting.await.unwrap(), Ok(()));

        changes.hold().await;
        let waiting = begin();
        changes.move_away();
        assert_eq!(waiting.await.unwrap(), Err(Moved));
        assert!(changes.have_moved());
    }
}
