//! Which requests a line of output belongs to.
//!
//! A process does not say for which request it prints, so a line belongs to all requests that were being answered when it
//! was printed. It is read a moment after that, and its request may be over by then: a request that ends while output is
//! still unread lingers until that output was read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ship_core::RequestId;

use crate::limits::LINGERING_REQUESTS;

/// The requests of one instance.
#[derive(Debug, Default)]
pub(crate) struct ActiveRequests {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Being answered.
    active: Vec<RequestId>,
    /// Over, with output that may be theirs still unread.
    lingering: Vec<RequestId>,
}

/// Whether output is waiting to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unread {
    /// There is some.
    Some,
    /// All was read.
    Nothing,
}

impl ActiveRequests {
    /// A request is handed to the instance.
    pub(crate) fn begin(&self, id: RequestId) {
        self.lock().active.push(id);
    }

    /// A request is over.
    pub(crate) fn end(&self, id: RequestId, unread: Unread) {
        let mut state = self.lock();
        let Some(position) = state.active.iter().position(|active| *active == id) else { return };
        state.active.swap_remove(position);
        if unread == Unread::Some {
            if state.lingering.len() == LINGERING_REQUESTS {
                state.lingering.remove(0);
            }
            state.lingering.push(id);
        }
    }

    /// The requests that output read now belongs to.
    pub(crate) fn current(&self) -> Vec<RequestId> {
        let state = self.lock();
        let mut ids: Vec<RequestId> = state.lingering.iter().chain(&state.active).copied().collect();
        ids.sort_unstable();
        ids
    }

    /// How many requests linger. Taken before a round of reading and given to [`Self::settle`] after it.
    pub(crate) fn lingering(&self) -> usize {
        self.lock().lingering.len()
    }

    /// All output was read that was there when `lingering` requests lingered: they linger no longer.
    pub(crate) fn settle(&self, lingering: usize) {
        let mut state = self.lock();
        let settled = lingering.min(state.lingering.len());
        state.lingering.drain(..settled);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> RequestId {
        RequestId::from_parts(number, [0; 10])
    }

    /// A request that ends with output unread still owns that output, and only that.
    #[test]
    fn lingering() {
        let requests = ActiveRequests::default();
        requests.begin(id(1));
        requests.begin(id(2));
        requests.end(id(1), Unread::Some);
        let seen = requests.lingering();
        assert_eq!(requests.current(), [id(1), id(2)]);
        requests.end(id(2), Unread::Some);
        requests.settle(seen);
        assert_eq!(requests.current(), [id(2)]);
    }

    /// A request whose output was all read when it ended is gone at once.
    #[test]
    fn nothing_unread() {
        let requests = ActiveRequests::default();
        requests.begin(id(1));
        requests.end(id(1), Unread::Nothing);
        assert_eq!(requests.current(), []);
    }

    /// A function that never stops printing does not make the list grow.
    #[test]
    fn bounded() {
        let requests = ActiveRequests::default();
        for number in 0..1_000 {
            requests.begin(id(number));
            requests.end(id(number), Unread::Some);
        }
        assert_eq!(requests.current().len(), LINGERING_REQUESTS);
        assert_eq!(requests.current()[LINGERING_REQUESTS - 1], id(999));
    }
}
