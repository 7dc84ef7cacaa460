//! A connection in HTTP/3: many requests at once, each a task of its own, as in HTTP/2.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use h3::error::ConnectionError;
use h3::quic::StreamId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::request::{Asking, answer_one};
use super::transport::{NewestStream, Transport};
use super::watch::{Ending, StreamWatch};
use crate::serve::drive::{Conversation, drive};
use crate::serve::shares::Pass;
use crate::serve::state::ConnectionState;
use crate::serve::streams::{MAX_STREAMS, StreamPlaces, Streams};
use crate::serve::{Answer, ConnectionLimits, Place};

/// The numbers of requests on a connection are so far apart (RFC 9000, section 2.1).
const BETWEEN_REQUESTS: u64 = 4;

/// Who is spoken to, and with whose help.
pub(super) struct Company<A> {
    pub(super) answer: Arc<A>,
    pub(super) limits: ConnectionLimits,
    /// Its requests are tasks of these.
    pub(super) tasks: TaskTracker,
    pub(super) places: Arc<StreamPlaces>,
}

/// Serves a connection until it ends.
pub(super) async fn run<A: Answer>(
    connection: quinn::Connection,
    place: &Place,
    state: &Arc<ConnectionState>,
    company: Company<A>,
) {
    let Company { answer, limits, tasks, places } = company;
    let peer = connection.remote_address();
    let streams = Streams::new(place.seat.clone(), Arc::clone(state), tasks, limits, Arc::clone(&places));
    let leave = CancellationToken::new();
    let talk = Talk {
        connection,
        state: Arc::clone(state),
        streams,
        places,
        answer,
        limits,
        leave: leave.clone(),
        heard: 0,
        refused_from: None,
    };
    let conversation = Http3 { talk: Box::pin(talk.run()), leave };
    drive(conversation, Pass::of(place.seat.as_ref()), peer, state, limits).await;
}

/// A connection as the listener drives it.
struct Http3 {
    talk: Pin<Box<dyn Future<Output = Result<(), ConnectionError>> + Send>>,
    leave: CancellationToken,
}

impl Future for Http3 {
    type Output = Result<(), ConnectionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.talk.as_mut().poll(context)
    }
}

impl Conversation for Http3 {
    type Error = ConnectionError;

    const IS_ENDED_WITH_NOTICE: bool = true;

    fn end_after_requests(self: Pin<&mut Self>) {
        self.leave.cancel();
    }
}

/// What is said on a connection.
struct Talk<A> {
    connection: quinn::Connection,
    state: Arc<ConnectionState>,
    streams: Streams,
    places: Arc<StreamPlaces>,
    answer: Arc<A>,
    limits: ConnectionLimits,
    leave: CancellationToken,
    /// The least number that the next request may have.
    heard: u64,
    /// From which number on requests are refused, once the visitor was told that the connection ends.
    refused_from: Option<u64>,
}

impl<A: Answer> Talk<A> {
    async fn run(mut self) -> Result<(), ConnectionError> {
        let transport = Transport::new(self.connection.clone(), Arc::clone(&self.state));
        let newest = transport.newest();
        let max_header_bytes = self.limits.max_header_bytes as u64;
        // Nothing is sent to try out whether visitors ignore what they do not know: that is for clients that are new.
        let mut server = h3::server::builder();
        let mut http = server.max_field_section_size(max_header_bytes).send_grease(false).build(transport).await?;
        let leave = self.leave.clone();
        loop {
            tokio::select! {
                biased;
                () = leave.cancelled(), if self.refused_from.is_none() => self.say_goodbye(&mut http).await?,
                asking = http.accept() => match asking? {
                    Some(asking) => self.begin(asking, &newest),
                    None => return Ok(()),
                },
            }
        }
    }

    /// Answers a request in a task of its own, or refuses it: then nothing was done for it, and the visitor may ask again (RFC 9114,
    /// section 4.1.1).
    fn begin(&mut self, asking: Asking, newest: &NewestStream) {
        let watch = newest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(watch) = watch else { return };
        self.heard = self.heard.max(watch.id() + BETWEEN_REQUESTS);
        if self.is_let_in(&watch) {
            let (connection, answer) = (self.connection.clone(), Arc::clone(&self.answer));
            self.streams.run(answer_one(asking, watch, connection, answer, self.limits));
        } else {
            watch.ends_as(Ending::Rejected);
        }
    }

    fn is_let_in(&self, watch: &StreamWatch) -> bool {
        self.refused_from.is_none_or(|from| watch.id() < from) && self.places.let_in(self.state.streams())
    }

    /// Says that the connection ends (GOAWAY). What the visitor has asked before they know is answered: as many requests as there may be at
    /// once. h3 would name the last request that has come, which is then one of those that were not answered.
    async fn say_goodbye(
        &mut self,
        http: &mut h3::server::Connection<Transport, Bytes>,
    ) -> Result<(), ConnectionError> {
        let from = self.heard + BETWEEN_REQUESTS * u64::from(MAX_STREAMS);
        self.refused_from = Some(from);
        match StreamId::try_from(from) {
            Ok(id) => http.inner.shutdown(&mut None, id).await,
            // Nobody comes to ask for so much.
            Err(_) => Ok(()),
        }
    }
}
