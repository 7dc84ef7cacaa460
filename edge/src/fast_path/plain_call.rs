//! A plain request that a function answers.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::header::{SET_COOKIE, TRAILER};
use http::{Response, StatusCode};
use ship_core::FunctionIndex;
use ship_runtime::{AtOnce, CallAtOnce, FunctionBody};

use super::Announcement;
use super::continuation::{Continuation, Going};
use super::ready_answer::{AnswerHead, ReadyAnswer};
use crate::edge::{Site, complete};
use crate::functions::FunctionServer;
use crate::meters::RequestKind;
use crate::protocol::cache_control::wished;
use crate::protocol::headers::add_vary;
use crate::request_log::RequestLog;

/// A plain request that a warm function was given.
pub struct PlainCall {
    pub(crate) call: CallAtOnce,
    pub(crate) function: FunctionIndex,
    pub(crate) functions: Arc<FunctionServer>,
    pub(crate) site: Site,
    /// Whether the answer depends on the origin that asks.
    pub(crate) cors: CrossOrigin,
    pub(crate) asked: Instant,
    /// What the host says.
    pub(crate) announcement: Announcement,
    pub(crate) log: RequestLog,
}

/// What cross-origin rules say of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CrossOrigin {
    /// Nothing.
    NoRule,
    /// The answer would be another for another origin. This request says none.
    Varies,
}

/// What became of a call.
#[expect(clippy::large_enum_variant, reason = "it is moved once, and the larger one is the usual")]
pub(crate) enum Called {
    /// It is answered.
    Answered(ReadyAnswer),
    /// The answer takes more than that.
    GoesOn(Continuation),
}

impl PlainCall {
    /// Waits for what becomes of it. To be asked until it is there.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<AtOnce> {
        self.call.poll(context)
    }

    /// Makes an answer of what became of it.
    pub(crate) fn finish(self, answered: AtOnce) -> Called {
        let Self { function, functions, site, cors, asked, announcement, mut log, .. } = self;
        let response = match answered {
            AtOnce::Whole(response) if is_plain(&response) => response,
            AtOnce::Whole(response) => {
                return Called::GoesOn(Continuation::new(site, log, asked, Going::Answered(response)));
            }
            AtOnce::Begun(begun) => return Called::GoesOn(Continuation::new(site, log, asked, Going::Begun(begun))),
        };
        let response = functions.answered(&site.deployment, function, &log.visit, asked, response);
        let (mut head, mut body) = response.into_parts();
        let body = body.take_received().unwrap_or_default();
        if cors == CrossOrigin::Varies {
            add_vary(&mut head.headers, &["Origin"]);
        }
        complete(&site, &log.visit, &mut head.headers);
        (log.status, log.kind, log.function) = (head.status, RequestKind::Function, Some(function));
        let head = AnswerHead::Made { status: head.status, headers: head.headers, body_bytes: body.len() };
        Called::Answered(ReadyAnswer { head, body: body.into(), log }.announcing(announcement))
    }
}

/// Whether an answer is written like that of a file: it has a body of its own length, or none that anything would be said of, and nothing in
/// its head is somebody else's to change or to follow.
fn is_plain(response: &Response<FunctionBody>) -> bool {
    let has_usual_body =
        !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = response.headers();
    has_usual_body && !headers.contains_key(SET_COOKIE) && !headers.contains_key(TRAILER) && wished(headers).is_none()
}
