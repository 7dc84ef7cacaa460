//! The head of a request, and the chunks of its body.

use std::io::Write as _;

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING};
use http::request::Parts;

use super::trailers;

/// How the end of a request's body is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// There is none.
    NoBody,
    /// It has so many bytes.
    Length(u64),
    /// Nobody knows its length.
    Chunked,
}

/// Headers that say something of the connection, or of the body's end, and are written anew.
const REWRITTEN: [HeaderName; 3] = [TRANSFER_ENCODING, CONTENT_LENGTH, EXPECT];

/// Writes a request's head: the path, without the host; the headers, except those of another connection, of the body's end
/// and those named in `without`; then `more`.
pub(crate) fn write_request_head(
    into: &mut Vec<u8>,
    parts: &Parts,
    without: &[HeaderName],
    framing: Framing,
    more: &[(HeaderName, &str)],
) {
    write_request_line(into, parts);
    for (name, value) in &parts.headers {
        if !REWRITTEN.contains(name) && !without.contains(name) {
            write_header(into, name, value.as_bytes());
        }
    }
    match framing {
        // Who says that there are no bytes may go on saying so.
        Framing::NoBody if parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0") => {
            write_header(into, &CONTENT_LENGTH, b"0");
        }
        Framing::NoBody => {}
        Framing::Length(length) => write_header(into, &CONTENT_LENGTH, length.to_string().as_bytes()),
        Framing::Chunked => write_header(into, &TRANSFER_ENCODING, b"chunked"),
    }
    for (name, value) in more {
        write_header(into, name, value.as_bytes());
    }
    into.extend_from_slice(b"\r\n");
}

fn write_request_line(into: &mut Vec<u8>, parts: &Parts) {
    into.extend_from_slice(parts.method.as_str().as_bytes());
    into.push(b' ');
    // A function is a server, not a proxy.
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    // In `http://example.com?query` there is no path: that of the root is meant (RFC 9112, section 3.2.1).
    if path.starts_with('?') {
        into.push(b'/');
    }
    into.extend_from_slice(path.as_bytes());
    into.extend_from_slice(b" HTTP/1.1\r\n");
}

fn write_header(into: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    into.extend_from_slice(name.as_str().as_bytes());
    into.extend_from_slice(b": ");
    into.extend_from_slice(value);
    into.extend_from_slice(b"\r\n");
}

/// Writes a piece of a body as a chunk. An empty piece is none: it would be the end.
pub(crate) fn write_chunk(into: &mut Vec<u8>, piece: &[u8]) {
    if !piece.is_empty() {
        write!(into, "{:x}\r\n", piece.len()).expect("memory takes whatever is written");
        into.extend_from_slice(piece);
        into.extend_from_slice(b"\r\n");
    }
}

/// Writes the end of a chunked body, with the fields that follow it.
pub(crate) fn write_last_chunk(into: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    into.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        trailers::write(into, trailers);
    }
    into.extend_from_slice(b"\r\n");
}
