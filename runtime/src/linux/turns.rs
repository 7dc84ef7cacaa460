//! How long a process keeps a processor while others wait for one.
#![expect(unsafe_code, reason = "the call that says it is only reached by its number")]

use std::mem;

/// The length of a turn, in nanoseconds. Linux's own is 0.7 ms times one more than the logarithm of the number of processors,
/// 1.4 ms on two of them: what a visitor waits for who comes while a function computes. The kernel takes 0.1 ms at the least.
const TURN_NANOS: u64 = 400_000;

/// The first version of `struct sched_attr`, see sched(7).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// From now on this thread, and every thread and process that comes from it, takes short turns, and its functions take as short
/// ones. To be called before there are others. It changes who comes next, and not how much of a processor anybody gets.
///
/// A kernel before 6.12 has no such turns and pays no attention.
pub fn take_short_turns() {
    let Ok(size) = u32::try_from(mem::size_of::<Attributes>()) else { return };
    let mut attributes = Attributes { size, ..Attributes::default() };
    // SAFETY: the structure is the kernel's and says its own size, and neither call keeps it. The first fills in what holds now,
    // so that nothing but the turn changes.
    unsafe {
        if libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) == 0 {
            attributes.runtime = TURN_NANOS;
            libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
        }
    }
}
