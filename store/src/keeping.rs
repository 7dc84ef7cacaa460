//! The door between those who need every blob to stay and whoever removes blobs: either of them is inside, never both.
//!
//! A backup names its blobs before it copies them, and a host that has just taken over does not know what clients are still sending to
//! the one before it. Both keep all blobs while that lasts; collecting garbage waits for another time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Who is inside.
#[derive(Debug, Default)]
struct Inside {
    keepers: usize,
    is_clearing: bool,
}

/// The door. Clones are the same door.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeping(Arc<(Mutex<Inside>, Condvar)>);

/// While this lives, no blob is removed.
#[derive(Debug)]
#[must_use = "blobs are kept for as long as this lives"]
pub struct KeptBlobs(Keeping);

/// While this lives, nobody counts on a blob that no deployment needs.
#[derive(Debug)]
#[must_use = "others count on all blobs as soon as this is dropped"]
pub(crate) struct Clearing(Keeping);

impl Keeping {
    /// Keeps all blobs. Blocks while some are being removed.
    pub(crate) fn keep(&self) -> KeptBlobs {
        let (inside, changed) = &*self.0;
        let inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inside =
            changed.wait_while(inside, |inside| inside.is_clearing).unwrap_or_else(PoisonError::into_inner);
        inside.keepers += 1;
        KeptBlobs(self.clone())
    }

    /// The right to remove blobs; `None` while somebody keeps them, or removes some already.
    pub(crate) fn clear(&self) -> Option<Clearing> {
        let mut inside = self.inside();
        if inside.keepers > 0 || inside.is_clearing {
            return None;
        }
        inside.is_clearing = true;
        Some(Clearing(self.clone()))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeptBlobs {
    fn drop(&mut self) {
        self.0.inside().keepers -= 1;
    }
}

impl Drop for Clearing {
    fn drop(&mut self) {
        self.0.inside().is_clearing = false;
        self.0.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any number keep, one removes, and never both; who wants to keep waits for who removes.
    #[test]
    fn never_both() {
        let keeping = Keeping::default();
        let (first, second) = (keeping.keep(), keeping.keep());
        assert!(keeping.clear().is_none());
        drop((first, second));
        let sweep = keeping.clear().unwrap();
        assert!(keeping.clear().is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| keeping.keep());
            drop(sweep);
            let kept = waiting.join().unwrap();
            assert!(keeping.clear().is_none());
            drop(kept);
        });
        assert!(keeping.clear().is_some());
    }
}
