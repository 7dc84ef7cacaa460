//! The head of an answer in HTTP/2 and HTTP/3.

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body;

use crate::fast_path::date_value;

/// Headers about one connection of HTTP/1.1, which do not exist there (RFC 9113, section 8.2.2; RFC 9114, section 4.2).
pub(super) const OF_ONE_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Leaves out of the head of an answer what is about a connection of HTTP/1.1, and adds its date and how long `body` is.
pub(super) fn complete_head(headers: &mut HeaderMap, body: &impl Body) {
    without_connection(headers);
    headers.entry(DATE).or_insert_with(date_value);
    if let Some(length) = body.size_hint().exact().filter(|_| !body.is_end_stream()) {
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
}

/// Leaves out what is about a connection of HTTP/1.1.
fn without_connection(headers: &mut HeaderMap) {
    for name in OF_ONE_CONNECTION.iter().chain([&TE]) {
        headers.remove(name);
    }
}
