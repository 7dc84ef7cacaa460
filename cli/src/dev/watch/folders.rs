//! Which folders are watched: each by itself, so that those full of files that nobody edits are left out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::WatchError;

/// Folders that never hold what is built: version control, installed packages, ship's own output. The builder does not look
/// into them either.
const IGNORED: [&str; 5] = [".git", ".hg", ".svn", ".ship", "node_modules"];

/// The folders that are watched.
#[derive(Debug)]
pub(super) struct Folders {
    watcher: RecommendedWatcher,
    root: PathBuf,
}

impl Folders {
    pub(super) const fn new(watcher: RecommendedWatcher, root: PathBuf) -> Self {
        Self { watcher, root }
    }

    /// The project folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Watches one folder, without those in it.
    pub(super) fn watch_one(&mut self, folder: &Path) -> Result<(), WatchError> {
        let failed = |source| WatchError { path: folder.to_owned(), source };
        self.watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)
    }

    /// Watches a folder and those in it. Symbolic links are not followed: what they lead to inside of the project is watched
    /// where it is.
    pub(super) fn watch_tree(&mut self, folder: &Path) -> Result<(), WatchError> {
        match self.watch_one(folder) {
            // It is gone again, and its removal is heard of where it was.
            Err(error) if matches!(error.source.kind, notify::ErrorKind::PathNotFound) && folder != self.root => {
                return Ok(());
            }
            watched => watched?,
        }
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
        for entry in entries.filter_map(Result::ok) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !is_ignored_name(&entry.file_name()) {
                self.watch_tree(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Whether nothing at this path is built.
    pub(super) fn is_ignored(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        below.components().any(|part| is_ignored_name(part.as_os_str()))
    }

    /// A path below the project folder, as people write it.
    pub(super) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

fn is_ignored_name(name: &OsStr) -> bool {
    IGNORED.iter().any(|ignored| name == *ignored)
}

/// Whether a report says that something is different now. Builds read files, and that is reported too.
pub(super) fn changes_content(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
