//! The head of a plain request as a function gets it.

use super::PlainRequest;
use crate::passage::PLATFORM;
use crate::protocol::headers::{CDN_LOOP, is_forged, write_forwarded};
use crate::visitor::Visitor;

/// Writes the request line and the headers of a plain request for a function, as they are written of any other: names in small letters, none
/// that the visitor may not say or that is about the visitor's connection, and where the request came from.
pub(crate) fn write_function_head(head: &mut Vec<u8>, request: &PlainRequest<'_>, visitor: &Visitor) {
    for part in ["GET ", request.target, " HTTP/1.1\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        let begins = head.len();
        head.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        let written = std::str::from_utf8(&head[begins..]).unwrap_or_default();
        // A plain request says nothing of its connection but that it stays.
        if written == "connection" || is_forged(written) {
            head.truncate(begins);
            continue;
        }
        for part in [": ", value, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    }
    write_forwarded(head, request.authority, visitor.peer.ip(), visitor.scheme.as_str());
    for part in [CDN_LOOP.as_str(), ": ", PLATFORM, "\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
}
