//! The entries of a plain pack.

use bytes::{Buf, BytesMut};
use ship_core::Digest;

use super::{PackError, PackEvent};

pub(super) const HEADER_BYTES: usize = 32 + 8;
pub(super) const END_MARK: [u8; 32] = [0; 32];

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

/// Reads entries.
#[derive(Debug, Default)]
pub(super) struct PlainEntries {
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

impl PlainEntries {
    pub(super) fn next_event(&mut self, buffered: &mut BytesMut) -> Result<Option<PackEvent>, PackError> {
        match self.state {
            State::Ended if buffered.is_empty() => Ok(None),
            State::Ended => Err(PackError::TrailingBytes),
            State::Header if buffered.len() < HEADER_BYTES => Ok(None),
            State::Header => self.read_header(buffered),
            State::Body { rest: 0 } => {
                self.state = State::Header;
                Ok(Some(PackEvent::Complete))
            }
            State::Body { .. } if buffered.is_empty() => Ok(None),
            State::Body { rest } => {
                let take = usize::try_from(rest).unwrap_or(usize::MAX).min(buffered.len());
                self.state = State::Body { rest: rest - take as u64 };
                Ok(Some(PackEvent::Bytes(buffered.split_to(take).freeze())))
            }
        }
    }

    fn read_header(&mut self, buffered: &mut BytesMut) -> Result<Option<PackEvent>, PackError> {
        let mut first = [0; 32];
        buffered.copy_to_slice(&mut first);
        let second = buffered.get_u64_le();
        if first != END_MARK {
            self.entries += 1;
            self.state = State::Body { rest: second };
            let digest = Digest::from_bytes(first);
            return Ok(Some(PackEvent::Begin { digest, size_bytes: second, beginning: None }));
        }
        if second != self.entries {
            return Err(PackError::WrongCount { said: second, found: self.entries });
        }
        self.state = State::Ended;
        self.next_event(buffered)
    }

    /// How many entries there were, once the end mark was read.
    pub(super) fn ended(&self) -> Option<u64> {
        (self.state == State::Ended).then_some(self.entries)
    }
}
