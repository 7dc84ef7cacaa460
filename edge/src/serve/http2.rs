//! A connection in HTTP/2: many requests at once, each a task of its own.
//!
//! What a connection may hold, whatever its visitor does: [`MAX_STREAMS`] heads of `max_header_bytes`, [`CONNECTION_WINDOW`] bytes of
//! bodies that nobody has read yet, and for each stream [`SEND_BUFFER_BYTES`] and a piece of a response that the visitor does not take.
//! All connections of a listener together answer as many requests at once as there may be connections, and one for each: see
//! [`StreamPlaces`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::task::TaskTracker;

use super::as_http1::as_http1;
use super::drive::{Conversation, drive};
use super::pace::{PacedBody, needs_no_answer};
use super::shares::Pass;
use super::state::ConnectionState;
use super::stream::{Socket, VisitorStream};
use super::streams::{MAX_STREAMS, StreamPlaces, Streams};
use super::{Answer, ConnectionLimits};
use crate::visitor::Visitor;
use crate::visitor_body::VisitorBody;

/// How much of one request's body may be under way before it is read, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How much of a response the connection keeps for a visitor who does not take it, in bytes.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// How many streams may have been reset before they were looked at, and how many of the visitor's mistakes are answered with a reset.
/// Beyond it the connection ends with `ENHANCE_YOUR_CALM` (CVE-2023-44487, CVE-2025-8671).
const MAX_RESETS: usize = 20;

/// How often a visitor from whom nothing came is asked whether they are there, and for how long an answer is waited for. It finds those
/// whose network is gone while events are sent to them.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// Serves a connection until it ends. Its requests are tasks of `tasks`.
pub(super) async fn run<S: Socket, A: Answer>(
    stream: VisitorStream<S>,
    visitor: Visitor,
    state: Arc<ConnectionState>,
    answer: Arc<A>,
    limits: ConnectionLimits,
    (tasks, places): (TaskTracker, Arc<StreamPlaces>),
) {
    let (seat, pass) = (stream.seat().cloned(), Pass::of(stream.seat()));
    let streams = Streams::new(seat, Arc::clone(&state), tasks, limits, Arc::clone(&places));
    let of_connection = Arc::clone(&state);
    let service = service_fn(move |request: Request<Incoming>| {
        // The stream itself is counted once its future is driven.
        let is_let_in = places.let_in(of_connection.streams());
        let answer = Arc::clone(&answer);
        async move {
            if !is_let_in {
                needs_no_answer();
                // Nothing was done for it, so the visitor may ask again (RFC 9113, section 8.7).
                return Err(h2::Error::from(h2::Reason::REFUSED_STREAM));
            }
            let response = answer.answer(as_http1(request).map(VisitorBody::from), visitor).await;
            Ok(response.map(PacedBody::of_current_stream))
        }
    });
    let http = http2::Builder::new(streams)
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .serve_connection(TokioIo::new(stream), service);
    drive(http, pass, visitor.peer, &state, limits).await;
}

impl<S, T> Conversation for http2::Connection<TokioIo<VisitorStream<S>>, T, Streams>
where
    S: Socket,
    T: HttpService<Incoming, ResBody = PacedBody, Error = h2::Error>,
    T::Future: Send + 'static,
{
    type Error = hyper::Error;

    const IS_ENDED_WITH_NOTICE: bool = true;

    fn end_after_requests(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
