//! The folder that a dev server keeps its things in, from one run to the next.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::embedded::create_private;

/// How many dev servers of one project can run at once. Each has a folder of its own.
const MAX_SLOTS: usize = 16;

/// The file that is locked while a dev server lives, and holds something unless that ended by itself.
const LOCK_FILE: &str = "dev.lock";

/// A folder that belongs to this dev server alone while the value lives.
#[derive(Debug)]
pub(super) struct DevFolder {
    folder: PathBuf,
    lock: File,
}

impl DevFolder {
    /// Takes the first folder below `parent` that no other dev server has.
    pub(super) fn take(parent: &Path) -> io::Result<Self> {
        for slot in 0..MAX_SLOTS {
            let folder = parent.join(slot.to_string());
            create_private(&folder)?;
            let path = folder.join(LOCK_FILE);
            let lock =
                fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?.into_file();
            match lock.try_lock() {
                Ok(()) => return Self { folder, lock }.prepare(),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other(format!("{MAX_SLOTS} dev servers of this project run already")))
    }

    /// Throws away what a dev server that was killed may have left half written, and what only concerned its run.
    fn prepare(mut self) -> io::Result<Self> {
        if self.lock.metadata()?.len() > 0 {
            remove(&self.stores())?;
        }
        remove(&self.cookies())?;
        fs_err::create_dir(self.cookies())?;
        self.lock.write_all(b"in use\n")?;
        Ok(self)
    }

    /// Where the stores are.
    pub(super) fn stores(&self) -> PathBuf {
        self.folder.join("stores")
    }

    /// Where the watch's cookies are written.
    pub(super) fn cookies(&self) -> PathBuf {
        self.folder.join("cookies")
    }

    /// What belongs to the running instances. It stays after a kill, so that the next run can end them.
    pub(super) fn run(&self) -> PathBuf {
        self.folder.join("run")
    }
}

impl Drop for DevFolder {
    fn drop(&mut self) {
        // If that fails, the next run only builds its store anew.
        let _ = self.lock.set_len(0);
    }
}

/// Removes a folder with what is in it; one that is not there is fine.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two dev servers at once have two folders; a folder is used again, and its stores with it.
    #[test]
    fn slots() {
        let parent = tempfile::tempdir().unwrap();
        let first = DevFolder::take(parent.path()).unwrap();
        let second = DevFolder::take(parent.path()).unwrap();
        assert_ne!(first.stores(), second.stores());
        fs_err::create_dir(first.stores()).unwrap();
        drop((first, second));
        assert!(DevFolder::take(parent.path()).unwrap().stores().exists());
    }

    /// What a killed dev server left is not trusted.
    #[test]
    fn unclean_end() {
        let parent = tempfile::tempdir().unwrap();
        let first = DevFolder::take(parent.path()).unwrap();
        fs_err::create_dir(first.stores()).unwrap();
        let lock = first.folder.join(LOCK_FILE);
        drop(first);
        fs_err::write(lock, "in use\n").unwrap();
        assert!(!DevFolder::take(parent.path()).unwrap().stores().exists());
    }
}
