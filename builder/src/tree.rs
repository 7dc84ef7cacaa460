//! Walking a folder: fast, in parallel, one `stat` per file, and never out of the project.
//!
//! Symlinks are followed while they stay inside. What cannot be deployed (a socket, a name that is not UTF-8, a loop) is an
//! error that names it, never silently left out.

use std::fs::FileType;
use std::fs::{DirEntry, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use ship_core::{ParsePathError, SiteLimits, SitePath};

/// How many entries of one folder a thread takes at once: enough to make handing them over cheap, few enough to share a
/// folder of thousands of files between threads.
const ENTRIES_PER_TASK: usize = 256;

/// A file that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TreeFile {
    /// Its place below the folder that was walked.
    pub(crate) path: SitePath,
    /// What the file system says about it.
    pub(crate) stat: FileStat,
}

/// What identifies the state of a file without reading it: a changed file differs in at least one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct FileStat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size_bytes: u64,
    pub(crate) modified_nanos: i64,
    pub(crate) changed_nanos: i64,
}

impl FileStat {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified_nanos: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed_nanos: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What of a tree is wanted. Paths are relative to the folder that is walked, `/`-separated.
pub(crate) trait Selection: Sync {
    /// Whether to look into this folder.
    fn enters(&self, path: &str, name: &str) -> bool;
    /// Whether to take this file.
    fn takes(&self, path: &str, name: &str) -> bool;
}

/// The selected files below `root`, sorted by path. Symlinks may lead anywhere below `boundary`, which is canonical.
pub(crate) fn walk(root: &Path, boundary: &Path, selection: &impl Selection) -> Result<Vec<TreeFile>, TreeError> {
    let walk = Walk { boundary, selection, found: AtomicUsize::new(0) };
    let mut files = walk.folder(&Folder { location: root, path: "", through: None })?;
    files.par_sort_unstable_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

struct Walk<'w, S> {
    boundary: &'w Path,
    selection: &'w S,
    found: AtomicUsize,
}

/// A folder that is being walked, and the symlinks on the way to it.
struct Folder<'f> {
    location: &'f Path,
    path: &'f str,
    through: Option<&'f FollowedLink<'f>>,
}

/// A symlink to a folder that was followed, by the real folder it stands in.
struct FollowedLink<'f> {
    stands_in: PathBuf,
    before: Option<&'f Self>,
}

/// What an entry of a folder turned out to be.
enum Entry {
    File(TreeFile),
    Folder { location: PathBuf, path: String, followed: Option<PathBuf> },
    Nothing,
}

impl<S: Selection> Walk<'_, S> {
    fn folder(&self, folder: &Folder<'_>) -> Result<Vec<TreeFile>, TreeError> {
        let unreadable = |source| self.unreadable(folder.location, source);
        let entries: Vec<DirEntry> =
            std::fs::read_dir(folder.location).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
        let found: Vec<Entry> = entries
            .par_iter()
            .with_min_len(ENTRIES_PER_TASK)
            .map(|entry| self.entry(folder, entry))
            .collect::<Result<_, _>>()?;
        let mut files = Vec::with_capacity(found.len());
        let mut folders = Vec::new();
        for entry in found {
            match entry {
                Entry::File(file) => files.push(file),
                Entry::Folder { location, path, followed } => folders.push((location, path, followed)),
                Entry::Nothing => {}
            }
        }
        self.count(files.len())?;
        let below: Vec<Vec<TreeFile>> = folders
            .par_iter()
            .map(|(location, path, followed)| match followed {
                None => self.folder(&Folder { location, path, through: folder.through }),
                Some(stands_in) => {
                    let link = FollowedLink { stands_in: stands_in.clone(), before: folder.through };
                    self.folder(&Folder { location, path, through: Some(&link) })
                }
            })
            .collect::<Result<_, _>>()?;
        files.extend(below.into_iter().flatten());
        Ok(files)
    }

    fn entry(&self, folder: &Folder<'_>, entry: &DirEntry) -> Result<Entry, TreeError> {
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(TreeError::NotUtf8 { path: self.shown(&entry.path()) });
        };
        let path = joined(folder.path, name);
        let kind = entry.file_type().map_err(|source| self.unreadable(&entry.path(), source))?;
        let takes = || self.selection.takes(&path, name);
        if kind.is_dir() {
            return Ok(self.enter(path, name, entry.path(), None));
        }
        if kind.is_symlink() {
            return self.symlink(folder, path, name, entry.path());
        }
        match entry.metadata() {
            _ if !takes() => Ok(Entry::Nothing),
            Ok(metadata) => self.file(&path, &metadata, || entry.path()),
            // An editor's temporary file that is gone again.
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Entry::Nothing),
            Err(source) => Err(self.unreadable(&entry.path(), source)),
        }
    }

    fn enter(&self, path: String, name: &str, location: PathBuf, followed: Option<PathBuf>) -> Entry {
        if self.selection.enters(&path, name) { Entry::Folder { location, path, followed } } else { Entry::Nothing }
    }

    /// A file; `location` is only asked for when something is wrong with it.
    fn file(&self, path: &str, metadata: &Metadata, location: impl Fn() -> PathBuf) -> Result<Entry, TreeError> {
        let kind = metadata.file_type();
        if let Some(kind) = special_kind(kind) {
            return Err(TreeError::SpecialFile { path: self.shown(&location()), kind });
        }
        let path = path.parse().map_err(|source| TreeError::Name { path: self.shown(&location()), source })?;
        Ok(Entry::File(TreeFile { path, stat: FileStat::of(metadata) }))
    }

    fn symlink(&self, folder: &Folder<'_>, path: String, name: &str, location: PathBuf) -> Result<Entry, TreeError> {
        if !self.selection.takes(&path, name) && !self.selection.enters(&path, name) {
            return Ok(Entry::Nothing);
        }
        let link = self.shown(&location);
        let target = follow(&location, self.boundary)?;
        let metadata = target.metadata().map_err(|source| self.unreadable(&target, source))?;
        if is_secret(target.strip_prefix(self.boundary).unwrap_or(&target)) {
            return Err(TreeError::SymlinkToSecret { link, target: self.shown(&target) });
        }
        if !metadata.is_dir() {
            let takes = self.selection.takes(&path, name);
            return if takes { self.file(&path, &metadata, || location.clone()) } else { Ok(Entry::Nothing) };
        }
        let stands_in = folder.location.canonicalize().map_err(|source| self.unreadable(folder.location, source))?;
        let chain = std::iter::successors(folder.through, |link| link.before).map(|link| &link.stands_in);
        if chain.chain([&stands_in]).any(|passed| passed.starts_with(&target)) {
            return Err(TreeError::SymlinkLoop { link, target: self.shown(&target) });
        }
        Ok(self.enter(path, name, location, Some(stands_in)))
    }

    /// Refuses a tree with more files than a deployment may have, before its list fills the memory.
    fn count(&self, files: usize) -> Result<(), TreeError> {
        let most = SiteLimits::DEFAULT.assets;
        let found = self.found.fetch_add(files, Ordering::Relaxed) + files;
        if found > most { Err(TreeError::TooManyFiles { most }) } else { Ok(()) }
    }

    fn unreadable(&self, location: &Path, source: io::Error) -> TreeError {
        TreeError::Unreadable { path: self.shown(location), source }
    }

    fn shown(&self, location: &Path) -> PathBuf {
        shown_below(self.boundary, location)
    }
}

/// The path of `name` in `folder`, which is empty for the top.
fn joined(folder: &str, name: &str) -> String {
    let mut path = String::with_capacity(folder.len() + 1 + name.len());
    if !folder.is_empty() {
        path.push_str(folder);
        path.push('/');
    }
    path.push_str(name);
    path
}

/// A path without `.` and `..`, by its text alone.
pub(crate) fn normalised(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// How a path is named in messages: relative to the project.
pub(crate) fn shown_below(project: &Path, location: &Path) -> PathBuf {
    match location.strip_prefix(project) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => location.to_owned(),
    }
}

/// What something is that is neither a file nor a folder.
pub(crate) fn special_kind(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() || kind.is_dir() => None,
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// Where a symlink leads, which must be below `boundary`.
pub(crate) fn follow(link: &Path, boundary: &Path) -> Result<PathBuf, TreeError> {
    let shown = || shown_below(boundary, link);
    let written = || std::fs::read_link(link).unwrap_or_default();
    let target = link.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            TreeError::SymlinkBroken { link: shown(), target: written() }
        }
        _ if source.raw_os_error() == Some(libc::ELOOP) => TreeError::SymlinkLoop { link: shown(), target: written() },
        _ => TreeError::Unreadable { path: shown(), source },
    })?;
    if target.starts_with(boundary) {
        Ok(target)
    } else {
        Err(TreeError::SymlinkLeavesProject { link: shown(), target })
    }
}

/// Whether a path is one that never belongs into a site or a function: environment files, version control, and what ship keeps.
pub(crate) fn is_secret(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name == ".git" || name == ".ship" || name.starts_with(".env")
    })
}

/// Something in the tree cannot be deployed. Paths are relative to the project where they are inside it.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file or folder cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A symlink leads out of the project.
    #[error("symlink_leaves_project: the symlink `{}` leads to `{}`, which is outside of the project", link.display(), target.display())]
    SymlinkLeavesProject {
        /// The symlink.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A symlink leads to a folder that it stands in.
    #[error("the symlink `{}` leads back to `{}`, so it never ends", link.display(), target.display())]
    SymlinkLoop {
        /// The symlink.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A symlink leads nowhere.
    #[error("the symlink `{}` leads to `{}`, which does not exist", link.display(), target.display())]
    SymlinkBroken {
        /// The symlink.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A symlink leads to a file that never belongs into a site.
    #[error("the symlink `{}` leads to `{}`, which is never deployed", link.display(), target.display())]
    SymlinkToSecret {
        /// The symlink.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A pipe, a socket or a device.
    #[error("`{}` is {kind}, and only files can be deployed", path.display())]
    SpecialFile {
        /// Where.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("the name of `{}` is not UTF-8, so no URL can ask for it", path.display())]
    NotUtf8 {
        /// Where.
        path: PathBuf,
    },
    /// A name that no asset can have.
    #[error("`{}` cannot be deployed under its name", path.display())]
    Name {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParsePathError,
    },
    /// More files than a deployment may have.
    #[error("there are more than {most} files, which is more than one deployment may have")]
    TooManyFiles {
        /// How many there may be.
        most: usize,
    },
}

#[cfg(test)]
mod tests;
