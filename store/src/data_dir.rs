//! The layout of a data directory: where everything is, and how an empty folder becomes one.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ship_core::Digest;

use crate::disk::FileSystem;
use crate::lock::{DataDirLock, LOCK_NAME, LockError};
use crate::store::OpenError;

/// The layout that this code writes. A directory with a higher number belongs to a newer ship and is not touched.
pub(crate) const LAYOUT_VERSION: u32 = 1;

/// The file of the key that variables are sealed with.
pub(crate) const HOST_KEY: &str = "secrets.key";

/// What must not exist in a folder that becomes a data directory: opening empties `tmp`, and would adopt the rest.
const OWN_NAMES: [&str; 9] =
    ["begun", "blobs", "functions", "history", "logs", "quarantine", HOST_KEY, "state.db", "tmp"];

/// The paths of a data directory.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The data directory of a host that still lives and hands it over, with its lock. What that one is writing stays.
    pub(crate) fn inherit(root: &Path, lock: OwnedFd) -> Result<(Self, DataDirLock), OpenError> {
        let data_dir = Self::at(root);
        data_dir.check_version()?;
        Ok((data_dir, DataDirLock::inherit(lock)))
    }

    /// Makes `root` a data directory if it is none yet, and takes its lock.
    pub(crate) fn prepare(root: &Path, disk: &dyn FileSystem) -> Result<(Self, DataDirLock), OpenError> {
        let root = &std::path::absolute(root).map_err(|source| OpenError::io("find", root, source))?;
        let data_dir = Self::at(root);
        let known_version = data_dir.check_version()?;
        create_root(root, disk).map_err(|source| OpenError::io("create", root, source))?;
        let lock = data_dir.take_lock()?;
        if known_version.is_none() {
            data_dir.claim(disk)?;
        }
        data_dir.create_folders(disk)?;
        Ok((data_dir, lock))
    }

    /// The lock of a folder that is to become a data directory, made if it is not there.
    pub(crate) fn lock_new(root: &Path, disk: &dyn FileSystem) -> Result<(Self, DataDirLock), OpenError> {
        let root = &std::path::absolute(root).map_err(|source| OpenError::io("find", root, source))?;
        create_root(root, disk).map_err(|source| OpenError::io("create", root, source))?;
        let data_dir = Self::at(root);
        let lock = data_dir.take_lock()?;
        Ok((data_dir, lock))
    }

    /// The layout below `root`, without looking at it.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn take_lock(&self) -> Result<DataDirLock, OpenError> {
        let path = self.root.join(LOCK_NAME);
        DataDirLock::take(&path).map_err(|error| match error {
            LockError::Held { pid } => OpenError::InUse { path: self.root.clone(), pid },
            LockError::Io(source) => OpenError::io("lock", &path, source),
        })
    }

    /// The layout version of the directory, `None` if it has none yet.
    fn check_version(&self) -> Result<Option<u32>, OpenError> {
        let path = self.root.join("VERSION");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OpenError::io("read", &path, source)),
        };
        match text.trim().parse() {
            Ok(version) if version <= LAYOUT_VERSION => Ok(Some(version)),
            Ok(found) => Err(OpenError::NewerVersion { path: self.root.clone(), found, known: LAYOUT_VERSION }),
            Err(_) => Err(OpenError::NotADataDirectory { path, reason: "its VERSION is not a number" }),
        }
    }

    /// Writes VERSION before anything else, so that a directory with our folders in it always has one.
    fn claim(&self, disk: &dyn FileSystem) -> Result<(), OpenError> {
        if OWN_NAMES.iter().any(|name| self.root.join(name).exists()) {
            let reason = "it has files under the store's names but no VERSION";
            return Err(OpenError::NotADataDirectory { path: self.root.clone(), reason });
        }
        self.write_version(disk)
    }

    /// Makes the folder a data directory.
    pub(crate) fn write_version(&self, disk: &dyn FileSystem) -> Result<(), OpenError> {
        let (path, temporary) = (self.root.join("VERSION"), self.root.join("VERSION.new"));
        let write = || -> io::Result<()> {
            remove_if_there(&temporary)?;
            let mut file = disk.create_file(&temporary)?;
            disk.write(&mut file, format!("{LAYOUT_VERSION}\n").as_bytes())?;
            disk.sync_file(&file)?;
            disk.rename(&temporary, &path)?;
            disk.sync_folder(&self.root)
        };
        write().map_err(|source| OpenError::io("write", &path, source))
    }

    fn create_folders(&self, disk: &dyn FileSystem) -> Result<(), OpenError> {
        for folder in [self.blobs(), self.functions(), self.logs(), self.quarantine(), self.temporary()] {
            create_if_missing(&folder, disk).map_err(|source| OpenError::io("create", &folder, source))?;
        }
        Ok(())
    }

    /// Makes the names in the directory durable. Called at each start, also when nothing was made: an earlier start may
    /// have died between making and syncing.
    pub(crate) fn sync(&self, disk: &dyn FileSystem) -> Result<(), OpenError> {
        disk.sync_folder(&self.root).map_err(|source| OpenError::io("sync", &self.root, source))
    }

    /// Removes what an earlier process left half written, but for the beginnings of blobs.
    pub(crate) fn clear_temporary(&self, disk: &dyn FileSystem) -> Result<(), OpenError> {
        let folder = self.temporary();
        let clear = || -> io::Result<()> {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                // What was being received when the process ended is as good as what was cut.
                if !crate::blobs::keep_begun(&path, &self.begun(), disk) {
                    remove_all(&path)?;
                }
            }
            Ok(())
        };
        clear().map_err(|source| OpenError::io("empty", &folder, source))
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The key that variables are sealed under.
    pub(crate) fn host_key(&self) -> PathBuf {
        self.root.join(HOST_KEY)
    }

    /// The state database.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("state.db")
    }

    /// The folder of the blobs.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The folder of the unpacked artifacts.
    pub(crate) fn functions(&self) -> PathBuf {
        self.root.join("functions")
    }

    /// The folder of what was counted over time, made when something was.
    pub(crate) fn history(&self) -> PathBuf {
        self.root.join("history")
    }

    /// The folder of the logs, one folder per project in it.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Where damaged blobs go.
    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Where the beginnings of blobs wait whose uploads were cut. Made with the first of them.
    pub(crate) fn begun(&self) -> PathBuf {
        self.root.join("begun")
    }

    /// Where everything is written before it gets its name.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

/// The place of a blob below the folder of the blobs: `ab/cdef…`.
pub(crate) fn blob_name(digest: &Digest) -> String {
    let mut name = digest.to_hex();
    name.insert(2, '/');
    name
}

/// Makes the directory and those above it that do not exist, so that a power cut takes none of them away.
fn create_root(root: &Path, disk: &dyn FileSystem) -> io::Result<()> {
    let missing: Vec<&Path> = root.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        create_if_missing(folder, disk)?;
        folder.parent().map_or(Ok(()), |parent| disk.sync_folder(parent))?;
    }
    Ok(())
}

fn create_if_missing(folder: &Path, disk: &dyn FileSystem) -> io::Result<()> {
    match disk.create_folder(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file, or a folder with what is in it, unpacked artifacts included: their folders are read-only.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return fs::remove_file(path);
    }
    make_writable(path)?;
    for entry in fs::read_dir(path)? {
        remove_all(&entry?.path())?;
    }
    fs::remove_dir(path)
}

fn make_writable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    File::open(folder)?.set_permissions(fs::Permissions::from_mode(0o700))
}
