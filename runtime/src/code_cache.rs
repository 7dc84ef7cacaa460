//! What an interpreter compiles a function to, kept so that its further instances need not.
//!
//! It is made by a process of the function itself, once it was seen to start, in a cell like any other and in a folder of its own; so it is
//! as little to be trusted as the function, and no other function, and no other project with the same function, gets it. It is
//! no part of the artifact, because it depends on the interpreter.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ship_core::{DigestHasher, FunctionRuntime};
use tokio::sync::Semaphore;

use crate::interpreter::Command;
use crate::spec::FunctionSpec;

/// The largest cache, in bytes. Code is about as large as its source.
const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// The name of what is being made begins so.
const UNFINISHED: &str = "making-";

/// The caches of a host's functions.
#[derive(Debug)]
pub(crate) struct CodeCaches {
    folder: PathBuf,
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
        Ok(Self { folder, tried: Mutex::default(), turn: Semaphore::new(1) })
    }

    /// The folder of all caches.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of the cache of a function in this interpreter; `None` if there is nothing to keep.
    pub(crate) fn name(spec: &FunctionSpec, command: &Command) -> Option<String> {
        if !matches!(spec.function.runtime, FunctionRuntime::Node | FunctionRuntime::Python) {
            return None;
        }
        let interpreter = command.program.metadata().ok()?;
        let mut hasher = DigestHasher::new();
        hasher.update_field(spec.project.as_str().as_bytes());
        hasher.update_field(spec.function.folder().as_bytes());
        hasher.update_field(command.program.as_os_str().as_encoded_bytes());
        hasher.update_field(&interpreter.size().to_le_bytes());
        hasher.update_field(&interpreter.mtime().to_le_bytes());
        Some(hasher.finish().to_hex())
    }

    /// The cache of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(name)).filter(|path| path.is_dir())
    }

    /// Waits for a turn to make a cache; `None` if that was tried before.
    pub(crate) async fn begin(&self, name: &str) -> Option<Unfinished<'_>> {
        if !self.tried.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            return None;
        }
        let turn = self.turn.acquire().await.ok()?;
        let folder = self.folder.join(format!("{UNFINISHED}{name}"));
        fs::create_dir(&folder).ok()?;
        // Its process is another user.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).ok()?;
        Some(Unfinished { folder, place: self.folder.join(name), _turn: turn })
    }
}

/// A cache that is being made. Dropping it removes it.
pub(crate) struct Unfinished<'a> {
    folder: PathBuf,
    place: PathBuf,
    _turn: tokio::sync::SemaphorePermit<'a>,
}

impl Unfinished<'_> {
    /// Where it is made.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps it, if there is something in it and not too much.
    pub(crate) fn keep(self) -> io::Result<()> {
        let bytes = size(&self.folder)?;
        if bytes == 0 || bytes > MOST_BYTES {
            return Ok(());
        }
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o755))?;
        fs::rename(&self.folder, &self.place)
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // Once it is kept, it is not there any more.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The bytes of all files below a folder. What is neither file nor folder has no place in a cache.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += if kind.is_dir() {
            size(&entry.path())?
        } else if kind.is_file() {
            entry.metadata()?.len()
        } else {
            return Err(io::Error::other("there is something else than files in a cache"));
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache is there when it was kept; what is empty, has links, or was not finished is not.
    #[tokio::test]
    async fn kept_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let caches = CodeCaches::open(folder.path().join("code")).unwrap();
        let made = caches.begin("good").await.unwrap();
        fs::create_dir(made.folder().join("deep")).unwrap();
        fs::write(made.folder().join("deep/a"), "code").unwrap();
        made.keep().unwrap();
        assert_eq!(fs::read(caches.find("good").unwrap().join("deep/a")).unwrap(), b"code");
        assert!(caches.begin("good").await.is_none());

        caches.begin("empty").await.unwrap().keep().unwrap();
        let linked = caches.begin("linked").await.unwrap();
        std::os::unix::fs::symlink("/etc/passwd", linked.folder().join("a")).unwrap();
        assert!(linked.keep().is_err());
        drop(caches.begin("dropped").await.unwrap());
        fs::create_dir(folder.path().join("code/making-before")).unwrap();
        let caches = CodeCaches::open(folder.path().join("code")).unwrap();
        let names: Vec<_> = fs::read_dir(caches.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["good"]);
    }
}
