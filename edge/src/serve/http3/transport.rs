//! QUIC as h3 wants it: quinn's connections and streams, with what a host has to hold against visitors in between.
//!
//! The library for this (`h3-quinn`) hands everything on that arrives; here a stream is read through a [filter](super::frames), into memory
//! that is the connection's bound and no packet's. A response that nobody has ended is reset, where quinn would end it as if it were whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _, unfold};
use h3::error::Code;
use h3::quic::{
    BidiStream, Connection, ConnectionErrorIncoming, OpenStreams, RecvStream, SendStream, StreamErrorIncoming,
    StreamId, WriteBuf,
};
use quinn::ConnectionError;

use super::errors::{lost, number_of, of_connection};
use super::receiver::Receiver;
use super::sender::Sender;
use super::watch::StreamWatch;
use crate::serve::state::ConnectionState;

/// Streams of a connection, one after the other.
type Arriving<S> = Pin<Box<dyn Stream<Item = Result<S, ConnectionError>> + Send + Sync>>;

/// A connection, as h3 sees it.
pub(super) struct Transport {
    connection: quinn::Connection,
    state: Arc<ConnectionState>,
    requests: Arriving<(quinn::SendStream, quinn::RecvStream)>,
    others: Arriving<quinn::RecvStream>,
    opening: Arriving<quinn::SendStream>,
    newest: NewestStream,
}

/// The stream that h3 was given last, for who answers it.
pub(super) type NewestStream = Arc<std::sync::Mutex<Option<Arc<StreamWatch>>>>;

impl Transport {
    pub(super) fn new(connection: quinn::Connection, state: Arc<ConnectionState>) -> Self {
        let one_by_one = || connection.clone();
        Self {
            requests: Box::pin(unfold(one_by_one(), |of| async { Some((of.accept_bi().await, of)) })),
            others: Box::pin(unfold(one_by_one(), |of| async { Some((of.accept_uni().await, of)) })),
            opening: Box::pin(unfold(one_by_one(), |of| async { Some((of.open_uni().await, of)) })),
            newest: NewestStream::default(),
            connection,
            state,
        }
    }

    /// Where the stream is noted that h3 was given last.
    pub(super) fn newest(&self) -> NewestStream {
        Arc::clone(&self.newest)
    }
}

/// The next of some streams, of which there is no end.
fn poll_arriving<S>(arriving: &mut Arriving<S>, context: &mut Context<'_>) -> Poll<Result<S, ConnectionError>> {
    arriving.poll_next_unpin(context).map(|stream| stream.unwrap_or(Err(ConnectionError::LocallyClosed)))
}

impl Connection<Bytes> for Transport {
    type RecvStream = Receiver;
    type OpenStreams = Self;

    fn poll_accept_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Receiver, ConnectionErrorIncoming>> {
        let stream = ready!(poll_arriving(&mut self.others, context)).map_err(of_connection)?;
        Poll::Ready(Ok(Receiver::of_connection(stream, Arc::clone(&self.state))))
    }

    fn poll_accept_bidi(&mut self, context: &mut Context<'_>) -> Poll<Result<Both, ConnectionErrorIncoming>> {
        let (send, receive) = ready!(poll_arriving(&mut self.requests, context)).map_err(of_connection)?;
        let watch = Arc::new(StreamWatch::new(&send));
        *self.newest.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::clone(&watch));
        let receiver = Receiver::of_request(receive, self.state.limits().max_header_bytes);
        Poll::Ready(Ok(Both { sender: Sender::new(send, Some(watch)), receiver }))
    }

    fn opener(&self) -> Self {
        Self::new(self.connection.clone(), Arc::clone(&self.state))
    }
}

impl OpenStreams<Bytes> for Transport {
    type BidiStream = Both;
    type SendStream = Sender;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Both, StreamErrorIncoming>> {
        Poll::Ready(Err(StreamErrorIncoming::Unknown("a host asks its visitors for nothing".into())))
    }

    fn poll_open_send(&mut self, context: &mut Context<'_>) -> Poll<Result<Sender, StreamErrorIncoming>> {
        let opened = ready!(poll_arriving(&mut self.opening, context));
        Poll::Ready(opened.map(|stream| Sender::new(stream, None)).map_err(lost))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.connection.close(number_of(code.value()), reason);
    }
}

/// Both directions of a request's stream.
pub(super) struct Both {
    sender: Sender,
    receiver: Receiver,
}

impl BidiStream<Bytes> for Both {
    type SendStream = Sender;
    type RecvStream = Receiver;

    fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }
}

impl SendStream<Bytes> for Both {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sender.poll_ready(context)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.sender.send_data(data)
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sender.poll_finish(context)
    }

    fn reset(&mut self, code: u64) {
        self.sender.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.sender.send_id()
    }
}

impl RecvStream for Both {
    type Buf = Bytes;

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.receiver.poll_data(context)
    }

    fn stop_sending(&mut self, code: u64) {
        self.receiver.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.receiver.recv_id()
    }
}
