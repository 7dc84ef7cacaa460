//! Processes of this machine, as `/proc` shows them: who is left, and waiting for one to end.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::PATIENCE;

/// A process, by its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Process(i32);

impl Process {
    /// The process with this id.
    pub fn with_id(id: u32) -> Self {
        Self(i32::try_from(id).expect("process ids fit in 31 bits"))
    }

    /// The process id.
    pub fn id(self) -> i32 {
        self.0
    }

    /// The command line, arguments separated by spaces; empty once the process is gone.
    pub fn command_line(self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.0)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
    }

    /// Whether it still runs. A process that ended and that nobody has waited for yet does not, and neither does one that the
    /// kernel is taking down: it has closed its files, which is what others wait for, while its working folder can still be read.
    pub fn is_running(self) -> bool {
        /// The bit of a process that is on its way out, in the ninth field of `proc_pid_stat(5)`.
        const EXITING: u32 = 0x4;
        let status = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        let mut fields = status.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let has_ended = matches!(fields.next(), None | Some("" | "Z" | "X"));
        // The state is the third field, so the flags are the sixth behind it.
        let flags = fields.nth(5).and_then(|flags| flags.parse::<u32>().ok()).unwrap_or(0);
        !has_ended && flags & EXITING == 0
    }

    /// Resident memory in bytes, as the kernel counts it for this process alone.
    pub fn resident_bytes(self) -> u64 {
        self.memory("VmRSS:")
    }

    /// What of its resident memory is in no file, in bytes: how many pages of a program are in memory varies by megabytes.
    pub fn anonymous_bytes(self) -> u64 {
        self.memory("RssAnon:")
    }

    /// Its part of resident memory in bytes, where what several processes share is divided by their number: over a group of
    /// processes the parts add up to what the group takes.
    pub fn proportional_bytes(self) -> u64 {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0)).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// A kind of memory, by its line in `proc_pid_status(5)`.
    fn memory(self, kind: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(kind));
        let kibibytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kibibytes.unwrap_or(0) * 1024
    }

    /// Processor time used so far by all its threads, in clock ticks of 10 ms.
    pub fn processor_ticks(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        let fields: Vec<&str> = status.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        // utime and stime are fields 14 and 15 of proc_pid_stat(5); the first two went with the name.
        fields.get(11..13).unwrap_or_default().iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    }

    /// Sends a signal; a process that is gone already is fine.
    pub fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.0) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait_for_end(self) {
        assert!(self.ends_within(PATIENCE), "process {} still runs: {}", self.0, self.command_line());
    }

    /// Waits until it has ended, for so long. Whether it has.
    pub fn ends_within(self, patience: Duration) -> bool {
        let Some(pid) = Pid::from_raw(self.0) else { return true };
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
        let limit = Timespec::try_from(patience).expect("the patience of a test fits in a timespec");
        let mut waiting = [PollFd::new(&descriptor, PollFlags::IN)];
        poll(&mut waiting, Some(&limit)).expect("a process descriptor can be polled") > 0
    }

    /// The process that has started it.
    #[track_caller]
    #[must_use]
    pub fn parent(self) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("it is running");
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
        Self(parent.expect("each process has a parent"))
    }

    /// Every running process of the cell that it is in, itself included: those that share its own world of process ids.
    #[track_caller]
    pub fn cell(self) -> Vec<Self> {
        let world = |process: &str| fs::read_link(format!("/proc/{process}/ns/pid")).ok();
        let Some(own) = world(&self.0.to_string()) else { return Vec::new() };
        assert_ne!(Some(&own), world("self").as_ref(), "process {} is in no cell", self.0);
        let mut found = all_processes();
        found.retain(|process| world(&process.0.to_string()).as_ref() == Some(&own) && process.is_running());
        found
    }
}

/// Every process of this machine, also those that have ended and that nobody has waited for, in the order of their ids.
fn all_processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("this machine has /proc").flatten();
    let mut all: Vec<Process> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Process)).collect();
    all.sort_unstable();
    all
}

/// Every running process, this one aside, whose command line, executable, working folder or environment mentions `folder`.
pub fn processes_mentioning(folder: &Path) -> Vec<Process> {
    let needle = folder.as_os_str().as_bytes();
    let mut found = all_processes();
    found.retain(|process| process.0.unsigned_abs() != std::process::id());
    // Asked in this order: what ends while its folder is read has ended.
    found.retain(|process| mentions(*process, needle) && process.is_running());
    found
}

fn mentions(process: Process, needle: &[u8]) -> bool {
    let at = |name: &str| format!("/proc/{}/{name}", process.0);
    let links =
        ["exe", "cwd"].map(|name| fs::read_link(at(name)).unwrap_or_default().into_os_string().into_encoded_bytes());
    let texts = ["cmdline", "environ"].map(|name| fs::read(at(name)).unwrap_or_default());
    links.iter().chain(&texts).any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
}
