//! Work that takes turns where its address has done much.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::sync::AcquireError;

use super::elsewhere::done_elsewhere;
use super::seat::{Seat, Turn};

/// A wait for a turn.
type Wait = Pin<Box<dyn Future<Output = Result<Turn, AcquireError>> + Send>>;

/// Lets one task of a connection work, and counts what it does.
pub(in crate::serve) struct Pass {
    seat: Option<Arc<Seat>>,
    wait: Option<Wait>,
}

impl Pass {
    /// The pass of a task that works for a connection. Without a seat, and for a proxy, it works whenever it can.
    pub(in crate::serve) fn of(seat: Option<&Arc<Seat>>) -> Self {
        Self { seat: seat.filter(|seat| seat.is_counted()).map(Arc::clone), wait: None }
    }

    /// Polls some work when it is its turn.
    pub(in crate::serve) fn poll_in_turn<T>(
        &mut self,
        context: &mut Context<'_>,
        work: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Some(seat) = &self.seat else {
            let polled = work(context);
            // It is nobody's whose turn comes next.
            let _ = done_elsewhere();
            return polled;
        };
        let mut begun = Instant::now();
        let mut turn = None;
        if self.wait.is_some() || seat.takes_turns(begun) {
            let wait = self.wait.get_or_insert_with(|| Box::pin(Arc::clone(seat).turn()));
            // Nobody closes a line.
            turn = ready!(wait.as_mut().poll(context)).ok();
            self.wait = None;
            begun = Instant::now();
        }
        let polled = work(context);
        seat.bill(begun.elapsed(), done_elsewhere());
        drop(turn);
        polled
    }
}

/// Does some work whenever it is its turn.
pub(in crate::serve) async fn in_turn<F: Future>(mut pass: Pass, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| pass.poll_in_turn(context, |context| work.as_mut().poll(context))).await
}
