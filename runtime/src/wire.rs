//! HTTP/1.1 as it is spoken to functions: what is written to them, and a strict reading of what they answer.
//!
//! Nothing here performs I/O. A response is read from an [`Inbox`] that somebody fills; where two readers of the same bytes
//! could see its end, or its meaning, in different places, it is refused.

mod decoder;
mod error;
mod head;
mod inbox;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod request_head;
#[cfg(test)]
mod split_tests;
mod trailers;

pub(crate) use decoder::Decoder;
pub use error::WireError;
pub(crate) use head::{HeadReader, read_whole};
pub(crate) use inbox::Inbox;
pub(crate) use request_head::{Framing, write_chunk, write_last_chunk, write_request_head};

/// What of a request decides how its response is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    /// HEAD: the response has the headers of a body, and none.
    Head,
    /// CONNECT: a success has no body, and the connection is no longer this protocol's.
    Connect,
    /// It asks for another protocol, so that a 101 is an answer to it.
    Upgrade,
    /// Any other.
    Plain,
}
