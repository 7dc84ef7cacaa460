//! The dev server's store: what was built, and not too much of what was built before.
//!
//! Every edit of a function makes another artifact, and a store keeps all it is given. So after a number of them a new store
//! takes over, and the one before goes when nothing is served from it any more.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ship_builder::{BlobSource, BuildOutput};
use ship_core::Digest;
use ship_store::{BlobError, BlobWriter, Durability, OpenError, Store};

use super::folder::remove;

/// How much of a file is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// How many builds go into one store: some ten megabytes each, where a large function changes every time.
const BUILDS_PER_STORE: u32 = 32;

/// A build cannot be put into the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store does not take it.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A new store cannot be made.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl KeepError {
    /// Whether a file is not any more what it was when it was built.
    pub(super) const fn is_changed_file(&self) -> bool {
        matches!(self, Self::Blob(BlobError::DigestMismatch { .. }))
    }
}

/// The store that builds go into now.
#[derive(Debug)]
pub(super) struct DevStore {
    folder: PathBuf,
    store: Store,
    generation: u32,
    builds: u32,
}

impl DevStore {
    /// Opens the store that the last run left in `folder`, or makes the first.
    pub(super) fn open(folder: PathBuf) -> Result<Self, OpenError> {
        let generation = newest_generation(&folder).unwrap_or(0);
        let store = Store::open(&path_of(&folder, generation), Durability::Relaxed)?;
        // Nobody knows how many builds the last run put in, so this run begins a new store soon.
        let dev_store = Self { folder, store, generation, builds: BUILDS_PER_STORE / 2 };
        dev_store.remove_older_than(generation);
        Ok(dev_store)
    }

    /// Which store builds go into. Functions that run were unpacked in the store of their time.
    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    /// A handle to the store as it is now.
    pub(super) fn current(&self) -> Store {
        self.store.clone()
    }

    /// Puts what a build made, and the store lacks, into the store.
    pub(super) fn keep(&mut self, build: &BuildOutput) -> Result<(), KeepError> {
        if self.builds == BUILDS_PER_STORE {
            self.begin_anew()?;
        }
        if put(&self.store, build)? == Change::Grown {
            self.builds += 1;
        }
        Ok(())
    }

    /// Lets a new store take over. What is shown now may still be served from the one before, which goes the next time.
    fn begin_anew(&mut self) -> Result<(), OpenError> {
        let generation = self.generation + 1;
        self.store = Store::open(&path_of(&self.folder, generation), Durability::Relaxed)?;
        self.remove_older_than(self.generation);
        (self.generation, self.builds) = (generation, 0);
        Ok(())
    }

    fn remove_older_than(&self, generation: u32) {
        for older in generations(&self.folder).filter(|older| *older < generation) {
            // It is only disk space, and tried again with the next.
            let _ = remove(&path_of(&self.folder, older));
        }
    }
}

fn path_of(folder: &Path, generation: u32) -> PathBuf {
    folder.join(generation.to_string())
}

fn generations(folder: &Path) -> impl Iterator<Item = u32> + use<> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn newest_generation(folder: &Path) -> Option<u32> {
    generations(folder).max()
}

/// Whether a store holds more than before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Grown,
    None,
}

fn put(store: &Store, build: &BuildOutput) -> Result<Change, KeepError> {
    let sizes: HashMap<Digest, u64> = build.manifest().blobs().into_iter().collect();
    let digests: Vec<Digest> = sizes.keys().copied().collect();
    let missing = store.blobs().missing(&digests);
    if missing.is_empty() {
        return Ok(Change::None);
    }
    let mut batch = store.blobs().batch()?;
    for digest in missing {
        let Some(source) = build.blob_source(&digest) else { continue };
        let mut writer = batch.begin(digest, sizes[&digest])?;
        match source {
            BlobSource::Bytes(bytes) => writer.write(&bytes)?,
            BlobSource::File(path) => copy(path, &mut writer)?,
        }
        writer.finish()?;
    }
    batch.commit()?;
    Ok(Change::Grown)
}

fn copy(path: PathBuf, writer: &mut BlobWriter<'_>) -> Result<(), KeepError> {
    let mut file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(source) => return Err(KeepError::Unreadable { path, source }),
    };
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => writer.write(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(KeepError::Unreadable { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use ship_builder::{BuildContext, BuildEnvironment, BuildOptions, BuildTarget, ProjectDir};

    use super::*;

    fn build(project: &Path, content: &str) -> BuildOutput {
        fs_err::write(project.join("index.html"), content).unwrap();
        let folder = ProjectDir::open(project).unwrap();
        let config = ship_builder::detect(&folder).unwrap();
        let cache = project.parent().unwrap().join("cache");
        let environment = BuildEnvironment::new(cache.clone(), cache, []);
        let project = "project".parse().unwrap();
        let of_build = BuildContext {
            project,
            target: BuildTarget::Development,
            branch: None,
            commit: None,
            variables: Vec::new(),
        };
        let prepared = ship_builder::prepare(&folder, config, &environment, &of_build, &|_| {}).unwrap();
        let plan = ship_builder::plan(&folder, prepared, &BuildOptions::default()).unwrap();
        ship_builder::build(plan, &environment, &|_| {}).unwrap()
    }

    /// However often something is edited, two stores are the most there is; the next run goes on with the newest.
    #[test]
    fn stores_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let (project, stores) = (folder.path().join("project"), folder.path().join("stores"));
        fs_err::create_dir(&project).unwrap();
        let mut store = DevStore::open(stores.clone()).unwrap();
        for number in 0..BUILDS_PER_STORE * 2 {
            let output = build(&project, &format!("page {number}"));
            store.keep(&output).unwrap();
            let (digest, _) = output.manifest().blobs()[0];
            assert_eq!(store.current().blobs().read(&digest).unwrap(), format!("page {number}"));
        }
        let mut left: Vec<u32> = generations(&stores).collect();
        left.sort_unstable();
        assert_eq!(left, [store.generation - 1, store.generation]);
        let newest = store.generation;
        drop(store);
        assert_eq!(DevStore::open(stores.clone()).unwrap().generation, newest);
        assert_eq!(generations(&stores).collect::<Vec<_>>(), [newest]);
    }
}
