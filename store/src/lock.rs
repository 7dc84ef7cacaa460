//! The lock on a data directory: one host at a time, and the second learns who the first is.
//!
//! The kernel's lock belongs to the open file and not to a process, so a host hands it to its successor with a copy of the
//! descriptor: there is no moment at which nobody has it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

/// The name of the lock's file.
pub(crate) const LOCK_NAME: &str = "lock";

/// A held lock. The kernel releases it when the last handle closes, so a killed host leaves none behind.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    /// `None` once it is another process's.
    file: Mutex<Option<File>>,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Somebody has it: the process, if it has written its id already.
    Held { pid: Option<u32> },
    /// The lock file cannot be used.
    Io(io::Error),
}

impl DataDirLock {
    /// Takes the lock and writes this process's id into its file.
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(LockError::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(LockError::Held { pid: read_pid(&mut file) }),
            Err(error) => return Err(LockError::Io(error.into())),
        }
        write_pid(&mut file).map_err(LockError::Io)?;
        Ok(Self { file: Mutex::new(Some(file)) })
    }

    /// The lock that another process has handed over, or is about to: it is held by both until that one lets go.
    pub(crate) fn inherit(handle: OwnedFd) -> Self {
        Self { file: Mutex::new(Some(handle.into())) }
    }

    /// A copy of the handle, for a successor. `None` if this process has let go of the lock.
    pub(crate) fn handle(&self) -> io::Result<Option<OwnedFd>> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_ref().map(|file| file.try_clone().map(OwnedFd::from)).transpose()
    }

    /// Says that the lock is this process's now.
    pub(crate) fn claim(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_mut().map_or(Ok(()), write_pid)
    }

    /// Lets go of the lock. It is free unless another process has a copy of the handle.
    pub(crate) fn release(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The process that has a data directory, if it says so.
pub fn lock_holder(data: &Path) -> Option<u32> {
    read_pid(&mut File::open(data.join(LOCK_NAME)).ok()?)
}

/// Whether a process has a data directory.
pub fn is_in_use(data: &Path) -> bool {
    let lock = File::open(data.join(LOCK_NAME));
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK))
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
