//! The body of an answer: by length, in chunks, or until the connection closes.

use std::io::{BufRead as _, BufReader, Read as _};

use super::answer::Ending;
use crate::tls::Wire;

/// A body that is being read.
#[derive(Debug)]
pub struct Body {
    stream: BufReader<Wire>,
    framing: Framing,
    pending: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
    Ended(Ending),
}

impl Body {
    pub(super) fn new(stream: BufReader<Wire>, status: u16, headers: &[(String, String)], is_head: bool) -> Self {
        let header = |name: &str| headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str());
        let length = header("content-length").and_then(|length| length.parse().ok());
        let framing = if is_head || status == 204 || status == 304 {
            Framing::Ended(Ending::Complete)
        } else if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            Framing::Chunked
        } else {
            length.map_or(Framing::UntilClose, Framing::Length)
        };
        Self { stream, framing, pending: Vec::new() }
    }

    /// The next piece as the server sent it, or `None` at the end.
    #[track_caller]
    pub fn next_piece(&mut self) -> Option<Vec<u8>> {
        match self.framing {
            Framing::Ended(_) => None,
            Framing::Chunked => self.next_chunk(),
            Framing::Length(0) => self.end(Ending::Complete),
            Framing::Length(rest) => {
                let piece = self.read_some(rest);
                self.framing = Framing::Length(rest - piece.len());
                if piece.is_empty() { self.end(Ending::CutOff) } else { Some(piece) }
            }
            Framing::UntilClose => {
                let piece = self.read_some(64 * 1024);
                if piece.is_empty() { self.end(Ending::Complete) } else { Some(piece) }
            }
        }
    }

    /// The next line without its end, or `None` at the end of the body.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let piece = self.next_piece()?;
            self.pending.extend_from_slice(&piece);
        }
    }

    /// Everything that is left, and how it ended.
    #[track_caller]
    pub(super) fn read_whole(&mut self) -> (Vec<u8>, Ending) {
        let mut bytes = std::mem::take(&mut self.pending);
        while let Some(piece) = self.next_piece() {
            bytes.extend_from_slice(&piece);
        }
        let Framing::Ended(ending) = self.framing else { unreachable!("there was no next piece") };
        (bytes, ending)
    }

    #[track_caller]
    fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        // A connection that breaks here leaves the line without its end, which is what is looked at.
        let _ = self.stream.read_line(&mut line);
        let Some(size) = line.strip_suffix("\r\n").and_then(|size| usize::from_str_radix(size.trim(), 16).ok()) else {
            return self.end(Ending::CutOff);
        };
        let mut chunk = vec![0; size + 2];
        if self.stream.read_exact(&mut chunk).is_err() || !chunk.ends_with(b"\r\n") {
            return self.end(Ending::CutOff);
        }
        chunk.truncate(size);
        if chunk.is_empty() { self.end(Ending::Complete) } else { Some(chunk) }
    }

    #[track_caller]
    fn read_some(&mut self, most: usize) -> Vec<u8> {
        let mut piece = vec![0; most.min(64 * 1024)];
        let count = match self.stream.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("the body does not go on: {error}"),
        };
        piece.truncate(count);
        piece
    }

    fn end(&mut self, ending: Ending) -> Option<Vec<u8>> {
        self.framing = Framing::Ended(ending);
        None
    }
}
