//! The call that makes a page. It goes on when the visitor who caused it leaves, because others may wait for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use ship_core::PlatformError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::PrerenderServer;
use super::page::Page;
use super::rules::{Keeping, keeping};
use crate::body::EdgeBody;
use crate::failure::Failure;
use crate::kept::{Answer, Kept, Leader, Outcome, Part, Read, read};
use crate::meters::RequestKind;
use crate::protocol::cache_control::is_of_a_page;
use crate::request_id::new_request_id;
use crate::request_log::{RequestLog, Visit};

/// How long visitors are led straight to a function that has answered one of them alone, instead of waiting for each other.
const PASSING: Duration = Duration::from_secs(10);

/// What a function made of a page.
enum Made {
    /// A whole answer.
    Whole(Answer, Keeping),
    /// An answer for one visitor, on its way.
    Private(Box<Response<EdgeBody>>),
}

impl PrerenderServer {
    /// Has a stale page made anew while its visitors get the stale answer. One call is made, whoever asks.
    pub(super) fn make_later(&self, page: &Page) {
        let is_due = || self.pages.is_due(&page.key, Instant::now());
        let Some(Part::Leader(leader)) = self.calls.join(&page.key, is_due) else { return };
        let (server, page) = (self.clone(), page.clone());
        self.spawn(async move {
            let visit = page.visit(new_request_id(Timestamp::now()));
            let mut log = RequestLog::begin(visit, Arc::clone(&page.deployment), Arc::clone(&server.desk));
            (log.status, log.kind, log.function) = (StatusCode::OK, RequestKind::Prerendered, Some(page.function));
            (log.status, log.error) = server.make(leader, page, &log.visit, None).await;
        });
    }

    /// Asks the function and keeps what it answers, if that may be kept. An answer for one visitor goes to whoever holds the
    /// other end of `private`. Gives what the log says of it.
    pub(super) async fn make(
        self,
        leader: Leader,
        page: Page,
        visit: &Visit,
        private: Option<oneshot::Sender<Response<EdgeBody>>>,
    ) -> (StatusCode, Option<PlatformError>) {
        let made = tokio::time::timeout(page.deadline(), self.made(&page, visit)).await;
        let made = made.unwrap_or_else(|_| Err(PlatformError::FunctionInvocationTimeout.into()));
        let (status, error, outcome) = self.settle(&page, made, private);
        leader.finish(outcome);
        (status, error)
    }

    /// Keeps what was made. What is kept is there before those who wait look for it.
    fn settle(
        &self,
        page: &Page,
        made: Result<Made, Failure>,
        private: Option<oneshot::Sender<Response<EdgeBody>>>,
    ) -> (StatusCode, Option<PlatformError>, Outcome) {
        let now = Instant::now();
        let expiration = page.prerender().map(|prerender| prerender.expiration);
        match made {
            Ok(Made::Whole(answer, keeping)) => {
                let (status, answer) = (answer.status(), Arc::new(answer));
                match expiration {
                    Some(expiration) if keeping == Keeping::Kept => {
                        self.pages.keep(
                            &page.deployment,
                            &page.key,
                            Kept::made_now(Arc::clone(&answer), expiration, now),
                        );
                    }
                    _ => self.pages.rest(&page.deployment, &page.key, now),
                }
                (status, None, Outcome::Told(answer))
            }
            Ok(Made::Private(answer)) => {
                let status = answer.status();
                if is_of_a_page(status) {
                    self.pages.pass(&page.deployment, &page.key, now + PASSING);
                } else {
                    self.pages.rest(&page.deployment, &page.key, now);
                }
                // Nobody is there to get it where the visitor has left.
                let _ = private.and_then(|private| private.send(*answer).err());
                (status, None, Outcome::Private)
            }
            Err(failure) => {
                self.pages.rest(&page.deployment, &page.key, now);
                (failure.status, failure.error, Outcome::Failed(failure))
            }
        }
    }

    async fn made(&self, page: &Page, visit: &Visit) -> Result<Made, Failure> {
        let answer = self.functions.ask(&page.deployment, page.function, visit, page.request()).await?;
        let (head, body) = answer.into_parts();
        let keeping = keeping(&head);
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(PlatformError::InvalidFunctionResponse.into());
        }
        if keeping == Keeping::Private {
            return Ok(Made::Private(Box::new(Response::from_parts(head, EdgeBody::function(body)))));
        }
        match read(body, self.pages.max_answer_bytes()).await? {
            // What was read in pieces has room behind it that would be kept with it.
            Read::Whole(body) => {
                Ok(Made::Whole(Answer::new(head, Bytes::copy_from_slice(&body), Timestamp::now()), keeping))
            }
            Read::TooLong(body) => Ok(Made::Private(Box::new(Response::from_parts(head, *body)))),
        }
    }
}
