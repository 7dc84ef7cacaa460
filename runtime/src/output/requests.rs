//! The requests that an instance is answering.

use ship_core::RequestId;

use crate::limits::LINGERING_REQUESTS;

/// The requests that a line of output may belong to.
#[derive(Debug, Default)]
pub(crate) struct ActiveRequests {
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
    pub(crate) fn begin(&mut self, id: RequestId) {
        self.active.push(id);
    }

    /// A request is over.
    pub(crate) fn end(&mut self, id: RequestId, unread: Unread) {
        let Some(position) = self.active.iter().position(|active| *active == id) else { return };
        self.active.swap_remove(position);
        if unread == Unread::Some {
            if self.lingering.len() == LINGERING_REQUESTS {
                self.lingering.remove(0);
            }
            self.lingering.push(id);
        }
    }

    /// Whether nobody but this request can have printed what is there.
    pub(crate) fn is_alone(&self, id: RequestId) -> bool {
        self.active == [id] && self.lingering.is_empty()
    }

    /// The requests that output read now belongs to.
    pub(crate) fn current(&self) -> Vec<RequestId> {
        let mut ids: Vec<RequestId> = self.lingering.iter().chain(&self.active).copied().collect();
        ids.sort_unstable();
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
        assert_eq!(requests.current(), [id(1), id(2)]);
        requests.end(id(2), Unread::Some);
        requests.settle(seen);
        assert_eq!(requests.current(), [id(2)]);
    }

    /// A request whose output was all read when it ended is gone at once.
    #[test]
    fn nothing_unread() {
        let mut requests = ActiveRequests::default();
        requests.begin(id(1));
        requests.end(id(1), Unread::Nothing);
        assert_eq!(requests.current(), []);
    }

    /// A function that never stops printing does not make the list grow.
    #[test]
    fn bounded() {
        let mut requests = ActiveRequests::default();
        for number in 0..1_000 {
            requests.begin(id(number));
            requests.end(id(number), Unread::Some);
        }
        assert_eq!(requests.current().len(), LINGERING_REQUESTS);
        assert_eq!(requests.current()[LINGERING_REQUESTS - 1], id(999));
    }
}
