//! Memory that this process holds for nothing: given back to the machine.
//!
//! What a crowd of visitors took stays with glibc's allocator when they are gone: pieces of all sizes, in an arena per thread, are free and
//! still resident. A host that was flooded once would look flooded for ever. And what a start alone needed of the program stays in
//! memory for as long as the process runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::process::computed;
use super::program;

/// How much more than after the last time must be resident before anything is given back again. To look through the heap takes a
/// millisecond for each 100 MB or so, in which whoever wants memory of the same arena waits; to bring a program's pages back takes
/// whoever comes next half a millisecond.
const WORTH_IT: u64 = 8 * 1024 * 1024;

/// How much of the program comes back where somebody has come.
const IN_USE: u64 = 1024 * 1024;

/// How much of the time between two looks a process at rest computes at the most: one part of so many. An idle host takes a tenth of it, and one
/// that starts three functions a second all of it.
const REST_SHARE: u32 = 500;

/// What this process holds, and what was resident of it when it last gave some back.
#[derive(Debug)]
pub struct Holdings {
    allocated: Holding,
    program: Holding,
    rest: Mutex<Rest>,
}

impl Default for Holdings {
    fn default() -> Self {
        Self {
            allocated: Holding::of("RssAnon:", trim),
            program: Holding::of("RssFile:", program::let_go),
            rest: Mutex::new(Rest::begin()),
        }
    }
}

impl Holdings {
    /// Gives back free memory if the process has grown since it last did, and pages of the program if it is at rest besides. To be called now
    /// and then, by one thread.
    pub fn give_back(&self) {
        self.allocated.give_back();
        if self.rest.lock().unwrap_or_else(PoisonError::into_inner).is_kept() {
            self.program.settle();
            self.program.give_back();
        }
    }
}

/// Whether a process has done next to nothing since it was last looked at.
#[derive(Debug)]
struct Rest {
    looked_at: Instant,
    computed: Duration,
}

impl Rest {
    fn begin() -> Self {
        Self { looked_at: Instant::now(), computed: computed() }
    }

    fn is_kept(&mut self) -> bool {
        let before = std::mem::replace(self, Self::begin());
        let (computed, passed) = (self.computed.saturating_sub(before.computed), self.looked_at - before.looked_at);
        computed * REST_SHARE <= passed
    }
}

/// One kind of memory.
#[derive(Debug)]
struct Holding {
    /// What the kernel calls it.
    line: &'static str,
    release: fn(),
    released_to: AtomicU64,
    /// Whether nothing of what was given back last was needed since.
    is_untouched: AtomicBool,
}

impl Holding {
    fn of(line: &'static str, release: fn()) -> Self {
        Self { line, release, released_to: AtomicU64::new(0), is_untouched: AtomicBool::new(false) }
    }

    fn give_back(&self) {
        let Some(resident) = self.resident_bytes() else { return };
        if resident < self.released_to.load(Relaxed).saturating_add(WORTH_IT) {
            // What shrank by itself counts from there.
            self.released_to.fetch_min(resident, Relaxed);
            return;
        }
        (self.release)();
        self.released_to.store(self.resident_bytes().unwrap_or(resident), Relaxed);
        self.is_untouched.store(true, Relaxed);
    }

    /// Counts what came back first as what is always needed: whoever comes after a rest is not to wait for it each time.
    fn settle(&self) {
        let Some(resident) = self.resident_bytes() else { return };
        let is_back = resident >= self.released_to.load(Relaxed).saturating_add(IN_USE);
        if is_back && self.is_untouched.swap(false, Relaxed) {
            self.released_to.store(resident, Relaxed);
        }
    }

    /// How much of it is in memory (`proc_pid_status(5)`).
    fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix(self.line))?;
        resident.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    }
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
        let holdings = Holdings::default();
        holdings.give_back();
        let resident_bytes = || holdings.allocated.resident_bytes().unwrap();
        let before = resident_bytes();
        let mut pieces: Vec<Box<[u8; 8192]>> = (0..8192_u32).map(|_| Box::new([1; 8192])).collect();
        let last = pieces.pop();
        drop(pieces);
        let freed = resident_bytes();
        holdings.give_back();
        let after = resident_bytes();
        assert!(freed > before + (48 << 20), "the allocator gives it back by itself: {before} {freed}");
        assert!(after < before + (24 << 20), "{before} {freed} {after}");
        drop(last);
    }

    /// What came back first is needed: only what comes on top of it counts as held for nothing.
    #[test]
    fn what_comes_back_is_kept() {
        let holding = Holding::of("RssAnon:", || ());
        // A test process by itself is smaller than what is looked at.
        let held = std::hint::black_box(vec![1_u8; usize::try_from(2 * WORTH_IT).unwrap()]);
        holding.give_back();
        let released_to = || holding.released_to.load(Relaxed);
        assert!(released_to() > 2 * IN_USE);
        // As if next to nothing had been left.
        holding.released_to.store(0, Relaxed);
        holding.settle();
        let settled = released_to();
        assert!(settled > 2 * IN_USE);
        holding.released_to.store(0, Relaxed);
        holding.settle();
        assert_eq!(released_to(), 0, "only the first time");
        drop(held);
    }

    /// A process that computes is not at rest; one that has hardly computed for long is.
    #[test]
    fn rest() {
        let mut rest = Rest::begin();
        while computed() < rest.computed + Duration::from_millis(5) {}
        assert!(!rest.is_kept());
        let long_ago = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        assert!(Rest { looked_at: long_ago, computed: computed() }.is_kept());
    }

    /// What was run once and is not run again does not stay; what is run comes back.
    #[test]
    fn the_programs_pages_are_given_back() {
        let holdings = Holdings::default();
        let resident_bytes = || holdings.program.resident_bytes().unwrap();
        // Other tests run beside this one and bring theirs in.
        let is_smaller_afterwards = |_| {
            let before = resident_bytes();
            (holdings.program.release)();
            resident_bytes() < before
        };
        assert!((0..20).any(is_smaller_afterwards));
    }
}
