//! What one deployment has on the shelf: so much and no more, and nothing any more when the deployment is gone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::shelf::{AnswerKey, Shelf};

/// How many names of entries that are gone are put up with before they are looked for.
const SLACK: usize = 64;

/// The account of a deployment. When it is dropped, with the deployment, what is charged to it leaves the shelf.
pub(crate) struct ShelfAccount {
    shelf: Arc<Shelf>,
    bytes: Arc<AtomicU64>,
    /// What was charged to it, oldest first. Where the deployment has more than its share, whoever is first in line goes, or to the end of the
    /// line if it was used since: a clock, which costs those who read the shelf no lock.
    line: Mutex<VecDeque<AnswerKey>>,
}

/// What an entry costs its deployment, for as long as the entry is there.
pub(super) struct Charge {
    bytes: u64,
    account: Arc<AtomicU64>,
    is_used: AtomicBool,
}

impl ShelfAccount {
    /// An account with nothing on it.
    pub(crate) fn new(shelf: &Arc<Shelf>) -> Self {
        Self { shelf: Arc::clone(shelf), bytes: Arc::default(), line: Mutex::default() }
    }

    /// Charges the deployment for an entry.
    pub(super) fn charge(&self, bytes: u64) -> Arc<Charge> {
        self.bytes.fetch_add(bytes, Relaxed);
        Arc::new(Charge { bytes, account: Arc::clone(&self.bytes), is_used: AtomicBool::new(false) })
    }

    /// Whether it is charged with this.
    pub(super) fn has(&self, charge: &Charge) -> bool {
        Arc::ptr_eq(&self.bytes, &charge.account)
    }

    /// Has the deployment go back to its share, after an entry came, under a name of its own if it is `new`.
    pub(super) fn settle(&self, answers: &Shelf, new: Option<&AnswerKey>) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.extend(new.cloned());
        // Each is looked at twice at the most: the second time nobody has used it.
        let mut looks = line.len() * 2;
        while self.bytes.load(Relaxed) > answers.max_deployment_bytes() && looks > 0 {
            let Some(key) = line.pop_front() else { break };
            if answers.forget_unless_used(&key, self) {
                line.push_back(key);
            }
            looks -= 1;
        }
        if line.len() > SLACK && line.len() as u64 > 2 * answers.len() {
            line.retain(|key| answers.knows(key));
        }
    }
}

impl Drop for ShelfAccount {
    fn drop(&mut self) {
        let line = std::mem::take(self.line.get_mut().unwrap_or_else(PoisonError::into_inner));
        for key in line {
            self.shelf.forget(&key, self);
        }
    }
}

impl Charge {
    /// How much it is.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Notes that the entry was asked for.
    pub(super) fn note_use(&self) {
        // Most have been already: a look does not take the cache line from other processors.
        if !self.is_used.load(Relaxed) {
            self.is_used.store(true, Relaxed);
        }
    }

    /// Whether the entry was asked for since this was asked.
    pub(super) fn take_use(&self) -> bool {
        self.is_used.swap(false, Relaxed)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.fetch_sub(self.bytes, Relaxed);
    }
}
