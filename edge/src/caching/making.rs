//! A call in front of a visitor, and what becomes of its answer: it goes to the visitor as it comes, and is kept when all of it was there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AGE;
use http::{HeaderMap, Response, StatusCode, response};
use http_body::Body as _;
use jiff::{SignedDuration, Timestamp};
use ship_core::CacheState;
use tokio::time::Instant;

use super::storable::{Storable, storable};
use super::{Answered, Asks, CachingServer, Callee, Question, served, sharing};
use crate::body::{EdgeBody, Pouring};
use crate::failure::Failure;
use crate::functions::FunctionRequest;
use crate::kept::{Answer, AnswerKey, Entry, Kept, Leader, Outcome};
use crate::live_deployment::LiveDeployment;
use crate::protocol::cache_control::{Freshness, leave_to_browsers, wished};

/// How long visitors are led straight to a function after an answer that may not be kept, instead of waiting for each other: what Varnish does
/// (`default_ttl` of "hit-for-miss"). An answer that may be kept ends it.
const PASSING: Duration = Duration::from_mins(2);

/// How long an answer may be that a visitors' thread makes the tag of, in bytes: some 100 µs.
const AT_ONCE_BYTES: usize = 64 * 1024;

/// A call that a visitor waits for.
pub(super) struct Making<'a> {
    pub(super) server: &'a CachingServer,
    pub(super) callee: Callee<'a>,
    /// What is asked for, as far as it is known before the answer.
    pub(super) key: AnswerKey,
    pub(super) question: Question,
    /// Where others wait for it.
    pub(super) leader: Option<Leader>,
    /// What may be served where the function fails.
    pub(super) fallback: Option<Kept>,
}

impl Making<'_> {
    /// Makes the call.
    pub(super) async fn run(mut self, request: FunctionRequest<'_>) -> Answered {
        let (deployment, function) = (self.callee.deployment, self.callee.function);
        let answer = self.server.functions.invoke(deployment, function, request).await;
        let fallback = self.fallback.take().filter(|_| has_failed(&answer));
        if let Some(kept) = fallback {
            let now = Instant::now();
            self.server.shelf.rest(deployment, &self.key, now);
            let answered = served(&kept, now, &self.question.method, &self.question.headers);
            finish(self.leader.take(), Outcome::Told(kept.answer));
            return answered;
        }
        match answer {
            Ok(answer) => self.settle(answer),
            Err(failure) => {
                // The others may fare better: what has failed may be this visitor's.
                finish(self.leader.take(), Outcome::Private);
                Answered { answer: Err(failure), state: self.callee.unkept() }
            }
        }
    }

    fn settle(mut self, answer: Response<EdgeBody>) -> Answered {
        let wish = note_asking(self.callee, answer.headers());
        if wish.is_none() {
            self.callee.deployment.habit(self.callee.function).has_not_asked();
        }
        let (head, body) = answer.into_parts();
        let answers = &self.server.shelf;
        let fits = body.size_hint().lower() <= answers.max_answer_bytes() as u64;
        let storable = wish.and_then(|wish| storable(&head, wish)).filter(|_| fits);
        let place = storable.and_then(|storable| Place::find(self.server, self.callee, &self.question, storable));
        let Some(place) = place else {
            if self.callee.asks() == Asks::AtTimes && !head.status.is_server_error() {
                self.server.pass(self.callee.deployment, &self.key);
            }
            finish(self.leader.take(), Outcome::Private);
            return Answered { answer: Ok(Response::from_parts(head, body)), state: self.callee.unkept() };
        };
        self.keep(place, head, body)
    }

    fn keep(mut self, place: Place, mut head: response::Parts, body: EdgeBody) -> Answered {
        let answers = &self.server.shelf;
        leave_to_browsers(&mut head.headers);
        let in_memory = body.whole().map(|whole| answers.hold(whole));
        let (answer, state) = match in_memory {
            Some(Some(whole)) => {
                let answer = place.keep(self.server, head, whole);
                let response = answer.respond(&self.question.method, &self.question.headers);
                finish(self.leader.take(), Outcome::Told(answer));
                (response, CacheState::Miss)
            }
            // There is no room for it.
            Some(None) => {
                finish(self.leader.take(), Outcome::Private);
                (Response::from_parts(head, body), CacheState::Bypass)
            }
            None => {
                let (body, pouring) = body.pour(answers.max_answer_bytes(), [answers.pin(), answers.pin()]);
                let gathering =
                    Gathering { server: self.server.clone(), leader: self.leader.take(), place, head: copy(&head) };
                self.server.spawn(gathering.run(pouring));
                (Response::from_parts(head, body), CacheState::Miss)
            }
        };
        Answered { answer: Ok(answer), state: Some(state) }
    }
}

/// Notes that a function asks for an answer to be kept, if it does, and gives what it wishes.
pub(super) fn note_asking(callee: Callee<'_>, headers: &HeaderMap) -> Option<Freshness> {
    let wish = wished(headers);
    if wish.is_some() {
        callee.deployment.habit(callee.function).has_asked();
    }
    wish
}

/// Whether a function has failed, so that what was kept is better than its answer (RFC 5861, section 4).
fn has_failed(answer: &Result<Response<EdgeBody>, Failure>) -> bool {
    let status = match answer {
        Ok(answer) => answer.status(),
        Err(failure) => failure.status,
    };
    matches!(
        status,
        StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Does what takes long for a long answer, to put it together and to make its tag, where no visitor waits for it. `None` if the host stops.
pub(super) async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes <= AT_ONCE_BYTES { Some(work()) } else { tokio::task::spawn_blocking(work).await.ok() }
}

fn finish(leader: Option<Leader>, outcome: Outcome) {
    if let Some(leader) = leader {
        leader.finish(outcome);
    }
}

fn copy(head: &response::Parts) -> response::Parts {
    let mut copy = Response::new(()).into_parts().0;
    (copy.status, copy.headers) = (head.status, head.headers.clone());
    copy
}

/// Where an answer is kept, and for how long.
pub(super) struct Place {
    deployment: Arc<LiveDeployment>,
    key: AnswerKey,
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
    fn deadline(&self) -> Duration {
        self.deployment.deadline(self.key.function)
    }
}

impl CachingServer {
    /// Leads visitors straight to the function for a while: its answer may not be kept.
    pub(super) fn pass(&self, deployment: &LiveDeployment, key: &AnswerKey) {
        self.shelf.pass(deployment, key, Instant::now() + PASSING);
    }
}

/// An answer that goes to its visitor while it is gathered.
struct Gathering {
    server: CachingServer,
    leader: Option<Leader>,
    place: Place,
    head: response::Parts,
}

impl Gathering {
    /// Gathers it to its end, whether its visitor stays or leaves, because others may wait for it.
    async fn run(mut self, pouring: Pouring) {
        let leader = self.leader.take();
        let stop = self.server.stop.clone();
        let deadline = self.place.deadline();
        let given_up = async move {
            tokio::select! {
                () = tokio::time::sleep(deadline) => {}
                () = stop.cancelled() => {}
            }
        };
        let Some((gathered, pin)) = pouring.run(given_up).await else {
            self.server.pass(&self.place.deployment, &self.place.key);
            return finish(leader, Outcome::Private);
        };
        let Self { server, place, head, .. } = self;
        let length = gathered.len();
        let keep = move || place.keep(&server, head, pin.into_bytes(gathered.concat()));
        let kept = aside(length, keep).await;
        finish(leader, kept.map_or(Outcome::Private, Outcome::Told));
    }
}
