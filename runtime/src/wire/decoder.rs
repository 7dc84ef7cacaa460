//! The body of a response: where its pieces and its end are.

use http::HeaderMap;

use super::{Inbox, WireError, trailers};
use crate::limits::{MAX_CHUNK_LINE_BYTES, MAX_RESPONSE_HEAD_BYTES};

/// Reads a body. Framing is checked byte by byte; the bytes of the body itself are handed on in one piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Decoder {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked {
        /// What the next byte belongs to.
        place: Place,
        /// How many bytes the line, or the lines after the last chunk, have so far.
        line_bytes: usize,
        /// The lines after the last chunk.
        trailers: Vec<u8>,
    },
    /// All there is until the connection ends.
    UntilClose,
}

/// Where in a chunked body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A size of which no digit was read.
    FirstDigit,
    /// A size, so far this one.
    Size(u64),
    /// What follows the size of a chunk, which nobody needs.
    Extension(u64),
    /// The line feed after the size of a chunk.
    SizeFeed(u64),
    /// So many bytes are left of a chunk.
    Data(u64),
    /// The line end after a chunk.
    DataReturn,
    /// Its line feed.
    DataFeed,
    /// The beginning of a line after the last chunk.
    Trailer,
    /// Inside of such a line.
    TrailerLine,
    /// The line feed of such a line.
    TrailerFeed,
    /// The line feed of the empty line that ends the body.
    LastFeed,
    /// Behind the end.
    End,
}

impl Decoder {
    pub(crate) const fn chunked() -> Self {
        Self::Chunked { place: Place::FirstDigit, line_bytes: 0, trailers: Vec::new() }
    }

    /// Whether the body has ended. One that ends with its connection never has: who reads the connection knows.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked { place: Place::End, .. })
    }

    /// The fields that were sent behind the body, once it is over.
    pub(crate) fn take_trailers(&mut self) -> Option<Box<HeaderMap>> {
        match self {
            Self::Chunked { place: Place::End, trailers, .. } => trailers::read(std::mem::take(trailers)),
            Self::Chunked { .. } | Self::Length(_) | Self::UntilClose => None,
        }
    }

    /// How many bytes are still to come, where that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked { place: Place::End, .. } => Some(0),
            Self::Chunked { .. } | Self::UntilClose => None,
        }
    }

    /// Moves what is there of the body from `inbox` to `body`.
    pub(crate) fn decode(&mut self, inbox: &mut Inbox, body: &mut Vec<u8>) -> Result<(), WireError> {
        let bytes = inbox.bytes();
        let taken = match self {
            Self::Length(left) => {
                let here = within(*left, bytes.len());
                *left -= here as u64;
                body.extend_from_slice(&bytes[..here]);
                Ok(here)
            }
            Self::UntilClose => {
                body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Self::Chunked { place, line_bytes, trailers } => take_chunks(place, line_bytes, trailers, bytes, body),
        };
        inbox.consume(taken?);
        Ok(())
    }
}

fn within(left: u64, length: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(length)
}

/// Takes chunks, and says how many bytes it has read.
fn take_chunks(
    place: &mut Place,
    line_bytes: &mut usize,
    trailers: &mut Vec<u8>,
    bytes: &[u8],
    body: &mut Vec<u8>,
) -> Result<usize, WireError> {
    let mut at = 0;
    while at < bytes.len() && *place != Place::End {
        if let Place::Data(left) = *place {
            let here = within(left, bytes.len() - at);
            body.extend_from_slice(&bytes[at..at + here]);
            at += here;
            *place = if here as u64 == left { Place::DataReturn } else { Place::Data(left - here as u64) };
            continue;
        }
        let before = *place;
        *place = before.after(bytes[at])?;
        if before.is_trailer() && !matches!(place, Place::LastFeed | Place::End) {
            trailers.push(bytes[at]);
        }
        at += 1;
        *line_bytes = if matches!(place, Place::Data(_)) { 0 } else { *line_bytes + 1 };
        let most = if place.is_trailer() { MAX_RESPONSE_HEAD_BYTES } else { MAX_CHUNK_LINE_BYTES };
        if *line_bytes > most {
            return Err(WireError::Chunk);
        }
    }
    Ok(at)
}

impl Place {
    const fn is_trailer(self) -> bool {
        matches!(self, Self::Trailer | Self::TrailerLine | Self::TrailerFeed | Self::LastFeed | Self::End)
    }

    /// Where one is after a byte of the framing. A line ends with a carriage return and a line feed, and nothing else.
    fn after(self, byte: u8) -> Result<Self, WireError> {
        Ok(match (self, byte) {
            (Self::FirstDigit, _) => Self::Size(digit(byte)?),
            (Self::Size(size), b';') => Self::Extension(size),
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeFeed(size),
            (Self::Size(size), _) => {
                let size = size.checked_mul(16).ok_or(WireError::Chunk)?;
                Self::Size(size | digit(byte)?)
            }
            (Self::Extension(size), _) if byte != b'\n' => Self::Extension(size),
            (Self::SizeFeed(0) | Self::TrailerFeed, b'\n') => Self::Trailer,
            (Self::SizeFeed(size), b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataFeed,
            (Self::DataFeed, b'\n') => Self::FirstDigit,
            (Self::Trailer, b'\r') => Self::LastFeed,
            (Self::TrailerLine, b'\r') => Self::TrailerFeed,
            (Self::Trailer | Self::TrailerLine, _) if byte != b'\n' => Self::TrailerLine,
            (Self::LastFeed, b'\n') => Self::End,
            _ => return Err(WireError::Chunk),
        })
    }
}

fn digit(byte: u8) -> Result<u64, WireError> {
    char::from(byte).to_digit(16).map(u64::from).ok_or(WireError::Chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and whether it is over.
    fn decode(mut decoder: Decoder, bytes: &str) -> Result<(String, bool), WireError> {
        let mut inbox = Inbox::new();
        inbox.put(bytes.as_bytes());
        let mut body = Vec::new();
        decoder.decode(&mut inbox, &mut body)?;
        Ok((String::from_utf8(body).unwrap(), decoder.is_over()))
    }

    fn chunked(bytes: &str) -> Result<(String, bool), WireError> {
        decode(Decoder::chunked(), bytes)
    }

    /// Chunks are joined; extensions are let go of.
    #[test]
    fn chunks() {
        for (bytes, body, is_over) in [
            ("5\r\nhello\r\n0\r\n\r\n", "hello", true),
            ("5;a=b\r\nhello\r\n1\r\n!\r\n000\r\n\r\n", "hello!", true),
            ("A\r\n0123456789\r\n0\r\nx: y\r\nz: w\r\n\r\n", "0123456789", true),
            ("5\r\nhel", "hel", false),
            ("5\r\nhello\r\n", "hello", false),
            ("5\r\nhello\r\n0\r\n", "hello", false),
            ("", "", false),
        ] {
            assert_eq!(chunked(bytes).unwrap(), (body.to_owned(), is_over), "{bytes:?}");
        }
    }

    /// What is sent behind the body is there when it is over, however it arrives.
    #[test]
    fn trailers_behind_the_body() {
        let bytes = "5\r\nhello\r\n0\r\nX-Sum: 42\r\nx-b: c\r\n\r\n";
        for cut in 0..bytes.len() {
            let (mut decoder, mut inbox, mut body) = (Decoder::chunked(), Inbox::new(), Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                assert_eq!(decoder.take_trailers(), None);
                inbox.put(part.as_bytes());
                decoder.decode(&mut inbox, &mut body).unwrap();
            }
            let trailers = decoder.take_trailers().unwrap();
            let value = |name: &str| trailers.get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!((value("x-sum").as_deref(), value("x-b").as_deref()), (Some("42"), Some("c")), "{cut}");
            assert_eq!((decoder.is_over(), body.as_slice()), (true, b"hello".as_slice()));
        }
    }

    /// Whatever is not exactly a chunk is refused.
    #[test]
    fn malformed_chunks() {
        let long = format!("5;{}", "x".repeat(MAX_CHUNK_LINE_BYTES));
        let trailers = format!("0\r\n{}", "x: y\r\n".repeat(MAX_RESPONSE_HEAD_BYTES / 6 + 1));
        for bytes in [
            "\r\n",
            "g\r\n",
            "-5\r\n",
            "+5\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5 \r\n",
            "5\nhello",
            "5\r\r",
            "5;\n",
            "5\r\nhello!",
            "5\r\nhello\n",
            "5\r\nhello\r!",
            "0\r\n\n",
            "0\r\nx\n",
            "0\r\n\r!",
            "10000000000000000\r\n",
            &long,
            &trailers,
        ] {
            assert!(matches!(chunked(bytes), Err(WireError::Chunk)), "{bytes:?}");
        }
        assert!(chunked("ffffffffffffffff\r\n").is_ok());
    }

    /// What follows the end of a body is left where it is.
    #[test]
    fn what_follows() {
        for mut decoder in [Decoder::Length(5), Decoder::chunked()] {
            let mut inbox = Inbox::new();
            let framed = if decoder == Decoder::Length(5) { "hello" } else { "5\r\nhello\r\n0\r\n\r\n" };
            inbox.put(format!("{framed}next").as_bytes());
            decoder.decode(&mut inbox, &mut Vec::new()).unwrap();
            assert_eq!((decoder.is_over(), inbox.bytes()), (true, b"next".as_slice()));
        }
    }

    /// A body without an end of its own is never over.
    #[test]
    fn until_close() {
        assert_eq!(decode(Decoder::UntilClose, "all of it").unwrap(), ("all of it".to_owned(), false));
    }
}
