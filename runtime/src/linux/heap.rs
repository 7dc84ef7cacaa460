//! Memory that this process has freed and the C library has kept: given back to the machine.
//!
//! What a crowd of visitors took stays with glibc's allocator when they are gone: pieces of all sizes, in an arena per thread, are free and
//! still resident. A host that was flooded once would look flooded for ever.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How much more than after the last time must be resident before the heap is looked through again. That takes a millisecond for
/// each 100 MB or so, in which whoever wants memory of the same arena waits.
const WORTH_IT: u64 = 8 * 1024 * 1024;

/// What was resident when the heap was last trimmed.
#[derive(Debug, Default)]
pub struct Heap {
    trimmed_to: AtomicU64,
}

impl Heap {
    /// Gives free memory back if the process has grown since it last did. To be called now and then, by one thread.
    pub fn give_back(&self) {
        let Some(resident) = resident_bytes() else { return };
        if resident < self.trimmed_to.load(Relaxed).saturating_add(WORTH_IT) {
            // What shrank by itself counts from there.
            self.trimmed_to.fetch_min(resident, Relaxed);
            return;
        }
        trim();
        self.trimmed_to.store(resident_bytes().unwrap_or(resident), Relaxed);
    }
}

/// How much of this process is in memory (`proc_pid_status(5)`).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "only the C library knows its heap")]
fn trim() {
    // SAFETY: `malloc_trim` takes a number, locks what it looks at, and frees nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries have no such call, and keep less.
#[cfg(not(target_env = "gnu"))]
fn trim() {}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    /// Small pieces that were freed below one that is not would stay resident; after a look they do not.
    #[test]
    fn freed_memory_is_given_back() {
        let heap = Heap::default();
        heap.give_back();
        let before = resident_bytes().unwrap();
        let mut pieces: Vec<Box<[u8; 8192]>> = (0..8192_u32).map(|_| Box::new([1; 8192])).collect();
        let last = pieces.pop();
        drop(pieces);
        let freed = resident_bytes().unwrap();
        heap.give_back();
        let after = resident_bytes().unwrap();
        assert!(freed > before + (48 << 20), "the allocator gives it back by itself: {before} {freed}");
        assert!(after < before + (24 << 20), "{before} {freed} {after}");
        drop(last);
    }
}
