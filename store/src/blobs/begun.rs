//! The beginnings of blobs whose uploads were cut: they wait in a folder of their own until the upload is gone on with, and not for ever.
//!
//! While a blob is received its file stands among the temporary ones, under a name that says whose it is and what it shall become. When the
//! upload is cut it is moved aside; when the process ends first, the next start does that. Whoever goes on takes the file back, which only one
//! can. Nothing here was vouched for: what a power cut has made of the bytes is found by the digest of the beginning, and of the whole.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ship_core::{Digest, ProjectName};

use super::Blobs;
use crate::disk::FileSystem;

/// A beginning of fewer bytes is not worth its file: it is sent again in the time that two questions take.
const LEAST_BYTES: u64 = 64 * 1024;

/// How many beginnings are kept for one project, and for those who have to do with all, and how many bytes: the largest blob there may be.
const KEPT_FOR_ONE: Room = Room { files: 16, bytes: 5 * 1024 * 1024 * 1024 };

/// How many are kept for all together.
const KEPT_FOR_ALL: Room = Room { files: 64, bytes: 16 * 1024 * 1024 * 1024 };

/// The beginning of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Begun {
    /// How many bytes it has.
    pub bytes: u64,
    /// The digest of these bytes.
    pub digest: Digest,
}

/// What may be kept.
#[derive(Clone, Copy, Debug)]
struct Room {
    files: usize,
    bytes: u64,
}

impl Room {
    /// Takes room for a file, if there is enough.
    fn take(&mut self, bytes: u64) -> bool {
        let left = self.files.checked_sub(1).zip(self.bytes.checked_sub(bytes));
        if let Some((files, bytes)) = left {
            *self = Self { files, bytes };
        }
        left.is_some()
    }
}

/// A file in the folder.
struct Kept {
    path: PathBuf,
    owner: String,
    digest: Digest,
    bytes: u64,
    modified: SystemTime,
}

/// The folder of the beginnings, for one who needs room more than they do: nobody writes to what is in it, and all of it can be sent again.
#[derive(Clone, Debug)]
pub(crate) struct BegunFolder {
    path: PathBuf,
}

impl BegunFolder {
    /// The one that stands at `path`, if any does.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Removes the beginning that was gone on with longest ago. Says whether there was any.
    pub(crate) fn give_up_oldest(&self) -> bool {
        let mut kept = kept_in(&self.path);
        kept.sort_unstable_by_key(|kept| kept.modified);
        // Whoever goes on with one meanwhile has taken it away, and the next is the oldest.
        let given_up = kept.iter().find(|kept| fs::remove_file(&kept.path).is_ok());
        if let Some(Kept { digest, bytes, .. }) = given_up {
            tracing::info!(%digest, bytes, "the disk is full: the beginning of an upload is given up");
        }
        given_up.is_some()
    }

    /// Removes the oldest ones until `bytes` are free where the folder is, or none is left.
    pub(crate) fn keep_free(&self, bytes: u64) {
        let is_short = || {
            let room = rustix::fs::statvfs(&self.path);
            room.is_ok_and(|room| room.f_bavail.saturating_mul(room.f_frsize) < bytes)
        };
        while is_short() && self.give_up_oldest() {}
    }
}

impl Blobs {
    /// Of which of `digests` a beginning is kept for a project, or for those who have to do with all, and how many bytes.
    pub fn begun(&self, project: Option<&ProjectName>, digests: &[Digest]) -> Vec<(Digest, u64)> {
        let kept = kept_in(&self.inner.begun);
        if kept.is_empty() {
            return Vec::new();
        }
        let asked: HashSet<&Digest> = digests.iter().collect();
        let owner = owner_of(project);
        let begun = kept.into_iter().filter(|kept| kept.owner == owner && asked.contains(&kept.digest));
        begun.map(|kept| (kept.digest, kept.bytes)).collect()
    }

    /// Removes the beginnings that nobody has gone on with since `oldest`, and says how many bytes stay.
    pub fn expire_begun(&self, oldest: SystemTime) -> Vec<u64> {
        let (old, young): (Vec<Kept>, Vec<Kept>) =
            kept_in(&self.inner.begun).into_iter().partition(|kept| kept.modified < oldest);
        for kept in old {
            remove(&kept, &*self.inner.disk);
        }
        young.iter().map(|kept| kept.bytes).collect()
    }

    /// Moves the beginning of a blob aside, or removes it if it is not worth it.
    pub(super) fn keep_begun(&self, temporary: &Path) {
        let disk = &*self.inner.disk;
        if !keep_begun(temporary, &self.inner.begun, disk)
            && let Err(error) = disk.remove_file(temporary)
        {
            tracing::debug!(path = %temporary.display(), %error, "a temporary file stays until the next start");
        }
    }

    /// Takes the beginning of a blob back to be gone on with, under the name `temporary`. Whoever comes second finds none.
    pub(super) fn take_begun(&self, kept: &str, temporary: &Path) -> io::Result<()> {
        self.inner.disk.rename(&self.inner.begun.join(kept), temporary)
    }
}

/// The name of a beginning: whose it is, and of what.
pub(super) fn begun_name(digest: &Digest, project: Option<&ProjectName>) -> String {
    format!("{}.{}", digest.to_hex(), owner_of(project))
}

/// Moves the temporary file of a blob aside, if it is the beginning of one that can be gone on with. What was kept of the same blob goes, unless it
/// is longer.
pub(crate) fn keep_begun(temporary: &Path, folder: &Path, disk: &dyn FileSystem) -> bool {
    let name = temporary.file_name().and_then(|name| name.to_str());
    let Some((_, name)) = name.and_then(|name| name.split_once('.')) else { return false };
    let bytes_of =
        |path: &Path| fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map_or(0, |file| file.len());
    let kept = folder.join(name);
    if parse_name(name).is_none() || bytes_of(temporary) < LEAST_BYTES.max(bytes_of(&kept)) {
        return false;
    }
    let moved = match disk.rename(temporary, &kept) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk.create_folder(folder).and_then(|()| disk.rename(temporary, &kept))
        }
        moved => moved,
    };
    make_room(folder, disk);
    moved.is_ok()
}

/// Removes the oldest beginnings until the rest have room.
fn make_room(folder: &Path, disk: &dyn FileSystem) {
    let mut kept = kept_in(folder);
    kept.sort_unstable_by_key(|kept| std::cmp::Reverse(kept.modified));
    let mut all = KEPT_FOR_ALL;
    let mut ones: HashMap<String, Room> = HashMap::new();
    for kept in kept {
        let own = ones.entry(kept.owner.clone()).or_insert(KEPT_FOR_ONE);
        if !(own.take(kept.bytes) && all.take(kept.bytes)) {
            remove(&kept, disk);
        }
    }
}

fn remove(kept: &Kept, disk: &dyn FileSystem) {
    if let Err(error) = disk.remove_file(&kept.path) {
        tracing::debug!(path = %kept.path.display(), %error, "the beginning of a blob stays");
    }
}

/// What is kept. A folder that is not there holds nothing.
fn kept_in(folder: &Path) -> Vec<Kept> {
    let kept = |file: fs::DirEntry| {
        let (digest, owner) = parse_name(file.file_name().to_str()?)?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(Kept { path: file.path(), owner, digest, bytes: metadata.len(), modified: metadata.modified().ok()? })
    };
    fs::read_dir(folder).into_iter().flatten().flatten().filter_map(kept).collect()
}

fn parse_name(name: &str) -> Option<(Digest, String)> {
    let (hex, owner) = name.split_once('.')?;
    Some((Digest::from_hex(hex).ok()?, owner.to_owned()))
}

/// Nobody's name is empty, so what is kept for all is nobody's own.
fn owner_of(project: Option<&ProjectName>) -> &str {
    project.map_or("", ProjectName::as_str)
}

#[cfg(test)]
mod tests;
