//! Answering: no request overtakes an edit.

use std::net::IpAddr;

use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;
use ship_core::RequestId;
use ship_edge::{Answer, EdgeBody, Visitor, VisitorBody, request_authority};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failure_page;
use super::reload::{self, EVENTS_PATH, SCRIPT_PATH};
use super::shown::{Shown, View};
use super::watch::Watch;

/// Answers requests with the folder as it is when they arrive.
pub(super) struct DevAnswer {
    /// What was edited.
    pub(super) watch: Watch,
    /// What is shown.
    pub(super) shown: watch::Receiver<Shown>,
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
            EVENTS_PATH => return with_id(|_| reload::events(self.shown.clone(), self.stop.clone())),
            _ => {}
        }
        let failed = |lines: &[String]| with_id(|id| failure_page::respond(request.headers(), lines, id));
        let live = match self.now().await {
            View::Live(live) => live,
            View::Failed(failure) => match failure.pages {
                Some(pages) if !pages.asks_a_function(&request) => pages,
                _ => return failed(&failure.lines),
            },
            View::Nothing => return failed(&["The dev server ends".to_owned()]),
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

impl DevAnswer {
    /// What is shown once it contains every edit that happened before the call.
    async fn now(&self) -> View {
        self.watch.catch_up().await;
        let wanted = self.watch.edits.count();
        let mut shown = self.shown.clone();
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
