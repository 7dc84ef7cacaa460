//! Staying awake while the next step is only microseconds away.
//!
//! A thread that sleeps until a function answers is woken by the kernel, which takes longer than a quick function does. When
//! calls come one after the other, and the last answer, or the last pause, was hardly longer than such a wake, the thread
//! looks for the next event instead of sleeping, for as long as a wake would take at most. A quarter of such a call's time is
//! saved by it. With more calls under way there is always something to do, and nobody stays awake for a function that thinks,
//! or a visitor who does.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a thread stays awake for the next event: about as long as two wakes take on a virtual machine whose processor has
/// gone to sleep.
const AT_MOST: Duration = Duration::from_micros(100);

/// The longest answer, or pause between two calls, after which the next is awaited awake. With a thread that sleeps they take
/// this long when the function and the visitor need next to nothing.
const CLOSE: Duration = Duration::from_micros(200);

thread_local! {
    static VIGIL: Vigil = Vigil::default();
}

/// What a thread knows of the calls that it makes.
#[derive(Default)]
struct Vigil {
    under_way: Cell<u32>,
    /// When the last call ended.
    ended: Cell<Option<Instant>>,
    /// Whether the last call, and the last pause before one, was short.
    was_quick: Cell<bool>,
    was_followed: Cell<bool>,
    /// Until when the thread stays awake.
    until: Cell<Option<Instant>>,
    keeper: OnceCell<Rc<Notify>>,
}

/// Stays awake when it is worth it. To be run once on each single-threaded async runtime that answers visitors; it never ends.
pub async fn keep_vigil() {
    let begun = VIGIL.with(|vigil| Rc::clone(vigil.keeper.get_or_init(Rc::default)));
    loop {
        begun.notified().await;
        while VIGIL.with(|vigil| vigil.is_kept(Instant::now())) {
            // A function or a visitor that has only this processor gets it.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    }
}

/// A call that is under way.
pub(crate) struct CallClock {
    began: Instant,
    is_kept: bool,
}

impl CallClock {
    /// A call begins on this thread.
    pub(crate) fn start() -> Self {
        let began = Instant::now();
        let is_kept = VIGIL.with(|vigil| vigil.begin(began));
        Self { began, is_kept }
    }

    /// When it began.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }
}

impl Drop for CallClock {
    fn drop(&mut self) {
        if self.is_kept {
            VIGIL.with(|vigil| vigil.end(self.began, Instant::now()));
        }
    }
}

impl Vigil {
    /// Notes the beginning of a call. False if this thread keeps no vigil.
    fn begin(&self, now: Instant) -> bool {
        if self.keeper.get().is_none() {
            return false;
        }
        self.under_way.set(self.under_way.get() + 1);
        self.was_followed.set(self.ended.get().is_some_and(|ended| now - ended < CLOSE));
        if self.was_quick.get() {
            self.stay(now);
        }
        true
    }

    fn end(&self, began: Instant, now: Instant) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.was_quick.set(now - began < CLOSE);
        self.ended.set(Some(now));
        if self.was_followed.get() {
            self.stay(now);
        }
    }

    fn stay(&self, now: Instant) {
        if self.under_way.get() > 1 {
            return;
        }
        let was_kept = self.until.replace(Some(now + AT_MOST)).is_some();
        if !was_kept && let Some(keeper) = self.keeper.get() {
            keeper.notify_one();
        }
    }

    /// Whether the thread still stays awake.
    fn is_kept(&self, now: Instant) -> bool {
        let is_kept = self.under_way.get() <= 1 && self.until.get().is_some_and(|until| now < until);
        if !is_kept {
            self.until.set(None);
        }
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(60);
    const SLOW: Duration = Duration::from_millis(1);

    /// A thread that has made a call which took `answer`, and a `pause` later another, which is under way.
    fn thread_after(answer: Duration, pause: Duration) -> (Vigil, Instant) {
        let vigil = Vigil::default();
        vigil.keeper.set(Rc::default()).unwrap();
        let first = Instant::now();
        vigil.begin(first);
        vigil.end(first, first + answer);
        let second = first + answer + pause;
        vigil.begin(second);
        (vigil, second)
    }

    /// While an answer is awaited, a thread stays awake if the last came soon; after it, if the last was followed soon.
    #[test]
    fn kept_for_what_is_near() {
        for (answer, pause, awaiting, afterwards) in [
            (QUICK, QUICK, true, true),
            (QUICK, SLOW, true, false),
            (SLOW, QUICK, false, true),
            (SLOW, SLOW, false, false),
        ] {
            let (vigil, now) = thread_after(answer, pause);
            assert_eq!(vigil.is_kept(now), awaiting, "{answer:?} {pause:?}");
            let later = now + SLOW;
            vigil.end(now, later);
            assert_eq!(vigil.is_kept(later), afterwards, "{answer:?} {pause:?}");
        }
    }

    /// It is over when nothing has come for as long as a wake takes.
    #[test]
    fn over_in_time() {
        let (vigil, now) = thread_after(QUICK, QUICK);
        assert!(vigil.is_kept(now + AT_MOST / 2));
        assert!(!vigil.is_kept(now + AT_MOST));
        assert!(!vigil.is_kept(now), "it does not begin again by itself");
    }

    /// With more than one call under way, and on a thread that nobody keeps awake, there is none.
    #[test]
    fn none() {
        let (vigil, now) = thread_after(QUICK, QUICK);
        vigil.begin(now);
        assert!(!vigil.is_kept(now));
        let nobodys = Vigil::default();
        assert!(!nobodys.begin(now));
        nobodys.end(now, now + QUICK);
        assert!(!nobodys.is_kept(now + QUICK));
    }
}
