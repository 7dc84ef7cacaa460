//! What every connection is, whatever is spoken on it: a machine of HTTP, the listener's orders and one timer, polled as one task.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use super::ConnectionLimits;
use super::shares::Pass;
use super::state::{ConnectionState, Order};

/// What a connection is driven with.
pub(super) trait Conversation: Future<Output = Result<(), Self::Error>> {
    /// Why it fails.
    type Error: std::error::Error;

    /// Whether the visitor is told before a connection ends on which no request is answered. One of HTTP/1.1 simply ends.
    const IS_ENDED_WITH_NOTICE: bool;

    /// Has the connection end after the requests in flight.
    fn end_after_requests(self: Pin<&mut Self>);
}

/// Drives a connection until it ends, until the listener ends it, or until the visitor was waited for long enough.
pub(super) async fn drive<C: Conversation>(
    conversation: C,
    mut pass: Pass,
    peer: SocketAddr,
    state: &ConnectionState,
    limits: ConnectionLimits,
) {
    let mut conversation = pin!(conversation);
    let mut watch = pin!(tokio::time::sleep(limits.header_read_timeout));
    let mut is_ending = false;
    poll_fn(|context| {
        let mut ends = false;
        match state.order(context) {
            Order::Close => return Poll::Ready(()),
            // Asked here, where no request can begin at the same time.
            Order::MakeRoom if state.waits_for_request() => return Poll::Ready(()),
            Order::MakeRoom | Order::Drain => ends = true,
            // One that can be told that nothing more is taken is told so; another is with its next response.
            Order::Leave => ends = C::IS_ENDED_WITH_NOTICE,
            Order::Serve => {}
        }
        loop {
            if ends && !is_ending && !state.is_calling() {
                is_ending = true;
                state.leaves();
                conversation.as_mut().end_after_requests();
            }
            let polled = pass.poll_in_turn(context, |context| {
                state.turn_begins();
                conversation.as_mut().poll(context)
            });
            if let Poll::Ready(ended) = polled {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection ended with an error");
                }
                return Poll::Ready(());
            }
            if poll_patience(watch.as_mut(), state, limits, context).is_pending() {
                return Poll::Pending;
            }
            if is_ending || !C::IS_ENDED_WITH_NOTICE || !state.only_waits() {
                return Poll::Ready(());
            }
            ends = true;
        }
    })
    .await;
}

/// Ready when the visitor has been waited for long enough.
///
/// The timer is not moved for each request: it is set to what is due when it fires, and moved only if something is due earlier.
pub(super) fn poll_patience(
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
