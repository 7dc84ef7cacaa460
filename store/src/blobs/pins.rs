//! Blobs that must stay although no deployment needs them yet: those of uploads that are under way.
//!
//! A pin is taken before it is looked whether a blob is here, and a blob is only removed under the lock in which it is seen
//! that nobody pins it. So what a client was told to be here stays until the client publishes, and no clock decides a race.
//! Two kinds of pins keep a blob: a **hold** lasts as long as the value that stands for it, a **lease** until the deployment
//! is published, or until its time is over because the client never came back.
//!
//! What is pinned at any time while garbage is collected is spared, also if it is not pinned any more when its turn comes: a
//! deployment that is published in between needs it, and the collection has not seen that deployment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ship_core::Digest;

/// How often leases must be aged until one is over.
const LEASE_AGES: u64 = 2;

/// What is pinned. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    pins: HashMap<Digest, Pin>,
    /// How often leases were aged.
    age: u64,
    /// Counts questions, to tell a pin that a question has made from one that was there.
    questions: u64,
    is_sweeping: bool,
}

#[derive(Debug, Default)]
struct Pin {
    holds: u32,
    leases: u32,
    /// The age at which the leases are over.
    over_at: u64,
    /// The question that has made the pin, if nobody has used it since.
    made_by: Option<u64>,
}

impl Pin {
    fn is_pinning(&self) -> bool {
        self.holds > 0 || self.leases > 0
    }
}

impl State {
    fn lease(&mut self, digest: Digest, question: Option<u64>) {
        let over_at = self.age + LEASE_AGES;
        let is_new = !self.pins.contains_key(&digest);
        let pin = self.pins.entry(digest).or_default();
        pin.leases += 1;
        pin.over_at = over_at;
        pin.made_by = question.filter(|_| is_new);
    }

    /// Takes something off a pin. While garbage is collected an empty pin stays, as a note that there was one.
    fn loosen(&mut self, digest: &Digest, change: impl FnOnce(&mut Pin)) {
        let Some(pin) = self.pins.get_mut(digest) else { return };
        change(pin);
        if !pin.is_pinning() && !self.is_sweeping {
            self.pins.remove(digest);
        }
    }
}

impl Pins {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leases one blob that is about to arrive.
    pub(super) fn lease(&self, digest: Digest) {
        self.state().lease(digest, None);
    }

    /// Leases blobs, looks with `missing` which of them are not here, and takes those leases back.
    pub(super) fn lease_present(&self, digests: &[Digest], missing: impl FnOnce() -> Vec<Digest>) -> Vec<Digest> {
        let question = {
            let mut state = self.state();
            state.questions += 1;
            let question = state.questions;
            for digest in digests {
                state.lease(*digest, Some(question));
            }
            question
        };
        let missing = missing();
        let mut state = self.state();
        for digest in &missing {
            // Somebody else may be sending it by now; then the pin is not this question's alone.
            let is_own = state.pins.get(digest).is_some_and(|pin| pin.made_by == Some(question));
            state.loosen(digest, |pin| pin.leases = if is_own { 0 } else { pin.leases.saturating_sub(1) });
        }
        missing
    }

    /// Ends one lease of each of these blobs: the deployment that they were leased for is published.
    fn end_leases(&self, digests: impl IntoIterator<Item = Digest>) {
        let mut state = self.state();
        for digest in digests {
            state.loosen(&digest, |pin| pin.leases = pin.leases.saturating_sub(1));
        }
    }

    /// Lets some time of all leases pass. Those are over that were given before the one but last time.
    pub(super) fn age(&self) {
        let mut state = self.state();
        state.age += 1;
        let (age, is_sweeping) = (state.age, state.is_sweeping);
        state.pins.retain(|_, pin| {
            if pin.over_at <= age {
                pin.leases = 0;
            }
            pin.is_pinning() || is_sweeping
        });
    }

    /// Holds these until the value is dropped.
    pub(crate) fn hold(&self, digests: impl IntoIterator<Item = Digest>) -> Held {
        let mut digests: Vec<Digest> = digests.into_iter().collect();
        // Each once: a lease that is ended twice would be somebody else's.
        digests.sort_unstable();
        digests.dedup();
        let mut state = self.state();
        for digest in &digests {
            let pin = state.pins.entry(*digest).or_default();
            pin.holds += 1;
            pin.made_by = None;
        }
        drop(state);
        Held { pins: self.clone(), digests }
    }

    /// Begins to collect garbage: from here on it is noted what is pinned, however shortly. One at a time.
    pub(crate) fn sweep(&self) -> Sweep<'_> {
        self.state().is_sweeping = true;
        Sweep { pins: self }
    }
}

/// Keeps blobs from being removed.
#[derive(Debug)]
pub(crate) struct Held {
    pins: Pins,
    digests: Vec<Digest>,
}

impl Held {
    /// Ends the leases under which what is held was uploaded: it is published, and needed from now on.
    pub(crate) fn is_published(&self) {
        self.pins.end_leases(self.digests.iter().copied());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.pins.state();
        for digest in &self.digests {
            state.loosen(digest, |pin| pin.holds -= 1);
        }
    }
}

/// A collection of garbage under way.
#[derive(Debug)]
pub(crate) struct Sweep<'p> {
    pins: &'p Pins,
}

impl Sweep<'_> {
    /// Whether nothing of this was pinned since the collection began.
    pub(crate) fn is_free<'d>(&self, digests: impl IntoIterator<Item = &'d Digest>) -> bool {
        let state = self.pins.state();
        digests.into_iter().all(|digest| !state.pins.contains_key(digest))
    }

    /// Does `remove` if nothing of this was pinned since the collection began. Nobody pins anything meanwhile, so `remove`
    /// has to be short.
    pub(crate) fn if_free<'d, T>(
        &self,
        digests: impl IntoIterator<Item = &'d Digest>,
        remove: impl FnOnce() -> T,
    ) -> Option<T> {
        let state = self.pins.state();
        let is_free = digests.into_iter().all(|digest| !state.pins.contains_key(digest));
        is_free.then(remove)
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        let mut state = self.pins.state();
        state.is_sweeping = false;
        state.pins.retain(|_, pin| pin.is_pinning());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn is_free(pins: &Pins, text: &str) -> bool {
        pins.sweep().is_free([&digest(text)])
    }

    /// A hold ends with its value, a lease with the publish or with time, and each of several counts.
    #[test]
    fn holds_and_leases() {
        let pins = Pins::default();
        let (first, second) = (pins.hold([digest("a")]), pins.hold([digest("a"), digest("b")]));
        drop(first);
        assert!(!is_free(&pins, "a") && !is_free(&pins, "b"));
        drop(second);
        assert!(is_free(&pins, "a") && is_free(&pins, "b"));

        pins.lease(digest("a"));
        pins.lease(digest("a"));
        pins.end_leases([digest("a")]);
        assert!(!is_free(&pins, "a"));
        pins.end_leases([digest("a")]);
        assert!(is_free(&pins, "a"));

        pins.lease(digest("a"));
        pins.age();
        assert!(!is_free(&pins, "a"));
        pins.age();
        assert!(is_free(&pins, "a"));
        assert!(pins.state().pins.is_empty(), "nothing is remembered for ever");
    }

    /// Publishing ends one lease of each blob, also of one that is held for two reasons: the other lease is somebody else's.
    #[test]
    fn published() {
        let pins = Pins::default();
        pins.lease(digest("a"));
        pins.lease(digest("a"));
        let held = pins.hold([digest("a"), digest("a")]);
        held.is_published();
        drop(held);
        assert!(!is_free(&pins, "a"));
    }

    /// What is not here is not leased by asking for it; what somebody else is sending stays leased.
    #[test]
    fn questions() {
        let pins = Pins::default();
        pins.lease(digest("sent by another"));
        let asked = [digest("here"), digest("nowhere"), digest("sent by another"), digest("sent meanwhile")];
        let missing = pins.lease_present(&asked, || {
            pins.lease(digest("sent meanwhile"));
            asked[1..].to_vec()
        });
        assert_eq!(missing, asked[1..]);
        let pinned = ["here", "nowhere", "sent by another", "sent meanwhile"].map(|text| !is_free(&pins, text));
        assert_eq!(pinned, [true, false, true, true]);
    }

    /// What was pinned for a moment while garbage is collected is spared by that collection, and only by that.
    #[test]
    fn pinned_for_a_moment() {
        let pins = Pins::default();
        let sweep = pins.sweep();
        drop(pins.hold([digest("a")]));
        pins.lease(digest("b"));
        pins.end_leases([digest("b")]);
        assert_eq!(sweep.if_free([&digest("a")], || ()), None);
        assert_eq!(sweep.if_free([&digest("b")], || ()), None);
        assert_eq!(sweep.if_free([&digest("c")], || ()), Some(()));
        drop(sweep);
        assert!(is_free(&pins, "a") && is_free(&pins, "b"));
    }
}
