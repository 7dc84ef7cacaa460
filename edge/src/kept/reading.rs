//! A function's body, read as far as an answer may be long.

use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use ship_runtime::FunctionBody;

use crate::body::{EdgeBody, blame};
use crate::failure::Failure;

/// A function's body, read as far as an answer may be long.
pub(crate) enum Read {
    /// All of it.
    Whole(BytesMut),
    /// There is more than that.
    TooLong(Box<EdgeBody>),
}

/// Reads a body to its end, but no more than `most_bytes` of it.
pub(crate) async fn read(mut body: FunctionBody, most_bytes: usize) -> Result<Read, Failure> {
    if body.size_hint().lower() > most_bytes as u64 {
        return Ok(Read::TooLong(Box::new(EdgeBody::function(body))));
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::from(blame(&error)))?;
        let Ok(piece) = frame.into_data() else { continue };
        read.extend_from_slice(&piece);
        if read.len() > most_bytes {
            let begun = stream::iter([Ok(Frame::data(read.freeze()))]);
            let whole = StreamBody::new(begun.chain(BodyStream::new(body)));
            return Ok(Read::TooLong(Box::new(EdgeBody::other(whole))));
        }
    }
    Ok(Read::Whole(read))
}
