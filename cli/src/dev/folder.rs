//! The folder that a dev server keeps its things in while it runs.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::embedded::create_private;

/// The file that is locked for as long as the dev server lives.
const LOCK_FILE: &str = "dev.lock";

/// A folder of this dev server alone. It is removed when the value is dropped; what a killed dev server left behind is
/// removed by the next one of the same project.
#[derive(Debug)]
pub(super) struct DevFolder {
    folder: TempDir,
    _lock: File,
}

impl DevFolder {
    /// Makes a folder below `parent`.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        create_private(parent)?;
        let folder = tempfile::Builder::new().prefix("").tempdir_in(parent)?;
        let lock = fs_err::File::create(folder.path().join(LOCK_FILE))?.into_file();
        lock.lock()?;
        sweep(parent);
        fs_err::create_dir(folder.path().join("cookies"))?;
        Ok(Self { folder, _lock: lock })
    }

    /// The data directory of the store.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Where the watch's cookies are written.
    pub(super) fn cookies(&self) -> PathBuf {
        self.folder.path().join("cookies")
    }

    /// What belongs to the running instances.
    pub(super) fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }
}

/// Removes what dev servers left behind that did not end by themselves.
fn sweep(parent: &Path) {
    let Ok(entries) = fs_err::read_dir(parent) else { return };
    for entry in entries.filter_map(Result::ok) {
        let left_behind = File::open(entry.path().join(LOCK_FILE)).is_ok_and(|lock| lock.try_lock().is_ok());
        if left_behind {
            // It is only disk space: the next dev server tries again.
            let _ = fs_err::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A living dev server keeps its folder; that of a dead one goes when the next one starts.
    #[test]
    fn folders() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("dead");
        fs_err::create_dir_all(dead.join("store/blobs")).unwrap();
        fs_err::write(dead.join(LOCK_FILE), "").unwrap();
        let first = DevFolder::create(parent.path()).unwrap();
        let second = DevFolder::create(parent.path()).unwrap();
        assert!(!dead.exists() && first.cookies().exists() && second.cookies().exists());
        drop((first, second));
        assert_eq!(fs_err::read_dir(parent.path()).unwrap().count(), 0);
    }
}
