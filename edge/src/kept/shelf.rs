//! The answers that are kept: at most so many bytes of them, for all deployments and for each, least used first out.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::HeaderName;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use ship_core::{DeploymentId, Digest, FunctionIndex};
use tokio::time::Instant;

use super::account::{Charge, ShelfAccount};
use super::lifetime::{Kept, Stage};
use super::pinned::Pin;
use crate::live_deployment::LiveDeployment;

/// In how many parts the shelf is locked. Each holds its share of the bytes, so few parts let larger answers in.
const PARTS: usize = 4;

/// What an entry takes besides its answer and its key.
const ENTRY_BYTES: usize = 256;

/// A size that most answers have; it sizes the shelf's tables, not its limit.
const TYPICAL_ANSWER_BYTES: usize = 32 * 1024;

/// The largest answer that is kept. A larger one is streamed by its function to each who asks.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// What tells one answer from another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct AnswerKey {
    pub(crate) deployment: DeploymentId,
    /// Which of the environments of the deployment made it.
    pub(crate) environment: Digest,
    pub(crate) function: FunctionIndex,
    /// What of a request tells answers of this function apart.
    pub(crate) asked: Arc<str>,
}

/// What is known of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// It is here.
    Kept(Kept),
    /// Until then its function makes it for each visitor alone.
    Passed(Instant),
    /// There is one for each combination of these headers of a request, under a key that has them.
    Varies(Arc<[HeaderName]>),
}

/// The answers of all deployments. Nothing is shared between two of them, because each key names its own.
pub(crate) struct Shelf {
    entries: Cache<AnswerKey, Stored, ByBytes, DefaultHashBuilder>,
    max_answer_bytes: usize,
    /// The most that is charged to one deployment.
    max_deployment_bytes: u64,
    /// What answers hold in memory that are kept, or on their way to visitors.
    pinned: Arc<AtomicU64>,
}

/// An entry, and what it is charged to.
#[derive(Clone)]
struct Stored {
    entry: Entry,
    charge: Arc<Charge>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<AnswerKey, Stored> for ByBytes {
    fn weight(&self, _: &AnswerKey, stored: &Stored) -> u64 {
        stored.charge.bytes()
    }
}

impl Shelf {
    /// Room for `max_bytes`, of which one deployment may take half.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .estimated_items_capacity((max_bytes / TYPICAL_ANSWER_BYTES).max(PARTS))
            .weight_capacity(max_bytes as u64)
            .build()
            .expect("all sizes were given");
        let entries = Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), DefaultLifecycle::default());
        let share = usize::try_from(entries.shard_capacity() / 2).unwrap_or(usize::MAX);
        Self {
            entries,
            max_answer_bytes: share.min(MAX_ANSWER_BYTES),
            max_deployment_bytes: max_bytes as u64 / 2,
            pinned: Arc::default(),
        }
    }

    /// The largest answer that is kept.
    pub(crate) const fn max_answer_bytes(&self) -> usize {
        self.max_answer_bytes
    }

    /// The most that one deployment may take, in bytes.
    pub(super) const fn max_deployment_bytes(&self) -> u64 {
        self.max_deployment_bytes
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// What they take, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    /// A place in memory for answers that may be kept, to be filled. All together hold twice as much as is kept: an answer that is no longer
    /// kept stays in memory for as long as a visitor takes to read it, and visitors may be slow.
    pub(crate) fn pin(&self) -> Pin {
        Pin::new(Arc::clone(&self.pinned), self.entries.capacity() * 2)
    }

    /// A whole body, copied to where it holds no more than itself in memory, if there is room.
    pub(crate) fn hold(&self, body: &[u8]) -> Option<Bytes> {
        let mut pin = self.pin();
        let fits = body.len() <= self.max_answer_bytes && pin.grow(body.len());
        fits.then(|| pin.into_bytes(body.into()))
    }

    /// What is known of an answer now.
    pub(crate) fn find(&self, key: &AnswerKey, now: Instant) -> Option<Entry> {
        let Stored { entry, charge } = self.entries.get(key)?;
        charge.note_use();
        match &entry {
            Entry::Passed(until) if *until <= now => None,
            Entry::Kept(kept) if kept.stage(now) == Stage::Over => None,
            _ => Some(entry),
        }
    }

    /// Whether anything was ever known of an answer that is not forgotten yet.
    pub(crate) fn knows(&self, key: &AnswerKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether a newer answer should be made.
    pub(crate) fn is_due(&self, key: &AnswerKey, now: Instant) -> bool {
        matches!(self.peek(key), Some(Entry::Kept(kept)) if kept.is_due(now))
    }

    /// Notes what is known of an answer of a deployment, in the place of what was known.
    pub(crate) fn put(self: &Arc<Self>, deployment: &LiveDeployment, key: &AnswerKey, entry: Entry) {
        let account = deployment.shelf_account(self);
        let charge = account.charge(bytes_of(key, &entry));
        let is_new = !self.knows(key);
        self.entries.insert(key.clone(), Stored { entry, charge });
        account.settle(self, is_new.then_some(key));
    }

    /// Keeps an answer in the place of an older one.
    pub(crate) fn keep(self: &Arc<Self>, deployment: &LiveDeployment, key: &AnswerKey, kept: Kept) {
        self.put(deployment, key, Entry::Kept(kept));
    }

    /// Keeps an answer unless something is known of it.
    pub(crate) fn keep_first(self: &Arc<Self>, deployment: &LiveDeployment, key: &AnswerKey, kept: Kept) {
        // Two who come at once keep the same: it is what was made with the site.
        if !self.knows(key) {
            self.keep(deployment, key, kept);
        }
    }

    /// Leaves a stale answer alone for a while: its function has failed.
    pub(crate) fn rest(self: &Arc<Self>, deployment: &LiveDeployment, key: &AnswerKey, now: Instant) {
        if let Some(Entry::Kept(kept)) = self.peek(key) {
            self.keep(deployment, key, kept.resting(now));
        }
    }

    /// Leads visitors straight to the function for so long. What was kept is no longer for everybody.
    pub(crate) fn pass(self: &Arc<Self>, deployment: &LiveDeployment, key: &AnswerKey, until: Instant) {
        self.put(deployment, key, Entry::Passed(until));
    }

    fn peek(&self, key: &AnswerKey) -> Option<Entry> {
        self.entries.peek(key).map(|stored| stored.entry)
    }

    /// Forgets what is charged to `account`, unless it was used since this was asked the last time. Says whether it stays.
    pub(super) fn forget_unless_used(&self, key: &AnswerKey, account: &ShelfAccount) -> bool {
        let is_used =
            self.entries.peek(key).is_some_and(|stored| account.has(&stored.charge) && stored.charge.take_use());
        if !is_used {
            self.forget(key, account);
        }
        is_used
    }

    /// Forgets what is charged to `account`.
    pub(super) fn forget(&self, key: &AnswerKey, account: &ShelfAccount) {
        self.entries.remove_if(key, |stored| account.has(&stored.charge));
    }
}

/// What an entry takes, in bytes.
fn bytes_of(key: &AnswerKey, entry: &Entry) -> u64 {
    let answer = match entry {
        Entry::Kept(kept) => kept.answer.bytes(),
        Entry::Passed(_) => 0,
        Entry::Varies(names) => names.iter().map(|name| name.as_str().len()).sum(),
    };
    (answer + key.asked.len() + ENTRY_BYTES) as u64
}

#[cfg(test)]
mod tests;
