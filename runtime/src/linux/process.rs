//! A child process: its handle, its group, and how it ends.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::unix::AsyncFd;

use super::watch::watch;
use crate::error::{ExitStatus, SpawnError};

/// In `/proc/<pid>/stat`, the flag of a process that has begun to exit. The kernel sets it before it closes the process's
/// descriptors, so whoever sees a connection close because of an exit also sees this flag.
const PF_EXITING: u64 = 0x0000_0004;

/// The group of a child process. Signals go to the group, so they reach what the child started as well.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    leader: Pid,
    /// Whether the leader was reaped: from then on its number may belong to a stranger and is not signalled any more.
    reaped: Mutex<bool>,
}

impl ProcessGroup {
    pub(crate) const fn new(leader: Pid) -> Self {
        Self { leader, reaped: Mutex::new(false) }
    }

    /// The process id of the leader, which is the id of the group.
    pub(crate) fn id(&self) -> u32 {
        self.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// Asks the group to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends the group and waits for its leader: for a process that could not be taken into service.
    pub(crate) fn kill_and_collect(&self) {
        self.kill();
        let _ = rustix::process::waitpid(Some(self.leader), rustix::process::WaitOptions::empty());
    }

    fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            // The only failure is that nobody is left to get the signal.
            let _ = rustix::process::kill_process_group(self.leader, signal);
        }
    }

    /// Whether the leader has begun to exit or is gone. Reads `/proc`, so it is for the path where a connection broke.
    pub(crate) fn is_exiting(&self) -> bool {
        ProcessStat::read(self.id()).is_none_or(|stat| stat.exiting)
    }

    /// Ends what is left of the group and collects the leader, which has exited already.
    fn reap(&self, handle: &OwnedFd) -> ExitStatus {
        let mut reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the leader is collected: until then its number cannot be given to another process.
        let _ = rustix::process::kill_process_group(self.leader, Signal::KILL);
        let status = rustix::process::waitid(WaitId::PidFd(rustix::fd::AsFd::as_fd(handle)), WaitIdOptions::EXITED);
        *reaped = true;
        let Ok(Some(status)) = status else { return ExitStatus::Unknown };
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => ExitStatus::Code(code),
            (None, Some(signal)) => ExitStatus::Signal(signal),
            (None, None) => ExitStatus::Unknown,
        }
    }
}

/// The handle through which the end of a child is awaited, without signals and without polling.
#[derive(Debug)]
pub(crate) struct ExitWatch {
    handle: AsyncFd<OwnedFd>,
}

impl ExitWatch {
    /// Watches a child that has not been reaped.
    pub(crate) fn open(group: &ProcessGroup) -> Result<Self, SpawnError> {
        let error = |source: io::Error| SpawnError::Io { action: "open a handle of the process", source };
        let handle =
            rustix::process::pidfd_open(group.leader, PidfdFlags::NONBLOCK).map_err(|errno| error(errno.into()))?;
        let handle = watch(handle).map_err(error)?;
        Ok(Self { handle })
    }

    /// Waits until the leader has exited. Nothing is collected by this.
    pub(crate) async fn exited(&self) {
        // An error would mean that the runtime's I/O driver is gone, and then so is the host.
        let _ = self.handle.readable().await;
    }

    /// Ends what is left of the group and collects its leader. To be called after [`Self::exited`].
    pub(crate) fn reap(&self, group: &ProcessGroup) -> ExitStatus {
        group.reap(self.handle.get_ref())
    }
}

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
