//! Opening a data directory: what it makes, what it refuses, what it repairs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ship_core::Digest;

use super::*;

fn open(path: &Path) -> Result<Store, OpenError> {
    Store::open(path, Durability::Durable)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A new data directory has the documented layout, readable by nobody else.
#[test]
fn layout() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("deep/data");
    let store = open(&data).unwrap();
    let expected = [
        "VERSION",
        "blobs",
        "functions",
        "lock",
        "logs",
        "quarantine",
        "reserve",
        "state.db",
        "state.db-shm",
        "state.db-wal",
        "tmp",
    ];
    assert_eq!(names(&data), expected);
    assert_eq!(fs::read_to_string(data.join("VERSION")).unwrap(), "1\n");
    assert_eq!(mode(&data), 0o700);
    for name in expected {
        let path = data.join(name);
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{name}");
    }
    assert_eq!(store.data_dir(), data);
}

/// One host at a time: the second learns the pid of the first, and may open when the first has gone.
#[test]
fn second_host_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let first = open(data.path()).unwrap();
    let clone = first.clone();
    drop(first);
    let error = open(data.path()).unwrap_err();
    let expected = format!("the data directory {} is in use by process {}", data.path().display(), std::process::id());
    assert_eq!(error.to_string(), expected);
    drop(clone);
    open(data.path()).unwrap();
}

/// A directory of a newer ship is refused, and nothing in it is touched.
#[test]
fn newer_layout_is_not_touched() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("VERSION"), "2\n").unwrap();
    fs::create_dir(data.path().join("tmp")).unwrap();
    fs::write(data.path().join("tmp/unfinished"), "").unwrap();
    let error = open(data.path()).unwrap_err();
    let expected = format!(
        "the data directory {} was written by a newer ship: version 2, this one knows 1",
        data.path().display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(names(data.path()), ["VERSION", "tmp"]);
    assert_eq!(names(&data.path().join("tmp")), ["unfinished"]);
}

/// A folder that has the store's names but is no data directory is not adopted: opening would empty its `tmp`.
#[test]
fn foreign_folder_is_not_adopted() {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("tmp")).unwrap();
    fs::write(data.path().join("tmp/letter"), "dear").unwrap();
    assert!(matches!(open(data.path()), Err(OpenError::NotADataDirectory { .. })));
    assert_eq!(fs::read_to_string(data.path().join("tmp/letter")).unwrap(), "dear");
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("VERSION"), "one").unwrap();
    assert!(matches!(open(data.path()), Err(OpenError::NotADataDirectory { .. })));
}

/// What an earlier process left half written is gone after the next start, also where it is read-only.
#[test]
fn unfinished_work_is_cleared() {
    let data = tempfile::tempdir().unwrap();
    drop(open(data.path()).unwrap());
    let unfinished = data.path().join("tmp/function-1/lib");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("a"), "").unwrap();
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o555)).unwrap();
    fs::write(data.path().join("tmp/blob-1-1"), "half").unwrap();
    drop(open(data.path()).unwrap());
    assert_eq!(names(&data.path().join("tmp")), Vec::<String>::new());
}

/// A start that dies anywhere leaves a directory that the next start can use.
#[test]
fn first_start_may_die_anywhere() {
    use crate::disk::faulty::{Fault, FaultyDisk, Lost};
    for nth in 1.. {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("deep/data");
        let disk = Arc::new(FaultyDisk::new(nth, Fault::Dead));
        let opened = Store::open_on(&data, Durability::Relaxed, Arc::clone(&disk) as Arc<dyn FileSystem>);
        assert_eq!(opened.is_err(), disk.has_failed());
        drop(opened);
        disk.cut_power(Lost::Content);
        drop(Store::open(&data, Durability::Relaxed).unwrap());
        if !disk.has_failed() {
            break;
        }
    }
}

/// A store whose database was taken away, cut to nothing, or copied without the log beside it does not start as an empty one, which would
/// forget what was acknowledged, and have it collected.
#[test]
fn lost_state_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let mut batch = store.blobs().batch().unwrap();
    let mut blob = batch.begin(Digest::of(b"content"), 7).unwrap();
    blob.write(b"content").unwrap();
    blob.finish().unwrap();
    batch.commit().unwrap();
    drop(store);
    let state = folder.path().join("state.db");
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    let lost = || {
        let error = Store::open(folder.path(), Durability::Durable).unwrap_err();
        assert!(matches!(error, OpenError::StateLost { .. }), "{error}");
    };
    lost();
    assert!(!state.exists());
    std::fs::write(&state, "").unwrap();
    lost();
    assert_eq!(std::fs::read(&state).unwrap(), b"");
    let without_its_log = rusqlite::Connection::open(&state).unwrap();
    without_its_log.pragma_update(None, "journal_mode", "wal").unwrap();
    drop(without_its_log);
    lost();
}
