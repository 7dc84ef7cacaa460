//! Calls that are made where a visitor's bytes arrive, without anything that waits.
//!
//! Most requests are for a function that is awake, has room, and answers in one small piece. The whole way of such a call is a
//! place in an instance, a frame out and a frame in, so that nothing is made for it that other calls need: no request and no
//! future. Whatever turns out to need more, and be it only an error to explain, [goes on](Runtime::go_on) as any other call
//! does from there; it is not made again.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use ship_core::RequestId;
use tokio::time::Instant;

use crate::body::{BoxError, FunctionBody};
use crate::course::Departure;
use crate::error::InvokeError;
use crate::invoke::{self, respond_whole};
use crate::pool::Lease;
use crate::request::{FAILED, Outgoing, REQUEST_ID};
use crate::runtime::Runtime;
use crate::spec::FunctionSpec;
use crate::trunk::{Answer, Call};
use crate::vigil::CallClock;
use crate::wire::read_whole;

/// A call that an instance was given at once. Dropping it tells the function that nobody waits any more.
pub struct CallAtOnce {
    /// `None` when it has been answered.
    made: Option<Made>,
    _clock: CallClock,
}

struct Made {
    lease: Lease,
    call: Call,
    departure: Departure,
}

/// A call that was made and whose answer is not a small one that is whole. To be [gone on](Runtime::go_on) with.
pub struct BegunCall {
    pub(crate) lease: Lease,
    pub(crate) call: Call,
    pub(crate) departure: Departure,
    /// What the function has said.
    pub(crate) answer: Answer,
}

/// What became of a call.
pub enum AtOnce {
    /// The response, with all of its body.
    Whole(Response<FunctionBody>),
    /// There is more to do.
    Begun(BegunCall),
}

impl Runtime {
    /// Gives a request without a body to an instance of the function, if one is awake, has room, and carries such calls. `write_head`
    /// writes its request line and headers: none that say something of the connection or of a body, and none of the platform's
    /// own. `None` if nothing has happened.
    pub fn call_at_once(
        &self,
        spec: &FunctionSpec,
        id: RequestId,
        write_head: impl FnOnce(&mut Vec<u8>),
    ) -> Option<CallAtOnce> {
        let came = Instant::now();
        let lease = self.lease_at_once(spec, id)?;
        let departure = Departure::to(lease.instance(), came);
        let call = lease.call_with(|head| {
            write_head(head);
            for part in [REQUEST_ID.as_str(), ": ", id.as_str(), "\r\n\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        })?;
        // Begun only now: what was no call would look like one that took no time, and keep its thread awake for the next.
        Some(CallAtOnce { made: Some(Made { lease, call, departure }), _clock: CallClock::start() })
    }

    /// Goes on with a call that [`Runtime::call_at_once`] made of the head of `request`, which has no body, as [`Runtime::invoke`] would.
    pub async fn go_on<B>(
        &self,
        spec: &Arc<FunctionSpec>,
        id: RequestId,
        begun: BegunCall,
        request: Request<B>,
    ) -> Result<Response<FunctionBody>, InvokeError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        invoke::go_on(self, spec, id, begun, Outgoing::new(request, id)).await
    }
}

impl CallAtOnce {
    /// Waits for what becomes of it. To be asked until it is there.
    ///
    /// # Panics
    ///
    /// If it is asked again.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<AtOnce> {
        let made = self.made.as_mut().expect("nothing comes after an answer");
        let answer = ready!(made.call.poll_answer(context));
        let Made { lease, call, departure } = self.made.take().expect("it was there");
        if let Answer::Whole(response) = &answer
            && let Ok((head, body)) = read_whole(response)
            && !head.headers.contains_key(FAILED)
        {
            return Poll::Ready(AtOnce::Whole(respond_whole(&lease, departure, head, body)));
        }
        Poll::Ready(AtOnce::Begun(BegunCall { lease, call, departure, answer }))
    }
}
