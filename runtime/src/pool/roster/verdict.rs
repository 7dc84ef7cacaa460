//! What the books say about a request or an instance.

use super::slot::{InstanceNumber, Slot};

/// What happens to a request.
pub(crate) enum Admission<'r, M> {
    /// This instance answers it.
    Serve(&'r mut Slot<M>),
    /// It waits; the caller puts it into the queue.
    Wait,
    /// The queue is full.
    QueueFull,
    /// Starts fail, and the pause before the next is not over.
    Failing,
    /// The books are closed: a new pool answers it.
    Closed,
}

/// What the end of a request means for its instance.
pub(crate) enum Released<'r, M> {
    /// It gets more requests, and may use the connection again.
    Reusable(&'r mut Slot<M>),
    /// It was to end after this request: something is due.
    LastOfLeaving,
    /// It gets no more requests, and has others to finish.
    Nothing,
}

/// What is to be done with an instance one of whose requests ran into its timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Overtime {
    /// It has nothing else to do: end it now.
    Kill(InstanceNumber),
    /// Others are being answered by it: it ends when they are over.
    Retire,
}

/// What is learned when an instance leaves the books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Conclusion {
    /// It had been ready.
    Ended,
    /// It never was: a start has failed.
    NeverReady,
}
