//! Until when an answer that is kept is good.

use std::sync::Arc;
use std::time::Duration;

use ship_core::{CacheState, Expiration};
use tokio::time::Instant;

use super::answer::Answer;
use crate::protocol::cache_control::Freshness;

/// How long a stale answer is left alone after its function failed to make a new one: what Vercel waits.
const REST: Duration = Duration::from_secs(30);

/// An answer that is kept, and until when it is good.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) answer: Arc<Answer>,
    /// What it is called while it is fresh, and after that.
    states: (CacheState, CacheState),
    /// `None` for always, as for the two below.
    fresh_until: Option<Instant>,
    /// Until when it may be served while a newer one is made.
    stale_until: Option<Instant>,
    /// Until when it may be served where its function fails.
    on_error_until: Option<Instant>,
    /// When the function may be asked again after it failed.
    rests_until: Option<Instant>,
}

/// What an answer is good for at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// It is as good as new.
    Fresh,
    /// It may be served while a newer one is made.
    Stale,
    /// It may be served where its function fails.
    OnError,
    /// Nothing any more.
    Over,
}

impl Kept {
    /// A page that a function has made now.
    pub(crate) fn made_now(answer: Arc<Answer>, expiration: Expiration, now: Instant) -> Self {
        Self::page(answer, (CacheState::Hit, CacheState::Stale), end_of(expiration, Duration::ZERO, now))
    }

    /// The page that was made with the site, so long ago.
    pub(crate) fn made_before(answer: Arc<Answer>, expiration: Expiration, age: Duration, now: Instant) -> Self {
        Self::page(answer, (CacheState::Prerender, CacheState::Stale), end_of(expiration, age, now))
    }

    /// The same, to be served until the function has made the real one.
    pub(crate) fn in_place(answer: Arc<Answer>, now: Instant) -> Self {
        Self::page(answer, (CacheState::Prerender, CacheState::Prerender), Some(now))
    }

    /// An answer that is kept as its function wishes. It is so old.
    pub(crate) fn wished(answer: Arc<Answer>, wish: Freshness, age: Duration, now: Instant) -> Self {
        let fresh_until = now + wish.fresh.saturating_sub(age);
        // What is older than it may be fresh has been stale for a while.
        let after = |most: Duration| Some(now + (wish.fresh + most).saturating_sub(age));
        Self {
            stale_until: after(wish.stale),
            on_error_until: after(wish.on_error),
            ..Self::page(answer, (CacheState::Hit, CacheState::Stale), Some(fresh_until))
        }
    }

    const fn page(answer: Arc<Answer>, states: (CacheState, CacheState), fresh_until: Option<Instant>) -> Self {
        Self { answer, states, fresh_until, stale_until: None, on_error_until: None, rests_until: None }
    }

    /// What it is good for.
    pub(crate) fn stage(&self, now: Instant) -> Stage {
        let is_before = |end: Option<Instant>| end.is_none_or(|end| now < end);
        match () {
            () if is_before(self.fresh_until) => Stage::Fresh,
            () if is_before(self.stale_until) => Stage::Stale,
            () if is_before(self.on_error_until) => Stage::OnError,
            () => Stage::Over,
        }
    }

    /// What it is called at this moment.
    pub(crate) fn state(&self, now: Instant) -> CacheState {
        if self.stage(now) == Stage::Fresh { self.states.0 } else { self.states.1 }
    }

    /// Whether its function has failed to make a newer one, and is left alone.
    pub(crate) fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|end| now < end)
    }

    /// The same, after its function has failed at this moment.
    pub(super) fn resting(self, now: Instant) -> Self {
        Self { rests_until: Some(now + REST), ..self }
    }

    /// Whether a newer one should be made.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.stage(now) != Stage::Fresh && !self.rests(now)
    }
}

fn end_of(expiration: Expiration, age: Duration, now: Instant) -> Option<Instant> {
    match expiration {
        Expiration::Never => None,
        Expiration::AfterSecs(seconds) => Some(now + Duration::from_secs(seconds.get().into()).saturating_sub(age)),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use jiff::Timestamp;

    use super::Stage::{Fresh, OnError, Over, Stale};
    use super::*;

    /// What a function wishes for is counted from when the answer was made, which may be a while ago.
    #[test]
    fn wished() {
        let seconds = Duration::from_secs;
        let answer = Arc::new(Answer::new(Response::new(()).into_parts().0, bytes::Bytes::default(), Timestamp::now()));
        let wish = Freshness { fresh: seconds(60), stale: seconds(30), on_error: seconds(50) };
        let now = Instant::now();
        let stages = |age: u64| {
            let kept = Kept::wished(Arc::clone(&answer), wish, seconds(age), now);
            [0, 59, 60, 89, 90, 109, 110].map(|after| kept.stage(now + seconds(after)))
        };
        assert_eq!(stages(0), [Fresh, Fresh, Stale, Stale, OnError, OnError, Over]);
        assert_eq!(stages(70), [Stale, Over, Over, Over, Over, Over, Over]);
        assert_eq!(stages(95), [OnError, Over, Over, Over, Over, Over, Over]);
        assert_eq!(stages(1 << 40), [Over; 7]);
    }
}
