//! A connection in HTTP/1.1.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;

use super::drive::{Conversation, drive};
use super::fast_stream::FastStream;
use super::head_guard::ends_guarding;
use super::shares::Pass;
use super::state::{ConnectionState, HeadTimer};
use super::stream::{Socket, VisitorStream};
use super::{Answer, ConnectionLimits, EndOfSending, Errand};
use crate::body::EdgeBody;
use crate::fast_path::Handover;
use crate::visitor::Visitor;
use crate::visitor_body::VisitorBody;

/// Serves a connection until it ends, or until its socket goes over to an upgrade.
pub(super) async fn run<S: Socket, A: Answer>(
    stream: VisitorStream<S>,
    visitor: Visitor,
    state: Arc<ConnectionState>,
    answer: Arc<A>,
    limits: ConnectionLimits,
) {
    let (own, pass) = (Arc::clone(&state), Pass::of(stream.seat()));
    let handover = Handover::default();
    let stream = FastStream::new(stream, Arc::clone(&answer), visitor, handover.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (answer, state) = (Arc::clone(&answer), Arc::clone(&own));
        handover.give(request.extensions_mut());
        if A::END_OF_SENDING == EndOfSending::PerhapsOnlyThat {
            request.extensions_mut().insert(Errand::of(Arc::clone(&state)));
        }
        async move {
            let is_last = ends_guarding(&request);
            let mut response = answer.answer(request.map(VisitorBody::from), visitor).await;
            if (is_last || state.is_leaving()) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    // Not `pipeline_flush`: with it hyper buffers a response without bound while the visitor does not read.
    let http = http1::Builder::new()
        .timer(HeadTimer(Arc::clone(&state)))
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    drive(http, pass, visitor.peer, &state, limits).await;
}

impl<S, A, T> Conversation for http1::UpgradeableConnection<TokioIo<FastStream<S, A>>, T>
where
    S: Socket,
    A: Answer,
    T: HttpService<Incoming, ResBody = EdgeBody, Error = Infallible>,
{
    type Error = hyper::Error;

    const IS_ENDED_WITH_NOTICE: bool = false;

    fn end_after_requests(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
