//! Laws of the guard that hold for whatever a visitor sends. Property tests and fuzzing ask for them.

use httparse::{EMPTY_HEADER, Header, Request, Status};

use super::{HeadGuard, Place};
use crate::fast_path::PlainRequest;

/// How many fields of a head are read: as many as hyper reads.
const FIELDS: usize = 100;

/// The verdict does not depend on the pieces that bytes arrive in. As long as heads pass, the guard and the parser that hyper uses see
/// the same end of each and the same body behind it.
///
/// # Panics
///
/// If the law is broken.
pub fn request_heads(bytes: &[u8]) {
    let whole = checked(bytes, bytes.len().max(1));
    for size in [1, 2, 5, 63] {
        assert_eq!(checked(bytes, size), whole, "in pieces of {size} bytes");
    }
    let (mut guard, mut rest) = (HeadGuard::default(), bytes);
    loop {
        let mut headers = [EMPTY_HEADER; FIELDS];
        let mut request = Request::new(&mut headers);
        let Ok(Status::Complete(length)) = request.parse(rest) else {
            assert_eq!(PlainRequest::parse(rest), None, "what nobody can read is not plain");
            return;
        };
        let plain = PlainRequest::parse(rest);
        if !passes(&mut guard, &rest[..length]) {
            assert_eq!(plain, None, "what is refused is not plain");
            return;
        }
        if let Some(plain) = plain {
            is_the_same(plain, &request, length);
        }
        let body = body_of(request.headers);
        rest = &rest[length..];
        match (body, guard.place) {
            (Body::Unclear, Place::Unguarded) => return,
            (Body::Length(0), Place::RequestLine) => {}
            (Body::Length(length), Place::Body(guarded)) => {
                assert_eq!(length, guarded);
                let Some(behind) = usize::try_from(length).ok().and_then(|length| rest.get(length..)) else { return };
                assert!(passes(&mut guard, &rest[..rest.len() - behind.len()]), "a body is nobody's head");
                rest = behind;
            }
            _ => panic!("the guard and the parser see different ends of {}", bytes.escape_ascii()),
        }
    }
}

/// A plain request is what the parser reads, to the byte.
fn is_the_same((plain, plain_length): (PlainRequest<'_>, usize), request: &Request<'_, '_>, length: usize) {
    let hosts: Vec<&[u8]> = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"))
        .map(|host| host.value)
        .collect();
    assert_eq!((request.method, request.version), (Some("GET"), Some(1)));
    assert_eq!((request.path, hosts), (Some(plain.target), vec![plain.authority.as_bytes()]));
    assert_eq!(plain_length, length);
    assert!(matches!(body_of(request.headers), Body::Length(0)), "a plain request has no body");
}

/// What becomes of bytes in pieces of this size.
fn checked(bytes: &[u8], size: usize) -> Vec<u8> {
    let (mut guard, mut checked) = (HeadGuard::default(), bytes.to_vec());
    checked.chunks_mut(size).for_each(|piece| guard.check(piece));
    checked
}

fn passes(guard: &mut HeadGuard, bytes: &[u8]) -> bool {
    let mut checked = bytes.to_vec();
    guard.check(&mut checked);
    checked == bytes
}

/// What a head that has passed says of its body.
enum Body {
    Length(u64),
    /// It is coded, or the connection may become another protocol's.
    Unclear,
}

fn body_of(headers: &[Header<'_>]) -> Body {
    let values = |name: &str| {
        let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| String::from_utf8_lossy(header.value).trim().to_owned()).collect::<Vec<_>>()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "two words on one body: {lengths:?} {codings:?}");
    assert!(codings.iter().all(|coding| coding.eq_ignore_ascii_case("chunked")), "{codings:?}");
    assert!(lengths.iter().all(|length| length.bytes().all(|byte| byte.is_ascii_digit())), "{lengths:?}");
    if !codings.is_empty() || !values("upgrade").is_empty() {
        return Body::Unclear;
    }
    Body::Length(lengths.first().map_or(0, |length| length.parse().expect("it passed as a number")))
}
