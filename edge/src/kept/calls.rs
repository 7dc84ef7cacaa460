//! One call at a time: whoever wants an answer that is being made waits for the same one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::answer::Answer;
use super::shelf::AnswerKey;
use crate::failure::Failure;

/// The calls that are being made.
#[derive(Default)]
pub(crate) struct Calls {
    running: Mutex<HashMap<AnswerKey, Follower>>,
}

/// What came of a call, for those who wait for it.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// An answer for all of them.
    Told(Arc<Answer>),
    /// An answer for one visitor: each has to ask for itself.
    Private,
    /// No answer.
    Failed(Failure),
    /// Nobody makes it any more, and nothing is known of what would have come of it.
    GivenUp,
}

/// Somebody's part in a call.
pub(crate) enum Part {
    /// Makes it.
    Leader(Leader),
    /// Waits for it.
    Follower(Follower),
}

/// Makes a call. The call is over when this is dropped, with or without an outcome.
pub(crate) struct Leader {
    calls: Arc<Calls>,
    key: AnswerKey,
    /// Until it is over.
    outcome: Option<watch::Sender<Option<Outcome>>>,
    follower: Follower,
}

/// Waits for a call.
#[derive(Clone)]
pub(crate) struct Follower(watch::Receiver<Option<Outcome>>);

impl Calls {
    /// Joins the call for a page, or begins one if it is still `needed` now that no other can begin. What a call has changed
    /// is there before its end is.
    pub(crate) fn join(self: &Arc<Self>, key: &AnswerKey, needed: impl FnOnce() -> bool) -> Option<Part> {
        let mut running = self.lock();
        if let Some(call) = running.get(key) {
            return Some(Part::Follower(call.clone()));
        }
        if !needed() {
            return None;
        }
        let (sender, receiver) = watch::channel(None);
        let follower = Follower(receiver);
        running.insert(key.clone(), follower.clone());
        let (calls, key) = (Arc::clone(self), key.clone());
        Some(Part::Leader(Leader { calls, key, outcome: Some(sender), follower }))
    }

    /// The call for a page that is being made.
    pub(crate) fn running(&self, key: &AnswerKey) -> Option<Follower> {
        self.lock().get(key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AnswerKey, Follower>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leader {
    /// Somebody who waits for this call.
    pub(crate) fn follower(&self) -> Follower {
        self.follower.clone()
    }

    /// Ends the call. Whoever learns of its end finds it gone, so the next call is another one.
    pub(crate) fn finish(mut self, outcome: Outcome) {
        if let Some(sender) = self.end() {
            sender.send_replace(Some(outcome));
        }
    }

    fn end(&mut self) -> Option<watch::Sender<Option<Outcome>>> {
        let sender = self.outcome.take()?;
        self.calls.lock().remove(&self.key);
        Some(sender)
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.end();
    }
}

impl Follower {
    /// What came of the call.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let outcome = self.0.wait_for(Option::is_some).await;
        outcome.ok().and_then(|outcome| outcome.clone()).unwrap_or(Outcome::GivenUp)
    }
}

#[cfg(test)]
mod tests {
    use ship_core::{DeploymentId, Digest, FunctionIndex};

    use super::*;

    fn key(query: &str) -> AnswerKey {
        let (deployment, environment) = (DeploymentId::of_bytes(b""), Digest::of(b""));
        AnswerKey { deployment, environment, function: FunctionIndex(0), asked: query.into() }
    }

    fn leader(calls: &Arc<Calls>, query: &str) -> Leader {
        match calls.join(&key(query), || true) {
            Some(Part::Leader(leader)) => leader,
            _ => panic!("somebody else makes the call"),
        }
    }

    fn follower(calls: &Arc<Calls>, query: &str) -> Follower {
        match calls.join(&key(query), || panic!("the call was begun")) {
            Some(Part::Follower(follower)) => follower,
            _ => panic!("nobody makes the call"),
        }
    }

    /// One makes the call and all learn its outcome; the next call begins after it, if it is still needed.
    #[tokio::test]
    async fn one_at_a_time() {
        let calls = Arc::new(Calls::default());
        let first = leader(&calls, "a");
        let others = [first.follower(), follower(&calls, "a"), follower(&calls, "a")];
        let elsewhere = leader(&calls, "b");
        first.finish(Outcome::Private);
        for other in others {
            assert!(matches!(other.outcome().await, Outcome::Private));
        }
        assert!(calls.join(&key("a"), || false).is_none());
        drop((leader(&calls, "a"), elsewhere));
        assert!(calls.lock().is_empty());
    }

    /// Who waits for a call that is given up does not wait for ever.
    #[tokio::test]
    async fn given_up() {
        let calls = Arc::new(Calls::default());
        let first = leader(&calls, "a");
        let other = follower(&calls, "a");
        drop(first);
        assert!(matches!(other.outcome().await, Outcome::GivenUp));
    }
}
