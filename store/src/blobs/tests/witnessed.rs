//! The door measured from the other side: a disk is made anew of nothing but what a sync has vouched for, which is the bytes that a file had
//! at that moment, under the name that its folder had. The disk that breaks on purpose takes away what it knows to be unsynced; here
//! nothing is there that nobody has shown to be durable. `powercut` makes that disk and judges.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard};

use powercut::{AssumedDurable, Barrier, Checker, Coverage, DurabilityWitness, SyncKind, SyncRecord, Tier};

use super::*;
use crate::disk::Disk;

/// The real disk, and what it was asked to make durable.
#[derive(Debug)]
struct WitnessedDisk {
    disk: Disk,
    /// What files held when they were synced.
    copies: tempfile::TempDir,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    syncs: u64,
    /// The files that were made here, by where they are now.
    files: HashMap<PathBuf, Content>,
    /// Folders that were made here, and whose names would not survive.
    folders: HashSet<PathBuf>,
    /// What would survive, the latest last.
    durable: Vec<SyncRecord>,
}

/// What of a file would survive if its name did: a copy and its length, once it was synced.
type Content = Option<(PathBuf, u64)>;

impl WitnessedDisk {
    fn new() -> Arc<Self> {
        let (disk, state) = (Disk { durability: Durability::Durable }, Mutex::default());
        Arc::new(Self { disk, copies: tempfile::tempdir().unwrap(), state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn copy(&self, state: &mut State, path: &Path) {
        state.syncs += 1;
        let copy = self.copies.path().join(state.syncs.to_string());
        let length = fs::copy(path, &copy).unwrap();
        state.files.insert(path.to_owned(), Some((copy, length)));
    }
}

impl State {
    /// The names in `folder` are durable from here on, and so is what was synced under them.
    fn name(&mut self, folder: &Path) {
        self.folders.retain(|made| made.parent() != Some(folder));
        for (path, content) in self.files.iter().filter(|(path, _)| path.parent() == Some(folder)) {
            let Some((copy, length)) = content else { continue };
            self.syncs += 1;
            let record = SyncRecord::new(path, SyncKind::File, Barrier::new(self.syncs), Some(*length));
            self.durable.push(record.with_snapshot(copy));
        }
    }
}

impl FileSystem for WitnessedDisk {
    fn create_file(&self, path: &Path) -> io::Result<File> {
        let file = self.disk.create_file(path)?;
        self.state().files.insert(path.to_owned(), None);
        Ok(file)
    }

    fn reopen_file(&self, path: &Path, bytes: u64) -> io::Result<File> {
        let file = self.disk.reopen_file(path, bytes)?;
        self.state().files.insert(path.to_owned(), None);
        Ok(file)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)?;
        self.state().folders.insert(path.to_owned());
        Ok(())
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(file, bytes)
    }

    fn mark(&self, file: &File, nanoseconds: u32) -> io::Result<()> {
        self.disk.mark(file, nanoseconds)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)?;
        let mut state = self.state();
        let content = state.files.remove(from).flatten();
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)?;
        self.state().files.remove(path);
        Ok(())
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        self.disk.sync_file(file)?;
        let inode = file.metadata()?.ino();
        let mut state = self.state();
        let is_it = |path: &&PathBuf| path.metadata().is_ok_and(|metadata| metadata.ino() == inode);
        let path = state.files.keys().find(is_it).unwrap().clone();
        self.copy(&mut state, &path);
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_folder(path)?;
        self.state().name(path);
        Ok(())
    }

    fn sync_everything(&self, folder: &File) -> io::Result<()> {
        self.disk.sync_everything(folder)?;
        let mut state = self.state();
        let paths: Vec<PathBuf> = state.files.keys().cloned().collect();
        for path in &paths {
            self.copy(&mut state, path);
        }
        let folders: HashSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        state.folders.clear();
        for folder in folders {
            state.name(folder);
        }
        Ok(())
    }
}

/// What `powercut` asks.
struct Witness(Arc<WitnessedDisk>);

impl DurabilityWitness for Witness {
    fn synced(&self) -> Vec<SyncRecord> {
        let state = self.0.state();
        let is_reached = |record: &&SyncRecord| !record.path.ancestors().any(|folder| state.folders.contains(folder));
        state.durable.iter().filter(is_reached).cloned().collect()
    }

    fn coverage(&self) -> Coverage {
        Coverage::Complete
    }

    fn assumed(&self) -> Vec<AssumedDurable> {
        Vec::new()
    }
}

/// The blobs in a data directory, beside the state of a store.
fn blobs_in(folder: &Path, disk: &Arc<WitnessedDisk>, test: &TestStore) -> Blobs {
    let data_dir = DataDir::at(folder);
    for folder in [data_dir.blobs(), data_dir.temporary()] {
        fs::create_dir_all(folder).unwrap();
    }
    let database = Arc::clone(&test.blobs().inner.database);
    Blobs::new(&data_dir, Arc::clone(disk) as Arc<dyn FileSystem>, database).unwrap()
}

/// What was acknowledged is there when the power comes back, whether its files were synced one by one or all at once, and beside what was
/// there before.
#[test]
fn only_what_was_synced_survives() {
    let (test, disk) = (TestStore::new(), WitnessedDisk::new());
    let root = test.folder.path().canonicalize().unwrap();
    let blobs = blobs_in(&root, &disk, &test);
    let mut acknowledged = Vec::new();
    for (round, count) in (1..).zip([3, 17, 1, 40]) {
        acknowledged.extend(contents(round, count));
        let scenario = powercut::Scenario::new(&root, Witness(Arc::clone(&disk))).tier(Tier::PowerCut);
        let cut = scenario.label(format!("{count} blobs")).ack(|| put_all(&blobs, &acknowledged).unwrap()).unwrap();
        let report = cut.check(|survived, stored| {
            let after = blobs_in(survived.dir(), &WitnessedDisk::new(), &test);
            let mut checker = Checker::new();
            checker.survives("stored", stored.stored_blobs, count as u64);
            for content in &acknowledged {
                checker.survives("blob", Some(content.clone()), after.read(&Digest::of(content)).ok().map(Vec::from));
            }
            checker.finish()
        });
        report.assert_survived();
    }
}

/// The same for a blob whose upload was cut and gone on with: its beginning had not been synced when it was kept.
#[test]
fn gone_on_with_survives() {
    let (test, disk) = (TestStore::new(), WitnessedDisk::new());
    let root = test.folder.path().canonicalize().unwrap();
    let blobs = blobs_in(&root, &disk, &test);
    let content: Vec<u8> = (0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let digest = Digest::of(&content);
    {
        let mut batch = blobs.batch().unwrap();
        batch.begin_kept(digest, 200_000, None).unwrap().write(&content[..100_000]).unwrap();
    }
    assert_eq!(blobs.begun(None, &[digest]), [(digest, 100_000)]);
    let go_on = || {
        let mut batch = blobs.batch()?;
        let begun = Begun { bytes: 100_000, digest: Digest::of(&content[..100_000]) };
        let mut writer = batch.go_on(digest, 200_000, None, begun)?;
        writer.write(&content[100_000..])?;
        writer.finish()?;
        batch.commit()
    };
    let scenario = powercut::Scenario::new(&root, Witness(Arc::clone(&disk))).tier(Tier::PowerCut);
    let cut = scenario.label("gone on with").ack(|| go_on().unwrap()).unwrap();
    let report = cut.check(|survived, stored| {
        let after = blobs_in(survived.dir(), &WitnessedDisk::new(), &test);
        let mut checker = Checker::new();
        checker.survives("stored", stored.stored_blobs, 1);
        checker.survives("blob", Some(content.clone()), after.read(&digest).ok().map(Vec::from));
        checker.finish()
    });
    report.assert_survived();
}
