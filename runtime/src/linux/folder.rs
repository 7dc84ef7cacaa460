//! The folder of one runtime.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::error::RuntimeError;

/// The folder of one runtime: sockets are bound in it, and what prepared processes run stands in it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    handle: OwnedFd,
    /// Keeps a second runtime out.
    _lock: File,
}

impl RunFolder {
    /// Takes over the folder.
    pub(crate) fn open(path: &Path) -> Result<Self, RuntimeError> {
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
