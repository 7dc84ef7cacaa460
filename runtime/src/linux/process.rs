//! What the kernel says about a process.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

/// In `/proc/<pid>/stat`, the flag of a process that has begun to exit. The kernel sets it before it closes the process's
/// descriptors, so whoever sees a connection close because of an exit also sees this flag.
const PF_EXITING: u64 = 0x0000_0004;

/// How many processes are looked at to see what memory they use.
const MOST_PROCESSES: usize = 10_000;

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

/// How long this process has computed.
pub(super) fn computed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}

/// The process that has started a process, if both are there.
pub(super) fn parent_of(process: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
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

/// How many bytes a process and all that it started have in memory that are their own: not the files that they map, which the kernel
/// can have back.
pub(super) fn own_bytes_of_all(first: u32) -> u64 {
    let (mut bytes, mut left) = (0, vec![first]);
    // What has ended meanwhile is not there any more. More than this many processes no function may have.
    for _ in 0..MOST_PROCESSES {
        let Some(process) = left.pop() else { break };
        bytes += own_bytes(process).unwrap_or(0);
        left.extend(children(process));
    }
    bytes
}

fn own_bytes(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kibibytes = |name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((kibibytes("RssAnon:")? + kibibytes("RssShmem:")?) * 1024)
}

/// What a process has started; the kernel has a list for each of its threads.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()).collect()
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

    /// What a process has written to is its own, also what a process below it has.
    #[test]
    fn own_memory() {
        let program = "import os\n\
             def step(): print(end='.', flush=True); input()\n\
             step(); own = bytearray(b'x' * (64 << 20)); step()\n\
             if os.fork() == 0: more = bytearray(b'y' * (64 << 20)); step()\n\
             else: os.wait()\n";
        let piped = || std::process::Stdio::piped();
        let mut process = std::process::Command::new("python3");
        let mut process = process.args(["-c", program]).stdin(piped()).stdout(piped()).spawn().unwrap();
        let (mut says, mut hears) = (process.stdout.take().unwrap(), process.stdin.take().unwrap());
        let measured = [(); 3].map(|()| {
            std::io::Read::read_exact(&mut says, &mut [0; 1]).unwrap();
            let bytes = own_bytes_of_all(process.id());
            std::io::Write::write_all(&mut hears, b"\n").unwrap();
            bytes
        });
        assert!(process.wait().unwrap().success());
        assert!(measured.is_sorted_by(|less, more| less + (60 << 20) <= *more), "{measured:?}");
    }

    /// This very process is there and is not exiting; its start does not change.
    #[test]
    fn own_stat() {
        let stat = ProcessStat::read(std::process::id()).unwrap();
        assert!(!stat.exiting);
        assert_eq!(ProcessStat::read(std::process::id()), Some(stat));
    }
}
