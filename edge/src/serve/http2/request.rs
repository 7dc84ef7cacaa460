//! One request of HTTP/2, from its head to the last byte of its answer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use http_body::Body as _;

use super::body::Http2Body;
use crate::body::{BodyError, EdgeBody};
use crate::early_hints::{head_of, listen_for_hints};
use crate::serve::Answer;
use crate::serve::as_http1::as_http1;
use crate::serve::complete_head::complete_head;
use crate::serve::pace::PacedBody;
use crate::visitor::Visitor;
use crate::visitor_body::VisitorBody;

/// Where an answer goes. What is dropped before it is sent as a whole is reset.
pub(super) type Reply = SendResponse<Bytes>;

/// Why there is no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the visitor gave the stream up: {0}")]
    GivenUp(Reason),
    #[error("the stream failed")]
    Stream(#[from] h2::Error),
    #[error("the stream takes no more")]
    Closed,
    #[error("the answer broke off")]
    Body(#[source] BodyError),
}

/// Answers one request. Its stream ends with this.
pub(super) async fn answer_one<A: Answer>(
    request: Request<RecvStream>,
    mut reply: Reply,
    visitor: Visitor,
    answer: Arc<A>,
) {
    let given = match answered(request, &mut reply, visitor, &*answer).await {
        Ok(response) => give(&mut reply, response).await,
        Err(unanswered) => Err(unanswered),
    };
    if let Err(error) = given {
        tracing::debug!(error = &error as &dyn std::error::Error, "a request of HTTP/2 is not answered");
    }
}

/// The answer, unless the visitor gives it up. What they can be told before it is there is sent on the way.
async fn answered<A: Answer>(
    request: Request<RecvStream>,
    reply: &mut Reply,
    visitor: Visitor,
    answer: &A,
) -> Result<Response<EdgeBody>, Unanswered> {
    let (parts, stream) = request.into_parts();
    let body = Http2Body::new(stream, &parts.headers);
    let mut request = as_http1(Request::from_parts(parts, VisitorBody::from(body)));
    let mut hints = listen_for_hints(&mut request);
    let mut answering = pin!(answer.answer(request, visitor));
    poll_fn(|context| {
        if let Poll::Ready(response) = answering.as_mut().poll(context) {
            return Poll::Ready(Ok(response));
        }
        while let Poll::Ready(links) = hints.poll_next(context) {
            reply.send_informational(head_of(links))?;
        }
        match reply.poll_reset(context)? {
            Poll::Ready(reason) => Poll::Ready(Err(Unanswered::GivenUp(reason))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Sends an answer, as fast as the visitor takes it.
async fn give(reply: &mut Reply, response: Response<EdgeBody>) -> Result<(), Unanswered> {
    let (mut parts, body) = response.map(PacedBody::of_current_stream).into_parts();
    complete_head(&mut parts.headers, &body);
    let is_whole = body.is_end_stream();
    let mut sender = reply.send_response(Response::from_parts(parts, ()), is_whole)?;
    if is_whole {
        return Ok(());
    }
    let given = give_body(&mut sender, body).await;
    if let Err(Unanswered::Body(_)) = given {
        // No visitor takes a part for the whole.
        sender.send_reset(Reason::INTERNAL_ERROR);
    }
    given
}

async fn give_body(sender: &mut SendStream<Bytes>, body: PacedBody) -> Result<(), Unanswered> {
    let mut body = pin!(body);
    while let Some(frame) = unless_given_up(sender, |_, context| body.as_mut().poll_frame(context)).await? {
        match frame.map_err(Unanswered::Body)?.into_data() {
            Ok(bytes) => {
                let is_last = body.is_end_stream();
                if !bytes.is_empty() {
                    wait_for_room(sender).await?;
                }
                sender.send_data(bytes, is_last)?;
                if is_last {
                    return Ok(());
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return Ok(sender.send_trailers(trailers)?);
                }
            }
        }
    }
    Ok(sender.send_data(Bytes::new(), true)?)
}

/// Waits until the visitor takes something. Only a byte is asked for: h2 asks for the rest when it has it, and a stream that waits holds
/// nothing of the connection's window until then.
async fn wait_for_room(sender: &mut SendStream<Bytes>) -> Result<(), Unanswered> {
    sender.reserve_capacity(1);
    while sender.capacity() == 0 {
        unless_given_up(sender, SendStream::poll_capacity).await?.ok_or(Unanswered::Closed)??;
    }
    Ok(())
}

/// Waits for something, unless the visitor gives the stream up before.
async fn unless_given_up<T>(
    sender: &mut SendStream<Bytes>,
    mut poll: impl FnMut(&mut SendStream<Bytes>, &mut Context<'_>) -> Poll<T>,
) -> Result<T, Unanswered> {
    poll_fn(|context| match sender.poll_reset(context)? {
        Poll::Ready(reason) => Poll::Ready(Err(Unanswered::GivenUp(reason))),
        Poll::Pending => poll(sender, context).map(Ok),
    })
    .await
}
