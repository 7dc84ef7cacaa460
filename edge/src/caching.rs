//! Answers that their functions ask to have kept (`s-maxage`): served to all who ask the same, made by one call at a time, and made anew in the
//! background while they may be stale (RFC 9111, RFC 5861).
//!
//! Nothing is kept of a function that does not ask, and its visitors wait for nobody.
//!
//! | module | holds |
//! |---|---|
//! | `habit` | whether a function asks at all |
//! | `sharing` | which requests are for all, and what tells their answers apart |
//! | `storable` | which answers may be kept |
//! | `making` | a call in front of a visitor, and what becomes of its answer |
//! | `place` | where an answer is kept |
//! | `gathering` | an answer that is kept on its way to the visitor |
//! | `renewal` | a call behind a visitor's back |

mod gathering;
mod habit;
mod making;
mod place;
mod renewal;
mod sharing;
mod storable;

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Response, Uri};
use ship_core::{CacheState, FunctionIndex};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::EdgeBody;
use crate::failure::Failure;
use crate::functions::{FunctionRequest, FunctionServer};
use crate::kept::{AnswerKey, Calls, Entry, Kept, Outcome, Part, Shelf, Stage};
use crate::live_deployment::LiveDeployment;
use crate::passage;
use crate::protocol::headers;
use crate::request_log::LogDesk;
use crate::visitor::Visitor;
use making::Making;

pub(crate) use habit::{Asks, CachingHabit};
pub(crate) use sharing::Sharing;

/// How long visitors wait for each other's answer while it is not known whether their function asks for anything to be kept. nginx waits 5 s
/// (`proxy_cache_lock_timeout`), where somebody asked for that; here most functions never ask.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(1);

/// How many answers are made anew in the background at once, for all functions. A visitor who finds no place gets the stale answer all the same.
const RENEWALS: usize = 64;

/// Serves answers that are kept because their functions ask for it. A cheap handle: clones are the same server.
#[derive(Clone)]
pub(crate) struct CachingServer {
    functions: Arc<FunctionServer>,
    desk: Arc<LogDesk>,
    shelf: Arc<Shelf>,
    calls: Arc<Calls>,
    renewals: Arc<Semaphore>,
    /// What reads answers to their end, and what makes them anew.
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A function, as it is asked.
#[derive(Clone, Copy)]
pub(crate) struct Callee<'d> {
    pub(crate) deployment: &'d Arc<LiveDeployment>,
    pub(crate) function: FunctionIndex,
}

/// How a visitor's request was answered.
pub(crate) struct Answered {
    pub(crate) answer: Result<Response<EdgeBody>, Failure>,
    /// Where the answer came from. `None` where its function never asked for anything to be kept.
    pub(crate) state: Option<CacheState>,
}

/// A question as it was asked, for the time after it was given away.
struct Question {
    method: Method,
    target: PathAndQuery,
    headers: HeaderMap,
    visitor: Visitor,
    /// The key before it is known which headers tell answers apart.
    base: AnswerKey,
}

impl Callee<'_> {
    fn asks(&self) -> Asks {
        self.deployment.habit(self.function).asks()
    }

    /// How long others' answer is waited for.
    fn patience(&self) -> Duration {
        match self.asks() {
            Asks::AtTimes => self.deployment.deadline(self.function),
            Asks::Unknown | Asks::Never => UNKNOWN_PATIENCE,
        }
    }

    /// What is told of an answer that is not kept.
    fn unkept(&self) -> Option<CacheState> {
        (self.asks() == Asks::AtTimes).then_some(CacheState::Bypass)
    }
}

impl CachingServer {
    /// A server that keeps answers on this shelf.
    pub(crate) fn new(functions: Arc<FunctionServer>, desk: Arc<LogDesk>, shelf: Arc<Shelf>) -> Self {
        let (calls, renewals) = (Arc::default(), Arc::new(Semaphore::new(RENEWALS)));
        Self { functions, desk, shelf, calls, renewals, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Ends what is done behind visitors' backs.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Answers a request that a function is to answer.
    pub(crate) async fn serve(
        &self,
        callee: Callee<'_>,
        mut request: FunctionRequest<'_>,
        sharing: Sharing,
    ) -> Answered {
        // First what costs nothing: most functions never ask.
        let is_off = callee.asks() == Asks::Never || sharing == Sharing::Forbidden;
        if is_off || !sharing::is_for_all(&request.parts, &request.body) {
            return self.alone(callee, request).await;
        }
        let uri = request.function_uri();
        let (parts, scheme) = (&request.parts, request.visitor.scheme);
        let target = sharing::target_of(&uri);
        let Some(base) = sharing::key(callee.deployment, callee.function, parts, &target, scheme) else {
            return self.alone(callee, request).await;
        };
        let mut waited_for = None;
        while callee.asks() != Asks::Never {
            let now = Instant::now();
            let Some((key, entry)) = self.look_up(&base, &request.parts.headers, now) else { break };
            let is_passed = matches!(entry, Some(Entry::Passed(_)));
            let fallback = match entry {
                Some(Entry::Kept(kept)) if may_serve(&kept, now) => {
                    if kept.is_due(now) {
                        let question = || Question::of(&request, &target, &base);
                        self.renew(callee, &key, question);
                    }
                    return served(&kept, now, &request.parts.method, &request.parts.headers);
                }
                Some(Entry::Kept(kept)) => Some(kept),
                _ => None,
            };
            if request.parts.method == Method::HEAD {
                break;
            }
            // Who has waited in vain, or is a part of what a function itself asks, waits for nobody.
            let waits =
                !is_passed && waited_for.as_ref() != Some(&key) && !passage::came_through(&request.parts.headers);
            let part = if waits { self.calls.join(&key, || !self.has(&key)) } else { None };
            let leader = match part {
                Some(Part::Follower(follower)) => {
                    let patience = callee.patience();
                    // Of a call that was given up nothing is known, so somebody else makes it.
                    match tokio::time::timeout(patience, follower.outcome()).await {
                        Ok(Outcome::GivenUp) => {}
                        _ => waited_for = Some(key),
                    }
                    continue;
                }
                Some(Part::Leader(leader)) => Some(leader),
                None if waits => continue,
                None => None,
            };
            let question = Question::of(&request, &target, &base);
            if callee.asks() == Asks::AtTimes && !is_passed {
                // What would tell the visitor that nothing has changed could not be kept. The edge tells it.
                headers::drop_conditions(&mut request.parts.headers);
            }
            let making = Making { server: self, callee, key, question, leader, fallback };
            return making.run(request).await;
        }
        self.alone(callee, request).await
    }

    /// Whether there is an answer that may be served without a call.
    fn has(&self, key: &AnswerKey) -> bool {
        let now = Instant::now();
        match self.shelf.find(key, now) {
            Some(Entry::Kept(kept)) => may_serve(&kept, now),
            Some(Entry::Varies(_) | Entry::Passed(_)) => true,
            None => false,
        }
    }

    /// What is known of an answer to a request with these headers, and under which key. `None` where the request is too long for one.
    fn look_up(&self, base: &AnswerKey, headers: &HeaderMap, now: Instant) -> Option<(AnswerKey, Option<Entry>)> {
        match self.shelf.find(base, now) {
            Some(Entry::Varies(names)) => {
                let key = sharing::key_of_variant(base, &names, headers)?;
                let entry = self.shelf.find(&key, now);
                Some((key, entry))
            }
            entry => Some((base.clone(), entry)),
        }
    }

    /// Asks the function for one visitor. Nothing is kept of the answer; that it asks for it is noted.
    async fn alone(&self, callee: Callee<'_>, request: FunctionRequest<'_>) -> Answered {
        let answer = self.functions.invoke(callee.deployment, callee.function, request).await;
        if let Ok(answer) = &answer {
            place::note_asking(callee, answer.headers());
        }
        Answered { answer, state: callee.unkept() }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }
}

/// Whether an answer may be served without asking the function first.
fn may_serve(kept: &Kept, now: Instant) -> bool {
    match kept.stage(now) {
        Stage::Fresh | Stage::Stale => true,
        // The function has just failed.
        Stage::OnError => kept.rests(now),
        Stage::Over => false,
    }
}

/// An answer that was kept.
fn served(kept: &Kept, now: Instant, method: &Method, headers: &HeaderMap) -> Answered {
    Answered { answer: Ok(kept.answer.respond(method, headers)), state: Some(kept.state(now)) }
}

impl Question {
    fn of(request: &FunctionRequest<'_>, target: &PathAndQuery, base: &AnswerKey) -> Self {
        let (method, headers) = (request.parts.method.clone(), request.parts.headers.clone());
        Self { method, target: target.clone(), headers, visitor: *request.visitor, base: base.clone() }
    }

    fn uri(&self) -> Uri {
        Uri::from(self.target.clone())
    }
}
