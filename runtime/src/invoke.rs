//! One request, from an instance's place in the pool to the head of the response.
//!
//! # The clocks
//!
//! A request has two, one after the other. While its instance has not answered anything since its start, only the
//! instance's `init_timeout_secs` runs, counted from the start of the process. From the moment when the instance is known
//! to be ready, or from the handing over if it was ready before, the request has `timeout_secs` until the head of its
//! response is there, and then the same time until each next piece of the body. An instance that has read the request, and not
//! the platform's question whether it is there, is at work: a handler that never gives way is timed like any other. One that has read both and
//! is silent still starts, as servers do that listen before they can answer. Each piece of the request's own body that
//! the function takes sets the clock back, so a long upload is no timeout. If the clock runs out while the visitor is the
//! one to send, the visitor's request fails and the function is left alone.
//!
//! # Trying again
//!
//! A request is never given to two functions. It goes to another instance, once, only if it is certain that the first never
//! saw all of it: the connection was refused, it was found closed before anything was written, or, for a request without a
//! body, the kernel says that the function closed it with bytes still unread. The last is a property of local sockets: the
//! head had not been read to its end, so no handler was called.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, response};
use ship_core::RequestId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::at_once::BegunCall;
use crate::body::{Feed, FunctionBody};
use crate::connection::{Breakage, SendError};
use crate::course::Departure;
use crate::error::InvokeError;
use crate::limits::LOOK_WHETHER_AT_WORK;
use crate::pool::Lease;
use crate::request::{FAILED, Outgoing, TRUNK, Upload, UploadPhase};
use crate::runtime::Runtime;
use crate::spec::FunctionSpec;
use crate::trunk::{Answer, Call, ClaimNumber};
use crate::upgraded::Upgraded;
use crate::vigil::CallClock;
use crate::wire::{WireError, read_whole};

/// Why the instance that a request was given to did not answer it.
enum Miss {
    /// The request never reached it. What the visitor is told if there is no second try.
    Undelivered(InvokeError),
    /// It reached it, or may have.
    Failed(InvokeError),
}

/// What a try has come to: it is over, or there may be another.
type Tried = ControlFlow<Result<Response<FunctionBody>, InvokeError>, Undelivered>;

/// A request that no function has seen, and what the visitor is told if there is no other try.
struct Undelivered {
    outgoing: Outgoing,
    error: InvokeError,
}

/// How often a request may be tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tries {
    One,
    Two,
}

/// Gives a request to an instance of the function and waits for the head of the response.
pub(crate) async fn invoke(
    runtime: &Runtime,
    spec: &Arc<FunctionSpec>,
    id: Option<RequestId>,
    outgoing: Outgoing,
) -> Result<Response<FunctionBody>, InvokeError> {
    invoke_up_to(runtime, spec, id, outgoing, Tries::Two).await
}

/// Goes on with a call whose request an instance was given.
pub(crate) async fn go_on(
    runtime: &Runtime,
    spec: &Arc<FunctionSpec>,
    id: RequestId,
    begun: BegunCall,
    mut outgoing: Outgoing,
) -> Result<Response<FunctionBody>, InvokeError> {
    let clock = CallClock::start();
    let BegunCall { mut lease, call, departure, answer } = begun;
    let attempted = settle(&mut lease, call, answer, &mut outgoing).await;
    drop(clock);
    match conclude(lease, departure, attempted, outgoing) {
        ControlFlow::Break(over) => over,
        ControlFlow::Continue(undelivered) => {
            invoke_up_to(runtime, spec, Some(id), undelivered.outgoing, Tries::One).await
        }
    }
}

async fn invoke_up_to(
    runtime: &Runtime,
    spec: &Arc<FunctionSpec>,
    id: Option<RequestId>,
    mut outgoing: Outgoing,
    mut tries: Tries,
) -> Result<Response<FunctionBody>, InvokeError> {
    let clock = CallClock::start();
    loop {
        let mut lease = runtime.lease(spec, id).await?;
        let departure = Departure::to(lease.instance(), Instant::from_std(clock.began()));
        let attempted = attempt(&mut lease, &mut outgoing).await;
        match conclude(lease, departure, attempted, outgoing) {
            ControlFlow::Break(over) => return over,
            ControlFlow::Continue(undelivered) if tries == Tries::Two => outgoing = undelivered.outgoing,
            ControlFlow::Continue(undelivered) => return Err(undelivered.error),
        }
        tries = Tries::One;
    }
}

fn conclude(
    mut lease: Lease,
    departure: Departure,
    attempted: Result<Answered, Miss>,
    mut outgoing: Outgoing,
) -> Tried {
    ControlFlow::Break(match attempted {
        Ok(answered) if answered.is_in_place_of_handler() => {
            lease.note_ready();
            // What follows the head is nobody's.
            lease.take_connection();
            Err(InvokeError::HandlerFailed)
        }
        Ok(Answered::Whole(head, body)) => Ok(respond_whole(&lease, departure, head, body)),
        Ok(Answered::Begun(head)) => respond(lease, departure, head, outgoing),
        Err(Miss::Undelivered(error)) => {
            outgoing.sending.rewind();
            return ControlFlow::Continue(Undelivered { outgoing, error });
        }
        Err(Miss::Failed(InvokeError::Timeout)) => {
            lease.time_out();
            Err(InvokeError::Timeout)
        }
        Err(Miss::Failed(error)) => Err(error),
    })
}

/// How far the response is that was waited for.
enum Answered {
    /// All of it is here.
    Whole(response::Parts, Bytes),
    /// Its head is, and the body comes on the lease's connection.
    Begun(response::Parts),
}

impl Answered {
    /// Whether the launcher gave the answer, because the handler failed.
    fn is_in_place_of_handler(&self) -> bool {
        let (Self::Whole(head, _) | Self::Begun(head)) = self;
        head.headers.contains_key(FAILED)
    }
}

/// Sends a request to the instance of a lease and waits for the response, or its head.
async fn attempt(lease: &mut Lease, outgoing: &mut Outgoing) -> Result<Answered, Miss> {
    let Some(mut call) = lease.call(outgoing) else { return ask(lease, outgoing).await.map(Answered::Begun) };
    let answer = call.answer().await;
    settle(lease, call, answer, outgoing).await
}

/// Takes what a function has said on the trunk for what it means.
async fn settle(lease: &mut Lease, call: Call, answer: Answer, outgoing: &mut Outgoing) -> Result<Answered, Miss> {
    match answer {
        Answer::Whole(response) => match read_whole(&response) {
            Ok((head, body)) => Ok(Answered::Whole(head, body)),
            Err(error) => Err(explain(lease, error, outgoing).await),
        },
        Answer::Claim(number) => {
            let head = claim(lease, number).await?;
            call.was_claimed();
            Ok(Answered::Begun(head))
        }
        Answer::Failed => {
            lease.note_ready();
            Err(Miss::Failed(InvokeError::HandlerFailed))
        }
        Answer::Broken => Err(explain(lease, WireError::Closed, outgoing).await),
        Answer::Late => Err(Miss::Failed(InvokeError::Timeout)),
        Answer::Unsent => ask(lease, outgoing).await.map(Answered::Begun),
    }
}

/// Asks for a response that the trunk did not carry. The function has begun it, so nobody else is asked for it.
async fn claim(lease: &mut Lease, number: ClaimNumber) -> Result<response::Parts, Miss> {
    match ask(lease, &mut Outgoing::claim(number)).await {
        Err(Miss::Undelivered(error)) => Err(Miss::Failed(error)),
        answered => answered,
    }
}

/// Sends a request on a connection of its own and waits for the head of the response.
async fn ask(lease: &mut Lease, outgoing: &mut Outgoing) -> Result<response::Parts, Miss> {
    loop {
        let is_kept = lease.connection().is_some();
        if lease.connect().is_err() {
            lease.note_unreachable();
            return Err(undelivered(lease).await);
        }
        match send(lease, outgoing).await {
            Ok(head) => return Ok(head),
            Err(Stop::Clock(error)) => return Err(Miss::Failed(error)),
            // A kept connection that the function has closed meanwhile costs nothing: a new one is opened.
            Err(Stop::Send(SendError::Unsent)) if is_kept => drop(lease.take_connection()),
            Err(Stop::Send(error)) if !is_kept && error.is_refusal(outgoing) => return Err(refused(lease).await),
            Err(Stop::Send(SendError::Unsent)) => return Err(undelivered(lease).await),
            Err(Stop::Send(SendError::Broken(error))) => return Err(explain(lease, error, outgoing).await),
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
async fn send(lease: &mut Lease, outgoing: &mut Outgoing) -> Result<response::Parts, Stop> {
    let timeout = lease.request_timeout();
    let starting = lease.instance().ready_since().is_none().then(|| Arc::clone(lease.instance()));
    if let Some(instance) = starting {
        let mut seen_at_work = false;
        loop {
            let Some(connection) = lease.connection() else { return Err(Stop::Send(SendError::Unsent)) };
            tokio::select! {
                biased;
                head = connection.ask(outgoing) => return Ok(head?),
                _ = instance.became_ready() => break,
                () = sleep(LOOK_WHETHER_AT_WORK) => {}
            }
            // At two looks: the question may be on its way.
            let is_at_work = connection.is_read() && instance.leaves_question();
            if is_at_work && seen_at_work {
                lease.note_ready();
                break;
            }
            seen_at_work = is_at_work;
        }
    }
    let Some(connection) = lease.connection() else { return Err(Stop::Send(SendError::Unsent)) };
    let mut deadline = Instant::now() + timeout;
    loop {
        if let Ok(head) = connection.ask_until(deadline, outgoing).await {
            return Ok(head?);
        }
        deadline = extended(deadline, timeout, outgoing.upload.as_deref()).map_err(Stop::Clock)?;
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
        UploadPhase::Function | UploadPhase::Over | UploadPhase::Failed => InvokeError::Timeout,
    })
}

/// What a broken connection means.
async fn explain(lease: &mut Lease, error: WireError, outgoing: &mut Outgoing) -> Miss {
    lease.take_connection();
    let has_body = outgoing.upload.is_some();
    match (Breakage::of(&error), error) {
        (Breakage::RequestBody, WireError::RequestBody(source)) => Miss::Failed(InvokeError::RequestBody(source)),
        (Breakage::RequestBody, _) => Miss::Failed(InvokeError::RequestBody(None)),
        (Breakage::Garbage, error) => {
            lease.note_ready();
            lease.remark_garbage(&error);
            Miss::Failed(InvokeError::InvalidResponse(Some(error.into())))
        }
        (Breakage::Unread, _) if !has_body => undelivered(lease).await,
        (Breakage::Unread, _) => Miss::Failed(no_answer(lease).await),
        (Breakage::Closed, _) => {
            // It has read the request, so it had started: what ended it is no failed start.
            lease.note_ready();
            Miss::Failed(no_answer(lease).await)
        }
    }
}

impl SendError {
    /// Whether the function closed the connection and had read nothing of the request, or not all of its head.
    fn is_refusal(&self, outgoing: &Outgoing) -> bool {
        match self {
            Self::Unsent => true,
            Self::Broken(error) => Breakage::of(error) == Breakage::Unread && outgoing.upload.is_none(),
        }
    }
}

/// A new connection that the function has closed unread. One that answered before takes none any more, as Node does when it has
/// opened all the files that it may: what it is asked next would fare no better, so it gets no more requests.
async fn refused(lease: &mut Lease) -> Miss {
    lease.take_connection();
    let miss = undelivered(lease).await;
    if lease.instance().ready_since().is_some() {
        lease.note_unreachable();
    }
    miss
}

/// A request that certainly was not seen. An instance that had been ready has just ended, and another may answer; one that
/// never was could not start, and the next would not either.
async fn undelivered(lease: &mut Lease) -> Miss {
    let error = no_answer(lease).await;
    match lease.instance().ready_since() {
        Some(_) => Miss::Undelivered(error),
        None => Miss::Failed(error),
    }
}

/// What is said about an instance that gave no answer: that its process ended, or that it is there and keeps silent.
async fn no_answer(lease: &mut Lease) -> InvokeError {
    lease.note_no_answer();
    match lease.instance().failure().await {
        Some(failure) => Arc::new(failure).into(),
        None => InvokeError::NoResponse,
    }
}

/// The response for the visitor. The lease goes with its body, or is given back if all of the body is here already.
fn respond(
    mut lease: Lease,
    departure: Departure,
    mut head: response::Parts,
    outgoing: Outgoing,
) -> Result<Response<FunctionBody>, InvokeError> {
    lease.note_ready();
    let course = departure.arrive(lease.instance());
    if head.headers.remove(TRUNK).is_some() {
        lease.note_trunk_offer();
    }
    let (timeout, upload) = (lease.request_timeout(), outgoing.upload.clone());
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        drop(outgoing);
        let upgraded = upgrade(lease).map_err(|error| InvokeError::InvalidResponse(Some(error.into())))?;
        let body = FunctionBody::new(Bytes::new(), Feed::Upgraded(Box::new(upgraded)), upload, timeout, course);
        return Ok(Response::from_parts(head, body));
    }
    let (received, is_over, trailers) = match lease.connection() {
        Some(connection) => (connection.received(), connection.is_over(), connection.take_trailers()),
        None => (Bytes::new(), true, None),
    };
    let feed = if is_over { Feed::Over } else { feed_of(lease, outgoing) };
    let body = FunctionBody::new(received, feed, upload, timeout, course).followed_by(trailers);
    Ok(Response::from_parts(head, body))
}

/// A response of which nothing is to come, so that the lease can be given back.
pub(crate) fn respond_whole(
    lease: &Lease,
    departure: Departure,
    mut head: response::Parts,
    body: Bytes,
) -> Response<FunctionBody> {
    head.headers.remove(TRUNK);
    let course = departure.arrive(lease.instance());
    Response::from_parts(head, FunctionBody::new(body, Feed::Over, None, lease.request_timeout(), course))
}

/// The stream of another protocol, which the request lasts as long as.
fn upgrade(mut lease: Lease) -> io::Result<Upgraded> {
    let connection = lease.take_connection().ok_or(io::ErrorKind::NotConnected)?;
    let (socket, inbox) = connection.into_socket().ok_or(io::ErrorKind::ResourceBusy)?;
    Ok(Upgraded::new(socket, Bytes::copy_from_slice(inbox.bytes()), lease))
}

/// Where the rest of the body of a response comes from.
fn feed_of(mut lease: Lease, outgoing: Outgoing) -> Feed {
    let is_sent = outgoing.upload.as_ref().is_none_or(|upload| upload.phase() == UploadPhase::Over);
    let tasks = lease.tasks().clone();
    let Some(connection) = lease.connection().filter(|_| !is_sent) else { return Feed::Leased(lease) };
    // The rest of the request's body must move even when nobody reads the response.
    let stop = CancellationToken::new();
    let rest = outgoing.sending.finish(Arc::clone(connection.socket()));
    tasks.spawn(stop.clone().run_until_cancelled_owned(rest));
    Feed::Driven(lease, stop.drop_guard())
}
