//! What an instance prints: read as it comes, cut into lines, bounded in rate and length, and handed on as log records.
//!
//! A process does not say for which request it prints, so a line belongs to all requests that were being answered when it
//! was printed. It is read a moment after that, when its request may be over already and the next one begun. So a request
//! that ends reads what is unread first, while it still counts. If somebody else is just reading, or there is more than one
//! turn's worth, the request lingers until all was read that was there at its end.
//!
//! Work that a launcher says to go on after a response is part of the request: what is printed until it is over belongs to that, too.
//!
//! A line without an end is given out when nothing more came for a while, or at the end of the only request that can have begun it.

mod capture;
mod forms;
mod level;
mod lines;
mod mark;
mod mask;
mod pipes;
mod rate;
mod requests;
mod tail;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use capture::{Capture, Turn};
pub use mask::Mask;
use pipes::Pipes;
use requests::{ActiveRequests, Unread};
use ship_core::RequestId;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::journal::Journal;
use crate::limits::{LINE_PAUSE, READS_PER_TURN};
use crate::stop::Work;

/// The output of one instance, and the requests that it may belong to.
#[derive(Debug)]
pub(crate) struct Output {
    pipes: Pipes,
    requests: Mutex<ActiveRequests>,
    capture: Mutex<Capture>,
    /// Whether something was read that waits to be given out, to look at without waiting for whoever reads.
    is_pending: AtomicBool,
    /// Something waits to be given out since now.
    began_to_wait: Notify,
}

impl Output {
    /// Takes the reading ends of an instance's standard output and error. Reading them must not block.
    pub(crate) fn new(stdout: OwnedFd, stderr: OwnedFd, journal: Journal) -> io::Result<Self> {
        let capture = Mutex::new(Capture::new(journal));
        let (is_pending, began_to_wait) = (AtomicBool::new(false), Notify::new());
        Ok(Self { pipes: Pipes::new(stdout, stderr)?, requests: Mutex::default(), capture, is_pending, began_to_wait })
    }

    /// A request is handed to the instance.
    pub(crate) fn begin(&self, id: RequestId) {
        self.requests().begin(id);
    }

    /// A request is over.
    pub(crate) fn end(&self, id: RequestId) {
        let unread = match self.pipes.unread() {
            Unread::Nothing => Unread::Nothing,
            Unread::Some => self.read_before_the_end(),
        };
        if unread == Unread::Nothing && self.is_pending.load(Ordering::Acquire) && self.requests().is_alone(id) {
            self.give_out(vec![id]);
        }
        self.requests().end(id, unread);
    }

    fn give_out(&self, requests: Vec<RequestId>) {
        let mut capture = self.capture();
        capture.give_out(requests);
        self.note_pending(&capture);
    }

    fn note_pending(&self, capture: &Capture) {
        let is_pending = capture.pending_since().is_some();
        if is_pending != self.is_pending.swap(is_pending, Ordering::AcqRel) && is_pending {
            self.began_to_wait.notify_one();
        }
    }

    fn read_before_the_end(&self) -> Unread {
        let mut capture = match self.capture.try_lock() {
            Ok(capture) => capture,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Unread::Some,
        };
        let turn = capture.read(&self.pipes, &self.requests, 2);
        self.note_pending(&capture);
        match turn {
            Turn::Drained => Unread::Nothing,
            Turn::More => Unread::Some,
        }
    }

    /// The requests that are being answered.
    pub(crate) fn current_requests(&self) -> Vec<RequestId> {
        self.requests().current(Instant::now())
    }

    /// Waits until there is something to read. Never returns once both streams have ended.
    pub(crate) async fn readable(&self) {
        self.pipes.readable().await;
    }

    /// Reads what there is, within the bound of one turn.
    pub(crate) fn read(&self) {
        let mut capture = self.capture();
        capture.read(&self.pipes, &self.requests, READS_PER_TURN);
        self.note_pending(&capture);
    }

    /// Waits until something waits to be given out and nothing more has come for a while. One alone may wait for it.
    pub(crate) async fn stands_still(&self) {
        loop {
            let pending_since = self.capture().pending_since();
            match pending_since {
                None => self.began_to_wait.notified().await,
                Some(since) if since.elapsed() >= LINE_PAUSE => return,
                Some(since) => sleep_until(since + LINE_PAUSE).await,
            }
        }
    }

    /// Gives out unfinished lines, and says what was dropped.
    pub(crate) fn give_out_pending(&self) {
        self.give_out(self.current_requests());
    }

    /// Reads what a process left that is gone, and gives out what is unfinished.
    pub(crate) fn finish(&self) {
        self.capture().finish(&self.pipes, &self.requests);
    }

    /// What it has said of work that goes on, as far as it was read.
    pub(crate) fn work(&self) -> Work {
        self.capture().work()
    }

    /// The last lines, oldest first.
    pub(crate) fn tail(&self) -> Vec<String> {
        self.capture().tail()
    }

    fn requests(&self) -> MutexGuard<'_, ActiveRequests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn capture(&self) -> MutexGuard<'_, Capture> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
