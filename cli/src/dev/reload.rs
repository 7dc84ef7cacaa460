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

/// The element of a page that shows no version of the site.
pub(super) fn script_of_no_version() -> String {
    element("")
}

fn element(version: &str) -> String {
    format!(r#"<script src="{SCRIPT_PATH}" data-version="{version}"></script>"#)
}

/// The script.
pub(super) fn script() -> Response<EdgeBody> {
    let body = EdgeBody::full(Bytes::from_static(include_bytes!("reload.js")));
    with_type(Response::new(body), "text/javascript; charset=utf-8")
}

/// What is shown now, and each time it changes, until `stop` or until nobody listens.
pub(super) fn events(shown: watch::Receiver<Shown>, stop: CancellationToken) -> Response<EdgeBody> {
    let body = EdgeBody::other(StreamBody::new(messages(shown, stop)));
    with_type(Response::new(body), "text/event-stream")
}

fn messages(
    shown: watch::Receiver<Shown>,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static {
    // The first is due at once.
    let mut shown = shown;
    shown.mark_changed();
    stream::unfold((shown, stop), |(mut shown, stop)| async {
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                changed = shown.changed() => changed.ok()?,
            }
            let message = message(&shown.borrow_and_update().view);
            if let Some(message) = message {
                return Some((Ok(Frame::data(message)), (shown, stop)));
            }
        }
    })
}

/// One event of the stream. A page that is open is told the whole state, so it matters not what it has missed.
fn message(view: &View) -> Option<Bytes> {
    let state = match view {
        View::Nothing => return None,
        View::Live(live) => json!({ "version": live.version, "styles_since": live.styles_since }),
        View::Failed(failure) => json!({ "failure": failure.lines }),
    };
    Some(format!("data: {state}\n\n").into())
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
        Shown { edits: 1, view: View::Failed(Failure { lines: [line.to_owned()].into(), pages: None }) }
    }

    /// Whoever listens hears what is shown at once, then what comes after, and the stream ends with the server.
    #[tokio::test]
    async fn states() {
        let shown = watch::Sender::new(failed("one"));
        let stop = CancellationToken::new();
        let mut messages = Box::pin(messages(shown.subscribe(), stop.clone()));
        let mut next = async || messages.next().await.map(|frame| frame.unwrap().into_data().unwrap());
        assert_eq!(next().await.unwrap(), "data: {\"failure\":[\"one\"]}\n\n");
        shown.send_replace(failed("two"));
        assert_eq!(next().await.unwrap(), "data: {\"failure\":[\"two\"]}\n\n");
        stop.cancel();
        assert_eq!(next().await, None);
    }
}
