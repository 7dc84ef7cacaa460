//! A connection among those of its address.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

use super::Table;
use super::account::Account;

/// How much work is noted with the connection before its address is billed for it: so connections that do little share nothing.
const SMALL_CHANGE: Duration = Duration::from_micros(50);

/// The longest piece of work that is believed. What took longer was interrupted by other programs of the machine, for which nobody
/// is to pay.
const MOST_BILLED: Duration = Duration::from_millis(1);

/// A connection among those of its address, until it is dropped.
pub(in crate::serve) struct Seat {
    table: Arc<Table>,
    address: IpAddr,
    /// `None` for a proxy.
    account: Option<Arc<Account>>,
    /// One turn at a time: a connection with many requests comes as often as one with a single request.
    line: Arc<Semaphore>,
    /// What was not billed yet, in nanoseconds.
    unbilled: AtomicU32,
}

/// A turn of a connection: nobody else of its address works meanwhile.
pub(super) struct Turn {
    _of_connection: OwnedSemaphorePermit,
    _of_address: OwnedSemaphorePermit,
}

impl Seat {
    pub(super) fn new(table: Arc<Table>, address: IpAddr, account: Option<Arc<Account>>) -> Self {
        Self { table, address, account, line: Arc::new(Semaphore::new(1)), unbilled: AtomicU32::new(0) }
    }

    /// Whether the connection's work is counted.
    pub(super) fn is_counted(&self) -> bool {
        self.account.is_some()
    }

    /// Whether it has to wait for its turn.
    pub(super) fn takes_turns(&self, now: Instant) -> bool {
        self.account.as_ref().is_some_and(|account| account.is_busy(now)) && self.table.has_others()
    }

    /// Waits for a turn: behind other work of the connection, then behind other connections of the address, then until its share lets the
    /// address go on; and then those are first whose bytes have arrived.
    pub(super) async fn turn(self: Arc<Self>) -> Result<Turn, AcquireError> {
        let of_connection = Arc::clone(&self.line).acquire_owned().await?;
        let address_line = self.account.as_ref().map_or(&self.line, |account| &account.line);
        let of_address = Arc::clone(address_line).acquire_owned().await?;
        let wait = self.account.as_ref().and_then(|account| account.has_to_wait(Instant::now()));
        if let Some(wait) = wait.filter(|_| self.table.has_others()) {
            tokio::time::sleep(wait).await;
        }
        yield_now().await;
        Ok(Turn { _of_connection: of_connection, _of_address: of_address })
    }

    /// Notes that the connection was worked for so long, and that so much was done for it elsewhere.
    pub(super) fn bill(&self, here: Duration, elsewhere: Duration) {
        let work = u32::try_from((here.min(MOST_BILLED) + elsewhere).as_nanos()).unwrap_or(u32::MAX);
        // A connection's tasks share a thread; elsewhere some work would not be billed once in a while.
        let unbilled = self.unbilled.load(Relaxed).saturating_add(work);
        if Duration::from_nanos(unbilled.into()) < SMALL_CHANGE {
            self.unbilled.store(unbilled, Relaxed);
        } else {
            self.unbilled.store(0, Relaxed);
            self.settle(unbilled);
        }
    }

    fn settle(&self, unbilled: u32) {
        if let Some(account) = &self.account {
            account.bill(Duration::from_nanos(unbilled.into()), Instant::now());
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.settle(self.unbilled.load(Relaxed));
        self.table.leaves(self.address);
    }
}
