//! QUIC as h3 wants it: quinn's connections and streams, with what a host has to hold against visitors in between.
//!
//! The library for this (`h3-quinn`) hands everything on that arrives; here a stream is read through a [filter](super::frames), into memory
//! that is the connection's bound and no packet's. A response that nobody has ended is reset, where quinn would end it as if it were whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use h3::error::Code;
use h3::quic::{
    BidiStream, Connection, ConnectionErrorIncoming, OpenStreams, RecvStream, SendStream, StreamErrorIncoming,
    StreamId, WriteBuf,
};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};

use super::receiver::Receiver;
use super::watch::{Ending, StreamWatch};
use crate::serve::pace::note_write;
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

/// What goes to a visitor. What is dropped before it is finished is reset.
pub(super) struct Sender {
    stream: quinn::SendStream,
    writing: Option<WriteBuf<Bytes>>,
    watch: Option<Arc<StreamWatch>>,
    has_written: bool,
    has_ended: bool,
}

impl Sender {
    fn new(stream: quinn::SendStream, watch: Option<Arc<StreamWatch>>) -> Self {
        Self { stream, writing: None, watch, has_written: false, has_ended: false }
    }
}

impl SendStream<Bytes> for Sender {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = self.writing.as_mut().filter(|data| WriteBuf::has_remaining(data)) {
            let written = Pin::new(&mut self.stream).poll_write(context, data.chunk());
            note_write(&written);
            data.advance(ready!(written).map_err(not_written)?);
            self.has_written = true;
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.has_ended = true;
        Poll::Ready(self.stream.finish().map_err(|error| StreamErrorIncoming::Unknown(error.into())))
    }

    fn reset(&mut self, code: u64) {
        self.has_ended = true;
        // It fails where the stream has ended already.
        let _ = self.stream.reset(number_of(code));
    }

    fn send_id(&self) -> StreamId {
        id_of(self.stream.id())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let Some(watch) = self.watch.take().filter(|_| !self.has_ended) else { return };
        match watch.ending() {
            // h3 answers by itself where a head is too large.
            Ending::Incomplete if self.has_written => {}
            ending => self.reset(ending.code().value()),
        }
    }
}

/// The number of a stream.
pub(super) fn id_of(id: quinn::StreamId) -> StreamId {
    StreamId::try_from(VarInt::from(id).into_inner()).expect("both are numbers of 62 bits")
}

/// A code as quinn wants it.
pub(super) fn number_of(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

pub(super) fn not_read(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() },
        ReadError::ConnectionLost(error) => lost(error),
        error => StreamErrorIncoming::Unknown(error.into()),
    }
}

fn not_written(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() },
        WriteError::ConnectionLost(error) => lost(error),
        error => StreamErrorIncoming::Unknown(error.into()),
    }
}

fn lost(error: ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: of_connection(error) }
}

fn of_connection(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into_inner() }
        }
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}
