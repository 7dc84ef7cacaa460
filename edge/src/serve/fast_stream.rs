//! A visitor's socket on which plain requests are answered before hyper sees them: see [the fast path](crate::fast_path).

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::{Socket, VisitorStream};
use super::{Answer, EndOfSending};
use crate::assets::Content;
use crate::fast_path::{Afterwards, Called, Handover, PlainCall, PlainRequest, Prompt, ReadyAnswer};
use crate::request_log::RequestLog;
use crate::visitor::Visitor;

/// Up to this size content is copied behind its head, in bytes: the kernel takes one piece sooner than two.
const JOINED_BYTES: usize = 4 * 1024;

/// How many bytes are read of a visitor who waits for a function, so that one who leaves is seen to.
const AHEAD_BYTES: usize = 4 * 1024;

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
    /// The function that was asked. Nothing else is answered before it has.
    calling: Option<Calling>,
    /// What has arrived and nobody has read.
    kept: Vec<u8>,
    /// Where a request is left that only hyper can go on with.
    handover: Handover,
    turn: Turn,
    /// The visitor sends nothing more, which hyper is to hear when this was answered: it would give the request up.
    unheard_end: Option<Waker>,
}

/// Who reads and writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// Whoever can answer what comes.
    Either,
    /// hyper, which wrote and has not seen it through: its next bytes belong behind those.
    HyperWrites,
    /// hyper, which is to read what was begun here.
    HyperReads,
    /// Nobody: the visitor was told that the connection ends.
    Nobody,
}

/// A function that was asked.
struct Calling {
    call: Box<PlainCall>,
    /// The head of the request, for hyper if need be.
    head: Vec<u8>,
}

/// The rest of an answer.
struct Owed {
    head: Bytes,
    body: Content,
    /// Written when it is dropped.
    _log: RequestLog,
}

impl<S: Socket, A: Answer> FastStream<S, A> {
    pub(super) fn new(stream: VisitorStream<S>, answer: Arc<A>, visitor: Visitor, handover: Handover) -> Self {
        let (owed, calling, kept, turn) = (None, None, Vec::new(), Turn::Either);
        Self { stream, answer, visitor, owed, calling, kept, handover, turn, unheard_end: None }
    }

    /// Whether the next bytes of the visitor begin a request, and the answer to it can be written now.
    fn may_answer(&self) -> bool {
        self.turn == Turn::Either && self.stream.is_between_requests()
    }

    /// Answers plain requests at the beginning of `arrived`, or begins to, and says how many bytes they had.
    fn answer_plain(&mut self, context: &mut Context<'_>, arrived: &[u8]) -> io::Result<usize> {
        let mut answered = 0;
        while self.owed.is_none() && self.calling.is_none() {
            let Some((request, length)) = PlainRequest::parse(&arrived[answered..]) else { break };
            match self.answer.answer_at_once(&request, self.visitor) {
                None => break,
                Some(Prompt::Answer(ready)) => self.send(context, ready)?,
                Some(Prompt::Call(call)) => {
                    let head = arrived[answered..answered + length].to_vec();
                    self.stream.call_begins();
                    self.calling = Some(Calling { call, head });
                }
            }
            answered += length;
        }
        Ok(answered)
    }

    /// Waits for the function that was asked, and answers. A visitor who leaves meanwhile is not waited with.
    fn poll_call(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(calling) = &mut self.calling else { return Poll::Ready(Ok(())) };
        let Poll::Ready(answered) = calling.call.poll(context) else {
            ready!(self.poll_departure(context))?;
            self.calling = None;
            self.turn = Turn::Nobody;
            self.stream.call_ends();
            return Poll::Ready(Ok(()));
        };
        let Some(Calling { call, mut head }) = self.calling.take() else { return Poll::Ready(Ok(())) };
        self.stream.call_ends();
        match call.finish(answered) {
            Called::Answered(ready) => self.send(context, ready)?,
            Called::GoesOn(continuation) => {
                // For hyper no request has begun yet.
                self.stream.answered();
                self.handover.leave(continuation);
                head.append(&mut self.kept);
                self.kept = head;
                self.turn = Turn::HyperReads;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the visitor has left. What else arrives is kept, up to a bound: beyond it nobody is looked for who may have left.
    fn poll_departure(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [MaybeUninit::uninit(); AHEAD_BYTES];
        while self.kept.len() < AHEAD_BYTES {
            let mut buffer = ReadBuf::uninit(&mut scratch[self.kept.len()..]);
            ready!(self.stream.poll_arrival(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.kept.extend_from_slice(buffer.filled());
        }
        Poll::Pending
    }

    /// What was kept, as far as there is room, or what arrives.
    fn poll_next(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.kept.is_empty() {
            return self.stream.poll_arrival(context, buffer);
        }
        let taken = self.kept.len().min(buffer.remaining());
        buffer.put_slice(&self.kept[..taken]);
        self.kept.drain(..taken);
        if self.kept.is_empty() {
            self.kept = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// What hyper is to read while a request is being answered.
    fn poll_beside_answer(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let is_end = buffer.filled().len() == before && buffer.remaining() > 0;
        if is_end && A::END_OF_SENDING == EndOfSending::PerhapsOnlyThat && self.stream.may_only_read() {
            self.unheard_end = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, context: &mut Context<'_>, ready: ReadyAnswer) -> io::Result<()> {
        let afterwards = if self.stream.is_leaving() { Afterwards::Ends } else { Afterwards::GoesOn };
        if afterwards == Afterwards::Ends {
            self.turn = Turn::Nobody;
        }
        let owed = HEAD.with_borrow_mut(|head| {
            head.clear();
            ready.write_head(afterwards, head);
            let ReadyAnswer { mut body, log, .. } = ready;
            if body.bytes().len() <= JOINED_BYTES {
                head.extend_from_slice(body.bytes());
                body = Content::default();
            }
            let mut head_left = &head[..];
            let is_sent = poll_rest(&mut self.stream, context, &mut head_left, &mut body)?.is_ready();
            Ok::<_, io::Error>((!is_sent).then(|| Owed { head: Bytes::copy_from_slice(head_left), body, _log: log }))
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
        ready!(poll_rest(&mut self.stream, context, &mut owed.head, &mut owed.body))?;
        self.owed = None;
        self.stream.answered();
        Poll::Ready(Ok(()))
    }
}

/// Writes what is left of an answer.
fn poll_rest<S: Socket>(
    stream: &mut VisitorStream<S>,
    context: &mut Context<'_>,
    head: &mut impl Buf,
    body: &mut Content,
) -> Poll<io::Result<()>> {
    while head.has_remaining() || !body.bytes().is_empty() {
        let sent = match ready!(poll_rest_from_file(stream, context, head.chunk(), body)) {
            Some(sent) => sent,
            None => match ready!(stream.poll_write_both(context, head.chunk(), body.bytes()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => sent,
            },
        };
        let of_head = sent.min(head.remaining());
        head.advance(of_head);
        body.advance(sent - of_head);
    }
    Pin::new(stream).poll_flush(context)
}

/// Writes a part of it, the content from its file. `None` if it has none, or none that can be sent: then it goes on from memory.
fn poll_rest_from_file<S: Socket>(
    stream: &mut VisitorStream<S>,
    context: &mut Context<'_>,
    head: &[u8],
    body: &mut Content,
) -> Poll<Option<usize>> {
    let sent = match (head.is_empty(), body.is_of_file()) {
        (_, false) => None,
        (false, true) => stream.poll_write_before_file(context, head),
        (true, true) => body
            .unchanged_file()
            .and_then(|(file, first)| stream.poll_send_file(context, file, first, body.bytes().len())),
    };
    match sent {
        Some(Poll::Pending) => Poll::Pending,
        Some(Poll::Ready(Ok(sent))) if sent > 0 => Poll::Ready(Some(sent)),
        // A file that ends too soon or cannot be read; a visitor who has left is found out by writing from memory.
        _ => {
            body.forget_file();
            Poll::Ready(None)
        }
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
            ready!(self.poll_call(context))?;
            if self.owed.is_some() {
                continue;
            }
            if self.turn == Turn::Nobody {
                // To hyper the visitor has left.
                return Poll::Ready(Ok(()));
            }
            if !self.may_answer() && self.kept.is_empty() {
                return self.poll_beside_answer(context, buffer);
            }
            ready!(self.poll_next(context, buffer))?;
            let arrived = &mut buffer.filled_mut()[before..];
            let answered = if self.may_answer() { self.answer_plain(context, arrived)? } else { 0 };
            let others = arrived.len() - answered;
            if self.calling.is_some() {
                self.kept.splice(..0, arrived[answered..].iter().copied());
            } else if answered == 0 || others > 0 {
                if self.turn == Turn::HyperReads {
                    self.turn = Turn::Either;
                }
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
        self.turn = Turn::HyperWrites;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_owed(context))?;
        self.turn = Turn::HyperWrites;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_owed(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if self.turn == Turn::HyperWrites {
            self.turn = Turn::Either;
        }
        if let Some(connection) = self.unheard_end.take() {
            connection.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_owed(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
