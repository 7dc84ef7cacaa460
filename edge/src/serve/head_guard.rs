//! Refuses heads that hyper forgives and that other programs read differently: a line that ends without a carriage return,
//! a length beside a transfer coding, two lengths, and any transfer coding but one `chunked`. Where two programs disagree on
//! where a request ends, one can be smuggled.

use memchr::memchr;

#[cfg(any(test, fuzzing))]
pub(crate) mod laws;

/// As many bytes of a line as decide what it says of the body's end: `transfer-encoding: chunked`, with some white space.
const LINE_BYTES: usize = 64;

/// The header that names how a body is coded.
const CODING: &[u8] = b"transfer-encoding:";

/// The header that says how long a body is.
const LENGTH: &[u8] = b"content-length:";

/// The header that asks for another protocol.
const UPGRADE: &[u8] = b"upgrade:";

/// Reads along with everything that a visitor sends, in pieces of any size, so that it knows where each head begins: also one
/// that follows a body, or arrives in one piece with the request before it.
pub(super) struct HeadGuard {
    line: [u8; LINE_BYTES],
    line_bytes: usize,
    is_cut: bool,
    last_byte: Option<u8>,
    body: Framing,
    place: Place,
}

/// What the next byte belongs to.
#[derive(Clone, Copy)]
enum Place {
    /// The first line of a head, or an empty line before it.
    RequestLine,
    Headers,
    /// A body of which this much is left.
    Body(u64),
    /// Something whose end is not known here. The connection ends with the response: see [`ends_guarding`].
    Unguarded,
}

/// What a head says of what follows it.
#[derive(Default, Clone, Copy)]
struct Framing {
    length: Option<u64>,
    is_coded: bool,
    asks_for_upgrade: bool,
}

/// Whether what follows the head of this request is not read along with: only the request itself may use the connection then.
pub(super) fn ends_guarding<B>(request: &http::Request<B>) -> bool {
    let headers = request.headers();
    headers.contains_key(http::header::TRANSFER_ENCODING) || headers.contains_key(http::header::UPGRADE)
}

impl Default for HeadGuard {
    fn default() -> Self {
        let (line, body) = ([0; LINE_BYTES], Framing::default());
        Self { line, line_bytes: 0, is_cut: false, last_byte: None, body, place: Place::RequestLine }
    }
}

impl HeadGuard {
    /// Whether the next byte begins a head.
    pub(super) fn is_at_head(&self) -> bool {
        matches!(self.place, Place::RequestLine) && self.line_bytes == 0
    }

    /// Looks at the next bytes. Where a head must be refused, a byte that no head can hold is put into it, so that hyper
    /// answers with a 400 and closes the connection.
    pub(super) fn check(&mut self, arrived: &mut [u8]) {
        let mut from = 0;
        while from < arrived.len() {
            match self.place {
                Place::Unguarded => return,
                Place::Body(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(arrived.len() - from);
                    from += here;
                    self.place = match left - here as u64 {
                        0 => Place::RequestLine,
                        left => Place::Body(left),
                    };
                }
                Place::RequestLine | Place::Headers => {
                    let Some(length) = memchr(b'\n', &arrived[from..]) else {
                        return self.extend_line(&arrived[from..]);
                    };
                    self.extend_line(&arrived[from..from + length]);
                    if !self.end_line() {
                        arrived[from + length] = 0;
                        self.place = Place::Unguarded;
                    }
                    from += length + 1;
                }
            }
        }
    }

    fn extend_line(&mut self, bytes: &[u8]) {
        let wanted = bytes.len().min(LINE_BYTES - self.line_bytes);
        self.is_cut |= wanted < bytes.len();
        self.line[self.line_bytes..self.line_bytes + wanted].copy_from_slice(&bytes[..wanted]);
        self.line_bytes += wanted;
        self.last_byte = bytes.last().copied().or(self.last_byte);
    }

    /// Takes the line that a line feed ends. `false` if the head must be refused.
    fn end_line(&mut self) -> bool {
        let is_passed = self.last_byte == Some(b'\r')
            && match (self.place, &self.line[..self.line_bytes]) {
                (Place::RequestLine, b"\r") => true,
                (Place::RequestLine, _) => {
                    self.place = Place::Headers;
                    true
                }
                (_, b"\r") => {
                    self.place = std::mem::take(&mut self.body).following();
                    true
                }
                _ => self.take_header(),
            };
        self.line_bytes = 0;
        self.is_cut = false;
        self.last_byte = None;
        is_passed
    }

    /// Takes what a header says of the body. `false` if it contradicts another, or is not plain.
    fn take_header(&mut self) -> bool {
        let line = &self.line[..self.line_bytes];
        let value = |name: &[u8]| {
            let (start, value) = line.split_at_checked(name.len())?;
            start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
        };
        let body = &mut self.body;
        if let Some(coding) = value(CODING) {
            let is_first = !body.is_coded && body.length.is_none();
            body.is_coded = true;
            return is_first && !self.is_cut && coding.eq_ignore_ascii_case(b"chunked");
        }
        if let Some(length) = value(LENGTH) {
            let is_first = !body.is_coded && body.length.is_none();
            body.length = decimal(length);
            return is_first && !self.is_cut && body.length.is_some();
        }
        body.asks_for_upgrade |= value(UPGRADE).is_some();
        // A line that goes on with the one before it.
        !matches!(line.first(), Some(b' ' | b'\t'))
    }
}

impl Framing {
    /// Where the bytes after the head belong.
    fn following(self) -> Place {
        match self.length {
            _ if self.is_coded || self.asks_for_upgrade => Place::Unguarded,
            None | Some(0) => Place::RequestLine,
            Some(length) => Place::Body(length),
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let is_plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether a head passes, whatever pieces it arrives in.
    fn passes(head: &str) -> bool {
        let verdicts = (1..=head.len()).map(|size| {
            let mut guard = HeadGuard::default();
            let mut bytes = head.as_bytes().to_vec();
            bytes.chunks_mut(size).for_each(|piece| guard.check(piece));
            bytes == head.as_bytes()
        });
        let verdicts: Vec<bool> = verdicts.collect();
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "the verdict depends on the pieces: {head:?}");
        verdicts[0]
    }

    /// Ordinary heads pass, and so does whatever a body says.
    #[test]
    fn honest_heads() {
        assert!(passes("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert!(passes(
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 40\r\n\r\nline\nTransfer-Encoding: chunked\nmore\n"
        ));
        assert!(passes("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
        assert!(passes("POST / HTTP/1.1\r\ntransfer-encoding:\t Chunked \r\nX: y\r\n\r\n0\r\n\r\n"));
    }

    /// The heads that follow are looked at too: after nothing, after a body, and after empty lines.
    #[test]
    fn following_heads() {
        let bad = "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        let good = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let body = "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\nline\n\nline\r\n";
        for before in ["\r\n", good, body, &format!("{good}{body}\r\n{good}"), &format!("{body}{body}")] {
            assert!(passes(&format!("{before}{good}")), "{before:?}");
            assert!(!passes(&format!("{before}{bad}")), "{before:?}");
            assert!(!passes(&format!("{before}GET / HTTP/1.1\nHost: a.test\r\n\r\n")), "{before:?}");
        }
    }

    /// What is not read along with is what the connection ends after.
    #[test]
    fn unguarded() {
        let bad = "GET / HTTP/1.1\n\n";
        for header in ["Transfer-Encoding: chunked", "Upgrade: websocket"] {
            assert!(passes(&format!("GET / HTTP/1.1\r\n{header}\r\n\r\n{bad}")));
            let (name, value) = header.split_once(": ").unwrap();
            assert!(ends_guarding(&http::Request::get("/").header(name, value).body(()).unwrap()));
        }
        assert!(!ends_guarding(&http::Request::get("/").header("content-length", "5").body(()).unwrap()));
    }

    /// Both framings at once, in either order and any case, and bare line feeds.
    #[test]
    fn dishonest_heads() {
        assert!(!passes("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(!passes("POST / HTTP/1.1\r\ntransfer-ENCODING:chunked\r\nX: y\r\ncontent-LENGTH:5\r\n\r\n"));
        for coding in
            ["chunked, chunked", "chunked, identity", "identity", "xchunked", "chunked;x", "", "gzip, chunked"]
        {
            assert!(!passes(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n")), "{coding}");
        }
        let (long, twice) = (" ".repeat(60), "Transfer-Encoding: chunked\r\n".repeat(2));
        assert!(!passes(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked{long},x\r\n\r\n")));
        assert!(!passes(&format!("POST / HTTP/1.1\r\n{twice}\r\n")));
        for length in ["", "+5", "5, 5", "5 5", "0x5", "99999999999999999999", "-1"] {
            assert!(!passes(&format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n")), "{length}");
        }
        assert!(!passes(&format!("POST / HTTP/1.1\r\n{0}{0}\r\n", "Content-Length: 5\r\n")));
        assert!(!passes("GET / HTTP/1.1\r\nX: y\r\n Content-Length: 5\r\n\r\n"));
        assert!(!passes("GET / HTTP/1.1\r\nX: y\r\n\n"));
        assert!(!passes("GET / HTTP/1.1\nHost: a.test\n\n"));
        assert!(!passes("GET / HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n"));
    }

    proptest! {
        /// Whatever is sent, the guard sees what the parser behind it sees.
        #[test]
        fn laws(heads in "(GET|POST) / HTTP/1.1\r?\n((content-length|Transfer-Encoding|upgrade|x|): ?([0-9]{0,2}|chunked|[ ,;a-z]{0,70})\r?\n){0,4}\r\n(a{0,12}|\r\n|GET / HTTP/1.1\r\n\r\n){0,3}") {
            laws::request_heads(heads.as_bytes());
        }
    }
}
