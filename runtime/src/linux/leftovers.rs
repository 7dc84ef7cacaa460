//! What a killed host leaves behind.
//!
//! A host that ends in order ends its instances. One that is killed cannot, and its functions would run forever. So a
//! small record per running process stands in the runtime's folder: named by the process id, holding the id of the machine's
//! boot and the process's start time. The next start reads them and kills the process group of each record whose process is
//! still that very one: a process id alone may belong to a stranger by then, but not with the same start in the same boot.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::process::{ProcessGroup, ProcessStat};
use crate::error::RuntimeError;

/// The ending of a record's file name.
const RECORD_SUFFIX: &str = ".run";

/// The folder of one runtime: sockets are bound in it, and the records of running processes stand in it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    handle: OwnedFd,
    boot_id: String,
    /// Holds the lock that keeps a second runtime from ending this one's processes.
    _lock: File,
}

impl RunFolder {
    /// Takes over the folder and ends what an earlier runtime left running.
    pub(crate) fn open(path: &Path) -> Result<Self, RuntimeError> {
        let error = |action| move |source| RuntimeError::Folder { action, path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(error("create"))?;
        let lock = File::create(path.join("lock")).map_err(error("lock"))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| error("lock")(errno.into()))?;
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(error("read the boot id for"))?;
        let handle = File::open(path).map_err(error("open"))?.into();
        let folder = Self { path: path.to_owned(), handle, boot_id: boot_id.trim().to_owned(), _lock: lock };
        folder.end_leftovers().map_err(error("clean"))?;
        Ok(folder)
    }

    /// The folder, for sockets to be bound in.
    pub(crate) const fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Records a process that has just been started.
    pub(crate) fn remember(&self, pid: u32) -> io::Result<()> {
        let Some(stat) = ProcessStat::read(pid) else { return Ok(()) };
        fs::write(self.record_path(pid), format!("{} {}\n", self.boot_id, stat.start_ticks))
    }

    /// Drops the record of a process that has been collected.
    pub(crate) fn forget(&self, pid: u32) {
        // A record that stays names a process that is gone, and the next start drops it.
        let _ = fs::remove_file(self.record_path(pid));
    }

    fn record_path(&self, pid: u32) -> PathBuf {
        self.path.join(format!("{pid}{RECORD_SUFFIX}"))
    }

    fn end_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.strip_suffix(RECORD_SUFFIX)?.parse().ok()) else {
                continue;
            };
            if self.is_running(pid) {
                tracing::info!(pid, "ending a function that an earlier host left running");
                if let Some(leader) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                    ProcessGroup::new(leader).kill();
                }
            }
            self.forget(pid);
        }
        Ok(())
    }

    /// Whether the process of a record is still running.
    fn is_running(&self, pid: u32) -> bool {
        let Ok(record) = fs::read_to_string(self.record_path(pid)) else { return false };
        let Some((boot_id, start_ticks)) = record.trim().split_once(' ') else { return false };
        let recorded: Option<u64> = start_ticks.parse().ok();
        boot_id == self.boot_id && ProcessStat::read(pid).map(|stat| stat.start_ticks) == recorded && recorded.is_some()
    }
}
