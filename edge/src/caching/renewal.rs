//! A call behind a visitor's back: the visitor gets the stale answer, and one call makes the next.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode, response};
use http_body_util::Empty;
use jiff::Timestamp;
use ship_core::PlatformError;
use tokio::time::Instant;

use super::gathering::aside;
use super::place::{Place, note_asking};
use super::storable::storable;
use super::{CachingServer, Callee, Question};
use crate::failure::Failure;
use crate::kept::{AnswerKey, Leader, Outcome, Part, Read, read};
use crate::live_deployment::LiveDeployment;
use crate::meters::RequestKind;
use crate::passage;
use crate::protocol::cache_control::{is_of_a_page, leave_to_browsers};
use crate::protocol::headers;
use crate::request_id::new_request_id;
use crate::request_log::{RequestLog, Visit};

/// An answer that was made anew.
struct Made {
    head: response::Parts,
    /// All of its body, if that may be kept.
    body: Option<Bytes>,
}

/// A renewal on its way.
struct Renewal {
    server: CachingServer,
    deployment: Arc<LiveDeployment>,
    key: AnswerKey,
    question: Question,
}

impl CachingServer {
    /// Has a stale answer made anew. One call is made, whoever asks, and only so many at once.
    pub(super) fn renew(&self, callee: Callee<'_>, key: &AnswerKey, question: impl FnOnce() -> Question) {
        let Ok(place) = Arc::clone(&self.renewals).try_acquire_owned() else { return };
        let is_due = || self.shelf.is_due(key, Instant::now());
        let Some(Part::Leader(leader)) = self.calls.join(key, is_due) else { return };
        let (server, deployment) = (self.clone(), Arc::clone(callee.deployment));
        let renewal = Renewal { server, deployment, key: key.clone(), question: question() };
        let work = self.stop.clone().run_until_cancelled_owned(async move {
            let _place = place;
            renewal.run(leader).await;
        });
        self.spawn(async move {
            Box::pin(work).await;
        });
    }
}

impl Renewal {
    fn callee(&self) -> Callee<'_> {
        Callee { deployment: &self.deployment, function: self.key.function }
    }

    async fn run(self, leader: Leader) {
        let host = self.question.headers.get(HOST).cloned();
        let visit = Visit::of_host(new_request_id(Timestamp::now()), self.question.uri(), host);
        let mut log = RequestLog::begin(visit, Arc::clone(&self.deployment), Arc::clone(&self.server.desk));
        let deadline = self.deployment.deadline(self.key.function);
        let made = tokio::time::timeout(deadline, self.make(&log.visit)).await;
        let made = made.unwrap_or_else(|_| Err(PlatformError::FunctionInvocationTimeout.into()));
        (log.kind, log.function) = (RequestKind::Function, Some(self.key.function));
        (log.status, log.error) = match &made {
            Ok(made) => (made.head.status, None),
            Err(failure) => (failure.status, failure.error),
        };
        let length = made.as_ref().map_or(0, |made| made.body.as_ref().map_or(0, Bytes::len));
        // Those who have come meanwhile look for the answer when they learn of the end.
        let _ = aside(length, move || self.settle(made)).await;
        leader.finish(Outcome::Private);
    }

    async fn make(&self, visit: &Visit) -> Result<Made, Failure> {
        let Callee { deployment, function } = self.callee();
        let answer = self.server.functions.ask(deployment, function, visit, self.request()).await?;
        let (head, body) = answer.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(PlatformError::InvalidFunctionResponse.into());
        }
        let body = match read(body, self.server.shelf.max_answer_bytes()).await? {
            Read::Whole(body) => self.server.shelf.hold(&body),
            Read::TooLong(_) => None,
        };
        Ok(Made { head, body })
    }

    /// What the visitor asked, without what only that visitor's own copy of the answer is compared with.
    fn request(&self) -> Request<Empty<Bytes>> {
        let Question { headers, visitor, .. } = &self.question;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.question.uri();
        let sent = request.headers_mut();
        *sent = headers.clone();
        headers::drop_hop_by_hop(sent);
        headers::drop_conditions(sent);
        headers::set_forwarded(sent, visitor.peer.ip(), visitor.scheme.as_str());
        passage::mark(sent);
        request
    }

    /// Keeps what was made in the place of what is stale. A function that fails is left alone for a while, and what is stale stays.
    fn settle(&self, made: Result<Made, Failure>) {
        let (answers, now) = (&self.server.shelf, Instant::now());
        let Ok(Made { mut head, body }) = made else { return answers.rest(&self.deployment, &self.key, now) };
        if !is_of_a_page(head.status) {
            return answers.rest(&self.deployment, &self.key, now);
        }
        let storable = note_asking(self.callee(), &head.headers).and_then(|wish| storable(&head, wish));
        let place = storable.and_then(|storable| Place::find(&self.server, self.callee(), &self.question, storable));
        match (place, body) {
            (Some(place), Some(body)) => {
                leave_to_browsers(&mut head.headers);
                place.keep(&self.server, head, body);
            }
            _ => self.server.pass(&self.deployment, &self.key),
        }
    }
}
