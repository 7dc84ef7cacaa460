//! One connection: its requests become tasks as they come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::{Connection, Handshake};
use h2::{Reason, RecvStream};
use http::Request;

use super::keep_alive::KeepAlive;
use super::request::{Reply, answer_one};
use crate::serve::Answer;
use crate::serve::drive::Conversation;
use crate::serve::state::ConnectionState;
use crate::serve::stream::{Socket, VisitorStream};
use crate::serve::streams::{StreamPlaces, Streams};
use crate::visitor::Visitor;

/// Who speaks on a connection, and with whom.
pub(super) struct Visit<A> {
    pub(super) visitor: Visitor,
    pub(super) answer: Arc<A>,
    pub(super) state: Arc<ConnectionState>,
    pub(super) streams: Streams,
    pub(super) places: Arc<StreamPlaces>,
}

/// A connection. It ends when its visitor is gone, or when it was told to and its requests are answered.
pub(super) struct Http2Connection<S, A> {
    stage: Stage<S>,
    visit: Visit<A>,
    is_ending: bool,
}

enum Stage<S> {
    Greeting(Handshake<VisitorStream<S>, Bytes>),
    Serving(Serving<S>),
}

/// A request and where its answer goes, or why there are no more.
type Asked = Result<(Request<RecvStream>, Reply), h2::Error>;

struct Serving<S> {
    connection: Connection<VisitorStream<S>, Bytes>,
    /// Whether the visitor is still there. `None` once they were given up.
    keep_alive: Option<KeepAlive>,
}

impl<S: Socket, A: Answer> Http2Connection<S, A> {
    pub(super) const fn new(handshake: Handshake<VisitorStream<S>, Bytes>, visit: Visit<A>) -> Self {
        Self { stage: Stage::Greeting(handshake), visit, is_ending: false }
    }
}

impl<S: Socket> Serving<S> {
    /// The next request, none if there will be none.
    fn poll_request(&mut self, context: &mut Context<'_>) -> Poll<Option<Asked>> {
        if self.keep_alive.as_mut().is_some_and(|visitor| visitor.poll_gone(context).is_ready()) {
            self.keep_alive = None;
            self.connection.abrupt_shutdown(Reason::NO_ERROR);
        }
        self.connection.poll_accept(context)
    }
}

impl<A: Answer> Visit<A> {
    fn begin(&self, request: Request<RecvStream>, mut reply: Reply) {
        // The stream itself is counted once it runs.
        if self.places.let_in(self.state.streams()) {
            self.streams.run(answer_one(request, reply, self.visitor, Arc::clone(&self.answer)));
        } else {
            // Nothing was done for it, so the visitor may ask again (RFC 9113, section 8.7).
            reply.send_reset(Reason::REFUSED_STREAM);
        }
    }
}

impl<S: Socket, A: Answer> Future for Http2Connection<S, A> {
    type Output = Result<(), h2::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let Self { stage, visit, is_ending } = &mut *self;
        loop {
            match stage {
                Stage::Greeting(handshake) => {
                    let mut connection = ready!(Pin::new(handshake).poll(context))?;
                    if *is_ending {
                        connection.graceful_shutdown();
                    }
                    let keep_alive = connection.ping_pong().map(KeepAlive::new);
                    *stage = Stage::Serving(Serving { connection, keep_alive });
                }
                Stage::Serving(serving) => match ready!(serving.poll_request(context)) {
                    Some(asked) => {
                        let (request, reply) = asked?;
                        visit.begin(request, reply);
                    }
                    None => return Poll::Ready(Ok(())),
                },
            }
        }
    }
}

impl<S: Socket, A: Answer> Conversation for Http2Connection<S, A> {
    type Error = h2::Error;

    const IS_ENDED_WITH_NOTICE: bool = true;

    fn end_after_requests(mut self: Pin<&mut Self>) {
        self.is_ending = true;
        if let Stage::Serving(serving) = &mut self.stage {
            serving.connection.graceful_shutdown();
        }
    }
}
