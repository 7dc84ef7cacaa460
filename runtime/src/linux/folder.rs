//! The folder of one runtime.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::error::RuntimeError;

/// How many runtimes may have a folder below one name at once: one that serves, and those before it that finish what they have.
const MOST_RUNTIMES: u32 = 64;

/// The folder of one runtime: sockets are bound in it, and what prepared processes run stands in it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    handle: OwnedFd,
    /// Keeps a second runtime out.
    _lock: File,
}

impl RunFolder {
    /// Takes over the folder, or the first of those beside it (`run-2`, `run-3`…) that no other runtime has: a host that hands over to
    /// another finishes its requests in its own.
    pub(crate) fn open(path: &Path) -> Result<Self, RuntimeError> {
        let mut opened = Self::open_one(path);
        for number in 2..=MOST_RUNTIMES {
            let is_taken = |error: &RuntimeError| matches!(error, RuntimeError::Folder { source, .. } if source.kind() == io::ErrorKind::WouldBlock);
            if !opened.as_ref().is_err_and(is_taken) {
                break;
            }
            let mut name = path.as_os_str().to_owned();
            name.push(format!("-{number}"));
            opened = Self::open_one(Path::new(&name));
        }
        opened
    }

    fn open_one(path: &Path) -> Result<Self, RuntimeError> {
        let error = |action| move |source| RuntimeError::Folder { action, path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(error("create"))?;
        let lock = File::create(path.join("lock")).map_err(error("lock"))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| error("lock")(errno.into()))?;
        let handle = File::open(path).map_err(error("open"))?.into();
        Ok(Self { path: path.to_owned(), handle, _lock: lock })
    }

    /// The folder, for sockets to be bound in.
    pub(crate) const fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second runtime has a folder beside the first one's, and the first folder is taken again when it is free.
    #[test]
    fn one_each() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let first = RunFolder::open(&path).unwrap();
        let second = RunFolder::open(&path).unwrap();
        assert_eq!([first.path(), second.path()], [path.as_path(), &root.path().join("run-2")]);
        drop(first);
        assert_eq!(RunFolder::open(&path).unwrap().path(), path);
    }
}
