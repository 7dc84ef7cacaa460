//! Folders for the time of one build, which go even where the build was killed.

use std::fs::{DirEntry, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// Makes a folder below `cache` whose name begins with `prefix` and locks it, after removing those that builds have left that
/// were killed. The lock on `cache` itself keeps others from taking a new folder for a leftover before it is locked.
pub(crate) fn new_folder(cache: &Path, prefix: &str) -> io::Result<(TempDir, File)> {
    std::fs::create_dir_all(cache)?;
    let all = File::open(cache)?;
    all.lock()?;
    remove_leftovers(cache, prefix);
    let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(cache)?;
    let lock = File::open(folder.path())?;
    lock.lock()?;
    Ok((folder, lock))
}

/// Removes the folders that nobody has locked. One that cannot be removed costs room, not correctness.
fn remove_leftovers(cache: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(cache) else { return };
    let is_of_a_build = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    for entry in entries.filter_map(Result::ok).filter(is_of_a_build) {
        let is_left = File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if is_left && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::debug!(folder = %entry.path().display(), %error, "what a build left cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a killed build has left goes with the next one; what is in use stays, and what is nobody's business.
    #[test]
    fn leftovers() {
        let cache = tempfile::tempdir().unwrap();
        let left = cache.path().join("build-left");
        std::fs::create_dir_all(left.join("src")).unwrap();
        std::fs::create_dir(cache.path().join("kept")).unwrap();
        let (used, _lock) = new_folder(cache.path(), "build-").unwrap();
        let (other, _other_lock) = new_folder(cache.path(), "build-").unwrap();
        assert!(!left.exists() && used.path().exists() && other.path().exists());
        assert!(cache.path().join("kept").exists());
    }
}
