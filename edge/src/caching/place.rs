//! Where an answer is kept, and what is learnt of its function from it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AGE;
use http::{HeaderMap, response};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::storable::Storable;
use super::{CachingServer, Callee, Question, sharing};
use crate::kept::{Answer, AnswerKey, Entry, Kept};
use crate::live_deployment::LiveDeployment;
use crate::protocol::cache_control::{Freshness, wished};

/// How long visitors are led straight to a function after an answer that may not be kept, instead of waiting for each other: what Varnish does
/// (`default_ttl` of "hit-for-miss"). An answer that may be kept ends it.
const PASSING: Duration = Duration::from_mins(2);

/// Notes that a function asks for an answer to be kept, if it does, and gives what it wishes.
pub(super) fn note_asking(callee: Callee<'_>, headers: &HeaderMap) -> Option<Freshness> {
    let wish = wished(headers);
    if wish.is_some() {
        callee.deployment.habit(callee.function).has_asked();
    }
    wish
}

/// Where an answer is kept, and for how long.
pub(super) struct Place {
    pub(super) deployment: Arc<LiveDeployment>,
    pub(super) key: AnswerKey,
    storable: Storable,
    came: Instant,
}

impl Place {
    /// The place of an answer to this question. `None` where there is none.
    pub(super) fn find(
        server: &CachingServer,
        callee: Callee<'_>,
        question: &Question,
        storable: Storable,
    ) -> Option<Self> {
        let (deployment, base, names) = (callee.deployment, &question.base, &storable.varies_by);
        let key = if names.is_empty() {
            base.clone()
        } else {
            let key = sharing::key_of_variant(base, names, &question.headers)?;
            let is_known =
                matches!(server.shelf.find(base, Instant::now()), Some(Entry::Varies(known)) if *known == **names);
            if !is_known {
                server.shelf.put(deployment, base, Entry::Varies(names.as_slice().into()));
            }
            key
        };
        Some(Self { deployment: Arc::clone(deployment), key, storable, came: Instant::now() })
    }

    /// Keeps the answer.
    pub(super) fn keep(self, server: &CachingServer, mut head: response::Parts, body: Bytes) -> Arc<Answer> {
        let Self { deployment, key, storable, came } = self;
        head.headers.remove(AGE);
        let age = storable.age + came.elapsed();
        let made_at = SignedDuration::try_from(age).ok().and_then(|age| Timestamp::now().checked_sub(age).ok());
        let answer = Arc::new(Answer::new(head, body, made_at.unwrap_or(Timestamp::MIN)));
        let kept = Kept::wished(Arc::clone(&answer), storable.freshness, age, Instant::now());
        server.shelf.keep(&deployment, &key, kept);
        answer
    }

    /// How long all of the answer may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deployment.deadline(self.key.function)
    }
}

impl CachingServer {
    /// Leads visitors straight to the function for a while: its answer may not be kept.
    pub(super) fn pass(&self, deployment: &LiveDeployment, key: &AnswerKey) {
        self.shelf.pass(deployment, key, Instant::now() + PASSING);
    }
}
