//! One keep-alive connection to an instance.
//!
//! Nobody watches it but the request that uses it: whoever waits for the response, or for the next piece of its body, moves
//! the bytes. That the function closed a connection that nobody used is seen when it is taken for the next request, before
//! anything is sent.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, response};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::PIECES_PER_TURN;
use crate::linux::stream::FunctionSocket;
use crate::request::{Outgoing, Upload, UploadPhase};
use crate::sending::SendingError;
use crate::wire::{Decoder, HeadReader, Inbox, WireError};

/// A connection to an instance.
pub(crate) struct Connection {
    socket: Arc<FunctionSocket>,
    inbox: Inbox,
    state: State,
    /// How many responses were read to their end.
    answered: u32,
    /// Whether the response that is being read allows another request after it.
    keeps_alive: bool,
    /// What was sent behind the last body.
    trailers: Option<Box<HeaderMap>>,
    /// The body of the request at hand.
    upload: Option<Arc<Upload>>,
    /// Kept from request to request, because a timer that is only looked at costs less than a new one.
    clock: Option<Pin<Box<Sleep>>>,
    /// Where its socket is watched.
    home: tokio::runtime::Id,
}

/// What is expected of the function.
enum State {
    /// Nothing: it never had a request.
    New,
    /// Nothing: its last response was read to the end.
    Idle,
    /// A head.
    Head(HeadReader),
    /// A body.
    Body(Decoder),
    /// A body that is not as it should be, which is told after what was received of it.
    Broken(WireError),
    /// Nothing ever again.
    Over,
}

/// Why a request got no response on a connection.
pub(crate) enum SendError {
    /// The connection was over before anything of the request was written.
    Unsent,
    /// It failed later.
    Broken(WireError),
}

/// The deadline passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Late;

impl Connection {
    /// Takes a connected socket, to be used on the async runtime that this is called on.
    pub(crate) fn new(socket: FunctionSocket) -> Self {
        Self {
            socket: Arc::new(socket),
            inbox: Inbox::new(),
            state: State::New,
            answered: 0,
            keeps_alive: true,
            trailers: None,
            upload: None,
            clock: None,
            home: Handle::current().id(),
        }
    }

    /// Whether its socket is watched by this runtime. A request of another would be woken across threads, which takes longer
    /// than opening a connection.
    pub(crate) fn is_at_home(&self, runtime: tokio::runtime::Id) -> bool {
        self.home == runtime
    }

    /// Whether the last response was read to its end and another request can be sent.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether a response is waited for of which nothing is known.
    pub(crate) const fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Whether the function has taken all that was sent, and owes its answer.
    pub(crate) fn is_read(&self) -> bool {
        self.is_unanswered() && self.socket.is_read()
    }

    /// Tells the function that nobody waits for its response, and waits until it has closed the connection, which it does when it
    /// hears that or when it is done.
    pub(crate) async fn call_off(mut self) {
        self.socket.end_writing();
        let room = self.inbox.room();
        // What it says is for nobody.
        while poll_fn(|cx| self.socket.poll_read(cx, room)).await.is_ok_and(|length| length > 0) {}
    }

    /// Whether all of the response's body was read.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Idle | State::Over)
    }

    /// How many bytes of the body are still to come, if that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match &self.state {
            State::Body(decoder) => decoder.left(),
            State::Idle | State::Over => Some(0),
            State::New | State::Head(_) | State::Broken(_) => None,
        }
    }

    /// Whether only the end of the connection ends the body.
    pub(crate) const fn is_ended_by_close(&self) -> bool {
        matches!(self.state, State::Body(Decoder::UntilClose))
    }

    /// Sends a request and waits for the head of its response. Dropping the future loses nothing: called again, it goes on.
    pub(crate) async fn ask(&mut self, outgoing: &mut Outgoing) -> Result<response::Parts, SendError> {
        poll_fn(|cx| self.poll_ask(cx, outgoing)).await
    }

    /// The same, until `deadline`.
    pub(crate) async fn ask_until(
        &mut self,
        deadline: Instant,
        outgoing: &mut Outgoing,
    ) -> Result<Result<response::Parts, SendError>, Late> {
        poll_fn(|cx| match self.poll_ask(cx, outgoing) {
            Poll::Ready(answered) => Poll::Ready(Ok(answered)),
            Poll::Pending => self.poll_clock(cx, deadline).map(Err),
        })
        .await
    }

    fn poll_ask(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing) -> Poll<Result<response::Parts, SendError>> {
        if !matches!(self.state, State::Head(_)) {
            self.begin(outgoing)?;
        }
        let sending = &mut outgoing.sending;
        if !sending.is_over()
            && let Poll::Ready(Err(error)) = sending.poll(cx, &self.socket)
        {
            self.state = State::Over;
            return Poll::Ready(Err(match error {
                SendingError::Unsent => SendError::Unsent,
                SendingError::Body(error) => SendError::Broken(WireError::RequestBody(error)),
            }));
        }
        let answered = ready!(self.poll_head(cx, outgoing));
        Poll::Ready(
            answered
                .map_err(|error| match error {
                    // A request that could not be written to its end certainly was not read to its end.
                    WireError::Closed if outgoing.sending.is_refused() => {
                        io::Error::from(io::ErrorKind::BrokenPipe).into()
                    }
                    error => error,
                })
                .map_err(SendError::Broken),
        )
    }

    /// Expects a head from now on, if the function has not closed the connection or said something that nobody asked.
    fn begin(&mut self, outgoing: &Outgoing) -> Result<(), SendError> {
        let is_usable = match self.state {
            State::New => true,
            State::Idle => self.is_silent(),
            _ => false,
        };
        if !is_usable {
            self.state = State::Over;
            return Err(SendError::Unsent);
        }
        self.upload.clone_from(&outgoing.upload);
        self.state = State::Head(HeadReader::default());
        Ok(())
    }

    /// Whether there is nothing to read, nor an end. The kernel is asked only if something has happened.
    fn is_silent(&mut self) -> bool {
        self.socket.poll_read(&mut Context::from_waker(Waker::noop()), self.inbox.room()).is_pending()
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, outgoing: &Outgoing) -> Poll<Result<response::Parts, WireError>> {
        for _ in 0..PIECES_PER_TURN {
            let State::Head(reader) = &mut self.state else { return Poll::Ready(Err(WireError::Closed)) };
            match reader.read(&mut self.inbox, outgoing.question, |head| outgoing.announce(&head)) {
                Ok(Some(head)) => {
                    // A request that the function did not want to its end leaves a connection that begins nowhere.
                    self.keeps_alive = head.keeps_alive && (outgoing.sending.is_over() || self.upload.is_some());
                    self.state = State::Body(head.decoder);
                    self.settle();
                    return Poll::Ready(Ok(head.parts));
                }
                Ok(None) => {}
                Err(error) => return self.fail(error),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => return self.fail(WireError::Closed),
                Ok(_) => {}
                Err(error) => return self.fail(error.into()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn fail<T>(&mut self, error: WireError) -> Poll<Result<T, WireError>> {
        self.state = State::Over;
        Poll::Ready(Err(error))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let filled = ready!(self.socket.poll_read(cx, self.inbox.room()));
        if let Ok(count) = filled {
            self.inbox.filled(count);
        }
        Poll::Ready(filled)
    }

    /// What has been received of the body with the head, or since.
    pub(crate) fn received(&mut self) -> Bytes {
        let State::Body(decoder) = &mut self.state else { return Bytes::new() };
        let mut body = Vec::new();
        match decoder.decode(&mut self.inbox, &mut body) {
            Ok(()) => self.settle(),
            Err(error) => self.state = State::Broken(error),
        }
        body.into()
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        for _ in 0..PIECES_PER_TURN {
            let piece = self.received();
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
            match std::mem::replace(&mut self.state, State::Over) {
                State::Broken(error) => return Poll::Ready(Some(Err(error))),
                State::Body(decoder) => self.state = State::Body(decoder),
                state => {
                    self.state = state;
                    return Poll::Ready(None);
                }
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) => return Poll::Ready(self.end()),
                Ok(_) => {}
                Err(error) => {
                    self.state = State::Over;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The function has closed the connection in the middle of a body, or at the end of one that has no other end.
    fn end(&mut self) -> Option<Result<Bytes, WireError>> {
        let is_end = self.is_ended_by_close();
        self.state = State::Over;
        if self.upload.as_ref().is_some_and(|upload| upload.phase() == UploadPhase::Failed) {
            return Some(Err(WireError::RequestBody(None)));
        }
        (!is_end).then_some(Err(WireError::Closed))
    }

    /// What was sent behind the body, once all of it was read.
    pub(crate) const fn take_trailers(&mut self) -> Option<Box<HeaderMap>> {
        self.trailers.take()
    }

    /// Notes the end of a body, and whether the connection is kept.
    fn settle(&mut self) {
        let State::Body(decoder) = &mut self.state else { return };
        if !decoder.is_over() {
            return;
        }
        self.trailers = decoder.take_trailers();
        self.answered = self.answered.saturating_add(1);
        let is_sent = self.upload.as_ref().is_none_or(|upload| upload.phase() == UploadPhase::Over);
        let is_kept = self.keeps_alive && is_sent && self.inbox.bytes().is_empty();
        self.state = if is_kept { State::Idle } else { State::Over };
        self.upload = None;
        self.inbox.shrink();
    }

    /// Ready at the deadline. Deadlines only ever move forward, so the timer is moved when it fires, and not for each request.
    fn poll_clock(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<Late> {
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if clock.deadline() > deadline {
            clock.as_mut().reset(deadline);
        }
        loop {
            ready!(clock.as_mut().poll(cx));
            if clock.deadline() >= deadline {
                return Poll::Ready(Late);
            }
            clock.as_mut().reset(deadline);
        }
    }

    /// How many responses were read to their end.
    pub(crate) const fn answered(&self) -> u32 {
        self.answered
    }

    /// The socket, for whoever writes the rest of a request while its response is read.
    pub(crate) const fn socket(&self) -> &Arc<FunctionSocket> {
        &self.socket
    }

    /// The socket after a 101, and what has arrived of the new protocol. `None` if somebody still writes to it.
    pub(crate) fn into_socket(self) -> Option<(FunctionSocket, Inbox)> {
        Some((Arc::into_inner(self.socket)?, self.inbox))
    }
}

/// How a connection broke, as far as it matters for what the visitor is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Breakage {
    /// The function closed it and had not read all of the request: the kernel says so on local sockets. It never saw a
    /// complete request.
    Unread,
    /// The function closed it in the usual way, after having read what there was.
    Closed,
    /// What came is not HTTP/1.1.
    Garbage,
    /// The request's own body failed.
    RequestBody,
}

impl Breakage {
    /// The meaning of an error.
    pub(crate) fn of(error: &WireError) -> Self {
        match error {
            WireError::Head(_)
            | WireError::HeadTooLarge
            | WireError::TooManyHeaders
            | WireError::Ambiguous(_)
            | WireError::Chunk => Self::Garbage,
            WireError::RequestBody(_) => Self::RequestBody,
            WireError::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Unread,
                _ => Self::Closed,
            },
            WireError::Closed => Self::Closed,
        }
    }
}
