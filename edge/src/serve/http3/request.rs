//! One request of HTTP/3, from its head to the last byte of its answer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use h3::error::{Code, StreamError};
use h3::ext::Protocol;
use h3::server::{RequestResolver, RequestStream};
use http::header::{CONTENT_LENGTH, TE};
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;

use super::body::Http3Body;
use super::sender::Sender;
use super::transport::Transport;
use super::watch::{Ending, StreamWatch};
use crate::body::{BodyError, EdgeBody};
use crate::early_hints::{head_of, listen_for_hints};
use crate::serve::as_http1::as_http1;
use crate::serve::complete_head::{OF_ONE_CONNECTION, complete_head};
use crate::serve::pace::{PIECE_BYTES, answer_is_given};
use crate::serve::{Answer, ConnectionLimits};
use crate::visitor::{Scheme, Visitor};
use crate::visitor_body::VisitorBody;

/// How long a visitor may take to say that they have all of an answer. Until then it waits here, at most the window of a connection; in
/// TCP the kernel keeps it for as long.
const LAST_BYTES_TIMEOUT: Duration = Duration::from_mins(5);

/// A request that is to be read.
pub(super) type Asking = RequestResolver<Transport, Bytes>;

/// Why there is no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the head did not come in time")]
    TooSlow,
    #[error("the head is not one of HTTP/3")]
    Malformed,
    #[error("the stream failed")]
    Stream(#[from] StreamError),
    #[error("the answer broke off")]
    Body(#[source] BodyError),
}

/// Answers one request. Its stream ends with this.
pub(super) async fn answer_one<A: Answer>(
    asking: Asking,
    watch: Arc<StreamWatch>,
    connection: quinn::Connection,
    answer: Arc<A>,
    limits: ConnectionLimits,
) {
    let mut left = pin!(watch.left());
    let answering = async {
        let head = tokio::time::timeout(limits.header_read_timeout, asking.resolve_request()).await;
        let (request, stream) = head.map_err(|_| Unanswered::TooSlow)??;
        watch.ends_as(Ending::Broken);
        let (mut sender, receiver) = stream.split();
        let is_of_other_protocol = request.extensions().get::<Protocol>().is_some();
        let Some(length) = length_of(request.headers()).filter(|_| !is_of_other_protocol) else {
            sender.stop_stream(Code::H3_MESSAGE_ERROR);
            return Err(Unanswered::Malformed);
        };
        let body = VisitorBody::from(Http3Body::begin(receiver, length).await);
        // It may have moved since it came.
        let visitor = Visitor { peer: connection.remote_address(), scheme: Scheme::Https };
        let mut request = as_http1(request).map(|()| body);
        let mut hints = listen_for_hints(&mut request);
        let mut answering = pin!(answer.answer(request, visitor));
        let response = loop {
            tokio::select! {
                biased;
                response = &mut answering => break response,
                links = poll_fn(|context| hints.poll_next(context)) => sender.send_response(head_of(links)).await?,
            }
        };
        give(&mut sender, response).await
    };
    let given = tokio::select! {
        biased;
        given = answering => given,
        () = &mut left => return,
    };
    match given {
        Ok(()) => {
            answer_is_given();
            // A connection that ends takes with it what the visitor does not have yet.
            if tokio::time::timeout(LAST_BYTES_TIMEOUT, left).await.is_err() {
                tracing::debug!("a visitor never said that they have an answer");
            }
        }
        Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "a request of HTTP/3 is not answered"),
    }
}

/// How long a request's body is, if its head says so. `None` where the head says what it may not.
#[expect(clippy::option_option, reason = "a head may be wrong, and may say nothing")]
fn length_of(headers: &HeaderMap) -> Option<Option<u64>> {
    let is_of_connection = OF_ONE_CONNECTION.iter().any(|name| headers.contains_key(name));
    if is_of_connection || headers.get_all(TE).iter().any(|value| value != "trailers") {
        return None;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(|value| {
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse::<u64>().ok())
    });
    match lengths.next() {
        None => Some(None),
        Some(first) => (lengths.all(|other| other == first) && first.is_some()).then_some(first),
    }
}

/// Sends an answer, as fast as the visitor takes it.
async fn give(sender: &mut RequestStream<Sender, Bytes>, response: Response<EdgeBody>) -> Result<(), Unanswered> {
    let (mut parts, mut body) = response.into_parts();
    complete_head(&mut parts.headers, &body);
    sender.send_response(Response::from_parts(parts, ())).await?;
    body.hold_little();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Unanswered::Body)?;
        match frame.into_data() {
            Ok(mut bytes) => {
                while bytes.has_remaining() {
                    sender.send_data(bytes.split_to(bytes.len().min(PIECE_BYTES))).await?;
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    sender.send_trailers(trailers).await?;
                }
            }
        }
    }
    Ok(sender.finish().await?)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// A length is a number, said once or always alike; and nothing is said of a connection.
    #[test]
    fn lengths() {
        let of = |lines: &[(&'static str, &'static str)]| {
            let lines =
                lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let mut headers = HeaderMap::new();
            lines.for_each(|(name, value)| {
                headers.append(name, value);
            });
            length_of(&headers)
        };
        assert_eq!(of(&[("accept", "*/*"), ("te", "trailers")]), Some(None));
        assert_eq!(of(&[("content-length", "12")]), Some(Some(12)));
        assert_eq!(of(&[("content-length", "12"), ("content-length", "12")]), Some(Some(12)));
        for wrong in [
            &[("content-length", "12"), ("content-length", "13")][..],
            &[("content-length", "+12")],
            &[("content-length", "")],
            &[("content-length", "99999999999999999999")],
            &[("transfer-encoding", "chunked")],
            &[("connection", "close")],
            &[("upgrade", "websocket")],
            &[("te", "gzip")],
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
