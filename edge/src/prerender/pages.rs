//! The answers that are kept: at most so many bytes of them, least used first out.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use ship_core::{DeploymentId, Digest, Expiration, FunctionIndex};
use tokio::time::Instant;

use super::answer::{Answer, CacheState};

/// In how many parts the cache is locked. Each holds its share of the bytes, so few parts let larger pages in.
const PARTS: usize = 4;

/// What an entry takes besides its answer and its key.
const ENTRY_BYTES: usize = 256;

/// A size that most pages have; it sizes the cache's tables, not its limit.
const TYPICAL_PAGE_BYTES: usize = 32 * 1024;

/// The largest answer that is kept. A larger one is streamed by its function to each who asks.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// How long a stale answer is left alone after its function failed to make a new one: what Vercel waits.
const REST: Duration = Duration::from_secs(30);

/// How long visitors are led straight to a function that has answered one of them alone, instead of waiting for each other.
const PASSING: Duration = Duration::from_secs(10);

/// What tells one answer from another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct PageKey {
    pub(super) deployment: DeploymentId,
    /// Which of the environments of the deployment made it.
    pub(super) environment: Digest,
    pub(super) function: FunctionIndex,
    /// The parameters that tell answers of this function apart.
    pub(super) query: Arc<str>,
}

/// What is known of a page.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// It is here.
    Kept(Kept),
    /// Until then its function makes it for each visitor alone.
    Passed(Instant),
}

/// An answer that is kept, and until when it is good.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) answer: Arc<Answer>,
    /// What it is called while it is fresh, and after that.
    states: (CacheState, CacheState),
    /// `None` for always.
    fresh_until: Option<Instant>,
    /// When the function may be asked again after it failed.
    rests_until: Option<Instant>,
}

impl Kept {
    /// An answer of a function that is fresh from now on.
    pub(super) fn made_now(answer: Arc<Answer>, expiration: Expiration, now: Instant) -> Self {
        let fresh_until = end_of(expiration, Duration::ZERO, now);
        Self { answer, states: (CacheState::Hit, CacheState::Stale), fresh_until, rests_until: None }
    }

    /// The answer that was made with the site, so long ago.
    pub(super) fn made_before(answer: Arc<Answer>, expiration: Expiration, age: Duration, now: Instant) -> Self {
        let fresh_until = end_of(expiration, age, now);
        Self { answer, states: (CacheState::Prerender, CacheState::Stale), fresh_until, rests_until: None }
    }

    /// The same, to be served until the function has made the real one.
    pub(super) fn in_place(answer: Arc<Answer>, now: Instant) -> Self {
        let states = (CacheState::Prerender, CacheState::Prerender);
        Self { answer, states, fresh_until: Some(now), rests_until: None }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.fresh_until.is_none_or(|end| now < end)
    }

    /// What it is called at this moment.
    pub(super) fn state(&self, now: Instant) -> CacheState {
        if self.is_fresh(now) { self.states.0 } else { self.states.1 }
    }

    /// Whether a newer one should be made.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.is_fresh(now) && self.rests_until.is_none_or(|end| end <= now)
    }
}

fn end_of(expiration: Expiration, age: Duration, now: Instant) -> Option<Instant> {
    match expiration {
        Expiration::Never => None,
        Expiration::AfterSecs(seconds) => Some(now + Duration::from_secs(seconds.get().into()).saturating_sub(age)),
    }
}

/// The pages of all deployments. Nothing is shared between two of them, because each key names its own.
pub(super) struct Pages {
    entries: Cache<PageKey, Entry, ByBytes, DefaultHashBuilder>,
    max_answer_bytes: usize,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<PageKey, Entry> for ByBytes {
    fn weight(&self, key: &PageKey, entry: &Entry) -> u64 {
        let answer = match entry {
            Entry::Kept(kept) => kept.answer.bytes(),
            Entry::Passed(_) => 0,
        };
        (answer + key.query.len() + ENTRY_BYTES) as u64
    }
}

impl Pages {
    /// Room for `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Self {
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .estimated_items_capacity((max_bytes / TYPICAL_PAGE_BYTES).max(PARTS))
            .weight_capacity(max_bytes as u64)
            .build()
            .expect("all sizes were given");
        let entries = Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), DefaultLifecycle::default());
        let share = usize::try_from(entries.shard_capacity() / 2).unwrap_or(usize::MAX);
        Self { entries, max_answer_bytes: share.min(MAX_ANSWER_BYTES) }
    }

    /// The largest answer that is kept.
    pub(super) fn max_answer_bytes(&self) -> usize {
        self.max_answer_bytes
    }

    /// What is known of a page now.
    pub(super) fn find(&self, key: &PageKey, now: Instant) -> Option<Entry> {
        self.entries.get(key).filter(|entry| !matches!(entry, Entry::Passed(until) if *until <= now))
    }

    /// Whether anything was ever known of a page that is not forgotten yet.
    pub(super) fn knows(&self, key: &PageKey) -> bool {
        self.entries.peek(key).is_some()
    }

    /// Whether a newer answer should be made of a page.
    pub(super) fn is_due(&self, key: &PageKey, now: Instant) -> bool {
        matches!(self.entries.peek(key), Some(Entry::Kept(kept)) if kept.is_due(now))
    }

    /// Keeps an answer in the place of an older one.
    pub(super) fn keep(&self, key: &PageKey, kept: Kept) {
        self.entries.insert(key.clone(), Entry::Kept(kept));
    }

    /// Keeps an answer unless there is one.
    pub(super) fn keep_first(&self, key: &PageKey, kept: Kept) {
        let kept = || Ok::<_, std::convert::Infallible>(Entry::Kept(kept));
        let _ = self.entries.get_or_insert_with(key, kept);
    }

    /// Leaves a stale answer alone for a while: its function has failed.
    pub(super) fn rest(&self, key: &PageKey, now: Instant) {
        if let Some(Entry::Kept(kept)) = self.entries.peek(key) {
            self.keep(key, Kept { rests_until: Some(now + REST), ..kept });
        }
    }

    /// Leads visitors straight to the function for a while. What was kept is no longer for everybody.
    pub(super) fn pass(&self, key: &PageKey, now: Instant) {
        self.entries.insert(key.clone(), Entry::Passed(now + PASSING));
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use bytes::Bytes;
    use http::Response;
    use jiff::Timestamp;

    use super::*;

    const MINUTE: Expiration = Expiration::AfterSecs(NonZeroU32::new(60).unwrap());

    fn key(deployment: &str, query: &str) -> PageKey {
        let deployment = DeploymentId::of_bytes(deployment.as_bytes());
        PageKey { deployment, environment: Digest::of(b""), function: FunctionIndex(0), query: query.into() }
    }

    fn answer(size_bytes: usize) -> Arc<Answer> {
        let body = Bytes::from(vec![b'x'; size_bytes]);
        Arc::new(Answer::new(Response::new(()).into_parts().0, body, Timestamp::now()))
    }

    fn state(pages: &Pages, key: &PageKey, now: Instant) -> Option<(CacheState, bool)> {
        match pages.find(key, now)? {
            Entry::Kept(kept) => Some((kept.state(now), kept.is_due(now))),
            Entry::Passed(_) => Some((CacheState::Bypass, false)),
        }
    }

    /// An answer is fresh for its time, then stale and due; after a failure it rests before it is due again.
    #[test]
    fn times() {
        let (pages, page, now) = (Pages::new(1 << 20), key("a", ""), Instant::now());
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        pages.keep(&page, Kept::made_now(answer(10), MINUTE, now));
        assert_eq!(state(&pages, &page, at(59)), Some((CacheState::Hit, false)));
        assert_eq!(state(&pages, &page, at(60)), Some((CacheState::Stale, true)));
        pages.rest(&page, at(60));
        assert_eq!(state(&pages, &page, at(89)), Some((CacheState::Stale, false)));
        assert_eq!(state(&pages, &page, at(90)), Some((CacheState::Stale, true)));
        pages.keep(&page, Kept::made_now(answer(10), Expiration::Never, at(90)));
        assert_eq!(state(&pages, &page, at(1 << 30)), Some((CacheState::Hit, false)));
    }

    /// What was made with the site is as old as the site; what stands in for another page is due at once. Neither replaces what
    /// a function made.
    #[test]
    fn fallbacks() {
        let (pages, now) = (Pages::new(1 << 20), Instant::now());
        let before = |seconds| Kept::made_before(answer(10), MINUTE, Duration::from_secs(seconds), now);
        let (young, old, stand_in) = (key("a", "1"), key("a", "2"), key("a", "3"));
        pages.keep_first(&young, before(10));
        pages.keep_first(&old, before(1000));
        pages.keep_first(&stand_in, Kept::in_place(answer(10), now));
        let later = now + Duration::from_secs(49);
        assert_eq!(state(&pages, &young, later), Some((CacheState::Prerender, false)));
        assert_eq!(state(&pages, &old, now), Some((CacheState::Stale, true)));
        assert_eq!(state(&pages, &stand_in, now), Some((CacheState::Prerender, true)));
        pages.keep(&young, Kept::made_now(answer(10), Expiration::Never, now));
        pages.keep_first(&young, before(0));
        assert_eq!(state(&pages, &young, now), Some((CacheState::Hit, false)));
    }

    /// A page that is for one visitor at a time is passed for a while, also where it was kept before.
    #[test]
    fn passing() {
        let (pages, page, now) = (Pages::new(1 << 20), key("a", ""), Instant::now());
        pages.keep(&page, Kept::made_now(answer(10), Expiration::Never, now));
        pages.pass(&page, now);
        assert_eq!(state(&pages, &page, now), Some((CacheState::Bypass, false)));
        assert_eq!(state(&pages, &page, now + PASSING), None);
    }

    /// However many pages there are, they take no more than their room; two deployments share none.
    #[test]
    fn room() {
        let pages = Pages::new(1 << 20);
        assert_eq!((pages.max_answer_bytes(), Pages::new(64 << 20).max_answer_bytes()), (1 << 19, MAX_ANSWER_BYTES));
        let now = Instant::now();
        for number in 0..100 {
            let page = key("a", &number.to_string());
            pages.keep(&page, Kept::made_now(answer(100_000), Expiration::Never, now));
        }
        assert!(pages.entries.weight() <= 1 << 20);
        assert!(pages.entries.len() >= 8, "most of the room is used");
        pages.keep(&key("a", ""), Kept::made_now(answer(1), Expiration::Never, now));
        assert!(pages.knows(&key("a", "")) && !pages.knows(&key("b", "")));
    }
}
