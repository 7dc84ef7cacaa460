//! Artifacts of functions, unpacked once and read-only, ready to be started.
//!
//! An unpacked artifact is trusted for as long as the machine runs: beside each folder stands a note of the boot in which
//! it was unpacked. After a power cut the folder may be incomplete, and unpacking again is cheaper than syncing every file
//! of every artifact to the disk, so after each start of the machine the first use unpacks again.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ship_core::{Digest, Function, FunctionRuntime, Layer};

use crate::blobs::{BlobError, Blobs, Sweep};
use crate::data_dir::{DataDir, remove_all};
use crate::disk::FileSystem;
use crate::garbage::folder_bytes;
use crate::needs::Recipe;

mod archive;
mod composition;
mod error;
mod limits;
mod mend;

use archive::{Archive, Entry, EntryKind};
pub use composition::{Composition, Others, Package, PackageFile, PackageKind};
pub use error::{EntryFault, UnpackError};
pub use limits::ArchiveLimits;
pub use mend::Mended;

/// Two artifacts are unpacked at the same time unless they share a turn; one artifact never is.
const TURNS: usize = 16;

/// Read-only for everybody: a function never changes its own code.
const EXECUTABLE_MODE: u32 = 0o555;
const DATA_MODE: u32 = 0o444;
const FOLDER_MODE: u32 = 0o555;

/// The unpacked artifacts of a store.
#[derive(Debug)]
pub struct Functions {
    folder: PathBuf,
    temporary: PathBuf,
    disk: Arc<dyn FileSystem>,
    blobs: Blobs,
    limits: ArchiveLimits,
    /// What the kernel calls this run of the machine, if it says so.
    boot: Option<String>,
    /// What this process has unpacked or seen to be from this boot.
    trusted: RwLock<HashSet<Digest>>,
    turns: [Mutex<()>; TURNS],
    begun: AtomicU64,
    /// How often a folder was unpacked anew because it was damaged.
    renewals: AtomicU64,
}

impl Functions {
    pub(crate) fn new(data_dir: &DataDir, disk: Arc<dyn FileSystem>, blobs: Blobs) -> Self {
        Self {
            folder: data_dir.functions(),
            temporary: data_dir.temporary(),
            disk,
            blobs,
            limits: ArchiveLimits::DEFAULT,
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok(),
            trusted: RwLock::default(),
            turns: Default::default(),
            begun: AtomicU64::new(0),
            renewals: AtomicU64::new(0),
        }
    }

    /// The folder below which functions' folders stand.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What runs the functions that are unpacked: one runtime for each kind of entry. Looks at all of them, so it is for a thread that
    /// may wait.
    pub fn runtimes(&self) -> Vec<FunctionRuntime> {
        let mut found = Vec::new();
        let folders = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for folder in folders.map(|entry| entry.path()) {
            let kinds = [FunctionRuntime::Go, FunctionRuntime::Node, FunctionRuntime::Python];
            found.extend(kinds.into_iter().find(|kind| !found.contains(kind) && folder.join(kind.entry()).exists()));
            if found.len() == kinds.len() {
                break;
            }
        }
        found
    }

    /// The folder of an artifact that this process has unpacked, or found unpacked, before. One look at the folder, so it
    /// need not be asked on a thread that may wait.
    pub fn unpacked(&self, function: &Function) -> Option<PathBuf> {
        let id = function.folder();
        let folder = self.folder.join(id.to_hex());
        let is_known = |layer: &Layer| self.is_known(&layer.digest, &self.folder.join(layer.digest.to_hex()));
        (self.is_known(&id, &folder) && function.layers.iter().all(is_known)).then_some(folder)
    }

    /// The folder of a function: its artifact, unpacked now if it is not there, and its layers, each unpacked once for all
    /// functions that share it. When many ask for one function, one unpacks it and the others wait. What is there already
    /// costs one look at the folder.
    pub fn unpack(&self, function: &Function) -> Result<PathBuf, UnpackError> {
        if let Some(folder) = self.unpacked(function) {
            return Ok(folder);
        }
        for layer in &function.layers {
            let (id, recipe) = Recipe::of_layer(layer);
            self.unpack_as(&id, &recipe)?;
        }
        let (id, recipe) = Recipe::of_function(function);
        self.unpack_as(&id, &recipe)
    }

    /// The folder `id`, of an artifact and of links to layers.
    fn unpack_as(&self, id: &Digest, recipe: &Recipe) -> Result<PathBuf, UnpackError> {
        let folder = self.folder.join(id.to_hex());
        let _turn = self.take_turn(id)?;
        if !self.is_known(id, &folder) && !self.is_from_this_boot(id, &folder) {
            self.unpack_anew(id, &folder, recipe)?;
        }
        self.trusted.write().unwrap_or_else(PoisonError::into_inner).insert(*id);
        Ok(folder)
    }

    fn unpack_anew(&self, id: &Digest, folder: &Path, recipe: &Recipe) -> Result<(), UnpackError> {
        self.unpack_to(id, folder, |fresh| {
            self.write_entries(&recipe.artifact, fresh)?;
            link_layers(&recipe.artifact, fresh, &recipe.layers)
        })
    }

    /// Removes a folder that nobody needs and gives its bytes, `None` if somebody is about to need it or it cannot be removed.
    pub(crate) fn remove(&self, id: &Digest, sweep: &Sweep) -> Option<u64> {
        let folder = self.folder.join(id.to_hex());
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let removed = self.temporary.join(format!("function-{number}-removed"));
        let _turn = self.take_turn(id).ok()?;
        let moved = sweep.if_free([id], || {
            self.trusted.write().unwrap_or_else(PoisonError::into_inner).remove(id);
            // A folder can only be moved by an owner who may write to it.
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
            self.disk.rename(&folder, &removed)
        })?;
        let gone = moved.and_then(|()| {
            let bytes = folder_bytes(&removed);
            remove_all(&removed)?;
            let _ = self.disk.remove_file(&self.note(id));
            Ok(bytes)
        });
        gone.inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "an unpacked function stays")).ok()
    }

    /// The folders that are there, by the digests that they are called after.
    pub(crate) fn stored(&self) -> Vec<Digest> {
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| Digest::from_hex(name.to_str()?).ok()).collect()
    }

    /// The turn to unpack an artifact. While one host takes over from another both live, so a turn is a locked file as well.
    fn take_turn(&self, digest: &Digest) -> Result<(MutexGuard<'_, ()>, File), UnpackError> {
        let number = usize::from(digest.as_bytes()[0]) % TURNS;
        let here = self.turns[number].lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.temporary.join(format!("turn-{number}"));
        let everywhere = File::create(&path).and_then(|file| file.lock().map(|()| file));
        Ok((here, everywhere.map_err(|source| BlobError::io("lock", &path, source))?))
    }

    fn is_known(&self, digest: &Digest, folder: &Path) -> bool {
        self.trusted.read().unwrap_or_else(PoisonError::into_inner).contains(digest) && folder.is_dir()
    }

    fn is_from_this_boot(&self, digest: &Digest, folder: &Path) -> bool {
        let noted = fs::read_to_string(self.note(digest)).ok();
        noted.is_some() && noted == self.boot && folder.is_dir()
    }

    /// Where the boot in which an artifact was unpacked is noted: beside its folder, which holds only what is in it.
    fn note(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.boot", digest.to_hex()))
    }

    fn unpack_to(
        &self,
        digest: &Digest,
        folder: &Path,
        write: impl FnOnce(&Path) -> Result<(), UnpackError>,
    ) -> Result<(), UnpackError> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let name = format!("function-{}-{number}", std::process::id());
        let (fresh, stale) = (self.temporary.join(&name), self.temporary.join(format!("{name}-stale")));
        let unpacked = write(&fresh).and_then(|()| {
            self.replace(digest, folder, &fresh, &stale).map_err(|source| BlobError::io("place", folder, source).into())
        });
        for leftover in [fresh, stale] {
            if let Err(error) = remove_all(&leftover)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(path = %leftover.display(), %error, "a temporary folder stays until the next start");
            }
        }
        unpacked
    }

    /// Puts the folder in its place in one step, and then notes the boot.
    fn replace(&self, digest: &Digest, folder: &Path, fresh: &Path, stale: &Path) -> io::Result<()> {
        let note = self.note(digest);
        match self.disk.remove_file(&note) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if folder.exists() {
            // A folder can only be moved by an owner who may write to it.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
            self.disk.rename(folder, stale)?;
        }
        self.disk.rename(fresh, folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE))?;
        if let Some(boot) = &self.boot {
            self.disk.write(&mut self.disk.create_file(&note)?, boot.as_bytes())?;
        }
        Ok(())
    }

    /// Writes what is in an artifact into the new folder `root`. Every name was checked before the first file is made.
    fn write_entries(&self, digest: &Digest, root: &Path) -> Result<(), UnpackError> {
        let mut archive = Archive::open(self.blobs.open(digest)?, &self.limits)?;
        let entries = archive.entries()?;
        let mut folders = Folders::new(&*self.disk, root)?;
        for entry in entries.iter().filter(|entry| !entry.kind.is_link()) {
            let path = folders.path_for(entry)?;
            let mut file = self.disk.create_file(&path).map_err(|source| BlobError::io("create", &path, source))?;
            archive.read(entry, |bytes| {
                self.disk.write(&mut file, bytes).map_err(|source| BlobError::io("write", &path, source).into())
            })?;
            let mode = if entry.kind == EntryKind::Executable { EXECUTABLE_MODE } else { DATA_MODE };
            set_mode(&file, mode).map_err(|source| BlobError::io("protect", &path, source))?;
        }
        write_links(&entries, &mut folders)?;
        Ok(folders.protect()?)
    }
}

/// Makes the links of an artifact, after all of its files: none of these is written through one.
fn write_links(entries: &[Entry], folders: &mut Folders<'_>) -> Result<(), BlobError> {
    for entry in entries {
        let EntryKind::Link { target } = &entry.kind else { continue };
        let link = folders.path_for(entry)?;
        std::os::unix::fs::symlink(target, &link).map_err(|source| BlobError::io("link", &link, source))?;
    }
    Ok(())
}

/// Lets a function see its layers. Links are made last, so that no entry of an artifact is written through one; an entry in
/// a layer's place makes it fail. Relative, because the data directory may move.
fn link_layers(artifact: &Digest, folder: &Path, layers: &[Layer]) -> Result<(), UnpackError> {
    for layer in layers {
        let link = folder.join(layer.mount.as_str());
        std::os::unix::fs::symlink(layer_target(layer), &link).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => {
                let name = layer.mount.as_str().to_owned();
                UnpackError::Entry { digest: *artifact, name, fault: EntryFault::InPlaceOfLayer }
            }
            _ => BlobError::io("link", &link, source).into(),
        })?;
    }
    Ok(())
}

/// Where the link to a layer leads.
fn layer_target(layer: &Layer) -> PathBuf {
    Path::new("..").join(layer.digest.to_hex()).join(layer.mount.as_str())
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// The folders below the root of an artifact, made as files need them.
struct Folders<'f> {
    disk: &'f dyn FileSystem,
    root: &'f Path,
    made: HashSet<PathBuf>,
}

impl<'f> Folders<'f> {
    fn new(disk: &'f dyn FileSystem, root: &'f Path) -> Result<Self, BlobError> {
        disk.create_folder(root).map_err(|source| BlobError::io("create", root, source))?;
        Ok(Self { disk, root, made: HashSet::new() })
    }

    /// Where an entry goes. The name has no `..` and begins with no `/`, so it stays below the root.
    fn path_for(&mut self, entry: &Entry) -> Result<PathBuf, BlobError> {
        let path = self.root.join(entry.path.as_str());
        let above = path.ancestors().skip(1).take_while(|folder| *folder != self.root);
        let missing: Vec<&Path> = above.take_while(|folder| !self.made.contains(*folder)).collect();
        for folder in missing.into_iter().rev() {
            self.disk.create_folder(folder).map_err(|source| BlobError::io("create", folder, source))?;
            self.made.insert(folder.to_owned());
        }
        Ok(path)
    }

    /// Makes the folders read-only, but for the root, which has to be moved first.
    fn protect(&self) -> Result<(), BlobError> {
        self.made.iter().try_for_each(|folder| {
            let protected = fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE));
            protected.map_err(|source| BlobError::io("protect", folder, source))
        })
    }
}

#[cfg(test)]
mod tests;
