//! A response is the same response however the kernel cuts it into pieces.

use proptest::prelude::*;

use super::{laws, write_chunk, write_last_chunk};

/// Responses, most of them good.
fn responses() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        "[a-z\r\n]{0,20}".prop_map(|body| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())),
        proptest::collection::vec("[a-z\r\n]{1,20}", 0..4).prop_map(|pieces| {
            let mut response = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for piece in pieces {
                write_chunk(&mut response, piece.as_bytes());
            }
            write_last_chunk(&mut response, None);
            String::from_utf8_lossy(&response).into_owned()
        }),
        Just("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_owned()),
        Just("HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        Just("HTTP/1.0 200 OK\r\n\r\n".to_owned()),
        Just("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5 \r\n".to_owned()),
        Just("HTTP/1.1 200 OK\nx: y\r\n\r\n".to_owned()),
        "[HTP/1. 20OK\r\n:a-z]{0,40}",
    ];
    proptest::collection::vec(one, 1..5).prop_map(|all| all.concat())
}

/// A beginning that can become no head is seen as that at once, and one byte after the other when it has doubled.
#[test]
fn hopeless_beginning() {
    laws::responses(b"HTTP/1.1 103 Early Hints\r\n\r\n\r\xedHTTP/1.1 200 \r\ntrail:OK\r\nzzzzzzzzzz", &[29, 2, 14]);
}

/// A 205 with content is the last response of its connection for who reads pieces, and the whole answer for who reads it at once; where it says
/// that it has none, what follows is refused by both.
#[test]
fn content_of_a_205() {
    for framing in ["transfer-encoding: chunked", "content-length: 5", "x: y", "content-length: 0"] {
        let response = format!("HTTP/1.1 205 Reset Content\r\n{framing}\r\n\r\n0ello\r\n0\r\nx-P/1");
        laws::responses(response.as_bytes(), &[29, 2, 14]);
    }
}

/// An address without a path is that of the root.
#[test]
fn address_without_a_path() {
    laws::requests(b"GET http://a?test/ HTTP/1.1\r\n\r\n");
    laws::requests(b"GET http://a HTTP/1.1\r\n\r\n");
}

proptest! {
    /// Pieces change nothing, but that what is refused may be seen as refused sooner.
    #[test]
    fn pieces(text in responses(), sizes in proptest::collection::vec(1..30_usize, 1..10)) {
        laws::responses(text.as_bytes(), &sizes);
    }

    /// A visitor's request is one request to a function, too.
    #[test]
    fn requests(path in "(http://a.test)?/[a-z?%./]{0,20}", headers in "(([a-z-]{1,12}|content-length|transfer-encoding|expect): ?[!-~ ]{0,12}\r\n){0,5}") {
        laws::requests(format!("GET {path} HTTP/1.1\r\n{headers}\r\n").as_bytes());
    }
}
