//! One connection: hyper's machine, the listener's orders and one timer, polled as one task.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::Sleep;

use super::head_guard::ends_guarding;
use super::state::{ConnectionState, HeadTimer, Order};
use super::stream::VisitorStream;
use super::{Answer, ConnectionLimits};

/// Serves a connection until it ends, or until its socket goes over to an upgrade.
pub(super) async fn run<A: Answer>(
    stream: VisitorStream,
    peer: SocketAddr,
    state: Arc<ConnectionState>,
    answer: Arc<A>,
    limits: ConnectionLimits,
) {
    let own = Arc::clone(&state);
    let service = service_fn(move |request| {
        let (answer, state) = (Arc::clone(&answer), Arc::clone(&own));
        async move {
            let is_last = ends_guarding(&request);
            let mut response = answer.answer(request, peer).await;
            if (is_last || state.is_leaving()) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    // Not `pipeline_flush`: with it hyper buffers a response without bound while the visitor does not read.
    let http = http1::Builder::new()
        .timer(HeadTimer(Arc::clone(&state)))
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut http = pin!(http);
    let mut watch = pin!(tokio::time::sleep(limits.header_read_timeout));
    let mut is_draining = false;
    poll_fn(|context| {
        match state.order(context) {
            Order::Close => return Poll::Ready(()),
            // Asked here, where no request can begin at the same time.
            Order::MakeRoom if state.waits_for_request() => return Poll::Ready(()),
            Order::MakeRoom | Order::Drain if !is_draining => {
                is_draining = true;
                http.as_mut().graceful_shutdown();
            }
            Order::Serve | Order::MakeRoom | Order::Leave | Order::Drain => {}
        }
        if let Poll::Ready(ended) = http.as_mut().poll(context) {
            if let Err(error) = ended {
                tracing::debug!(%error, %peer, "a connection ended with an error");
            }
            return Poll::Ready(());
        }
        poll_patience(watch.as_mut(), &state, limits, context)
    })
    .await;
}

/// Ready when the visitor has been waited for long enough.
///
/// The timer is not moved for each request: it is set to what is due when it fires, and moved only if something is due earlier.
fn poll_patience(
    mut watch: Pin<&mut Sleep>,
    state: &ConnectionState,
    limits: ConnectionLimits,
    context: &mut Context<'_>,
) -> Poll<()> {
    let due = state.due();
    if let Some(due) = due.filter(|due| *due < watch.deadline().into_std()) {
        watch.as_mut().reset(due.into());
    }
    while watch.as_mut().poll(context).is_ready() {
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) {
            return Poll::Ready(());
        }
        watch.as_mut().reset(due.unwrap_or(now + limits.idle_timeout).into());
    }
    Poll::Pending
}
