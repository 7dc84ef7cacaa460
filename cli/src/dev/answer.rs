//! Answering: no request overtakes an edit.

use std::error::Error as _;
use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use ship_core::RequestId;
use ship_edge::{Answer, EdgeBody, Visitor, VisitorBody, request_authority};
use tokio_util::sync::CancellationToken;

use super::failure_page;
use super::framework::{Framework, FrameworkState, Passage};
use super::reload::{self, EVENTS_PATH, News, SCRIPT_PATH};
use super::report::Report;
use super::shown::{Failure, View};
use super::watch::Watch;

/// Answers requests with the folder as it is when they arrive.
pub(super) struct DevAnswer {
    /// What was edited.
    pub(super) watch: Watch,
    /// What is shown, and what else pages are told.
    pub(super) news: News,
    /// The framework's own server.
    pub(super) framework: Framework,
    /// The way to it.
    pub(super) passage: Passage,
    /// Who may ask.
    pub(super) names: HostNames,
    /// Ends the streams of events.
    pub(super) stop: CancellationToken,
}

/// The host names under which a dev server answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HostNames {
    /// Those of this machine. A page of a stranger's site must not read the folder by having its own name lead here.
    ThisMachine,
    /// Any: somebody chose to be reached from other machines.
    Any,
}

impl Answer for DevAnswer {
    async fn answer(&self, request: Request<VisitorBody>, visitor: Visitor) -> Response<EdgeBody> {
        let authority = request_authority(request.uri(), request.headers());
        if self.names == HostNames::ThisMachine && !authority.is_some_and(is_this_machine) {
            return with_id(|_| refusal());
        }
        match request.uri().path() {
            SCRIPT_PATH => return with_id(|_| reload::script()),
            EVENTS_PATH => return with_id(|_| reload::events(self.news.clone(), self.stop.clone())),
            _ => {}
        }
        // What a framework's server answers has no edit to wait for: that server watches the folder itself.
        let at_once = leaves(&self.news.shown.borrow().view, &request);
        if let Some(headers) = at_once.filter(|_| self.framework.name().is_some()) {
            return self.pass(request, &visitor, &headers).await;
        }
        let view = self.now().await;
        if let Some(headers) = leaves(&view, &request).filter(|_| self.framework.name().is_some()) {
            return self.pass(request, &visitor, &headers).await;
        }
        let failed = |report: &Report| with_id(|id| failure_page::respond(request.headers(), report, id));
        let live = match view {
            View::Live(live) => live,
            View::Failed(failure) => match failure.pages {
                Some(pages) if !pages.asks_a_function(&request) => pages,
                _ => return failed(&failure.report),
            },
            View::Nothing => return failed(&Report::new("The dev server ends", "")),
        };
        live.edge.respond(&live.site, request, &visitor).await
    }
}

/// What the dev server answers itself, with an id as every answer of the edge has one.
fn with_id(answer: impl FnOnce(&RequestId) -> Response<EdgeBody>) -> Response<EdgeBody> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("the system gives random bytes to every process once it has started");
    let millis = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
    let id = RequestId::from_parts(millis, random);
    let mut response = answer(&id);
    let value = HeaderValue::from_str(id.as_str()).expect("an id consists of letters and digits");
    response.headers_mut().insert("x-ship-id", value);
    response
}

/// The headers with which a request is passed to a framework's server, where there is one. `None` if the site answers it.
fn leaves(view: &View, request: &Request<VisitorBody>) -> Option<Vec<(String, String)>> {
    match view {
        View::Nothing => None,
        View::Live(live) => live.leaves(request),
        View::Failed(Failure { pages: Some(pages), .. }) => {
            pages.leaves(request).filter(|_| !pages.asks_a_function(request))
        }
        // Nothing is known of routes. Functions are asked below `api/`, and pages elsewhere.
        View::Failed(Failure { pages: None, .. }) => (!request.uri().path().starts_with("/api/")).then(Vec::new),
    }
}

impl DevAnswer {
    /// Has the framework's server answer, as soon as it does.
    async fn pass(
        &self,
        request: Request<VisitorBody>,
        visitor: &Visitor,
        headers: &[(String, String)],
    ) -> Response<EdgeBody> {
        let wanted = request.headers().clone();
        let failed = |report: &Report| with_id(|id| failure_page::respond(&wanted, report, id));
        let gone = Report::new("The framework's server ends", "It is started again when a file is edited.");
        let port = match self.framework.settled().await {
            FrameworkState::Ready(port) => port,
            FrameworkState::Ended(report) => return failed(&report),
            FrameworkState::Absent | FrameworkState::Starting => return failed(&gone),
        };
        let mut response = match self.passage.pass(request, port, visitor, reload::script_of_framework()).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, cause = ?error.source(), "a request was not passed on");
                return failed(&Report::new(error.to_string(), "It may be starting again."));
            }
        };
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        let named = with_id(|_| Response::new(EdgeBody::empty()));
        response.headers_mut().extend(named.headers().clone());
        response
    }

    /// What is shown once it contains every edit that happened before the call.
    async fn now(&self) -> View {
        self.watch.catch_up().await;
        let wanted = self.watch.edits.count();
        let mut shown = self.news.shown.clone();
        match shown.wait_for(|shown| shown.edits >= wanted).await {
            Ok(shown) => shown.view.clone(),
            Err(_) => View::Nothing,
        }
    }
}

/// Whether an authority names this machine: by an address, which no stranger's name server can make up, or as `localhost`.
pub(super) fn is_this_machine(authority: &str) -> bool {
    let name = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

fn refusal() -> Response<EdgeBody> {
    let text =
        "ship dev answers to localhost and to addresses. `ship dev --listen` with another address lets others in.\n";
    let mut response = Response::new(EdgeBody::full(text));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of this machine, with and without ports; a name that only resolves to it is a stranger's.
    #[test]
    fn names() {
        for name in [
            "localhost:3000",
            "LOCALHOST",
            "site.localhost:3000",
            "127.0.0.1:3000",
            "[::1]:3000",
            "192.168.1.2",
            "localhost.",
        ] {
            assert!(is_this_machine(name), "{name}");
        }
        for name in
            ["evil.example", "localhost.evil.example:3000", "notlocalhost", "127.0.0.1.evil.example", "", "[::1"]
        {
            assert_eq!(is_this_machine(name), name == "[::1", "{name}");
        }
    }
}
