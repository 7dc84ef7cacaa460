//! Live reload: a script in every page, and a stream of events that tells it what is shown.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::json;
use ship_core::DeploymentId;
use ship_edge::EdgeBody;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::faults::Fault;
use super::framework::FrameworkState;
use super::report::Report;
use super::shown::{Shown, View};

/// The path of the script.
pub(super) const SCRIPT_PATH: &str = "/_ship/dev/reload.js";

/// The path of the events.
pub(super) const EVENTS_PATH: &str = "/_ship/dev/events";

/// The element that pages of one version of the site carry. A page thus knows what it shows: if that is not what is shown by
/// the time it listens, it loads itself again, and no change falls into the gap between the two.
pub(super) fn page_script(version: &DeploymentId) -> String {
    element(version.as_str())
}

/// The element of a page that stands for one that cannot be shown, with the report, escaped, that says why.
pub(super) fn script_of_no_version(report: &str) -> String {
    format!(r#"<script src="{SCRIPT_PATH}" data-version="" data-report="{report}"></script>"#)
}

/// The element of a page that a framework's own server made.
pub(super) fn script_of_framework() -> String {
    element("framework")
}

fn element(version: &str) -> String {
    format!(r#"<script src="{SCRIPT_PATH}" data-version="{version}"></script>"#)
}

/// The script.
pub(super) fn script() -> Response<EdgeBody> {
    let body = EdgeBody::full(Bytes::from_static(include_bytes!("reload.js")));
    with_type(Response::new(body), "text/javascript; charset=utf-8")
}

/// All that pages hear of.
#[derive(Clone)]
pub(super) struct News {
    /// What is shown.
    pub(super) shown: watch::Receiver<Shown>,
    /// How the framework's own server is.
    pub(super) framework: watch::Receiver<FrameworkState>,
    /// What went wrong in a function.
    pub(super) fault: watch::Receiver<Option<Fault>>,
}

impl News {
    /// What an open page is told: the whole state, so it matters not what it has missed. A failure says of which edit it is: one that was put
    /// aside is shown again after the next.
    fn message(&mut self) -> Option<Bytes> {
        let shown = self.shown.borrow_and_update();
        let (framework, fault) = (self.framework.borrow_and_update(), self.fault.borrow_and_update());
        let failed = |report: &Report| json!({ "failure": report, "edits": shown.edits });
        let state = match (&shown.view, &*framework, &*fault) {
            (View::Nothing, ..) => return None,
            (View::Failed(failure), ..) => failed(&failure.report),
            (View::Live(_), FrameworkState::Ended(report), _) => failed(report),
            (View::Live(_), _, Some(fault)) => failed(&fault.report),
            (View::Live(live), ..) => json!({ "version": live.version, "styles_since": live.styles_since }),
        };
        Some(format!("data: {state}\n\n").into())
    }

    /// Waits until something of it is different.
    async fn changed(&mut self) -> Option<()> {
        tokio::select! {
            changed = self.shown.changed() => changed.ok(),
            changed = self.framework.changed() => changed.ok(),
            changed = self.fault.changed() => changed.ok(),
        }
    }
}

/// What is shown now, and each time it changes, until `stop` or until nobody listens.
pub(super) fn events(news: News, stop: CancellationToken) -> Response<EdgeBody> {
    let body = EdgeBody::other(StreamBody::new(messages(news, stop)));
    with_type(Response::new(body), "text/event-stream")
}

fn messages(
    news: News,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static {
    // The first is due at once.
    let mut news = news;
    news.shown.mark_changed();
    stream::unfold((news, stop, None), |(mut news, stop, told)| async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                changed = news.changed() => changed?,
            }
            let message = news.message();
            if let Some(message) = message.filter(|message| told.as_ref() != Some(message)) {
                return Some((Ok(Frame::data(message.clone())), (news, stop, Some(message))));
            }
        }
    })
}

fn with_type(mut response: Response<EdgeBody>, media_type: &'static str) -> Response<EdgeBody> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::super::shown::Failure;
    use super::*;

    fn failed(line: &str) -> Shown {
        Shown { edits: 1, view: View::Failed(Failure { report: Report::new("No", line), pages: None }) }
    }

    /// Whoever listens hears what is shown at once, then what comes after and nothing twice, and the stream ends with the server.
    #[tokio::test]
    async fn states() {
        let shown = watch::Sender::new(failed("one"));
        let framework = watch::Sender::new(FrameworkState::Absent);
        let fault = watch::Sender::new(None);
        let news = News { shown: shown.subscribe(), framework: framework.subscribe(), fault: fault.subscribe() };
        let stop = CancellationToken::new();
        let mut messages = Box::pin(messages(news, stop.clone()));
        let mut next = async || messages.next().await.map(|frame| frame.unwrap().into_data().unwrap());
        assert_eq!(next().await.unwrap(), "data: {\"failure\":{\"title\":\"No\",\"lines\":[\"one\"]},\"edits\":1}\n\n");
        framework.send_replace(FrameworkState::Starting);
        shown.send_replace(failed("two"));
        assert_eq!(next().await.unwrap(), "data: {\"failure\":{\"title\":\"No\",\"lines\":[\"two\"]},\"edits\":1}\n\n");
        stop.cancel();
        assert_eq!(next().await, None);
    }
}
