//! What an interpreter compiles a function to, kept so that its further instances need not.
//!
//! It is made by a process of the function itself, once it was seen to start, in a cell like any other; the host copies it when
//! nobody is left who could change it. So it is as little to be trusted as the function, and no other function, and no other
//! project with the same function, gets it. It is no part of the artifact, because it depends on the interpreter.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ship_core::{DigestHasher, Function, FunctionRuntime, ProjectName};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::interpreter::Command;
use crate::linux::tree::{self, Room};

/// The largest cache, in bytes. Code is about as large as its source.
const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// The most files and folders of a cache.
const MOST_FILES: u32 = 10_000;

/// How much all caches of a host may be, in bytes. Those go first that were not used for the longest.
const MOST_BYTES_OF_ALL: u64 = 1024 * 1024 * 1024;

/// The name of what is being made begins so.
const UNFINISHED: &str = "making-";

/// Whether compiled code that nobody needs is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeSweep {
    /// It is.
    Remove,
    /// It is only counted.
    DryRun,
}

/// Compiled code that was removed, or would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SweptCode {
    /// Of how many functions.
    pub number: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// The caches of a host's functions.
#[derive(Debug)]
pub(crate) struct CodeCaches {
    folder: PathBuf,
    most_bytes: u64,
    /// What was tried since the host started, so that none is tried again and again.
    tried: Mutex<HashSet<String>>,
    /// One is made at a time, so that visitors keep the other processors.
    turn: Semaphore,
}

impl CodeCaches {
    /// Caches that stand in `folder`. What was not finished there is removed.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(Self { folder, most_bytes: MOST_BYTES_OF_ALL, tried: Mutex::default(), turn: Semaphore::new(1) })
    }

    /// The folder of all caches.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of the cache of a function in this interpreter; `None` if there is nothing to keep.
    pub(crate) fn name(project: &ProjectName, function: &Function, command: &Command) -> Option<String> {
        if !is_compiled(function) {
            return None;
        }
        let mut hasher = DigestHasher::new();
        hasher.update_field(project.as_str().as_bytes());
        hasher.update_field(function.folder().as_bytes());
        hasher.update_field(command.program.as_os_str().as_encoded_bytes());
        hasher.update_field(&command.stamp.size.to_le_bytes());
        hasher.update_field(&command.stamp.modified.to_le_bytes());
        Some(hasher.finish().to_hex())
    }

    /// Removes the caches that are not called like one of `needed`, or only counts them.
    pub(crate) fn sweep(&self, needed: &HashSet<String>, sweep: CodeSweep) -> io::Result<SweptCode> {
        let mut swept = SweptCode::default();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if needed.contains(&name) || name.starts_with(UNFINISHED) {
                continue;
            }
            let bytes = size(&entry.path())?;
            if sweep == CodeSweep::Remove {
                fs::remove_dir_all(entry.path())?;
                self.tried().remove(&name);
            }
            swept.number += 1;
            swept.bytes += bytes;
        }
        Ok(swept)
    }

    /// The cache of this name, if there is one. It may be gone when it is looked into.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.join(name);
        path.is_dir().then_some(path)
    }

    /// Waits for a turn to make a cache; `None` if that was tried before.
    pub(crate) async fn begin(&self, name: &str) -> Option<Unfinished<'_>> {
        if !self.tried().insert(name.to_owned()) {
            return None;
        }
        let turn = self.turn.acquire().await.ok()?;
        Some(Unfinished { caches: self, name: name.to_owned(), _turn: turn })
    }

    fn tried(&self) -> MutexGuard<'_, HashSet<String>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that a cache is used now: its folder says when it last was. One that is gone is none any more.
pub(crate) fn note_use(cache: &Path) {
    let _ = fs::File::open(cache).and_then(|folder| folder.set_modified(SystemTime::now()));
}

/// Whether there is something to keep of what a function's interpreter makes of it.
pub(crate) fn is_compiled(function: &Function) -> bool {
    matches!(function.runtime, FunctionRuntime::Node | FunctionRuntime::Python)
}

/// The turn of a cache that is being made.
pub(crate) struct Unfinished<'a> {
    caches: &'a CodeCaches,
    name: String,
    _turn: SemaphorePermit<'a>,
}

impl Unfinished<'_> {
    /// Keeps a copy of what a function has left in a folder, if there is something in it, not too much, and nothing but files and
    /// folders. An error says why it is not kept.
    pub(crate) async fn keep(self, filled: OwnedFd) -> io::Result<()> {
        let unfinished = self.caches.folder.join(format!("{UNFINISHED}{}", self.name));
        let (place, most_bytes) = (self.caches.folder.join(&self.name), self.caches.most_bytes);
        let kept = tokio::task::spawn_blocking(move || {
            let kept = put(&filled, &unfinished, &place)
                .and_then(|()| make_room(place.parent().unwrap_or(&place), most_bytes));
            // Once it has its place, it is not there any more.
            let _ = fs::remove_dir_all(unfinished);
            kept
        });
        for removed in kept.await?? {
            self.caches.tried().remove(&removed);
        }
        Ok(())
    }
}

/// Puts a copy of what a function has left in its place, if it has left anything.
fn put(filled: &OwnedFd, unfinished: &Path, place: &Path) -> io::Result<()> {
    let room = tree::copy(filled.as_fd(), unfinished, Room { bytes: MOST_BYTES, files: MOST_FILES })?;
    if room.bytes == MOST_BYTES { Ok(()) } else { fs::rename(unfinished, place) }
}

/// Removes what was not used for the longest, as long as there is too much, and gives its names.
fn make_room(folder: &Path, most_bytes: u64) -> io::Result<Vec<String>> {
    let mut caches = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        caches.push((entry.metadata()?.modified()?, size(&entry.path())?, entry));
    }
    caches.sort_unstable_by_key(|(used, ..)| *used);
    let mut bytes: u64 = caches.iter().map(|(_, bytes, _)| bytes).sum();
    let mut removed = Vec::new();
    for (_, freed, entry) in caches {
        if bytes <= most_bytes {
            break;
        }
        fs::remove_dir_all(entry.path())?;
        removed.push(entry.file_name().to_string_lossy().into_owned());
        bytes -= freed;
    }
    Ok(removed)
}

/// The bytes of all files below a folder.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what a function has left.
    async fn keep(caches: &CodeCaches, name: &str, fill: impl Fn(&Path)) -> io::Result<()> {
        let left = tempfile::tempdir().unwrap();
        fill(left.path());
        caches.begin(name).await.unwrap().keep(fs::File::open(left.path()).unwrap().into()).await
    }

    fn names(caches: &CodeCaches) -> Vec<String> {
        let entries = fs::read_dir(caches.folder()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A cache is there when it was kept, and is made once; what is empty or has links is not kept.
    #[tokio::test]
    async fn kept_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let caches = CodeCaches::open(folder.path().join("code")).unwrap();
        let good = |left: &Path| {
            fs::create_dir(left.join("deep")).unwrap();
            fs::write(left.join("deep/a"), "code").unwrap();
        };
        keep(&caches, "good", good).await.unwrap();
        assert_eq!(fs::read(caches.find("good").unwrap().join("deep/a")).unwrap(), b"code");
        assert!(caches.begin("good").await.is_none());
        assert!(caches.find("empty").is_none());

        keep(&caches, "empty", |_| {}).await.unwrap();
        let linked = |left: &Path| std::os::unix::fs::symlink("/etc/passwd", left.join("a")).unwrap();
        assert!(keep(&caches, "linked", linked).await.is_err());
        assert_eq!(names(&caches), ["good"]);

        fs::create_dir(caches.folder().join("making-before")).unwrap();
        assert_eq!(names(&CodeCaches::open(folder.path().join("code")).unwrap()), ["good"]);
    }

    /// What is not needed goes, what is needed or being made stays; counting removes nothing.
    #[tokio::test]
    async fn swept() {
        let folder = tempfile::tempdir().unwrap();
        let caches = CodeCaches::open(folder.path().join("code")).unwrap();
        for name in ["needed", "unneeded"] {
            keep(&caches, name, |left| fs::write(left.join("a"), "12345678").unwrap()).await.unwrap();
        }
        fs::create_dir(caches.folder().join("making-other")).unwrap();
        let (needed, unneeded) = (HashSet::from(["needed".to_owned()]), SweptCode { number: 1, bytes: 8 });
        assert_eq!(caches.sweep(&needed, CodeSweep::DryRun).unwrap(), unneeded);
        assert_eq!(names(&caches), ["making-other", "needed", "unneeded"]);
        assert_eq!(caches.sweep(&needed, CodeSweep::Remove).unwrap(), unneeded);
        assert_eq!(names(&caches), ["making-other", "needed"]);
        assert!(caches.begin("unneeded").await.is_some());
    }

    /// Where there is too much, what was not used for the longest goes, and may be made again.
    #[tokio::test]
    async fn room_for_the_latest() {
        let folder = tempfile::tempdir().unwrap();
        let mut caches = CodeCaches::open(folder.path().join("code")).unwrap();
        caches.most_bytes = 20;
        for name in ["first", "second", "third"] {
            keep(&caches, name, |left| fs::write(left.join("a"), "12345678").unwrap()).await.unwrap();
            if let Some(first) = caches.find("first") {
                note_use(&first);
            }
        }
        assert_eq!(names(&caches), ["first", "third"]);
        assert!(caches.begin("second").await.is_some());
    }
}
