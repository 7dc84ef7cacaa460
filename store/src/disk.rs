//! The file operations behind the durable door, as one trait: the tests replace the disk by one that breaks on purpose.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Timespec, Timestamps, UTIME_OMIT, futimens};
use rustix::io::Errno;

#[cfg(test)]
pub(crate) mod faulty;
mod making_room;

pub(crate) use making_room::MakingRoom;

/// Only the account of the host may read what is deployed to it: sites behind protection and sources of functions are here.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Whether what was acknowledged must survive a power cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// It must: everything is synced to the disk before it is acknowledged.
    Durable,
    /// It need not: for a development server, whose state can be made again. Nothing is synced.
    Relaxed,
}

/// The operations that change files, each of which may fail.
pub(crate) trait FileSystem: fmt::Debug + Send + Sync {
    /// Makes a new file for writing; fails if something has that name.
    fn create_file(&self, path: &Path) -> io::Result<File>;
    /// Opens a file to go on with it behind its first `bytes`. What is behind them is gone.
    fn reopen_file(&self, path: &Path, bytes: u64) -> io::Result<File>;
    /// Makes a new folder; fails if something has that name.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Writes all of `bytes` at the file's position.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// Gives the modification time of a file these nanoseconds. Its seconds stay.
    fn mark(&self, file: &File, nanoseconds: u32) -> io::Result<()>;
    /// Moves what is called `from` to `to`, replacing a file of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Returns when the content of a file would survive a power cut.
    fn sync_file(&self, file: &File) -> io::Result<()>;
    /// Returns when the names in a folder would survive a power cut.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Returns when everything written so far on the file system of `folder` would survive a power cut. An error in
    /// writing back any file since `folder` was opened is reported here.
    fn sync_everything(&self, folder: &File) -> io::Result<()>;
}

/// The real disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    pub(crate) durability: Durability,
}

impl Disk {
    fn must_sync(self) -> bool {
        self.durability == Durability::Durable
    }
}

impl FileSystem for Disk {
    fn create_file(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
    }

    fn reopen_file(&self, path: &Path, bytes: u64) -> io::Result<File> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        file.set_len(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(FOLDER_MODE).create(path)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn mark(&self, file: &File, nanoseconds: u32) -> io::Result<()> {
        let last_modification = Timespec { tv_sec: file.metadata()?.mtime(), tv_nsec: nanoseconds.into() };
        let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        match futimens(file, &Timestamps { last_access, last_modification }) {
            // A file system that gives no times to files. What stands there is read whenever a process first asks for it.
            Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
            marked => Ok(marked?),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        if self.must_sync() { file.sync_all() } else { Ok(()) }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.must_sync() { File::open(path)?.sync_all() } else { Ok(()) }
    }

    #[cfg(target_os = "linux")]
    fn sync_everything(&self, folder: &File) -> io::Result<()> {
        if self.must_sync() { Ok(rustix::fs::syncfs(folder)?) } else { Ok(()) }
    }

    /// Elsewhere than on Linux no call does this, so there a store can only be opened as [`Durability::Relaxed`].
    #[cfg(not(target_os = "linux"))]
    fn sync_everything(&self, _folder: &File) -> io::Result<()> {
        if self.must_sync() { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
    }
}

/// Whether a failure means that there is no room left, by the disk's size or by a quota.
pub(crate) fn is_storage_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
