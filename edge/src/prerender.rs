//! Prerendered pages: answers of functions that are kept for all visitors, served while they are fresh, and made anew in the
//! background when they are not.
//!
//! | module | holds |
//! |---|---|
//! | `page` | what a function is asked: nothing of the visitor but what tells one answer from another |
//! | `rules` | which answers may be kept |
//! | `making` | the call itself |

mod making;
mod page;
mod rules;

use std::sync::Arc;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Method, Response, request};
use jiff::Timestamp;
use ship_core::{CacheState, Fallback, FunctionIndex, PlatformError, Prerender};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assets::AssetServer;
use crate::body::EdgeBody;
use crate::failure::Failure;
use crate::functions::FunctionServer;
use crate::kept::{Answer, Calls, Entry, Kept, Outcome, Part, Shelf};
use crate::live_deployment::LiveDeployment;
use crate::passage;
use crate::protocol::cache_control::is_of_a_page;
use crate::protocol::headers::{self, PRERENDER_REVALIDATE};
use crate::request_log::{LogDesk, Visit};
use crate::visitor::Visitor;
use page::Page;

/// The cookie of somebody who looks at drafts.
const BYPASS_COOKIE: &str = "__prerender_bypass";

/// Serves prerendered pages. A cheap handle: clones are the same server.
#[derive(Clone)]
pub(crate) struct PrerenderServer {
    functions: Arc<FunctionServer>,
    assets: Arc<AssetServer>,
    desk: Arc<LogDesk>,
    pages: Arc<Shelf>,
    calls: Arc<Calls>,
    /// The calls that are being made, whether somebody waits for them or not.
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A visitor's request for a page.
pub(crate) struct PageRequest<'r> {
    pub(crate) deployment: &'r Arc<LiveDeployment>,
    pub(crate) function: FunctionIndex,
    pub(crate) prerender: &'r Prerender,
    /// The visitor's query, and what routes made of the path.
    pub(crate) query: Option<&'r str>,
    pub(crate) parts: &'r request::Parts,
    pub(crate) visitor: &'r Visitor,
    pub(crate) visit: &'r Visit,
}

/// How a visitor's request was answered.
pub(crate) struct Served {
    pub(crate) answer: Result<Response<EdgeBody>, Failure>,
    pub(crate) state: CacheState,
}

/// Whether a request is for what is kept. Any other goes to the function as it is: one that changes something, and that of
/// somebody who looks at drafts.
pub(crate) fn is_for_kept(prerender: &Prerender, parts: &request::Parts) -> bool {
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    reads && !has_bypass_cookie(prerender, &parts.headers)
}

fn has_bypass_cookie(prerender: &Prerender, headers: &HeaderMap) -> bool {
    let Some(token) = &prerender.bypass_token else { return false };
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.any(|(name, value)| name == BYPASS_COOKIE && token.is(value.as_bytes()))
}

impl PrerenderServer {
    /// A server that keeps pages on this shelf.
    pub(crate) fn new(
        functions: Arc<FunctionServer>,
        assets: Arc<AssetServer>,
        desk: Arc<LogDesk>,
        pages: Arc<Shelf>,
    ) -> Self {
        Self {
            functions,
            assets,
            desk,
            pages,
            calls: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Ends the calls that are being made.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Answers a request for a page.
    pub(crate) async fn serve(&self, request: &PageRequest<'_>) -> Served {
        let page = match Self::page(request) {
            Ok(page) => page,
            Err(failure) => return Served { answer: Err(failure), state: CacheState::Bypass },
        };
        let token = request.parts.headers.get(PRERENDER_REVALIDATE);
        let token =
            token.filter(|sent| request.prerender.bypass_token.as_ref().is_some_and(|own| own.is(sent.as_bytes())));
        if let Some(token) = token {
            return self.make_anew(page.asked_anew(token.clone()), request).await;
        }
        loop {
            let now = Instant::now();
            match self.known(&page, request.prerender, now).await {
                Some(Entry::Kept(kept)) => {
                    if kept.is_due(now) {
                        self.make_later(&page);
                    }
                    return Served { answer: Ok(respond(&kept.answer, request.parts)), state: kept.state(now) };
                }
                Some(Entry::Passed(_)) => return self.pass(&page, request).await,
                // Pages are told apart by parameters alone.
                Some(Entry::Varies(_)) | None => {}
            }
            let part = self.calls.join(&page.key, || self.pages.find(&page.key, Instant::now()).is_none());
            if let Some(part) = part {
                return self.take_part(part, page, request, CacheState::Miss).await;
            }
        }
    }

    fn page(request: &PageRequest<'_>) -> Result<Page, Failure> {
        passage::check_circles(&request.parts.headers)?;
        let PageRequest { deployment, function, prerender, query, visitor, .. } = *request;
        Ok(Page::new(deployment, function, prerender, query, visitor.scheme)?)
    }

    /// What is known of a page; at first that is the answer that was made with the site.
    async fn known(&self, page: &Page, prerender: &Prerender, now: Instant) -> Option<Entry> {
        if let Some(entry) = self.pages.find(&page.key, now) {
            return Some(entry);
        }
        let fallback = prerender.fallback.as_ref().filter(|_| !self.pages.knows(&page.key))?;
        let answer = self.fallback(page, fallback).await?;
        let kept = if page.is_plain() {
            let age = Timestamp::now().duration_since(page.deployment.made_at()).unsigned_abs();
            Kept::made_before(answer, prerender.expiration, age, now)
        } else {
            Kept::in_place(answer, now)
        };
        self.pages.keep_first(&page.deployment, &page.key, kept.clone());
        Some(Entry::Kept(kept))
    }

    async fn fallback(&self, page: &Page, fallback: &Fallback) -> Option<Arc<Answer>> {
        if fallback.size_bytes > self.pages.max_answer_bytes() as u64 {
            return None;
        }
        // What is wrong with the blob is in the host's log; the function can make the page.
        let body = self.assets.content(fallback.digest).await.ok()?;
        let mut head = Response::builder().status(fallback.status);
        for (name, value) in &fallback.headers {
            head = head.header(name, value);
        }
        let mut head = head.body(()).ok()?.into_parts().0;
        // What an adapter wrote down of an answer, not what may be said to everybody.
        headers::drop_hop_by_hop(&mut head.headers);
        headers::drop_platform(&mut head.headers);
        head.headers.remove(SET_COOKIE);
        Some(Arc::new(Answer::new(head, body, page.deployment.made_at())))
    }

    /// Has a page made anew for somebody who may, and answers with it.
    async fn make_anew(&self, page: Page, request: &PageRequest<'_>) -> Served {
        if let Some(running) = self.calls.running(&page.key) {
            // It may have read what has changed since.
            running.outcome().await;
        }
        match self.calls.join(&page.key, || true) {
            Some(part) => self.take_part(part, page, request, CacheState::Revalidated).await,
            None => self.pass(&page, request).await,
        }
    }

    /// Makes the call that makes a page, or waits for the one that is being made.
    async fn take_part(&self, part: Part, page: Page, request: &PageRequest<'_>, state: CacheState) -> Served {
        let (private, outcome) = match part {
            Part::Follower(follower) => (None, follower.outcome().await),
            Part::Leader(leader) => {
                let (sender, private) = oneshot::channel();
                let follower = leader.follower();
                let visit = Arc::new(page.visit(request.visit.id));
                let (server, page, call) = (self.clone(), page.clone(), Arc::clone(&visit));
                self.spawn(async move {
                    server.make(leader, page, &call, Some(sender)).await;
                });
                let outcome = follower.outcome().await;
                request.visit.findings.follow(&visit.findings);
                (Some(private), outcome)
            }
        };
        match (outcome, private) {
            (Outcome::Told(answer), _) => {
                let state = if is_of_a_page(answer.status()) { state } else { CacheState::Miss };
                Served { answer: Ok(respond(&answer, request.parts)), state }
            }
            (Outcome::Failed(failure), _) => Served { answer: Err(failure), state: CacheState::Miss },
            (Outcome::GivenUp, _) => Served { answer: Err(PlatformError::Internal.into()), state: CacheState::Miss },
            (Outcome::Private, Some(private)) => match private.await {
                Ok(answer) => Served { answer: Ok(made_for(request.parts, answer)), state: CacheState::Miss },
                Err(_) => self.pass(&page, request).await,
            },
            (Outcome::Private, None) => self.pass(&page, request).await,
        }
    }

    /// Asks the function for one visitor.
    async fn pass(&self, page: &Page, request: &PageRequest<'_>) -> Served {
        let asked = self.functions.ask(&page.deployment, page.function, request.visit, page.request()).await;
        let answer = asked.map(|answer| made_for(request.parts, answer.map(EdgeBody::function)));
        Served { answer, state: CacheState::Miss }
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let work = self.stop.clone().run_until_cancelled_owned(work);
        self.tasks.spawn(async move {
            work.await;
        });
    }
}

fn respond(answer: &Answer, asked: &request::Parts) -> Response<EdgeBody> {
    answer.respond(&asked.method, &asked.headers)
}

/// An answer that is for one visitor. Functions are asked with `GET`, whatever the visitor asked with.
fn made_for(asked: &request::Parts, mut answer: Response<EdgeBody>) -> Response<EdgeBody> {
    if asked.method == Method::HEAD {
        *answer.body_mut() = EdgeBody::empty();
    }
    answer
}
