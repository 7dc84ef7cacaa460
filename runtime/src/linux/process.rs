//! What the kernel says about a process.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec};

/// In `/proc/<pid>/stat`, the flag of a process that has begun to exit. The kernel sets it before it closes the process's
/// descriptors, so whoever sees a connection close because of an exit also sees this flag.
const PF_EXITING: u64 = 0x0000_0004;

/// What `/proc/<pid>/stat` says about a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ProcessStat {
    /// When it started, in clock ticks since the machine's boot. Together with the id it names one process.
    pub(crate) start_ticks: u64,
    /// Whether it has begun to exit.
    pub(crate) exiting: bool,
}

impl ProcessStat {
    /// Reads the line of process `pid`; `None` if there is no such process.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(line: &str) -> Option<Self> {
        // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
        let (_, rest) = line.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?;
        let flags: u64 = fields.nth(5)?.parse().ok()?;
        let start_ticks = fields.nth(12)?.parse().ok()?;
        Some(Self { start_ticks, exiting: matches!(state, "Z" | "X") || flags & PF_EXITING != 0 })
    }
}

/// Whether the process of a handle has ended.
pub(super) fn has_ended(handle: &OwnedFd) -> bool {
    let mut watched = [PollFd::new(handle, PollFlags::IN)];
    rustix::event::poll(&mut watched, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

/// How many bytes of a process are in memory: `VmRSS` in `/proc/<pid>/status`, for which the kernel walks no page tables.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kibibytes.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields are found behind any program name.
    #[test]
    fn stat_line_with_a_hostile_name() {
        let line = "42 (a) R 1 (b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11";
        assert_eq!(ProcessStat::parse(line), Some(ProcessStat { start_ticks: 987_654, exiting: false }));
        let exiting = line.replace("4194560", "4194564");
        assert!(ProcessStat::parse(&exiting).is_some_and(|stat| stat.exiting));
        let zombie = line.replace(") S ", ") Z ");
        assert!(ProcessStat::parse(&zombie).is_some_and(|stat| stat.exiting));
        assert_eq!(ProcessStat::parse("42 (a) S 1"), None);
    }

    /// This very process is there and is not exiting; its start does not change.
    #[test]
    fn own_stat() {
        let stat = ProcessStat::read(std::process::id()).unwrap();
        assert!(!stat.exiting);
        assert_eq!(ProcessStat::read(std::process::id()), Some(stat));
    }
}
