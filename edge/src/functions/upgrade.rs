//! WebSocket connections: two connections that have left HTTP, joined until either ends.

use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderValue, Method};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use ship_runtime::Upgraded;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The only protocol that a connection is handed over to. Others, `h2c` above all, would carry requests that nobody looked at.
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Whether a request asks for a WebSocket.
pub(super) fn asks_for_websocket(method: &Method, headers: &HeaderMap) -> bool {
    let names_upgrade = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| value.split(',').any(|name| name.trim().eq_ignore_ascii_case("upgrade")))
    };
    *method == Method::GET
        && headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
        && headers.get_all(CONNECTION).iter().any(names_upgrade)
        && headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Says in a message that its connection becomes a WebSocket.
pub(super) fn announce(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Joins the visitor's connection with the function's in a task of `tasks`, until either ends or `stop`.
pub(super) fn join(visitor: OnUpgrade, mut function: Upgraded, tasks: &TaskTracker, stop: CancellationToken) {
    tasks.spawn(async move {
        let joined = async {
            let mut visitor = TokioIo::new(visitor.await?);
            tokio::io::copy_bidirectional(&mut visitor, &mut function).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        if let Some(Err(error)) = stop.run_until_cancelled(joined).await {
            tracing::debug!(%error, "a WebSocket ended with an error");
        }
    });
}
