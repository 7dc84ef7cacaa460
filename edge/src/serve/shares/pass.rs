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

    /// Polls some work that cannot wait for a turn, and counts it.
    pub(in crate::serve) fn poll_counted<T>(
        &self,
        context: &mut Context<'_>,
        work: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let begun = Instant::now();
        let polled = work(context);
        let elsewhere = done_elsewhere();
        if let Some(seat) = &self.seat {
            seat.bill(begun.elapsed(), elsewhere);
        }
        polled
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
pub(in crate::serve) async fn in_turn<F: Future>(pass: &mut Pass, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| pass.poll_in_turn(context, |context| work.as_mut().poll(context))).await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::num::NonZeroU32;
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::super::{ShareRules, Shares};
    use super::*;

    /// How many tasks work for somebody at once.
    const TASKS: usize = 50;

    fn seat(shares: &Shares, last: u8) -> Option<Arc<Seat>> {
        shares.seat(SocketAddr::new(Ipv4Addr::new(192, 0, 2, last).into(), 1), 1000).unwrap()
    }

    /// How often is tried: after a pause of the machine, whoever has done much before may go on at once.
    const TRIES: usize = 5;

    /// Many tasks work for one address without end; how many of their pieces are ahead of each step of somebody else, and how many were
    /// done in all.
    async fn ahead(shares: &Shares, other: Option<Arc<Seat>>) -> (usize, usize) {
        let done = Rc::new(Cell::new(0));
        let seats: Vec<_> = (0..5).map(|_| seat(shares, 1)).collect();
        let works: Vec<_> = (0..TASKS)
            .map(|number| {
                let (done, seat) = (Rc::clone(&done), seats[number % seats.len()].clone());
                spawn_local(async move {
                    let work = async {
                        loop {
                            let until = Instant::now() + Duration::from_micros(100);
                            while Instant::now() < until {
                                std::hint::spin_loop();
                            }
                            done.set(done.get() + 1);
                            yield_now().await;
                        }
                    };
                    in_turn(&mut Pass::of(seat.as_ref()), work).await
                })
            })
            .collect();
        let steps = async {
            let mut most = 0;
            for number in 0..100 {
                let before = done.get();
                yield_now().await;
                // The beginning is free.
                if number > 10 {
                    most = most.max(done.get() - before);
                }
            }
            most
        };
        let most = in_turn(&mut Pass::of(other.as_ref()), steps).await;
        works.iter().for_each(tokio::task::JoinHandle::abort);
        (most, done.get())
    }

    /// However many tasks work for an address, somebody else waits behind one of them; and they do go on.
    #[tokio::test]
    async fn one_turn_at_a_time() {
        let rules = ShareRules { proxies: Vec::new(), processor_percent: NonZeroU32::new(50).unwrap() };
        let tasks = LocalSet::new();
        let mut tries = Vec::new();
        while tries.len() < TRIES && !tries.iter().any(|(most, _)| *most <= 2) {
            let shares = Shares::new(rules.clone());
            tries.push(tasks.run_until(ahead(&shares, seat(&shares, 2))).await);
        }
        assert!(tries.iter().any(|(most, _)| *most <= 2), "pieces of work were ahead, and done: {tries:?}");
        assert!(tries.iter().all(|(_, done)| *done >= TASKS), "pieces of work were ahead, and done: {tries:?}");
        // While nobody else is connected, nobody waits for a turn.
        let alone = Shares::new(rules);
        assert!(tasks.run_until(ahead(&alone, None)).await.0 >= TASKS);
    }

    /// What takes no turns is nobody's work, wherever it was done.
    #[tokio::test]
    async fn not_counted() {
        super::super::bill_elsewhere(|| ()).await.unwrap();
        let done = in_turn(&mut Pass::of(None), async { 7 }).await;
        assert_eq!((done, done_elsewhere()), (7, Duration::ZERO));
    }
}
