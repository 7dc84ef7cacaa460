//! How an instance is stopped in order: SIGTERM, a grace, SIGKILL.

use tokio::time::Instant;

use crate::limits::{STOP_GRACE, WORK_GRACE};

/// What an instance that is stopped is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lenience {
    /// For work that goes on after its responses, if it says that there is some.
    ForWork,
    /// For its own cleaning up, and nothing else.
    ForNothing,
}

/// What an instance says of its work after SIGTERM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// It goes on after the responses.
    GoesOn,
    /// Nothing was said: there is none, or nobody who would say it.
    Unsaid,
}

/// A stop that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// When.
    pub(crate) asked_at: Instant,
    /// What it is waited for.
    pub(crate) lenience: Lenience,
}

impl Stop {
    /// When the process is killed, by what it has said so far.
    pub(crate) fn kill_at(self, work: Work) -> Instant {
        let grace = match (self.lenience, work) {
            (Lenience::ForWork, Work::GoesOn) => WORK_GRACE,
            (Lenience::ForWork, Work::Unsaid) | (Lenience::ForNothing, _) => STOP_GRACE,
        };
        self.asked_at + grace
    }
}
