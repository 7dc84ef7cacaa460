//! The open connections, the oldest first.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::state::{ConnectionState, Order};

/// How many connections are looked at for one that waits. Busy ones go to the back, so further looks find others.
const MAX_LOOKS: usize = 64;

/// The open connections, the oldest first, as far as the listener must reach them: to drain them, and to make place.
pub(super) struct ConnectionQueue {
    connections: VecDeque<Weak<ConnectionState>>,
    sweep_at: usize,
}

impl ConnectionQueue {
    pub(super) fn new(max_connections: usize) -> Self {
        Self { connections: VecDeque::new(), sweep_at: max_connections.saturating_mul(2).max(64) }
    }

    pub(super) fn push(&mut self, state: &Arc<ConnectionState>) {
        while self.connections.front().is_some_and(|oldest| oldest.strong_count() == 0) {
            self.connections.pop_front();
        }
        // Closed connections behind an open one; swept so seldom that each costs little.
        if self.connections.len() >= self.sweep_at {
            self.connections.retain(|connection| connection.strong_count() > 0);
        }
        self.connections.push_back(Arc::downgrade(state));
    }

    /// Closes the oldest connection that waits for its first request, so that silent visitors cannot keep others out; where there is none,
    /// the oldest that waits for another. Who has asked for something most likely will again.
    pub(super) fn close_oldest_waiting(&mut self) {
        let mut oldest_waiting = None;
        for _ in 0..MAX_LOOKS.min(self.connections.len()) {
            let Some(oldest) = self.connections.pop_front() else { break };
            let Some(state) = oldest.upgrade() else { continue };
            if state.has_asked_nothing() {
                return state.tell(Order::MakeRoom);
            }
            self.connections.push_back(oldest);
            if oldest_waiting.is_none() && state.waits_for_request() {
                oldest_waiting = Some(state);
            }
        }
        if let Some(state) = oldest_waiting {
            state.tell(Order::MakeRoom);
        }
    }

    /// Asks all connections to end after the next response that is not begun yet.
    pub(super) fn leave_all(&self) {
        self.tell_all(Order::Leave);
    }

    /// Asks all connections to end after the request in flight.
    pub(super) fn drain_all(&self) {
        self.tell_all(Order::Drain);
    }

    /// Ends all connections.
    pub(super) fn close_all(&self) {
        self.tell_all(Order::Close);
    }

    fn tell_all(&self, order: Order) {
        self.connections.iter().filter_map(Weak::upgrade).for_each(|state| state.tell(order));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker_ref;

    use super::*;
    use crate::serve::ConnectionLimits;

    /// Who never asked for anything makes room first, the oldest of them; then who waits for another request, and nobody who is answered.
    #[test]
    fn makes_room() {
        let mut queue = ConnectionQueue::new(8);
        let states: Vec<_> = (0..5).map(|_| Arc::new(ConnectionState::new(ConnectionLimits::default()))).collect();
        for state in &states {
            queue.push(state);
        }
        // The first two have been answered once, the third is being answered, the others have said nothing.
        states[..3].iter().for_each(|state| state.stream_begins());
        states[..2].iter().for_each(|state| state.stream_ends());
        let told = || {
            let context = std::task::Context::from_waker(noop_waker_ref());
            states.iter().map(|state| state.order(&context) == Order::MakeRoom).collect::<Vec<_>>()
        };
        for after in
            [[false, false, false, true, false], [false, false, false, true, true], [true, false, false, true, true]]
        {
            queue.close_oldest_waiting();
            assert_eq!(told(), after);
        }
    }
}
