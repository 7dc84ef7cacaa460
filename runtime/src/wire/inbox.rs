//! What has arrived on a connection and was not read yet.

use crate::limits::{INBOX_BYTES, INBOX_MOST_BYTES};

/// Bytes that arrived, in a buffer that is kept from response to response.
pub(crate) struct Inbox {
    /// Its whole length can be written into.
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Inbox {
    pub(crate) const fn new() -> Self {
        Self { buffer: Vec::new(), begin: 0, end: 0 }
    }

    /// What is there.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.begin..self.end]
    }

    /// Lets go of the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.begin += count;
        debug_assert!(self.begin <= self.end);
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
    }

    /// Room for more. It grows while what arrives fills it, so that a long body takes few reads.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if self.end == self.buffer.len() {
            let grown = (2 * self.buffer.len()).clamp(INBOX_BYTES, INBOX_MOST_BYTES.max(self.end + INBOX_BYTES));
            self.buffer.resize(grown, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// `count` bytes were written into the room. If they fill all of it, the next read deserves more.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count;
        if count == self.buffer.len() && count < INBOX_MOST_BYTES {
            self.buffer.resize(2 * count, 0);
        }
    }

    /// Gives back what a long response has made it grow by: the connection may now be idle for long.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.len() > INBOX_BYTES && self.begin == self.end {
            *self = Self::new();
        }
    }
}

#[cfg(any(test, fuzzing))]
impl Inbox {
    /// Bytes arrive.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        for byte in bytes.chunks(INBOX_BYTES) {
            while self.room().len() < byte.len() {
                let more = self.buffer.len() + INBOX_BYTES;
                self.buffer.resize(more, 0);
            }
            self.room()[..byte.len()].copy_from_slice(byte);
            self.filled(byte.len());
        }
    }
}
