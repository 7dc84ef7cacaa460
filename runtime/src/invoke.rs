//! One request, from an instance's place in the pool to the head of the response.
//!
//! # The clocks
//!
//! A request has two, one after the other. While its instance has not answered anything since its start, only the
//! instance's `init_timeout_secs` runs, counted from the start of the process. From the moment when the instance is known
//! to be ready, or from the handing over if it was ready before, the request has `timeout_secs` until the head of its
//! response is there, and then the same time until each next piece of the body. Each piece of the request's own body that
//! the function takes sets the clock back, so a long upload is no timeout. If the clock runs out while the visitor is the
//! one to send, the visitor's request fails and the function is left alone.
//!
//! # Trying again
//!
//! A request is never given to two functions. It goes to another instance, once, only if it is certain that the first never
//! saw all of it: the connection was refused, it was found closed before anything was written, or, for a request without a
//! body, the kernel says that the function closed it with bytes still unread. The last is a property of local sockets: the
//! head had not been read to its end, so no handler was called.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use ship_core::RequestId;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::body::{Ending, Feed, FunctionBody};
use crate::connection::{Breakage, SendError};
use crate::error::InvokeError;
use crate::pool::Lease;
use crate::request::{Outgoing, RequestBody, Upload, UploadPhase, copy_without_body};
use crate::runtime::Runtime;
use crate::spec::FunctionSpec;

/// Why the instance that a request was given to did not answer it.
enum Miss {
    /// The request never reached it: here it is, and what the visitor is told if there is no second try.
    Undelivered(Box<Request<RequestBody>>, InvokeError),
    /// It reached it, or may have.
    Failed(InvokeError),
}

/// What of a request is needed after it was sent.
struct Asked {
    is_head: bool,
    wants_upgrade: bool,
    upload: Option<Arc<Upload>>,
}

/// Gives a request to an instance of the function and waits for the head of the response.
pub(crate) async fn invoke(
    runtime: &Runtime,
    spec: &Arc<FunctionSpec>,
    id: Option<RequestId>,
    outgoing: Outgoing,
) -> Result<Response<FunctionBody>, InvokeError> {
    let Outgoing { mut request, upload, wants_upgrade } = outgoing;
    let asked = Asked { is_head: request.method() == Method::HEAD, wants_upgrade, upload };
    let mut may_retry = true;
    loop {
        let mut lease = runtime.lease(spec, id).await?;
        match attempt(&mut lease, request, &asked).await {
            Ok(response) => return respond(lease, response, &asked),
            Err(Miss::Undelivered(again, _)) if may_retry => request = *again,
            Err(Miss::Failed(InvokeError::Timeout)) => {
                lease.time_out();
                return Err(InvokeError::Timeout);
            }
            Err(Miss::Undelivered(_, error) | Miss::Failed(error)) => return Err(error),
        }
        may_retry = false;
    }
}

/// Sends a request to the instance of a lease and waits for the head of the response.
async fn attempt(
    lease: &mut Lease,
    mut request: Request<RequestBody>,
    asked: &Asked,
) -> Result<Response<Incoming>, Miss> {
    let spare = asked.upload.is_none().then(|| Box::new(copy_without_body(&request)));
    loop {
        let is_kept = lease.connection().is_some();
        if lease.connect().await.is_err() {
            lease.note_unreachable();
            return Err(undelivered(lease, Box::new(request)).await);
        }
        match send(lease, request, asked).await {
            Ok(response) => return Ok(response),
            Err(Stop::Clock(error)) => return Err(Miss::Failed(error)),
            // A kept connection that the function has closed meanwhile costs nothing: a new one is opened.
            Err(Stop::Send(SendError::Unsent(again))) if is_kept => {
                lease.take_connection();
                request = *again;
            }
            Err(Stop::Send(SendError::Unsent(again))) => return Err(undelivered(lease, again).await),
            Err(Stop::Send(SendError::Broken(error))) => return Err(explain(lease, error, spare).await),
        }
    }
}

/// Why the wait for a response ended without one.
enum Stop {
    Send(SendError),
    Clock(InvokeError),
}

impl From<SendError> for Stop {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

/// Sends a request on the lease's connection and waits for the response, first by the clock of the instance and then by
/// that of the request.
async fn send(lease: &mut Lease, request: Request<RequestBody>, asked: &Asked) -> Result<Response<Incoming>, Stop> {
    let timeout = lease.request_timeout();
    let instance = Arc::clone(lease.instance());
    let Some(connection) = lease.connection() else { return Err(Stop::Send(SendError::Unsent(Box::new(request)))) };
    let mut response = pin!(connection.send(request));
    if instance.ready_since().is_none() {
        tokio::select! {
            biased;
            response = &mut response => return Ok(response?),
            _ = instance.became_ready() => {}
        }
    }
    let mut deadline = Instant::now() + timeout;
    loop {
        if let Ok(response) = timeout_at(deadline, &mut response).await {
            return Ok(response?);
        }
        deadline = extended(deadline, timeout, asked.upload.as_deref()).map_err(Stop::Clock)?;
    }
}

/// The deadline after `passed`, if the request's body has moved since it was set.
fn extended(passed: Instant, timeout: Duration, upload: Option<&Upload>) -> Result<Instant, InvokeError> {
    let Some(upload) = upload else { return Err(InvokeError::Timeout) };
    let deadline = upload.moved_at() + timeout;
    if deadline > passed {
        return Ok(deadline);
    }
    Err(match upload.phase() {
        UploadPhase::Visitor => InvokeError::RequestBody(None),
        UploadPhase::Function | UploadPhase::Over => InvokeError::Timeout,
    })
}

/// What a broken connection means.
async fn explain(lease: &mut Lease, error: hyper::Error, spare: Option<Box<Request<RequestBody>>>) -> Miss {
    lease.take_connection();
    match (Breakage::of(&error), spare) {
        (Breakage::RequestBody, _) => Miss::Failed(InvokeError::RequestBody(Some(error.into()))),
        (Breakage::Garbage, _) => {
            lease.note_ready();
            Miss::Failed(InvokeError::InvalidResponse(Some(error.into())))
        }
        (Breakage::Unread, Some(request)) => undelivered(lease, request).await,
        (Breakage::Unread, None) => Miss::Failed(no_answer(lease).await),
        (Breakage::Closed, _) => {
            // It has read the request, so it had started: what ended it is no failed start.
            lease.note_ready();
            Miss::Failed(no_answer(lease).await)
        }
    }
}

/// A request that certainly was not seen. An instance that had been ready has just ended, and another may answer; one that
/// never was could not start, and the next would not either.
async fn undelivered(lease: &mut Lease, request: Box<Request<RequestBody>>) -> Miss {
    let error = no_answer(lease).await;
    match lease.instance().ready_since() {
        Some(_) => Miss::Undelivered(request, error),
        None => Miss::Failed(error),
    }
}

/// What is said about an instance that gave no answer: that its process ended, or that it is there and keeps silent.
///
/// The lease is borrowed mutably only because its connection cannot be shared between threads.
async fn no_answer(lease: &mut Lease) -> InvokeError {
    match lease.instance().failure().await {
        Some(failure) => Arc::new(failure).into(),
        None => InvokeError::NoResponse,
    }
}

/// The response for the visitor. The lease goes with its body, or is given back if all of the body is here already.
fn respond(
    mut lease: Lease,
    response: Response<Incoming>,
    asked: &Asked,
) -> Result<Response<FunctionBody>, InvokeError> {
    lease.note_ready();
    let (head, incoming) = response.into_parts();
    if let Some(problem) = ambiguity(head.status, &head.headers, asked) {
        lease.take_connection();
        return Err(InvokeError::InvalidResponse(Some(problem.into())));
    }
    let timeout = lease.request_timeout();
    let ending = if is_ended_by_close(head.status, &head.headers, asked) { Ending::ByClose } else { Ending::Delimited };
    let feed = feed_of(lease, head.status, asked);
    Ok(Response::from_parts(head, FunctionBody::new(incoming, feed, ending, asked.upload.clone(), timeout)))
}

/// Where the body of a response comes from.
fn feed_of(mut lease: Lease, status: StatusCode, asked: &Asked) -> Feed {
    let tasks = lease.tasks().clone();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        if let Some(connection) = lease.take_connection() {
            connection.settle_in(lease);
            // Hands the stream over to whoever asks for the upgrade, and is over then.
            if let Some(driver) = connection.into_driver() {
                tasks.spawn(driver);
            }
        }
        return Feed::Received;
    }
    if asked.upload.as_ref().is_some_and(|upload| upload.phase() != UploadPhase::Over) {
        // The rest of the request's body must move even when nobody reads the response.
        let stop = CancellationToken::new();
        if let Some(driver) = lease.take_connection().and_then(crate::connection::Connection::into_driver) {
            tasks.spawn(stop.clone().run_until_cancelled_owned(driver));
        }
        return Feed::Driven(lease, stop.drop_guard());
    }
    if lease.connection().is_some_and(|connection| connection.is_idle()) {
        // Dropping the lease gives the connection back.
        return Feed::Received;
    }
    Feed::Leased(lease)
}

/// What makes a response ambiguous: another reader of the same bytes could see its end, or its meaning, elsewhere.
fn ambiguity(status: StatusCode, headers: &HeaderMap, asked: &Asked) -> Option<&'static str> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() || length.is_some_and(|length| !length.as_bytes().iter().all(u8::is_ascii_digit)) {
        return Some("it has more than one content-length");
    }
    if length.is_some() && headers.contains_key(TRANSFER_ENCODING) {
        return Some("it has both a content-length and a transfer-encoding");
    }
    if status == StatusCode::SWITCHING_PROTOCOLS && !asked.wants_upgrade {
        return Some("it switches protocols although nobody asked for it");
    }
    None
}

/// Whether only the end of the connection ends the body.
fn is_ended_by_close(status: StatusCode, headers: &HeaderMap, asked: &Asked) -> bool {
    let has_no_body = asked.is_head
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let is_chunked = headers.get_all(TRANSFER_ENCODING).iter().any(|value| value.as_bytes().ends_with(b"chunked"));
    !has_no_body && !is_chunked && !headers.contains_key(CONTENT_LENGTH)
}
