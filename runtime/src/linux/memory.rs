//! What a process has in memory.

use std::fs::File;
use std::io::Read as _;

/// How many bytes of a process are in memory: `VmRSS` in `/proc/<pid>/status`, for which the kernel walks no page tables.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    // The line stands in the first kilobyte, and the file is made whole by one read.
    let mut text = [0; 4096];
    let length = File::open(format!("/proc/{pid}/status")).ok()?.read(&mut text).ok()?;
    let text = std::str::from_utf8(&text[..length]).ok()?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kibibytes.parse::<u64>().ok()? * 1024)
}
