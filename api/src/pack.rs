//! The pack: how many blobs travel in one request.
//!
//! A pack is a sequence of entries: the 32 bytes of a digest, the size as a 64-bit little-endian integer, and that many
//! bytes. It ends with 32 zero bytes and the count of entries, so that a pack that was cut off is never taken for a whole one.

use bytes::{Buf, Bytes, BytesMut};
use ship_core::Digest;

/// The media type of a pack.
pub const PACK_MEDIA_TYPE: &str = "application/vnd.ship.pack";

const HEADER_BYTES: usize = 32 + 8;
const END_MARK: [u8; 32] = [0; 32];

/// What stands before the bytes of a blob.
pub fn pack_entry(digest: &Digest, size_bytes: u64) -> [u8; HEADER_BYTES] {
    header(digest.as_bytes(), size_bytes)
}

/// What stands at the end of a pack of `entries` blobs.
pub fn pack_end(entries: u64) -> [u8; HEADER_BYTES] {
    header(&END_MARK, entries)
}

fn header(first: &[u8; 32], second: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..32].copy_from_slice(first);
    header[32..].copy_from_slice(&second.to_le_bytes());
    header
}

/// What comes next in a pack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PackEvent {
    /// A blob begins.
    Begin {
        /// The digest its bytes shall have.
        digest: Digest,
        /// Its size in bytes.
        size_bytes: u64,
    },
    /// Some of its bytes.
    Bytes(Bytes),
    /// The blob is complete.
    Complete,
}

/// Reads a pack from pieces of any size, without holding more than the piece at hand.
#[derive(Debug, Default)]
pub struct PackDecoder {
    buffered: BytesMut,
    state: State,
    entries: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Header,
    Body {
        rest: u64,
    },
    Ended,
}

impl PackDecoder {
    /// A decoder at the beginning of a pack.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece. Call [`PackDecoder::next_event`] until it has nothing more before giving another.
    pub fn push(&mut self, piece: &Bytes) {
        self.buffered.extend_from_slice(piece);
    }

    /// The next event, or `None` until there are more bytes.
    pub fn next_event(&mut self) -> Result<Option<PackEvent>, PackError> {
        match self.state {
            State::Ended if self.buffered.is_empty() => Ok(None),
            State::Ended => Err(PackError::TrailingBytes),
            State::Header if self.buffered.len() < HEADER_BYTES => Ok(None),
            State::Header => self.read_header(),
            State::Body { rest: 0 } => {
                self.state = State::Header;
                Ok(Some(PackEvent::Complete))
            }
            State::Body { .. } if self.buffered.is_empty() => Ok(None),
            State::Body { rest } => {
                let take = usize::try_from(rest).unwrap_or(usize::MAX).min(self.buffered.len());
                self.state = State::Body { rest: rest - take as u64 };
                Ok(Some(PackEvent::Bytes(self.buffered.split_to(take).freeze())))
            }
        }
    }

    fn read_header(&mut self) -> Result<Option<PackEvent>, PackError> {
        let mut first = [0; 32];
        self.buffered.copy_to_slice(&mut first);
        let second = self.buffered.get_u64_le();
        if first != END_MARK {
            self.entries += 1;
            self.state = State::Body { rest: second };
            return Ok(Some(PackEvent::Begin { digest: Digest::from_bytes(first), size_bytes: second }));
        }
        if second != self.entries {
            return Err(PackError::WrongCount { said: second, found: self.entries });
        }
        self.state = State::Ended;
        self.next_event()
    }

    /// Says whether the pack is whole, once there are no more pieces.
    pub fn finish(self) -> Result<u64, PackError> {
        if self.state == State::Ended { Ok(self.entries) } else { Err(PackError::CutOff) }
    }
}

/// The bytes are not a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It ends before its end mark.
    #[error("the pack ends before its end mark")]
    CutOff,
    /// Something follows the end mark.
    #[error("bytes follow the end mark of the pack")]
    TrailingBytes,
    /// The end mark counts differently.
    #[error("the pack says it has {said} entries and has {found}")]
    WrongCount {
        /// What the end mark says.
        said: u64,
        /// What came.
        found: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(blobs: &[&[u8]]) -> Vec<u8> {
        let mut pack = Vec::new();
        for blob in blobs {
            pack.extend_from_slice(&pack_entry(&Digest::of(blob), blob.len() as u64));
            pack.extend_from_slice(blob);
        }
        pack.extend_from_slice(&pack_end(blobs.len() as u64));
        pack
    }

    fn decode(bytes: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, PackError> {
        let mut decoder = PackDecoder::new();
        let mut blobs: Vec<Vec<u8>> = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(&Bytes::copy_from_slice(piece));
            while let Some(event) = decoder.next_event()? {
                match event {
                    PackEvent::Begin { .. } => blobs.push(Vec::new()),
                    PackEvent::Bytes(bytes) => blobs.last_mut().unwrap().extend_from_slice(&bytes),
                    PackEvent::Complete => {}
                }
            }
        }
        decoder.finish().map(|_| blobs)
    }

    /// Whatever the pieces, the blobs come out as they went in; cut anywhere, it is noticed.
    #[test]
    fn pieces_and_cuts() {
        let bytes = pack(&[b"first", b"", b"third blob"]);
        for piece in 1..bytes.len() {
            let blobs = decode(&bytes, piece).unwrap();
            assert_eq!(blobs, [b"first".to_vec(), Vec::new(), b"third blob".to_vec()]);
        }
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut], 7), Err(PackError::CutOff), "cut at {cut}");
        }
    }

    /// A wrong count and bytes behind the end are refused.
    #[test]
    fn wrong_ends() {
        let mut bytes = pack(&[b"x"]);
        bytes.push(0);
        assert_eq!(decode(&bytes, 1000), Err(PackError::TrailingBytes));
        assert_eq!(decode(&pack_end(1), 1000), Err(PackError::WrongCount { said: 1, found: 0 }));
    }
}
