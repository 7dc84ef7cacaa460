//! Who has written to a blob's file is found out without reading the others, and what is right is read once.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::time::SystemTime;

use super::*;
use crate::testing::{TestSite, blob_file, noon};
use crate::{Durability, StageError, Store};

const CONTENT: &[u8] = b"as it was stored";

struct TestStore {
    folder: tempfile::TempDir,
    store: Store,
}

impl TestStore {
    /// A store that has one blob.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let test = Self { store: Store::open(folder.path(), Durability::Relaxed).unwrap(), folder };
        test.put();
        test
    }

    fn put(&self) -> u64 {
        let mut batch = self.store.blobs().batch().unwrap();
        let mut writer = batch.begin(digest(), CONTENT.len() as u64).unwrap();
        writer.write(CONTENT).unwrap();
        writer.finish().unwrap();
        batch.commit().unwrap().stored_blobs
    }

    fn file(&self) -> PathBuf {
        blob_file(self.folder.path(), CONTENT)
    }

    /// Another byte in the middle of the file, which stays the file that it is.
    fn flip(&self) {
        File::options().write(true).open(self.file()).unwrap().write_all_at(b"?", 5).unwrap();
    }

    fn set_time(&self, time: SystemTime) {
        File::options().write(true).open(self.file()).unwrap().set_modified(time).unwrap();
    }

    fn time(&self) -> SystemTime {
        self.file().metadata().unwrap().modified().unwrap()
    }

    fn is_marked(&self) -> bool {
        self.file().metadata().unwrap().mtime_nsec() == i64::from(nanoseconds(&digest()))
    }

    fn is_missing(&self) -> bool {
        !self.store.blobs().missing(&[digest()]).is_empty()
    }

    /// The same data directory in another process, which has read nothing yet.
    fn start_again(self) -> Self {
        drop(self.store);
        Self { store: Store::open(self.folder.path(), Durability::Relaxed).unwrap(), folder: self.folder }
    }
}

fn digest() -> Digest {
    Digest::of(CONTENT)
}

/// A byte that was written over in place, at the same size, makes the blob missing at once: who asks sends it again.
#[test]
fn written_over() {
    let test = TestStore::new();
    assert!(test.is_marked() && !test.is_missing());
    test.flip();
    assert!(test.is_missing());
    assert_eq!((test.store.blobs().damages_seen(), test.file().exists()), (1, false));
    assert_eq!(test.put(), 1);
    assert!(test.is_marked() && !test.is_missing());
}

/// So it is after a start, with a file of another blob of that size in its place, and for who uploads without asking.
#[test]
fn put_in_its_place() {
    let test = TestStore::new().start_again();
    let other = [b'x'; CONTENT.len()];
    let mut batch = test.store.blobs().batch().unwrap();
    let mut writer = batch.begin(Digest::of(&other), other.len() as u64).unwrap();
    writer.write(&other).unwrap();
    writer.finish().unwrap();
    batch.commit().unwrap();
    fs::rename(blob_file(test.folder.path(), &other), test.file()).unwrap();
    assert_eq!(test.put(), 1);
    assert_eq!(fs::read(test.file()).unwrap(), CONTENT);
}

/// A deployment is not staged on a file that somebody wrote to.
#[test]
fn staged() {
    let test = TestStore::new();
    let site = TestSite::new("site").file("a.txt", CONTENT);
    test.flip();
    let error = site.stage(&test.store, noon()).unwrap_err().downcast::<StageError>().unwrap();
    assert!(matches!(*error, StageError::MissingBlobs(missing) if missing == [digest()]));
}

/// A file that lost its mark, as in a copy without times, is read once, found right and marked again. One that is marked is not read:
/// what changes bytes and no times is below the file system, and is found by reading alone.
#[test]
fn read_once() {
    let test = TestStore::new();
    let long_ago = SystemTime::UNIX_EPOCH;
    test.set_time(long_ago);
    let opened = test.store.blobs().open(&digest()).unwrap().into_verified();
    assert!(!test.is_missing() && test.is_marked());
    assert!(opened.is_unchanged(), "who is being sent the file gets the rest of it");
    assert_eq!(test.store.blobs().damages_seen(), 0);

    let marked = test.time();
    test.flip();
    test.set_time(marked);
    let test = test.start_again();
    assert!(!test.is_missing());
    assert!(matches!(test.store.blobs().read(&digest()), Err(BlobError::Corrupt { .. })));
    assert!(test.is_missing());
}

/// Marks are of times that there are, never of one without a fraction, and of a blob.
#[test]
fn marks() {
    let digests = |first: [u8; 4]| {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&first);
        nanoseconds(&Digest::from_bytes(bytes))
    };
    assert_eq!([digests([0; 4]), digests([0, 0, 0, 1])], [1, 2]);
    assert!((1..SECOND).contains(&digests([255; 4])));
}

/// What stands in a blob's place and is no file does not count as the blob, so that a deploy of it fails and says why.
#[test]
fn no_file() {
    let test = TestStore::new();
    fs::remove_file(test.file()).unwrap();
    fs::create_dir(test.file()).unwrap();
    assert!(test.is_missing());
    let mut batch = test.store.blobs().batch().unwrap();
    let mut writer = batch.begin(digest(), CONTENT.len() as u64).unwrap();
    writer.write(CONTENT).unwrap();
    writer.finish().unwrap();
    assert!(batch.commit().is_err());
}
