//! Who reads and writes a trunk's connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::take;
use super::{Shared, State, Trunk};
use crate::limits::PIECES_PER_TURN;
use crate::linux::stream::FunctionSocket;
use crate::wire::Inbox;

/// Moves the bytes of a trunk until its connection ends. Then all calls on it are told.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    socket: FunctionSocket,
    inbox: Inbox,
    /// What is being written, of which the first `sent` bytes were.
    sending: Vec<u8>,
    sent: usize,
    /// How many bytes were ever written.
    written: u64,
    /// Fires when the call that has waited longest is late.
    clock: Option<Pin<Box<Sleep>>>,
}

/// The connection is of no use any more.
struct Ended;

impl Driver {
    /// A trunk on a connection that speaks its protocol from now on. `inbox` holds what has arrived of it.
    pub(crate) fn new(socket: FunctionSocket, inbox: Inbox, timeout: Duration) -> (Trunk, Self) {
        let shared = Arc::new(Shared { timeout, state: Mutex::new(State::default()) });
        let trunk = Trunk { shared: Arc::clone(&shared) };
        (trunk, Self { shared, socket, inbox, sending: Vec::new(), sent: 0, written: 0, clock: None })
    }

    /// Moves bytes until the connection ends.
    pub(crate) async fn drive(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_pending = self.poll_read(cx).is_ok_and(|read| read.is_pending())
            && self.poll_write(cx).is_ok_and(|written| written.is_pending());
        if !is_pending {
            return Poll::Ready(());
        }
        self.watch_clock(cx);
        Poll::Pending
    }

    /// Delivers what has arrived.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Ended> {
        for _ in 0..PIECES_PER_TURN {
            let Poll::Ready(read) = self.socket.poll_read(cx, self.inbox.room()) else { return Ok(Poll::Pending) };
            match read {
                Ok(0) | Err(_) => return Err(Ended),
                Ok(count) => self.inbox.filled(count),
            }
            let mut state = self.shared.state();
            while let Some((number, said)) = take(&mut self.inbox).map_err(|_| Ended)? {
                state.deliver(number, said).map_err(|_| Ended)?;
            }
        }
        cx.waker().wake_by_ref();
        Ok(Poll::Pending)
    }

    /// Writes what is queued. It comes after all whose turn was before, so their calls go out together.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Ended> {
        loop {
            if self.sent == self.sending.len() {
                self.sending.clear();
                self.sent = 0;
                let mut state = self.shared.state();
                if !state.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
                    state.driver = Some(cx.waker().clone());
                }
                if state.out.is_empty() {
                    return Ok(Poll::Pending);
                }
                std::mem::swap(&mut state.out, &mut self.sending);
            }
            let Poll::Ready(wrote) = self.socket.poll_write(cx, &self.sending[self.sent..]) else {
                return Ok(Poll::Pending);
            };
            let count = wrote.map_err(|_| Ended)?;
            self.sent += count;
            self.written += count as u64;
        }
    }

    /// Ends calls that are late. All may take the same time, so a call that comes later is late later.
    fn watch_clock(&mut self, cx: &mut Context<'_>) {
        loop {
            let Some(clock) = &mut self.clock else {
                let Some(next) = self.shared.state().end_late(Instant::now()) else { return };
                self.clock = Some(Box::pin(sleep_until(next)));
                continue;
            };
            if clock.as_mut().poll(cx).is_pending() {
                return;
            }
            self.clock = None;
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.state().end(self.written);
    }
}
