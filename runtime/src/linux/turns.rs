//! How long a thread goes on when others want its processor.
//!
//! Linux lets what runs finish its turn, some 3 ms, before what was woken by a message gets the processor. Threads that do little at a
//! time and that somebody waits for ask for shorter turns, which the scheduler grants by letting them in sooner. They get no larger
//! share by it, and need no privilege. Before Linux 6.12 this changes nothing.
#![expect(unsafe_code, reason = "no library sets the length of a thread's turns")]

use std::time::Duration;

/// The argument of `sched_setattr`, as in `linux/sched/types.h`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// For ordinary threads the length of a turn, in nanoseconds; zero is the usual one.
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// How long the turns are of threads that answer visitors: the shortest that the scheduler knows.
const SHORT: Duration = Duration::from_micros(100);

/// Asks for short turns for this thread, and for what it starts. Where that is not granted, nothing changes.
pub fn take_short_turns() {
    set(u64::try_from(SHORT.as_nanos()).unwrap_or(0));
}

/// Asks for turns of the usual length.
pub(super) fn take_usual_turns() {
    set(0);
}

fn set(runtime: u64) {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    let size = u32::try_from(size_of::<Attributes>()).unwrap_or(0);
    let attributes = Attributes { size, nice, runtime, ..Attributes::default() };
    // SAFETY: the structure has the size that it names, and outlives the call; the thread is this one.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn() -> u64 {
        let mut attributes = Attributes::default();
        let size = libc::c_uint::try_from(size_of::<Attributes>()).unwrap();
        // SAFETY: the structure has the size that is given.
        let code = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
        assert_eq!(code, 0);
        attributes.runtime
    }

    /// A thread has short turns from then on, and the usual ones again.
    #[test]
    fn short_and_usual() {
        let usual = turn();
        take_short_turns();
        let short = turn();
        take_usual_turns();
        assert!(short == usual || short == 100_000, "{short}");
        assert_eq!(turn(), usual);
    }
}
