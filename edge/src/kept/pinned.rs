//! What answers hold in memory that are kept, or were and are still on their way to a visitor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;

/// So many bytes that are held. They are given back when this is dropped.
pub(crate) struct Pin {
    bytes: u64,
    all: Arc<AtomicU64>,
    most: u64,
}

impl Pin {
    /// Nothing yet, of the bytes that `all` counts, which are `most` together.
    pub(super) const fn new(all: Arc<AtomicU64>, most: u64) -> Self {
        Self { bytes: 0, all, most }
    }

    /// Holds so many bytes more, if there is room.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let grown = |all: u64| all.checked_add(bytes).filter(|all| *all <= self.most);
        let has_room = self.all.fetch_update(Relaxed, Relaxed, grown).is_ok();
        if has_room {
            self.bytes += bytes;
        }
        has_room
    }

    /// These bytes, which were counted before, to be held for as long as any part of them is.
    pub(crate) fn into_bytes(self, bytes: Box<[u8]>) -> Bytes {
        Bytes::from_owner(Held { bytes, _pin: self })
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Relaxed);
    }
}

struct Held {
    bytes: Box<[u8]>,
    _pin: Pin,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is held counts until the last part of it is dropped, and no more is held than there is room for.
    #[test]
    fn held() {
        let all = Arc::new(AtomicU64::new(0));
        let mut first = Pin::new(Arc::clone(&all), 10);
        assert!(first.grow(4) && first.grow(4) && !first.grow(3));
        let mut second = Pin::new(Arc::clone(&all), 10);
        assert!(second.grow(2) && !second.grow(1));
        drop(second);
        let body = first.into_bytes(b"12345678"[..].into());
        let part = body.slice(7..);
        drop(body);
        assert_eq!((&part[..], all.load(Relaxed)), (&b"8"[..], 8));
        drop(part);
        assert_eq!(all.load(Relaxed), 0);
    }
}
