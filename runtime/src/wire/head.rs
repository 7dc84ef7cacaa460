//! The head of a response: where it ends, what it says, and where its body will end.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, response};
use hyper::ext::ReasonPhrase;
use memchr::memchr;

use super::{Decoder, Inbox, Question, WireError};
use crate::limits::{MAX_RESPONSE_HEAD_BYTES, MAX_RESPONSE_HEADERS};

/// A head, understood.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) parts: response::Parts,
    /// Reads the body that follows.
    pub(crate) decoder: Decoder,
    /// Whether another request may follow on the connection.
    pub(crate) keeps_alive: bool,
}

/// How many heads may announce another before the one that counts. Programs send one or two.
const MAX_ANNOUNCEMENTS: u32 = 32;

/// Reads along with a head that arrives in pieces, each byte once.
#[derive(Default)]
pub(crate) struct HeadReader {
    /// How many heads came that only announce another.
    announcements: u32,
    /// How far it was looked at.
    looked_at: usize,
    /// Where the line begins that is being looked at.
    line: usize,
    /// How much of it the parser was last shown.
    parsed: usize,
}

impl HeadReader {
    /// Takes the head out of `inbox` if all of it is there. Heads that only announce another go to `announced`.
    pub(crate) fn read(
        &mut self,
        inbox: &mut Inbox,
        question: Question,
        mut announced: impl FnMut(response::Parts),
    ) -> Result<Option<ResponseHead>, WireError> {
        loop {
            let bytes = inbox.bytes();
            let Some(end) = self.find_end(bytes)? else { return self.check_beginning(bytes).map(|()| None) };
            // One copy of the head, of which every value is a part.
            let head = parse(&Bytes::copy_from_slice(&bytes[..end]), question)?;
            inbox.consume(end);
            *self = Self { announcements: self.announcements + 1, ..Self::default() };
            if !head.parts.status.is_informational() || head.parts.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
            if self.announcements > MAX_ANNOUNCEMENTS {
                return Err(WireError::Ambiguous("it announces its response without end"));
            }
            announced(head.parts);
        }
    }

    /// Where the empty line ends that ends the head. A line feed that no carriage return precedes is refused: not everybody
    /// takes it for the end of a line.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        while let Some(at) = memchr(b'\n', &bytes[self.looked_at..]) {
            let feed = self.looked_at + at;
            if feed == self.line || bytes[feed - 1] != b'\r' {
                return Err(WireError::Head(Some(httparse::Error::NewLine)));
            }
            let is_empty = feed == self.line + 1;
            self.looked_at = feed + 1;
            self.line = feed + 1;
            if is_empty {
                let is_taken = feed < MAX_RESPONSE_HEAD_BYTES;
                return if is_taken { Ok(Some(feed + 1)) } else { Err(WireError::HeadTooLarge) };
            }
        }
        self.looked_at = bytes.len();
        if bytes.len() < MAX_RESPONSE_HEAD_BYTES { Ok(None) } else { Err(WireError::HeadTooLarge) }
    }

    /// Refuses what cannot become a head any more, so that nobody waits for its end. It is looked at again whenever it has
    /// doubled: a head that comes byte by byte is not parsed from the start with each.
    fn check_beginning(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if bytes.len() < 2 * self.parsed || bytes.is_empty() {
            return Ok(());
        }
        self.parsed = bytes.len();
        let mut headers = [const { MaybeUninit::uninit() }; MAX_RESPONSE_HEADERS];
        tokenise(bytes, &mut headers).map(drop)
    }
}

/// `None` if it is not complete.
fn tokenise<'h, 'b>(
    bytes: &'b [u8],
    headers: &'h mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<httparse::Response<'h, 'b>>, WireError> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, headers);
    match parsed {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => Ok(Some(response)),
        Ok(httparse::Status::Complete(_)) => Err(WireError::Head(None)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(WireError::TooManyHeaders),
        Err(error) => Err(WireError::Head(Some(error))),
    }
}

/// Reads the response to a plain question that is all there: its head, and its body of plain length.
pub(crate) fn read_whole(response: &Bytes) -> Result<(response::Parts, Bytes), WireError> {
    let end = HeadReader::default().find_end(response)?.ok_or(WireError::Closed)?;
    let head = parse(&response.slice(..end), Question::Plain)?;
    let body = response.slice(end..);
    if head.parts.status.is_informational() {
        return Err(WireError::Ambiguous("it announces another response and is whole"));
    }
    match head.decoder {
        // What it says that it does not have is not left out but wrong.
        Decoder::Length(0) if head.parts.status == StatusCode::RESET_CONTENT && !head.keeps_alive => {
            Ok((head.parts, Bytes::new()))
        }
        Decoder::Length(length) if length == body.len() as u64 => Ok((head.parts, body)),
        _ => Err(WireError::Ambiguous("its body has another length than it says")),
    }
}

/// Understands a complete head.
fn parse(shared: &Bytes, question: Question) -> Result<ResponseHead, WireError> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_RESPONSE_HEADERS];
    let response = tokenise(shared, &mut headers)?.ok_or(WireError::Head(None))?;
    let (Some(code), Some(minor)) = (response.code, response.version) else { return Err(WireError::Head(None)) };
    let status = StatusCode::from_u16(code).map_err(|_| WireError::Head(None))?;
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.headers.reserve(response.headers.len());
    for header in &*response.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| WireError::Head(None))?;
        let value = HeaderValue::from_maybe_shared(shared.slice_ref(header.value));
        parts.headers.append(name, value.map_err(|_| WireError::Head(None))?);
    }
    parts.status = status;
    parts.version = if minor == 1 { Version::HTTP_11 } else { Version::HTTP_10 };
    if let Some(reason) = response.reason.filter(|reason| Some(*reason) != status.canonical_reason())
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        parts.extensions.insert(reason);
    }
    let decoder = decoder(&parts, question)?;
    let keeps_alive = !matches!(decoder, Decoder::UntilClose) && keeps_alive(&parts) && question != Question::Connect;
    Ok(ResponseHead { parts, decoder, keeps_alive }.without_forbidden_content())
}

impl ResponseHead {
    /// Leaves out what a status forbids (RFC 9110, sections 8.6 and 15.3.6). The framing of a 205 allows content that its meaning does not, so of two
    /// readers one may look for it and the other take it for the next response: a visitor never gets any, and the connection on which it
    /// was sent is not used again.
    fn without_forbidden_content(mut self) -> Self {
        let headers = &mut self.parts.headers;
        match self.parts.status {
            StatusCode::NO_CONTENT => {
                headers.remove(CONTENT_LENGTH);
                headers.remove(TRANSFER_ENCODING);
            }
            StatusCode::RESET_CONTENT => {
                self.keeps_alive &= self.decoder.is_over();
                self.decoder = Decoder::Length(0);
                headers.remove(TRANSFER_ENCODING);
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            _ => {}
        }
        self
    }
}

/// How the body is read: by what the head says, as long as it says it once and plainly.
fn decoder(parts: &response::Parts, question: Question) -> Result<Decoder, WireError> {
    let length = only(&parts.headers, CONTENT_LENGTH, "it has more than one content-length")?;
    let coding = only(&parts.headers, TRANSFER_ENCODING, "it has more than one transfer-encoding")?;
    let length = length.map(decimal).transpose()?;
    if coding.is_some() && length.is_some() {
        return Err(WireError::Ambiguous("it has both a content-length and a transfer-encoding"));
    }
    if coding.is_some() && parts.version == Version::HTTP_10 {
        return Err(WireError::Ambiguous("it has a transfer-encoding, which HTTP/1.0 does not know"));
    }
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(WireError::Ambiguous("it has a transfer-encoding that is not chunked"));
    }
    if parts.status == StatusCode::SWITCHING_PROTOCOLS && question != Question::Upgrade {
        return Err(WireError::Ambiguous("it switches protocols although nobody asked for it"));
    }
    let has_no_body = match question {
        Question::Head => true,
        Question::Connect => parts.status.is_success(),
        Question::Upgrade | Question::Plain => false,
    };
    let bodiless = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    Ok(match (coding, length) {
        _ if has_no_body || bodiless.contains(&parts.status) => Decoder::Length(0),
        (Some(_), _) => Decoder::chunked(),
        (None, Some(length)) => Decoder::Length(length),
        (None, None) => Decoder::UntilClose,
    })
}

/// The value of a header that may be there once.
fn only<'h>(
    headers: &'h HeaderMap,
    name: HeaderName,
    otherwise: &'static str,
) -> Result<Option<&'h HeaderValue>, WireError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(WireError::Ambiguous(otherwise)),
    }
}

fn decimal(value: &HeaderValue) -> Result<u64, WireError> {
    let digits = value.to_str().ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or(WireError::Ambiguous("its content-length is not a number"))
}

/// Whether the function keeps the connection open. A `close` counts wherever it stands.
fn keeps_alive(parts: &response::Parts) -> bool {
    let says = |word: &str| {
        let values = parts.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case(word))
    };
    !says("close") && (parts.version == Version::HTTP_11 || says("keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], question: Question) -> Result<Option<ResponseHead>, WireError> {
        let mut inbox = Inbox::new();
        inbox.put(bytes);
        HeadReader::default().read(&mut inbox, question, drop)
    }

    fn head(text: &str) -> ResponseHead {
        read(text.as_bytes(), Question::Plain).unwrap().unwrap()
    }

    fn body_of(text: &str, question: Question) -> Decoder {
        read(text.as_bytes(), question).unwrap().unwrap().decoder
    }

    /// A head becomes what it says, and what is not the usual reason is kept.
    #[test]
    fn usual() {
        let head = head("HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX: a\r\nX:  b \r\n\r\n");
        assert_eq!(head.parts.status, 200);
        assert_eq!(head.parts.extensions.get::<ReasonPhrase>().unwrap().as_bytes(), b"Fine");
        assert_eq!(head.parts.headers.get_all("x").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((head.decoder, head.keeps_alive), (Decoder::Length(5), true));
    }

    /// The end of a body is told by its head, its status, and what was asked.
    #[test]
    fn ends() {
        use Question::{Connect, Head, Plain, Upgrade};
        let cases = [
            ("200 OK\r\ncontent-length: 5\r\n", Plain, Decoder::Length(5)),
            ("200 OK\r\ncontent-length: 5\r\n", Head, Decoder::Length(0)),
            ("204 No Content\r\ncontent-length: 5\r\n", Plain, Decoder::Length(0)),
            ("304 Not Modified\r\ncontent-length: 5\r\n", Plain, Decoder::Length(0)),
            ("200 OK\r\ntransfer-encoding: Chunked\r\n", Plain, Decoder::chunked()),
            ("200 OK\r\ntransfer-encoding: chunked\r\n", Head, Decoder::Length(0)),
            ("200 OK\r\n", Plain, Decoder::UntilClose),
            ("200 OK\r\n", Connect, Decoder::Length(0)),
            ("404 Not Found\r\ncontent-length: 1\r\n", Connect, Decoder::Length(1)),
            ("101 Switching Protocols\r\n", Upgrade, Decoder::Length(0)),
        ];
        for (text, question, expected) in cases {
            assert_eq!(body_of(&format!("HTTP/1.1 {text}\r\n"), question), expected, "{text:?} {question:?}");
        }
    }

    /// A 205 has no content for anybody, and a connection on which it came with some is not used again; a 204 has no length.
    #[test]
    fn forbidden_content() {
        for (head_of, keeps_alive) in [
            ("205 Reset Content\r\ncontent-length: 0\r\n", true),
            ("205 Reset Content\r\ncontent-length: 5\r\n", false),
            ("205 Reset Content\r\ntransfer-encoding: chunked\r\n", false),
            ("205 Reset Content\r\n", false),
        ] {
            let head = head(&format!("HTTP/1.1 {head_of}\r\n"));
            assert_eq!((head.decoder, head.keeps_alive), (Decoder::Length(0), keeps_alive), "{head_of:?}");
            assert_eq!(head.parts.headers[CONTENT_LENGTH], "0");
            assert!(!head.parts.headers.contains_key(TRANSFER_ENCODING));
        }
        let head = head("HTTP/1.1 204 No Content\r\ncontent-length: 57\r\n\r\n");
        assert!(head.parts.headers.is_empty() && head.keeps_alive);
        let whole = Bytes::from_static(b"HTTP/1.1 205 Reset Content\r\ncontent-length: 5\r\n\r\nhello");
        let (parts, body) = read_whole(&whole).unwrap();
        assert_eq!((parts.status, body.len()), (StatusCode::RESET_CONTENT, 0));
    }

    /// Heads that announce another are skipped, whatever they say.
    #[test]
    fn interim() {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        assert_eq!(head(&format!("{interim}HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")).parts.status, 201);
        assert!(read(interim.as_bytes(), Question::Plain).unwrap().is_none());
        let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
        assert!(matches!(read(endless.as_bytes(), Question::Plain), Err(WireError::Ambiguous(_))));
    }

    /// A connection goes on unless either side's version or word ends it.
    #[test]
    fn keeping_alive() {
        for (head_of, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\nconnection: x, Close\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: Keep-Alive\r\n", true),
            ("HTTP/1.1 200 OK\r\n", false),
        ] {
            assert_eq!(head(&format!("{head_of}\r\n")).keeps_alive, expected, "{head_of:?}");
        }
    }

    /// What is no head, or can be read in two ways, is refused.
    #[test]
    fn refused() {
        let many = "x: y\r\n".repeat(MAX_RESPONSE_HEADERS + 1);
        let long = format!("x: {}\r\n", "x".repeat(MAX_RESPONSE_HEAD_BYTES));
        for text in [
            "What is HTTP?\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 42 Odd\r\n\r\n",
            "HTTP/1.1 1000 Odd\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 OK\r\nx: y\n\r\n",
            "HTTP/1.1 200 OK\r\nx: y\r\n\n",
            "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            &format!("HTTP/1.1 200 OK\r\n{long}\r\n"),
            &format!("HTTP/1.1 200 OK\r\n{long}"),
        ] {
            assert!(read(text.as_bytes(), Question::Plain).is_err(), "{text:?}");
        }
    }

    /// What can no longer become a head is refused before its end has come.
    #[test]
    fn refused_early() {
        for text in ["What is", "HTTP/1.1 4x", "HTTP/1.1 200 OK\r\nx y\r\n", "HTTP/1.1 200 OK\n"] {
            assert!(read(text.as_bytes(), Question::Plain).is_err(), "{text:?}");
        }
        assert!(read(b"HTTP/1.1 200 OK\r\nx: y", Question::Plain).unwrap().is_none());
    }
}
