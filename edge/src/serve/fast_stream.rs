//! A visitor's socket on which plain requests are answered before hyper sees them: see [the fast path](crate::fast_path).

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Answer;
use super::stream::{Socket, VisitorStream};
use crate::fast_path::{PlainRequest, ReadyAnswer};
use crate::request_log::RequestLog;
use crate::visitor::Visitor;

/// Up to this size content is copied behind its head, in bytes: the kernel takes one piece sooner than two.
const JOINED_BYTES: usize = 4 * 1024;

thread_local! {
    /// Where heads are written. One for all connections of a thread, which answer one after the other.
    static HEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A socket on which HTTP/1.1 is spoken.
pub(super) struct FastStream<S, A> {
    stream: VisitorStream<S>,
    answer: Arc<A>,
    visitor: Visitor,
    /// What of an answer the visitor has not taken yet. Nothing else is read or written before it is.
    owed: Option<Owed>,
    /// Whether hyper wrote and has not seen it through: its next bytes belong behind those.
    is_hyper_writing: bool,
}

/// The rest of an answer.
struct Owed {
    head: Bytes,
    body: Bytes,
    /// Written when it is dropped.
    _log: RequestLog,
}

impl<S: Socket, A: Answer> FastStream<S, A> {
    pub(super) fn new(stream: VisitorStream<S>, answer: Arc<A>, visitor: Visitor) -> Self {
        Self { stream, answer, visitor, owed: None, is_hyper_writing: false }
    }

    /// Whether the next bytes of the visitor begin a request, and the answer to it can be written now.
    fn may_answer(&self) -> bool {
        !self.is_hyper_writing && self.stream.is_between_requests()
    }

    /// Answers plain requests at the beginning of `arrived`, and says how many bytes they had.
    fn answer_plain(&mut self, context: &mut Context<'_>, arrived: &[u8]) -> io::Result<usize> {
        let mut answered = 0;
        while self.owed.is_none() {
            let Some((request, length)) = PlainRequest::parse(&arrived[answered..]) else { break };
            let Some(ready) = self.answer.answer_at_once(&request, self.visitor) else { break };
            answered += length;
            self.send(context, ready)?;
        }
        Ok(answered)
    }

    fn send(&mut self, context: &mut Context<'_>, ready: ReadyAnswer) -> io::Result<()> {
        let owed = HEAD.with_borrow_mut(|head| {
            head.clear();
            ready.write_head(head);
            let ReadyAnswer { mut body, log, .. } = ready;
            if body.len() <= JOINED_BYTES {
                head.extend_from_slice(&body);
                body.clear();
            }
            let sent = match self.stream.poll_write_both(context, head, &body) {
                Poll::Ready(sent) => sent?,
                Poll::Pending => 0,
            };
            let is_written = sent == head.len() + body.len();
            let is_sent = is_written && Pin::new(&mut self.stream).poll_flush(context)?.is_ready();
            Ok::<_, io::Error>((!is_sent).then(|| Owed::new(head, body, sent, log)))
        })?;
        match owed {
            Some(_) => self.stream.answer_begins(),
            None => self.stream.answered(),
        }
        self.owed = owed;
        Ok(())
    }

    /// Writes what is owed.
    fn poll_owed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(owed) = &mut self.owed else { return Poll::Ready(Ok(())) };
        while !owed.is_written() {
            match ready!(self.stream.poll_write_both(context, &owed.head, &owed.body))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => owed.advance(sent),
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.owed = None;
        self.stream.answered();
        Poll::Ready(Ok(()))
    }
}

impl Owed {
    /// What is left after `sent` bytes.
    fn new(head: &[u8], body: Bytes, sent: usize, log: RequestLog) -> Self {
        let mut owed = Self { head: Bytes::copy_from_slice(head), body, _log: log };
        owed.advance(sent);
        owed
    }

    fn advance(&mut self, sent: usize) {
        (&mut self.head).chain(&mut self.body).advance(sent);
    }

    fn is_written(&self) -> bool {
        self.head.is_empty() && self.body.is_empty()
    }
}

impl<S: Socket, A: Answer> AsyncRead for FastStream<S, A> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            ready!(self.poll_owed(context))?;
            if !self.may_answer() {
                return Pin::new(&mut self.stream).poll_read(context, buffer);
            }
            ready!(self.stream.poll_arrival(context, buffer))?;
            let arrived = &mut buffer.filled_mut()[before..];
            let answered = self.answer_plain(context, arrived)?;
            let others = arrived.len() - answered;
            if answered == 0 || others > 0 {
                arrived.copy_within(answered.., 0);
                self.stream.admit(&mut arrived[..others]);
                buffer.set_filled(before + others);
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
        }
    }
}

impl<S: Socket, A: Answer> AsyncWrite for FastStream<S, A> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_owed(context))?;
        self.is_hyper_writing = true;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_owed(context))?;
        self.is_hyper_writing = true;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_owed(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.is_hyper_writing = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_owed(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
