//! Whether an upload moves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a connection may take nothing, and a host say nothing after it has everything. Who connects again loses nothing: what the host has it
/// keeps, and one whose disk is busy is asked until it has time.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many bytes a second are read at the least by either end where none travel: the beginning of a blob for its digest, or what is copied.
const READ_BYTES_PER_SEC: u64 = 50 * 1000 * 1000;

/// What may be on its way in the system's buffers when all was taken: Linux gives a connection 4 MiB at the most.
const BUFFERED_BYTES: u64 = 4 * 1024 * 1024;

/// How long the buffers of the slowest link are waited for.
const LONGEST_PATIENCE: Duration = Duration::from_mins(5);

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// How much of an upload was taken, and whether that was all.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    patience: Duration,
    taken: AtomicU64,
    is_all: AtomicBool,
}

impl Watch {
    /// An upload that begins now, of blobs of which so many bytes do not travel.
    pub(super) fn new(bytes_read: u64) -> Self {
        let reading = Duration::from_secs(bytes_read / READ_BYTES_PER_SEC).min(LONGEST_PATIENCE);
        let (taken, is_all) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { began: Instant::now(), patience: PATIENCE + reading, taken, is_all }
    }

    /// Notes that the connection took so many bytes.
    pub(super) fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes that there are no more.
    pub(super) fn all_taken(&self) {
        self.is_all.store(true, Ordering::Relaxed);
    }

    /// Returns when nothing has moved for as long as it takes to know that nothing will.
    pub(super) async fn stalled(&self) {
        let (mut last_taken, mut last_moved, mut was_all) = (0, Instant::now(), false);
        loop {
            tokio::time::sleep(LOOK).await;
            let (taken, is_all) = (self.taken.load(Ordering::Relaxed), self.is_all.load(Ordering::Relaxed));
            if (taken, is_all) != (last_taken, was_all) {
                (last_taken, was_all, last_moved) = (taken, is_all, Instant::now());
            }
            let in_buffers = if is_all { in_buffers(taken, last_moved - self.began) } else { Duration::ZERO };
            if last_moved.elapsed() >= self.patience + in_buffers {
                return;
            }
        }
    }
}

/// How long the last bytes may be in buffers, at the rate at which all of them were taken.
fn in_buffers(taken: u64, took: Duration) -> Duration {
    let buffered = taken.min(BUFFERED_BYTES);
    let beyond = (taken - buffered).max(1);
    // What fits into buffers is taken at once and says nothing about the link.
    let millis = u128::from(buffered) * took.as_millis() / u128::from(beyond);
    let time = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
    time.min(LONGEST_PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What moves is not given up, however slowly; what stands still is.
    #[tokio::test(start_paused = true)]
    async fn moves_and_stands_still() {
        let watch = Watch::new(0);
        let moving = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                watch.took(64 * 1024);
            }
            std::future::pending::<()>().await;
        };
        let began = Instant::now();
        tokio::select! { () = watch.stalled() => {}, () = moving => {} }
        let stalled = began.elapsed().as_secs();
        assert!((215..=217).contains(&stalled), "{stalled}");
    }

    /// When everything was taken, the last bytes are given the time that the link takes for them.
    #[test]
    fn last_bytes() {
        let megabyte = 1024 * 1024;
        assert_eq!(in_buffers(12 * megabyte, Duration::from_secs(80)), Duration::from_secs(40));
        assert_eq!(in_buffers(1000, Duration::ZERO), Duration::ZERO);
        assert_eq!(in_buffers(4 * megabyte, Duration::from_secs(4)), LONGEST_PATIENCE);
    }
}
