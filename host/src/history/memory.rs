//! The memory of this process.

/// What this process has in memory, in bytes; 0 where the kernel does not say.
pub(super) fn of_this_process() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
    resident.unwrap_or(0) * rustix::param::page_size() as u64
}
