//! The entries of a framed pack.
//!
//! An entry is the 32 bytes of a digest, the size of the blob, and how many bytes of its beginning the host has already (both 64-bit
//! little-endian integers); unless the last is zero, the digest of these bytes; then the parts of the rest. A part is the byte 1, a length, and that
//! many bytes; or the byte 2, the digest of another blob, an offset in it and a length. The parts of an entry are as long as what is
//! left of the blob, to the byte. The pack ends with 32 zero bytes, the count of entries, and a zero.

use bytes::{Buf, Bytes, BytesMut};
use ship_core::Digest;

use super::plain::END_MARK;
use super::{Beginning, PackError, PackEvent};

const HEADER_BYTES: usize = 32 + 8 + 8;
const LITERAL: u8 = 1;
const LITERAL_BYTES: usize = 1 + 8;
const COPY: u8 = 2;
const COPY_BYTES: usize = 1 + 32 + 8 + 8;

/// What stands before the parts of a blob.
pub fn framed_entry(digest: &Digest, size_bytes: u64, beginning: Option<&Beginning>) -> Vec<u8> {
    let mut entry = Vec::with_capacity(HEADER_BYTES + 32);
    entry.extend_from_slice(digest.as_bytes());
    entry.extend_from_slice(&size_bytes.to_le_bytes());
    entry.extend_from_slice(&beginning.map_or(0, |beginning| beginning.bytes).to_le_bytes());
    if let Some(beginning) = beginning {
        entry.extend_from_slice(beginning.digest.as_bytes());
    }
    entry
}

/// What stands before `length` bytes of a blob.
pub fn literal_part(length: u64) -> [u8; LITERAL_BYTES] {
    let mut part = [LITERAL; LITERAL_BYTES];
    part[1..].copy_from_slice(&length.to_le_bytes());
    part
}

/// What stands for `length` bytes that the blob `from` has from `offset` on.
pub fn copy_part(from: &Digest, offset: u64, length: u64) -> [u8; COPY_BYTES] {
    let mut part = [COPY; COPY_BYTES];
    part[1..33].copy_from_slice(from.as_bytes());
    part[33..41].copy_from_slice(&offset.to_le_bytes());
    part[41..].copy_from_slice(&length.to_le_bytes());
    part
}

/// What stands at the end of a pack of `entries` blobs.
pub fn framed_end(entries: u64) -> [u8; HEADER_BYTES] {
    let mut end = [0; HEADER_BYTES];
    end[..32].copy_from_slice(&END_MARK);
    end[32..40].copy_from_slice(&entries.to_le_bytes());
    end
}

/// What is read next, and how many bytes of it at the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// The rest of a head.
    Head { bytes: usize },
    /// Bytes of a blob.
    Literal { bytes: usize },
}

impl Wanted {
    pub(super) fn most(self) -> usize {
        match self {
            Self::Head { bytes } | Self::Literal { bytes } => bytes,
        }
    }
}

/// Reads entries.
#[derive(Debug, Default)]
pub(super) struct FramedEntries {
    state: State,
    entries: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Header,
    /// The digest of the beginning is next.
    Beginning {
        digest: Digest,
        size_bytes: u64,
        bytes: u64,
    },
    /// A part is next, if anything is left.
    Parts {
        rest: u64,
    },
    /// The bytes of a part are next.
    Literal {
        part: u64,
        rest: u64,
    },
    Ended,
}

impl FramedEntries {
    pub(super) fn next_event(&mut self, buffered: &mut BytesMut) -> Result<Option<PackEvent>, PackError> {
        match self.state {
            State::Ended if buffered.is_empty() => Ok(None),
            State::Ended => Err(PackError::TrailingBytes),
            State::Header if buffered.len() < HEADER_BYTES => Ok(None),
            State::Header => self.read_header(buffered),
            State::Beginning { .. } if buffered.len() < 32 => Ok(None),
            State::Beginning { digest, size_bytes, bytes } => {
                let beginning = Beginning { bytes, digest: digest_of(buffered) };
                self.state = State::Parts { rest: size_bytes - bytes };
                Ok(Some(PackEvent::Begin { digest, size_bytes, beginning: Some(beginning) }))
            }
            State::Parts { rest: 0 } => {
                self.state = State::Header;
                Ok(Some(PackEvent::Complete))
            }
            State::Parts { rest } => self.read_part(buffered, rest),
            State::Literal { part: 0, rest } => {
                self.state = State::Parts { rest };
                self.next_event(buffered)
            }
            State::Literal { .. } => Ok(None),
        }
    }

    /// What is read next, when there is no event before it comes.
    pub(super) fn wanted(&self, buffered: &BytesMut) -> Wanted {
        let head_bytes = match self.state {
            State::Literal { part, .. } => {
                return Wanted::Literal { bytes: usize::try_from(part).unwrap_or(usize::MAX) };
            }
            // Anything at all would be too much.
            State::Ended => 1,
            State::Header => HEADER_BYTES,
            State::Beginning { .. } => 32,
            State::Parts { .. } => match buffered.first() {
                Some(&LITERAL) => LITERAL_BYTES,
                Some(&COPY) => COPY_BYTES,
                _ => 1,
            },
        };
        Wanted::Head { bytes: head_bytes - buffered.len() }
    }

    /// Takes bytes that were wanted of a blob.
    pub(super) fn literal(&mut self, bytes: Bytes) -> PackEvent {
        if let State::Literal { part, rest } = self.state {
            self.state = State::Literal { part: part - bytes.len() as u64, rest };
        }
        PackEvent::Bytes(bytes)
    }

    fn read_header(&mut self, buffered: &mut BytesMut) -> Result<Option<PackEvent>, PackError> {
        let digest = digest_of(buffered);
        let (size_bytes, begun) = (buffered.get_u64_le(), buffered.get_u64_le());
        if digest.as_bytes() == &END_MARK {
            if size_bytes != self.entries {
                return Err(PackError::WrongCount { said: size_bytes, found: self.entries });
            }
            self.state = State::Ended;
            return self.next_event(buffered);
        }
        if begun > size_bytes {
            return Err(PackError::BadEntry("begins behind its end"));
        }
        self.entries += 1;
        if begun > 0 {
            self.state = State::Beginning { digest, size_bytes, bytes: begun };
            return self.next_event(buffered);
        }
        self.state = State::Parts { rest: size_bytes };
        Ok(Some(PackEvent::Begin { digest, size_bytes, beginning: None }))
    }

    fn read_part(&mut self, buffered: &mut BytesMut, rest: u64) -> Result<Option<PackEvent>, PackError> {
        let head_bytes = match buffered.first() {
            None => return Ok(None),
            Some(&LITERAL) => LITERAL_BYTES,
            Some(&COPY) => COPY_BYTES,
            Some(_) => return Err(PackError::BadEntry("has a part of no known kind")),
        };
        if buffered.len() < head_bytes {
            return Ok(None);
        }
        let kind = buffered.get_u8();
        let source = (kind == COPY).then(|| (digest_of(buffered), buffered.get_u64_le()));
        let length = buffered.get_u64_le();
        let rest = rest.checked_sub(length).filter(|_| length > 0);
        let rest = rest.ok_or(PackError::BadEntry("has a part that is empty, or longer than what is left of it"))?;
        if let Some((from, offset)) = source {
            self.state = State::Parts { rest };
            return Ok(Some(PackEvent::Copy { from, offset, length }));
        }
        self.state = State::Literal { part: length, rest };
        self.next_event(buffered)
    }

    /// How many entries there were, once the end mark was read.
    pub(super) fn ended(&self) -> Option<u64> {
        (self.state == State::Ended).then_some(self.entries)
    }
}

fn digest_of(buffered: &mut BytesMut) -> Digest {
    let mut digest = [0; 32];
    buffered.copy_to_slice(&mut digest);
    Digest::from_bytes(digest)
}
