//! Reads along with the frames of HTTP/3 that a visitor sends, before h3 does.
//!
//! h3 keeps a frame in memory until all of it is there, however large its head says that it is, takes an empty `DATA` frame for the end of a
//! body, and a body whose last frame is cut off for a whole one. So it is shown only frames that mean something, of a size that can be kept,
//! and a stream that ends within a frame fails.

#[cfg(any(test, fuzzing))]
pub(crate) mod laws;

use bytes::{BufMut as _, BytesMut};

/// The most bytes that a number has (RFC 9000, section 16), and so the head of a frame: its kind and its length.
const NUMBER_BYTES: usize = 8;
const HEAD_BYTES: usize = 2 * NUMBER_BYTES;

/// Kinds of frames (RFC 9114, section 11.2.1): those that carry requests, and the last that h3 has to see to refuse or to follow them.
const DATA: u64 = 0x0;
const HEADERS: u64 = 0x1;
const LAST_OF_HTTP2: u64 = 0x9;
const MAX_PUSH_ID: u64 = 0xd;

/// How long a frame may be that is about the connection, in bytes. Browsers' settings have some forty.
const MOST_CONTROL_BYTES: u64 = 4 * 1024;

/// What a visitor sends is not what may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// A head of a request, or a frame about the connection, is longer than it may be.
    #[error("a frame is larger than it may be")]
    TooLarge,
    /// The stream ends in the middle of a frame.
    #[error("the stream ends in the middle of a frame")]
    CutOff,
}

/// Reads along with one stream, in pieces of any size.
#[derive(Debug)]
pub(super) struct FrameFilter {
    max_header_bytes: u64,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// How much of the frame's payload is still to come, in bytes.
    left: u64,
    /// Whether it is shown to h3.
    passes: bool,
}

impl FrameFilter {
    /// A filter of a stream that begins with a frame, where a head may have so many bytes as it is sent.
    pub(super) fn new(max_header_bytes: u64) -> Self {
        Self { max_header_bytes, head: [0; HEAD_BYTES], head_bytes: 0, left: 0, passes: false }
    }

    /// Adds to `shown` what h3 is to see of the next bytes.
    pub(super) fn follow(&mut self, mut arrived: &[u8], shown: &mut BytesMut) -> Result<(), FrameError> {
        while let [next, rest @ ..] = arrived {
            if self.left > 0 {
                let here = usize::try_from(self.left).map_or(arrived.len(), |left| left.min(arrived.len()));
                if self.passes {
                    shown.put_slice(&arrived[..here]);
                }
                self.left -= here as u64;
                arrived = &arrived[here..];
            } else {
                self.head[self.head_bytes] = *next;
                self.head_bytes += 1;
                arrived = rest;
                self.begin_frame(shown)?;
            }
        }
        Ok(())
    }

    /// Whether the stream may end here.
    pub(super) fn end(&self) -> Result<(), FrameError> {
        if self.left == 0 && self.head_bytes == 0 { Ok(()) } else { Err(FrameError::CutOff) }
    }

    /// Begins a frame, if its head is complete.
    fn begin_frame(&mut self, shown: &mut BytesMut) -> Result<(), FrameError> {
        let head = &self.head[..self.head_bytes];
        let Some((kind, rest)) = number(head) else { return Ok(()) };
        let Some((length, _)) = number(rest) else { return Ok(()) };
        let most = match kind {
            DATA => u64::MAX,
            HEADERS => self.max_header_bytes,
            ..=LAST_OF_HTTP2 | MAX_PUSH_ID => MOST_CONTROL_BYTES,
            // Of a kind that nobody knows: it is to be read and means nothing (RFC 9114, section 9).
            _ => u64::MAX,
        };
        if length > most {
            return Err(FrameError::TooLarge);
        }
        self.passes = (kind <= LAST_OF_HTTP2 || kind == MAX_PUSH_ID) && !(kind == DATA && length == 0);
        if self.passes {
            shown.put_slice(head);
        }
        (self.left, self.head_bytes) = (length, 0);
        Ok(())
    }
}

/// The number that some bytes begin with, and what follows it. `None` while it is not complete.
pub(super) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let (length, mark) = (1 << (first >> 6), 0b1100_0000);
    let (number, rest) = bytes.split_at_checked(length)?;
    let value = number[1..].iter().fold(u64::from(first & !mark), |value, byte| value << 8 | u64::from(*byte));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A number in as many bytes as it is given.
    fn written(value: u64, bytes: usize) -> Vec<u8> {
        let mut number = value.to_be_bytes()[NUMBER_BYTES - bytes..].to_vec();
        number[0] |= u8::try_from(bytes.trailing_zeros()).unwrap() << 6;
        number
    }

    fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
        [written(kind, 8), written(payload.len() as u64, 4), payload.to_vec()].concat()
    }

    /// What h3 is shown of a stream that arrives in pieces of a size.
    fn shown(stream: &[u8], piece_bytes: usize) -> Result<Vec<u8>, FrameError> {
        let (mut filter, mut shown) = (FrameFilter::new(100), BytesMut::new());
        stream.chunks(piece_bytes.max(1)).try_for_each(|piece| filter.follow(piece, &mut shown))?;
        filter.end()?;
        Ok(shown.to_vec())
    }

    #[test]
    fn numbers() {
        // The examples of RFC 9000, appendix A.1.
        for (bytes, value) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            assert_eq!(number(bytes), Some((value, &[][..])));
            assert_eq!(number(&bytes[..bytes.len() - 1]), None);
        }
    }

    /// What carries a request passes as it is; what nobody knows, and what carries nothing, is left out.
    #[test]
    fn passing() {
        let kept = [frame(HEADERS, b"head"), frame(DATA, b"body"), frame(MAX_PUSH_ID, &[7])].concat();
        let left_out = [frame(0x21, b"grease"), frame(DATA, b""), frame(0x41, b"")];
        for other in left_out {
            let stream = [
                other.clone(),
                frame(HEADERS, b"head"),
                other.clone(),
                frame(DATA, b"body"),
                other,
                frame(MAX_PUSH_ID, &[7]),
            ]
            .concat();
            assert_eq!(shown(&stream, stream.len()), Ok(kept.clone()));
        }
    }

    /// A head is no larger than it may be, whatever is still to come of it; a body is as large as it is.
    #[test]
    fn bounds() {
        assert_eq!(shown(&frame(HEADERS, &[0; 101]), 10), Err(FrameError::TooLarge));
        assert_eq!(shown(&[written(HEADERS, 1), written(u64::MAX >> 2, 8)].concat(), 1), Err(FrameError::TooLarge));
        assert_eq!(shown(&frame(4, &[0; 5000]), 10), Err(FrameError::TooLarge));
        assert!(shown(&frame(DATA, &vec![0; 100_000]), 1000).is_ok());
    }

    proptest! {
        /// The laws hold for anything, and for what is nearly frames.
        #[test]
        fn laws(bytes: Vec<u8>, frames in proptest::collection::vec((0..12_u64, proptest::collection::vec(any::<u8>(), 0..20)), 0..6)) {
            laws::http3_frames(&bytes);
            let frames: Vec<u8> = frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
            laws::http3_frames(&[frames, bytes].concat());
        }

        /// Pieces make no difference, and a stream that is cut off within a frame is no whole one.
        #[test]
        fn pieces(payload in proptest::collection::vec(any::<u8>(), 1..50), piece_bytes in 1..20_usize, cut in 1..10_usize) {
            let stream = [frame(HEADERS, &payload), frame(0x21, &payload), frame(DATA, &payload)].concat();
            prop_assert_eq!(shown(&stream, piece_bytes), shown(&stream, stream.len()));
            let rest = &stream[..stream.len() - cut.min(payload.len())];
            prop_assert_eq!(shown(rest, piece_bytes), Err(FrameError::CutOff));
        }
    }
}
