//! The requests that an instance is answering.

use std::collections::VecDeque;

use ship_core::RequestId;
use tokio::time::Instant;

use super::mark::Mark;
use crate::limits::{LINGERING_REQUESTS, WORK_NAMED};

/// The requests that a line of output may belong to.
#[derive(Debug, Default)]
pub(crate) struct ActiveRequests {
    /// Being answered.
    active: Vec<RequestId>,
    /// Over, with output that may be theirs still unread.
    lingering: Vec<RequestId>,
    /// What goes on after responses, the oldest first.
    works: VecDeque<WorkBehind>,
}

/// Work that goes on after responses.
#[derive(Debug)]
struct WorkBehind {
    number: u64,
    /// Those that were being answered when it began: one of them began it.
    requests: Vec<RequestId>,
    since: Instant,
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
    pub(crate) fn begin(&mut self, id: RequestId) {
        self.active.push(id);
    }

    /// A request is over.
    pub(crate) fn end(&mut self, id: RequestId, unread: Unread) {
        let Some(position) = self.active.iter().position(|active| *active == id) else { return };
        self.active.swap_remove(position);
        if unread == Unread::Some {
            self.linger(id);
        }
    }

    fn linger(&mut self, id: RequestId) {
        if self.lingering.len() == LINGERING_REQUESTS {
            self.lingering.remove(0);
        }
        self.lingering.push(id);
    }

    /// Something was said of work that goes on after responses.
    pub(super) fn note(&mut self, mark: Mark, now: Instant) {
        match mark {
            Mark::GoesOn => {}
            Mark::Begins(number) => {
                let requests = self.current(now);
                if self.works.len() == LINGERING_REQUESTS {
                    self.works.pop_front();
                }
                self.works.push_back(WorkBehind { number, requests, since: now });
            }
            Mark::IsOver(number) => {
                let Some(at) = self.works.iter().position(|work| work.number == number) else { return };
                // What it has printed on the other stream may be still unread.
                for id in self.works.remove(at).into_iter().flat_map(|work| work.requests) {
                    self.linger(id);
                }
            }
        }
    }

    /// Whether nobody but this request can have printed what is there.
    pub(crate) fn is_alone(&self, id: RequestId) -> bool {
        self.active == [id] && self.lingering.is_empty() && self.works.is_empty()
    }

    /// The requests that output read now belongs to.
    pub(crate) fn current(&self, now: Instant) -> Vec<RequestId> {
        let works = self.works.iter().filter(|work| now.saturating_duration_since(work.since) < WORK_NAMED);
        let behind = works.flat_map(|work| &work.requests);
        let mut ids: Vec<RequestId> = self.lingering.iter().chain(&self.active).chain(behind).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// How many requests linger. Taken before a round of reading and given to [`Self::settle`] after it.
    pub(crate) const fn lingering(&self) -> usize {
        self.lingering.len()
    }

    /// All output was read that was there when `lingering` requests lingered: they linger no longer.
    pub(crate) fn settle(&mut self, lingering: usize) {
        self.lingering.drain(..lingering.min(self.lingering.len()));
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
        let mut requests = ActiveRequests::default();
        requests.begin(id(1));
        requests.begin(id(2));
        requests.end(id(1), Unread::Some);
        let seen = requests.lingering();
        assert_eq!(requests.current(Instant::now()), [id(1), id(2)]);
        requests.end(id(2), Unread::Some);
        requests.settle(seen);
        assert_eq!(requests.current(Instant::now()), [id(2)]);
    }

    /// A request whose output was all read when it ended is gone at once.
    #[test]
    fn nothing_unread() {
        let mut requests = ActiveRequests::default();
        requests.begin(id(1));
        requests.end(id(1), Unread::Nothing);
        assert_eq!(requests.current(Instant::now()), []);
    }

    /// A function that never stops printing does not make the list grow.
    #[test]
    fn bounded() {
        let mut requests = ActiveRequests::default();
        for number in 0..1_000 {
            requests.begin(id(number));
            requests.end(id(number), Unread::Some);
        }
        assert_eq!(requests.current(Instant::now()).len(), LINGERING_REQUESTS);
        assert_eq!(requests.current(Instant::now())[LINGERING_REQUESTS - 1], id(999));
    }

    /// Work that goes on after a response belongs to the request that was being answered when it began, until all was read that it has
    /// printed; one that never ends does for a while.
    #[test]
    fn work_behind_a_response() {
        let (mut requests, now) = (ActiveRequests::default(), Instant::now());
        requests.begin(id(1));
        requests.note(Mark::Begins(1), now);
        requests.end(id(1), Unread::Nothing);
        requests.begin(id(2));
        assert_eq!(requests.current(now), [id(1), id(2)]);
        requests.end(id(2), Unread::Nothing);
        requests.note(Mark::Begins(2), now);
        requests.note(Mark::IsOver(1), now);
        requests.settle(1);
        assert_eq!(requests.current(now), [id(1)], "the first has begun the second");
        assert_eq!(requests.current(now + WORK_NAMED), []);
        requests.note(Mark::IsOver(2), now);
        let seen = requests.lingering();
        assert_eq!(requests.current(now), [id(1)]);
        requests.settle(seen);
        assert_eq!(requests.current(now), []);
    }
}
