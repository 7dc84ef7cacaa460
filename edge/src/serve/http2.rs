//! A connection in HTTP/2: many requests at once, each a task of its own.
//!
//! What a connection may hold, whatever its visitor does: [`MAX_STREAMS`] heads of `max_header_bytes`, [`CONNECTION_WINDOW`] bytes of
//! bodies that nobody has read yet, and for each stream [`SEND_BUFFER_BYTES`] and a piece of a response that the visitor does not take.
//! All connections of a listener together answer as many requests at once as there may be connections, and one for each: see
//! [`StreamPlaces`].

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::header::{COOKIE, HOST};
use http::{HeaderValue, Request, Uri};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::task::TaskTracker;

use super::drive::{Conversation, drive};
use super::pace::{Pace, PacedBody, keep_pace, needs_no_answer};
use super::shares::{Pass, Seat, in_turn};
use super::state::{ConnectionState, Order};
use super::stream::{Socket, VisitorStream};
use super::{Answer, ConnectionLimits};
use crate::visitor::Visitor;

/// How many requests of one connection are answered at once: what RFC 9113 recommends as the least, and what nginx and Go are near to.
const MAX_STREAMS: u32 = 100;

/// How much of one request's body may be under way before it is read, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How much of a response the connection keeps for a visitor who does not take it, in bytes.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// How many streams may have been reset before they were looked at, and how many of the visitor's mistakes are answered with a reset.
/// Beyond it the connection ends with `ENHANCE_YOUR_CALM` (CVE-2023-44487, CVE-2025-8671).
const MAX_RESETS: usize = 20;

/// How many requests a visitor may give up on one connection if that is more than they waited for: those of a page that is left
/// many times over, and far fewer than an attack needs.
const MAX_ABANDONED: u32 = 200;

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
    let streams = Streams { seat, state: Arc::clone(&state), tasks, limits, places, tally: Arc::default() };
    let (of_connection, places) = (Arc::clone(&state), Arc::clone(&streams.places));
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
            let response = answer.answer(as_http1(request), visitor).await;
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
    const IS_ENDED_WITH_NOTICE: bool = true;

    fn end_after_requests(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// How many requests the connections of a listener answer at once. Each takes what a connection in HTTP/1.1 takes: a descriptor of a file
/// or of a function, and pieces of a response.
///
/// The more places are taken, the fewer a connection may have: a quarter of those that are left, and always one. So a few connections
/// cannot take all of them, however long they hold what they have, and one alone is not held back.
#[derive(Debug)]
pub(super) struct StreamPlaces {
    places: usize,
    taken: AtomicUsize,
}

impl StreamPlaces {
    pub(super) fn new(places: usize) -> Self {
        Self { places, taken: AtomicUsize::new(0) }
    }

    /// Whether a connection that answers this many requests may answer one more.
    fn let_in(&self, of_connection: u32) -> bool {
        let left = self.places.saturating_sub(self.taken.load(Relaxed));
        usize::try_from(of_connection).is_ok_and(|taken| taken < (left / 4).max(1))
    }
}

/// Where the streams of a connection run: each is a task, which ends with its connection at the latest.
#[derive(Clone)]
struct Streams {
    seat: Option<Arc<Seat>>,
    state: Arc<ConnectionState>,
    tasks: TaskTracker,
    limits: ConnectionLimits,
    places: Arc<StreamPlaces>,
    tally: Arc<Tally>,
}

/// What became of a connection's requests.
#[derive(Default)]
struct Tally {
    answered: AtomicU32,
    abandoned: AtomicU32,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let open = OpenStream { pace: Arc::new(Pace::on(&self.state)), streams: self.clone() };
        self.state.stream_begins();
        self.places.taken.fetch_add(1, Relaxed);
        self.tasks.spawn(async move {
            let mut pass = Pass::of(open.streams.seat.as_ref());
            in_turn(&mut pass, keep_pace(stream, &open.pace, open.streams.limits.write_timeout)).await;
            drop(open);
        });
    }
}

/// A stream that is counted as long as this lives.
struct OpenStream {
    pace: Arc<Pace>,
    streams: Streams,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Streams { state, tally, places, .. } = &self.streams;
        state.stream_ends();
        places.taken.fetch_sub(1, Relaxed);
        if self.pace.has_ended() {
            tally.answered.fetch_add(1, Relaxed);
            return;
        }
        let abandoned = tally.abandoned.fetch_add(1, Relaxed) + 1;
        if abandoned > MAX_ABANDONED && abandoned > tally.answered.load(Relaxed) {
            state.tell(Order::Drain);
        }
    }
}

/// A request of HTTP/2 as it would have come in HTTP/1.1: with a `Host`, the path alone as its target, and one line of cookies
/// (RFC 9113, sections 8.3.1 and 8.2.3). One that names two hosts stays as it is, and is refused for that.
fn as_http1(mut request: Request<Incoming>) -> Request<Incoming> {
    let authority = request.uri().authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    if let Some(authority) = authority {
        let host = request.headers_mut().entry(HOST).or_insert_with(|| authority.clone());
        if host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
            && let Some(target) = request.uri().path_and_query().cloned()
        {
            *request.uri_mut() = Uri::from(target);
        }
    }
    let cookies: Vec<&[u8]> = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        request.headers_mut().insert(COOKIE, cookie);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that keep all they can get leave places for one that comes later, and nobody is left without any.
    #[test]
    fn places() {
        let places = StreamPlaces::new(1000);
        let fill = || {
            let mut taken = 0;
            while taken < MAX_STREAMS && places.let_in(taken) {
                places.taken.fetch_add(1, Relaxed);
                taken += 1;
            }
            taken
        };
        assert_eq!(fill(), MAX_STREAMS);
        let crowd: Vec<u32> = (0..200).map(|_| fill()).collect();
        assert!(crowd.iter().all(|taken| *taken >= 1), "{crowd:?}");
        assert!(crowd[..10].iter().all(|taken| *taken > 10), "{crowd:?}");
    }
}
