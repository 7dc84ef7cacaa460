//! What goes to a visitor on one stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::quic::{SendStream, StreamErrorIncoming, StreamId, WriteBuf};

use super::errors::{id_of, not_written, number_of};
use super::watch::{Ending, StreamWatch};
use crate::serve::pace::note_write;

/// What goes to a visitor. What is dropped before it is finished is reset.
pub(super) struct Sender {
    stream: quinn::SendStream,
    writing: Option<WriteBuf<Bytes>>,
    watch: Option<Arc<StreamWatch>>,
    has_written: bool,
    has_ended: bool,
}

impl Sender {
    pub(super) fn new(stream: quinn::SendStream, watch: Option<Arc<StreamWatch>>) -> Self {
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
