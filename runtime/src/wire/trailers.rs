//! Fields that are sent behind a chunked body.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::limits::MAX_RESPONSE_HEADERS;

/// What a field behind the body may not say: where a message ends, where it goes, who sends it and how its content is read was decided
/// before it (RFC 9110, section 6.5.1).
const FORBIDDEN: [HeaderName; 24] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::LOCATION,
    header::MAX_FORWARDS,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

fn is_allowed(name: &HeaderName) -> bool {
    !FORBIDDEN.contains(name)
}

/// The fields in these lines, of which the last is not empty. What is not a field, or may not stand there, is let go of.
pub(super) fn read(mut lines: Vec<u8>) -> Option<Box<HeaderMap>> {
    if lines.is_empty() {
        return None;
    }
    lines.extend_from_slice(b"\r\n");
    let mut fields = [httparse::EMPTY_HEADER; MAX_RESPONSE_HEADERS];
    let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(&lines, &mut fields) else { return None };
    let mut trailers = HeaderMap::new();
    for field in fields {
        let name = field.name.parse::<HeaderName>().ok().filter(is_allowed);
        if let (Some(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) {
            trailers.append(name, value);
        }
    }
    (!trailers.is_empty()).then(|| Box::new(trailers))
}

/// Writes fields behind the last chunk, each with its line end.
pub(super) fn write(into: &mut Vec<u8>, trailers: &HeaderMap) {
    for (name, value) in trailers.iter().filter(|(name, _)| is_allowed(name)) {
        into.extend_from_slice(name.as_str().as_bytes());
        into.extend_from_slice(b": ");
        into.extend_from_slice(value.as_bytes());
        into.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str) -> Vec<(String, String)> {
        let trailers = read(lines.into()).map(|trailers| *trailers).unwrap_or_default();
        trailers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    /// Fields are read, but for those that would change what came before them, and what is none at all.
    #[test]
    fn fields() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(told("X-Sum: 42\r\nx-sum:  43 \r\n"), [pair("x-sum", "42"), pair("x-sum", "43")]);
        assert_eq!(told("content-length: 3\r\nSet-Cookie: a=b\r\nx: y\r\n"), [pair("x", "y")]);
        for lines in ["", "no colon\r\n", "x y: z\r\n", "transfer-encoding: chunked\r\n", ": empty\r\n"] {
            assert_eq!(told(lines), [], "{lines:?}");
        }
        assert_eq!(told(&"x: y\r\n".repeat(MAX_RESPONSE_HEADERS + 1)), []);
    }

    /// What is written is read as it was.
    #[test]
    fn there_and_back() {
        let trailers = read(b"x-sum: 42\r\nserver-timing: db;dur=1\r\n".to_vec()).unwrap();
        let mut bytes = Vec::new();
        write(&mut bytes, &trailers);
        assert_eq!(String::from_utf8(bytes).unwrap(), "x-sum: 42\r\nserver-timing: db;dur=1\r\n");
    }
}
