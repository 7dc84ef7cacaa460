//! What is wrong with the bytes of a response, or with the connection that they came on.

use std::io;

use crate::body::BoxError;
use crate::limits::{MAX_RESPONSE_HEAD_BYTES, MAX_RESPONSE_HEADERS};

/// A response broke off, or is not HTTP/1.1 as this platform reads it.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The head is not one of HTTP/1.1.
    #[error("the head is not one of HTTP/1.1{}", .0.map(|error| format!(" ({error})")).unwrap_or_default())]
    Head(Option<httparse::Error>),
    /// The head has more bytes than are read.
    #[error("the head has more than {MAX_RESPONSE_HEAD_BYTES} bytes")]
    HeadTooLarge,
    /// The head has more headers than are read.
    #[error("the head has more than {MAX_RESPONSE_HEADERS} headers")]
    TooManyHeaders,
    /// The head can be read in two ways.
    #[error("{0}")]
    Ambiguous(&'static str),
    /// The body is not chunked as it says.
    #[error("the body is not properly chunked")]
    Chunk,
    /// The connection ended before the response did.
    #[error("the connection ended too early")]
    Closed,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The request's own body failed, so the connection was given up.
    #[error("the request's body failed")]
    RequestBody(#[source] Option<BoxError>),
}
