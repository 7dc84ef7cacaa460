//! Refuses heads that hyper forgives and that other programs read differently: a line that ends without a carriage return,
//! a length beside a transfer coding, and any transfer coding but one `chunked`. Where two programs disagree on where a
//! request ends, one can be smuggled.

use memchr::memchr;

/// As many bytes of a line as decide what it says of the body's end: `transfer-encoding: chunked`, with some white space.
const LINE_BYTES: usize = 40;

/// The header that names how a body is coded.
const CODING: &[u8] = b"transfer-encoding:";

/// Reads along while the head of a request arrives, in pieces of any size.
pub(super) struct HeadGuard {
    line: [u8; LINE_BYTES],
    line_bytes: usize,
    is_cut: bool,
    last_byte: Option<u8>,
    saw: Framing,
    is_complete: bool,
}

/// Which of the headers that say where a body ends were seen.
#[derive(Default, Clone, Copy)]
struct Framing {
    length: bool,
    coding: bool,
}

impl Default for HeadGuard {
    fn default() -> Self {
        let (line, saw) = ([0; LINE_BYTES], Framing::default());
        Self { line, line_bytes: 0, is_cut: false, last_byte: None, saw, is_complete: false }
    }
}

impl HeadGuard {
    /// Forgets the head: the next bytes are those of another.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Looks at the next bytes of a head. Where it must be refused, a byte that no head can hold is put into it, so that hyper
    /// answers with a 400 and closes the connection.
    pub(super) fn check(&mut self, arrived: &mut [u8]) {
        let mut from = 0;
        while !self.is_complete && from < arrived.len() {
            let Some(length) = memchr(b'\n', &arrived[from..]) else {
                return self.extend_line(&arrived[from..]);
            };
            self.extend_line(&arrived[from..from + length]);
            if !self.end_line() {
                arrived[from + length] = 0;
                self.is_complete = true;
            }
            from += length + 1;
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
        let line = &self.line[..self.line_bytes];
        let is_blank = line.is_empty() || line == b"\r";
        let ends_well = matches!(self.last_byte, Some(b'\r') | None);
        let is_header = |name: &[u8]| line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name);
        let is_coding = is_header(CODING);
        let is_only_chunked = !self.saw.coding && !self.is_cut && is_coding && is_chunked(&line[CODING.len()..]);
        self.saw.length |= is_header(b"content-length:");
        self.saw.coding |= is_coding;
        self.line_bytes = 0;
        self.is_cut = false;
        self.last_byte = None;
        self.is_complete = is_blank;
        ends_well && (is_only_chunked || !is_coding) && !(self.saw.length && self.saw.coding)
    }
}

fn is_chunked(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

#[cfg(test)]
mod tests {
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
        assert!(!passes("GET / HTTP/1.1\nHost: a.test\n\n"));
        assert!(!passes("GET / HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n"));
    }
}
