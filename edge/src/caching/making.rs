//! A call in front of a visitor, and what becomes of its answer: it goes to the visitor as it comes, and is kept when all of it was there.

use http::{Response, StatusCode, response};
use http_body::Body as _;
use ship_core::CacheState;
use tokio::time::Instant;

use super::gathering::Gathering;
use super::place::{Place, note_asking};
use super::storable::storable;
use super::{Answered, Asks, CachingServer, Callee, Question, served};
use crate::body::EdgeBody;
use crate::failure::Failure;
use crate::functions::FunctionRequest;
use crate::kept::{AnswerKey, Kept, Leader, Outcome};
use crate::protocol::cache_control::leave_to_browsers;

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

/// Ends a call that others may wait for.
pub(super) fn finish(leader: Option<Leader>, outcome: Outcome) {
    if let Some(leader) = leader {
        leader.finish(outcome);
    }
}

fn copy(head: &response::Parts) -> response::Parts {
    let mut copy = Response::new(()).into_parts().0;
    (copy.status, copy.headers) = (head.status, head.headers.clone());
    copy
}
