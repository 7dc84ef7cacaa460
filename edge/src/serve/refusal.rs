//! The answers that hyper gives by itself, to heads that it cannot read, made answers of this platform: with an id and a code.
//! They never reach the edge, so they are recognised where they are written.

use jiff::Timestamp;
use ship_core::PlatformError;

use crate::protocol::headers::{SHIP_ERROR, SHIP_ID};

/// The answer with an id and a code, if `written` is one that hyper gives by itself.
pub(super) fn mark(written: &[u8]) -> Option<Vec<u8>> {
    if !written.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let answer = std::str::from_utf8(written).ok()?;
    let (status_line, rest) = answer.split_once("\r\n")?;
    // An answer of the edge has an id already; hyper's have no more than these.
    let is_hypers = rest.starts_with("connection: close\r\ncontent-length: 0\r\n") && rest.ends_with("\r\n\r\n");
    if !is_hypers || rest.contains(SHIP_ID.as_str()) {
        return None;
    }
    let id = crate::request_id::new_request_id(Timestamp::now());
    let code = PlatformError::MalformedRequest.code();
    Some(format!("{status_line}\r\n{SHIP_ID}: {id}\r\n{SHIP_ERROR}: {code}\r\n{rest}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only hyper's own answers are changed.
    #[test]
    fn marks() {
        let refusal = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";
        let marked = String::from_utf8(mark(refusal.as_bytes()).unwrap()).unwrap();
        assert!(marked.starts_with("HTTP/1.1 400 Bad Request\r\nx-ship-id: "), "{marked}");
        assert!(marked.contains("\r\nx-ship-error: MALFORMED_REQUEST\r\nconnection: close\r\n"), "{marked}");
        for other in [
            "HTTP/1.1 404 Not Found\r\nx-ship-id: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\nx-ship-id: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
        ] {
            assert_eq!(mark(other.as_bytes()), None, "{other}");
        }
    }
}
