//! Backups: what comes back is what was saved, and nothing comes of an archive that is not whole and right.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::Connection;
use ship_core::route::RouteTable;
use ship_core::{Asset, Digest, Manifest, ProjectName, Target};
use tar::{Builder, EntryType, Header};

use super::*;
use crate::{Durability, PublishOptions, Republish, StageRequest, Store};

/// A store with two deployments, one of whose files is shared, and a folder for what is made of it.
struct Stage {
    folder: tempfile::TempDir,
    store: Store,
}

/// An entry of an archive that a test writes: its name, what kind it is, and its bytes.
type RawEntry = (Vec<u8>, EntryType, Vec<u8>);

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), Durability::Relaxed).unwrap();
        let stage = Self { folder, store };
        stage.publish(&["one", "shared"]);
        stage.publish(&["two", "shared"]);
        stage
    }

    fn publish(&self, pages: &[&str]) {
        let project: ProjectName = "site".parse().unwrap();
        let mut batch = self.store.blobs().batch().unwrap();
        for page in pages {
            let mut writer = batch.begin(Digest::of(page.as_bytes()), page.len() as u64).unwrap();
            writer.write(page.as_bytes()).unwrap();
            writer.finish().unwrap();
        }
        batch.commit().unwrap();
        let assets = pages.iter().map(|page| Asset {
            path: format!("{page}.html").parse().unwrap(),
            digest: Digest::of(page.as_bytes()),
            size_bytes: page.len() as u64,
            media_type: "text/html".parse().unwrap(),
        });
        let manifest = Manifest::new(assets.collect(), Vec::new(), RouteTable::default(), Vec::new()).unwrap();
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let source = crate::DeploymentSource { branch: None, commit: None };
        let canonical_json = &manifest.to_canonical_json();
        let request = StageRequest {
            project: &project,
            manifest: &manifest,
            canonical_json,
            source,
            target: Target::Production,
            at,
        };
        let staged = self.store.deployments().stage(request).unwrap();
        let options = PublishOptions { target: Target::Production, branch: None, republish: Republish::IfChanged, at };
        self.store.deployments().publish(staged, options).unwrap();
    }

    fn archive(&self) -> Vec<u8> {
        let mut archive = Vec::new();
        Backup::prepare(&self.store).unwrap().0.write(&mut archive).unwrap();
        archive
    }

    /// Restores an archive to a new folder: what came of it, and the folder.
    fn restore(&self, archive: &[u8]) -> (Result<Restored, RestoreError>, PathBuf) {
        let path = self.folder.path().join("archive.tar");
        fs::write(&path, archive).unwrap();
        let data = self.folder.path().join("restored");
        let _ = fs::remove_dir_all(&data);
        (restore(&data, &path), data)
    }

    /// What is wrong with an archive, after seeing that nothing came of it.
    fn fault(&self, archive: &[u8]) -> Fault {
        let (restored, data) = self.restore(archive);
        let RestoreError::Archive { fault, .. } = restored.unwrap_err() else { panic!("another error") };
        assert_eq!(names(&data), ["lock"], "nothing is left of {fault}");
        fault
    }
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn entries_of(archive: &[u8]) -> Vec<RawEntry> {
    let mut tar = tar::Archive::new(archive);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let (name, kind) = (entry.path_bytes().into_owned(), entry.header().entry_type());
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (name, kind, bytes)
    };
    tar.entries().unwrap().raw(true).map(read).collect()
}

fn archive_of(entries: &[RawEntry]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        // Whatever the library thinks of the name.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        tar.append(&header, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// What comes back is what was saved: deployments, their ids and order, aliases, every byte; for the account alone.
#[test]
fn round_trip() {
    let stage = Stage::new();
    let archive = stage.archive();
    assert_eq!(archive, stage.archive(), "the same state gives the same archive");
    // Published after the copy: not in it.
    let (backup, report) = Backup::prepare(&stage.store).unwrap();
    stage.publish(&["three"]);
    let mut archive = Vec::new();
    backup.write(&mut archive).unwrap();
    assert_eq!((report.deployments, report.blobs), (2, 5));
    assert_eq!(names(&stage.folder.path().join("data/tmp")), [] as [&str; 0]);

    let (restored, data) = stage.restore(&archive);
    assert_eq!(
        restored.unwrap(),
        Restored { deployments: 2, blobs: 5, blob_bytes: report.blob_bytes, sealed_values: 0 }
    );
    assert_eq!(names(&data), ["VERSION", "blobs", "lock", "state.db"]);
    for name in ["blobs", "state.db"] {
        assert_eq!(fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o077, 0, "{name}");
    }
    let store = Store::open(&data, Durability::Relaxed).unwrap();
    let mut saved = stage.store.deployments().list(None, 10).unwrap();
    saved.remove(0);
    let back = store.deployments().list(None, 10).unwrap();
    assert_eq!(
        format!("{:?}", back.iter().map(|one| &one.record).collect::<Vec<_>>()),
        format!("{:?}", saved.iter().map(|one| &one.record).collect::<Vec<_>>())
    );
    for page in ["one", "two", "shared"] {
        assert_eq!(store.blobs().read(&Digest::of(page.as_bytes())).unwrap(), page.as_bytes());
    }
    assert_eq!(store.blobs().missing(&[Digest::of(b"three")]).len(), 1);
}

/// A blob that is damaged or missing ends a backup, and the copy of the state is removed.
#[test]
fn damaged_blobs() {
    let stage = Stage::new();
    let hex = Digest::of(b"shared").to_hex();
    let path = stage.folder.path().join("data/blobs").join(&hex[..2]).join(&hex[2..]);
    let (backup, _) = Backup::prepare(&stage.store).unwrap();
    fs::write(&path, "SHARED").unwrap();
    let error = backup.write(std::io::sink()).unwrap_err();
    assert!(matches!(error, BackupError::Blob(crate::BlobError::Corrupt { .. })), "{error:?}");
    let error = Backup::prepare(&stage.store).unwrap_err();
    assert!(matches!(error, BackupError::Blob(crate::BlobError::Missing { .. })), "{error:?}");
    assert_eq!(names(&stage.folder.path().join("data/tmp")), [] as [&str; 0]);
}

/// While a backup is made no blob is removed.
#[test]
fn keeps_blobs() {
    let stage = Stage::new();
    let (backup, _) = Backup::prepare(&stage.store).unwrap();
    assert!(stage.store.clear_blobs().is_none());
    backup.write(std::io::sink()).unwrap();
    assert!(stage.store.clear_blobs().is_some());
}

/// Wherever an archive is cut off, nothing comes of it.
#[test]
fn cut_off() {
    let stage = Stage::new();
    let archive = stage.archive();
    // The two empty blocks at the end say only that nothing follows.
    let end = archive.len() - 1024;
    for length in (0..end).step_by(512).chain([1, 511, 513, end - 1]) {
        let fault = stage.fault(&archive[..length]);
        let expected = [Fault::NoBackup, Fault::CutOff, Fault::ForeignState { reason: String::new() }];
        let is_expected = expected.iter().any(|one| std::mem::discriminant(one) == std::mem::discriminant(&fault));
        assert!(is_expected, "{length} of {end} bytes: {fault:?}");
    }
    stage.restore(&archive[..end]).0.unwrap();
}

/// A changed byte anywhere but in padding and in what heads say of owners is found.
#[test]
fn changed_bytes() {
    let stage = Stage::new();
    let entries = entries_of(&stage.archive());
    for (number, (name, _, bytes)) in entries.iter().enumerate().skip(1) {
        for position in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = entries.clone();
            changed[number].2[position] ^= 1;
            let name = String::from_utf8(name.clone()).unwrap();
            assert_eq!(stage.fault(&archive_of(&changed)), Fault::Damaged { name });
        }
    }
}

/// Entries that do not belong there: outside of the folder, twice, in another order, links, more than was announced.
#[test]
fn hostile_entries() {
    let stage = Stage::new();
    let entries = entries_of(&stage.archive());
    let unexpected = |entries: &[RawEntry]| match stage.fault(&archive_of(entries)) {
        Fault::UnexpectedEntry { name } => name,
        fault => panic!("{fault:?}"),
    };
    let mut twice = entries.clone();
    twice[3] = twice[2].clone();
    assert_eq!(unexpected(&twice).as_bytes(), entries[2].0);
    let mut swapped = entries.clone();
    swapped.swap(2, 3);
    assert_eq!(unexpected(&swapped).as_bytes(), entries[2].0);
    let mut more = entries.clone();
    more.push((b"blobs/../../outside".to_vec(), EntryType::Regular, b"x".to_vec()));
    assert_eq!(unexpected(&more), "blobs/../../outside");
    for name in ["blobs/../../outside", "/etc/passwd", "../outside", "blobs/aa", "", "state.db", "VERSION"] {
        let mut hostile = entries.clone();
        hostile[2].0 = name.as_bytes().to_vec();
        assert_eq!(unexpected(&hostile), name);
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
        EntryType::Fifo,
        EntryType::GNULongName,
        EntryType::XHeader,
    ] {
        let mut hostile = entries.clone();
        hostile[2].1 = kind;
        assert_eq!(unexpected(&hostile).as_bytes(), entries[2].0, "{kind:?}");
    }
    let mut without_state = entries.clone();
    without_state.remove(1);
    assert_eq!(unexpected(&without_state).as_bytes(), entries[2].0);
    assert!(!stage.folder.path().join("outside").exists());
}

/// What is no backup, and what a newer ship wrote.
#[test]
fn other_files() {
    let stage = Stage::new();
    for other in [b"".as_slice(), b"no archive", &[0; 4096], &[0xff; 4096]] {
        assert_eq!(stage.fault(other), Fault::NoBackup);
    }
    let entries = entries_of(&stage.archive());
    let described = |from: &str, to: &str| {
        let mut changed = entries.clone();
        let text = String::from_utf8(changed[0].2.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        changed[0].2 = text.replacen(from, to, 1).into_bytes();
        stage.fault(&archive_of(&changed))
    };
    assert_eq!(described("\"format\": 1", "\"format\": 9"), Fault::Newer { found: 9, known: 1 });
    assert_eq!(described("\"layout\": 1", "\"layout\": 7"), Fault::Newer { found: 7, known: 1 });
    assert!(matches!(described("\"schema\": ", "\"schema\": 9"), Fault::Newer { .. }));
    assert_eq!(described("\"blobs\": 5", "\"blobs\": 6"), Fault::CutOff);
    assert!(matches!(described("\"blobs\": 5", "\"blobs\": 4"), Fault::UnexpectedEntry { .. }));
    assert!(matches!(described("\"state_bytes\": ", "\"state_bytes\": 1"), Fault::Damaged { .. }));
}

/// A state that ship has not made: one with a trigger, one that names what is not there, what no host can read, or what is another's.
#[test]
fn foreign_state() {
    let stage = Stage::new();
    let entries = entries_of(&stage.archive());
    let with_state = |sql: &str| {
        let path = stage.folder.path().join("changed.db");
        fs::write(&path, &entries[1].2).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let bytes = fs::read(&path).unwrap();
        let mut description: serde_json::Value = serde_json::from_slice(&entries[0].2).unwrap();
        description["state"] = Digest::of(&bytes).to_string().into();
        description["state_bytes"] = bytes.len().into();
        let mut changed = entries.clone();
        (changed[0].2, changed[1].2) = (serde_json::to_vec(&description).unwrap(), bytes);
        stage.fault(&archive_of(&changed))
    };
    let trigger = "CREATE TRIGGER t AFTER INSERT ON tokens BEGIN DELETE FROM aliases; END";
    assert!(matches!(with_state(trigger), Fault::ForeignState { .. }));
    assert!(matches!(with_state("PRAGMA user_version = 0"), Fault::ForeignState { .. }));
    let other = Digest::of(b"elsewhere");
    let foreign = |sql: &str| match with_state(sql) {
        Fault::ForeignState { reason } => reason,
        other => panic!("{other}"),
    };
    let project = "UPDATE deployments SET project = '../evil'; UPDATE aliases SET project = '../evil'";
    assert!(foreign(project).starts_with("`project` of `deployments` cannot be read: "), "{}", foreign(project));
    let blob = "INSERT INTO project_blobs VALUES ('site', x'00')";
    assert!(foreign(blob).starts_with("`digest` of `project_blobs` cannot be read: "), "{}", foreign(blob));
    let time = format!("UPDATE aliases SET moved_at = {}", i64::MAX);
    assert!(foreign(&time).starts_with("`moved_at` of `aliases` cannot be read: "), "{}", foreign(&time));
    let version = "UPDATE aliases SET version = 7 WHERE label = 'site'";
    assert_eq!(foreign(version), "the label `site` does not lead to where its log says");
    let triggers: String = Connection::open(stage.folder.path().join("data/state.db"))
        .unwrap()
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'alias_log_is_never_changed'", [], |row| row.get(0))
        .unwrap();
    let circle = format!(
        "DROP TRIGGER alias_log_is_never_changed; UPDATE alias_log SET previous = sequence WHERE label = 'site'; {triggers}"
    );
    assert_eq!(foreign(&circle), "the label `site` would be rolled back to a move that came later");
    let swapped = "UPDATE deployments SET manifest = (SELECT manifest FROM deployments ORDER BY sequence DESC LIMIT 1)";
    assert!(foreign(swapped).ends_with("is another one's"), "{}", foreign(swapped));
    let names_another = format!("UPDATE deployments SET manifest = '{other}'");
    assert!(matches!(with_state(&names_another), Fault::MissingBlob { digest, .. } if digest == other));
}

/// What is there is left alone, but for the key of secrets and what an earlier attempt has left.
#[test]
fn not_empty() {
    let stage = Stage::new();
    let archive = stage.folder.path().join("archive.tar");
    fs::write(&archive, stage.archive()).unwrap();
    let data = stage.folder.path().join("other");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("precious"), "x").unwrap();
    let error = restore(&data, &archive).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is not empty: `precious` is there", data.display()));
    assert_eq!(names(&data), ["precious"]);
    fs::rename(data.join("precious"), data.join("secrets.key")).unwrap();
    fs::create_dir_all(data.join("restoring/blobs/ab")).unwrap();
    restore(&data, &archive).unwrap();
    assert_eq!(names(&data), ["VERSION", "blobs", "lock", "secrets.key", "state.db"]);
    assert!(matches!(restore(&data, &archive), Err(RestoreError::NotEmpty { .. })));
    let used = stage.folder.path().join("data");
    assert!(matches!(restore(&used, &archive), Err(RestoreError::NotEmpty { .. })));
}
