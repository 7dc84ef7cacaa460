//! Bytes into lines.

use crate::limits::MAX_LINE_BYTES;

/// One line as it was printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line<'a> {
    /// Its bytes, without the line end.
    pub(crate) bytes: &'a [u8],
    /// How many bytes of it were beyond what is kept.
    pub(crate) cut_bytes: usize,
}

/// Cuts a stream of bytes into lines. It holds at most one unfinished line, of bounded length.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// How many bytes of that line were not kept.
    cut_bytes: usize,
}

impl LineSplitter {
    /// Takes the next bytes and gives each line that they finish to `each`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() && line.len() <= MAX_LINE_BYTES {
                // The usual case: the whole line is in what was just read, and nothing is copied.
                each(Line { bytes: without_return(line), cut_bytes: 0 });
            } else {
                self.keep(line);
                self.finish(&mut each);
            }
            bytes = rest;
        }
        self.keep(bytes);
    }

    /// Gives the unfinished line, if there is one: nothing more will come.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        if !self.partial.is_empty() {
            each(Line { bytes: without_return(&self.partial), cut_bytes: self.cut_bytes });
        }
        // A long line's memory is not kept for the short ones that follow.
        self.partial = Vec::new();
        self.cut_bytes = 0;
    }

    /// Whether a line was begun whose end has not come.
    pub(crate) const fn is_unfinished(&self) -> bool {
        !self.partial.is_empty()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES - self.partial.len();
        let kept = bytes.len().min(room);
        self.partial.extend_from_slice(&bytes[..kept]);
        self.cut_bytes += bytes.len() - kept;
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(pieces: &[&[u8]]) -> Vec<(Vec<u8>, usize)> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        let mut keep = |line: Line<'_>| lines.push((line.bytes.to_vec(), line.cut_bytes));
        for piece in pieces {
            splitter.push(piece, &mut keep);
        }
        splitter.finish(&mut keep);
        lines
    }

    /// Lines are the same however the bytes arrive; the last one needs no end; carriage returns belong to the end.
    #[test]
    fn pieces() {
        let whole = lines_of(&[b"one\r\ntwo\n\nfour"]);
        let texts: Vec<&[u8]> = whole.iter().map(|(line, _)| line.as_slice()).collect();
        assert_eq!(texts, [b"one".as_slice(), b"two", b"", b"four"]);
        assert_eq!(lines_of(&[b"o", b"ne\r", b"\ntw", b"o\n", b"\nfour"]), whole);
    }

    /// A line without end is cut at its bound, what was cut is counted, and the line after it is whole again.
    #[test]
    fn endless_line() {
        let flood = vec![b'x'; MAX_LINE_BYTES];
        let lines = lines_of(&[&flood, &flood, b"y\nnext\n"]);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].0.len(), lines[0].1), (MAX_LINE_BYTES, MAX_LINE_BYTES + 1));
        assert_eq!(lines[1], (b"next".to_vec(), 0));
    }

    proptest! {
        /// Wherever a stream is cut into pieces, the lines are those of the whole.
        #[test]
        fn any_cut(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200), at in 0_usize..200) {
            let at = at.min(bytes.len());
            prop_assert_eq!(lines_of(&[&bytes[..at], &bytes[at..]]), lines_of(&[&bytes]));
        }
    }
}
