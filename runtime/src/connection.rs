//! One keep-alive connection to an instance.
//!
//! hyper splits a connection into a handle that sends requests and a driver that reads and writes. The driver is usually a
//! task of its own, and each request then costs two hand-overs between tasks. Here the request drives its own connection:
//! whoever waits for the response, or for the next piece of its body, moves the bytes. A connection that nobody uses is not
//! watched; that the function closed it is seen when it is taken for the next request, before anything is sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::runtime::Handle;

use crate::limits::MAX_RESPONSE_HEAD_BYTES;
use crate::pool::Lease;
use crate::request::RequestBody;

/// What moves the bytes of a connection. It ends when the connection is closed or handed over to another protocol.
pub(crate) type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection to an instance.
pub(crate) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    /// `None` once the connection is over.
    driver: Option<Driver>,
    tenant: Tenant,
    /// Where its socket is watched.
    home: tokio::runtime::Id,
}

/// The lease of a request that became another protocol. It lives in the stream, so that it ends with the stream.
type Tenant = Arc<Mutex<Option<Lease>>>;

/// Why a request got no response on a connection.
pub(crate) enum SendError {
    /// The connection was over before the request was written: here is the request again.
    Unsent(Box<Request<RequestBody>>),
    /// It failed later.
    Broken(hyper::Error),
}

impl Connection {
    /// Speaks HTTP/1.1 on a new stream.
    pub(crate) async fn open(stream: UnixStream) -> hyper::Result<Self> {
        let tenant = Tenant::default();
        let stream = FunctionStream { stream, _tenant: Arc::clone(&tenant) };
        let (sender, driver) =
            http1::Builder::new().max_header_size(MAX_RESPONSE_HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
        let home = Handle::current().id();
        Ok(Self { sender, driver: Some(Box::pin(driver.with_upgrades())), tenant, home })
    }

    /// Whether its socket is watched by this runtime. A request of another would be woken across threads, which takes longer
    /// than opening a connection.
    pub(crate) fn is_at_home(&self, runtime: tokio::runtime::Id) -> bool {
        self.home == runtime
    }

    /// Whether the last response was read to its end and another request can be sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its response. Dropping the future closes the connection with `self`.
    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, SendError> {
        let response = self.sender.try_send_request(request);
        let mut response = std::pin::pin!(response);
        let sent = std::future::poll_fn(|cx| self.poll_until(cx, |cx| response.as_mut().poll(cx))).await;
        sent.map_err(unsent_or_broken)
    }

    /// Moves bytes until `wanted`, something that this connection's driver produces, is there.
    ///
    /// Both are first polled without a waker: the driver wakes what it feeds, and that is this very task. Only what is
    /// still missing after that registers for a wake-up.
    pub(crate) fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut silent = Context::from_waker(Waker::noop());
        self.drive(&mut silent);
        if let Poll::Ready(value) = wanted(&mut silent) {
            return Poll::Ready(value);
        }
        self.drive(cx);
        // If the driver is over, nothing will ever come, and `wanted` has learned of it.
        wanted(if self.driver.is_some() { &mut silent } else { cx })
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            // The result was given to the request or its body already.
            self.driver = None;
        }
    }

    /// Takes the driver out, to let a task of its own move the bytes. `None` if there is nothing left to move.
    pub(crate) fn into_driver(self) -> Option<Driver> {
        self.driver
    }

    /// Puts a request's lease into the stream: the response was a 101, and the request lasts as long as the stream.
    pub(crate) fn settle_in(&self, lease: Lease) {
        *self.tenant.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
    }
}

fn unsent_or_broken(mut error: TrySendError<Request<RequestBody>>) -> SendError {
    match error.take_message() {
        Some(request) => SendError::Unsent(Box::new(request)),
        None => SendError::Broken(error.into_error()),
    }
}

/// A stream that carries the lease of a request that outlives its response.
struct FunctionStream {
    stream: UnixStream,
    _tenant: Tenant,
}

impl AsyncRead for FunctionStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for FunctionStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
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
    /// The meaning of an error of hyper.
    pub(crate) fn of(error: &hyper::Error) -> Self {
        if error.is_user() {
            return Self::RequestBody;
        }
        if error.is_parse() {
            return Self::Garbage;
        }
        match io_error_kind(error) {
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Self::Unread,
            _ => Self::Closed,
        }
    }
}

fn io_error_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = cause.source();
    }
    None
}
