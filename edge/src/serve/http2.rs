//! A connection in HTTP/2: many requests at once, each a task of its own.
//!
//! What a connection may hold, whatever its visitor does: [`MAX_STREAMS`] heads of `max_header_bytes`, [`CONNECTION_WINDOW`] bytes of
//! bodies that nobody has read yet, and for each stream [`SEND_BUFFER_BYTES`] and a piece of a response that the visitor does not take.
//! All connections of a listener together answer as many requests at once as there may be connections, and one for each: see
//! [`StreamPlaces`].
//!
//! It stands on h2 and not on hyper, which has no way to send a head before the head of the answer (103, [`crate::early_hints`]).

mod body;
mod connection;
mod keep_alive;
mod request;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::drive::drive;
use super::shares::Pass;
use super::state::ConnectionState;
use super::stream::{Socket, VisitorStream};
use super::streams::{MAX_STREAMS, StreamPlaces, Streams};
use super::{Answer, ConnectionLimits};
use crate::visitor::Visitor;
pub(crate) use body::Http2Body;
use connection::{Http2Connection, Visit};

/// How much of one request's body may be under way before it is read, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How much of a response the connection keeps for a visitor who does not take it, in bytes.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// How many streams may have been reset before they were looked at, and how many of the visitor's mistakes are answered with a reset.
/// Beyond it the connection ends with `ENHANCE_YOUR_CALM` (CVE-2023-44487, CVE-2025-8671).
const MAX_RESETS: usize = 20;

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
    let handshake = h2::server::Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(Some(MAX_RESETS))
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .handshake(stream);
    let visit = Visit { visitor, answer, state: Arc::clone(&state), streams, places };
    drive(Http2Connection::new(handshake, visit), pass, visitor.peer, &state, limits).await;
}
