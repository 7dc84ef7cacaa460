//! What an examination finds, and what it leaves alone.

use std::fs;

use super::*;
use crate::Durability;
use crate::testing::{TestSite, blob_file, flip, noon, overwrite};

struct TestStore {
    folder: tempfile::TempDir,
    store: Store,
}

impl TestStore {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        Self { folder, store }
    }

    fn file_of(&self, content: &[u8]) -> std::path::PathBuf {
        blob_file(self.folder.path(), content)
    }

    fn fsck(&self) -> FsckReport {
        self.store.fsck().unwrap()
    }
}

fn first() -> TestSite {
    TestSite::new("site").file("index.html", "one").file("a.txt", "shared").function("#!first")
}

fn second() -> TestSite {
    TestSite::new("other").file("b.txt", "shared").file("copy/b.txt", "shared")
}

/// Everything is read, in small steps or at once, and a store that is fine is said to be.
#[test]
fn clean() {
    let test = TestStore::new();
    let sites = [first(), second()];
    for site in &sites {
        site.deploy(&test.store, noon()).unwrap();
    }
    let report = test.fsck();
    assert!(report.is_clean(), "{report:?}");
    // Two manifests, `one`, `shared` and the artifact.
    assert_eq!((report.deployments, report.blobs, &report.leftovers), (2, 5, &Leftovers::default()));
    let mut steps = test.store.examine().unwrap();
    let mut number = 0;
    while steps.advance(1) == Progress::More {
        number += 1;
    }
    assert!(number >= 5, "{number} steps");
    assert_eq!(steps.finish().unwrap(), report);
}

/// A flipped, a shortened and a deleted blob are listed with the deployments that they touch; none of them is read as if
/// it were good, and uploading them heals.
#[test]
fn damaged_blobs() {
    let test = TestStore::new();
    let (first, second) = (first(), second());
    let ids = [&first, &second].map(|site| site.deploy(&test.store, noon()).unwrap());
    flip(&test.file_of(b"shared"));
    overwrite(&test.file_of(b"one"), b"on");
    let manifest = second.manifest().to_canonical_json();
    fs::remove_file(test.file_of(&manifest)).unwrap();

    let report = test.fsck();
    let touched = |site: &TestSite, id: usize, uses: &[&str]| Touched {
        id: ids[id],
        project: site.project.clone(),
        used_as: uses.iter().map(|used| (*used).to_owned()).collect(),
    };
    let damaged =
        |content: &[u8], fault, touches| DamagedBlob { digest: Digest::of(content), fault, variant_of: None, touches };
    let mut expected = [
        // What the second one needs besides is not known without its manifest.
        damaged(b"shared", BlobFault::Corrupt, vec![touched(&first, 0, &["/a.txt"])]),
        damaged(b"one", BlobFault::Corrupt, vec![touched(&first, 0, &["/index.html"])]),
        damaged(&manifest, BlobFault::Missing, vec![touched(&second, 1, &["manifest"])]),
    ];
    expected.sort_by_key(|blob| blob.digest);
    assert_eq!(report.damaged, expected);
    assert!(!report.is_clean());
    for content in [&b"shared"[..], b"one", &manifest] {
        assert!(test.store.blobs().read(&Digest::of(content)).is_err());
    }
    assert_eq!(report.leftovers.set_aside, 2);
    let again = test.fsck();
    assert!(again.damaged.iter().all(|blob| blob.fault == BlobFault::Missing), "{again:?}");
    assert_eq!(again.damaged.len(), 3);

    for site in [&first, &second] {
        site.deploy(&test.store, noon()).unwrap();
        assert!(site.is_whole(&test.store));
    }
    assert!(test.fsck().is_clean());
}

/// A damaged artifact touches its function. What was unpacked from it before goes on.
#[test]
fn damaged_artifact() {
    let test = TestStore::new();
    let site = first();
    site.deploy(&test.store, noon()).unwrap();
    let artifact = site.contents().last().unwrap();
    flip(&test.file_of(artifact));
    let report = test.fsck();
    assert_eq!(report.damaged.len(), 1);
    assert_eq!(report.damaged[0].touches[0].used_as, ["api/date"]);
    assert_eq!(report.functions, []);
    assert!(test.store.functions().unpacked(&site.artifact()).is_some());
}

/// An unpacked function that is not what its artifact says is listed and unpacked anew: other bytes, another mode, a file
/// that is gone, one more, and the whole folder.
#[test]
fn damaged_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let test = TestStore::new();
    let site = first();
    site.deploy(&test.store, noon()).unwrap();
    let folder = test.store.functions().unpack(&site.artifact()).unwrap();
    let program = folder.join("bootstrap");
    let open_up = || fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let damages: [&dyn Fn(); 5] = [
        &|| flip(&program),
        &|| fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap(),
        &|| {
            open_up();
            fs::remove_file(&program).unwrap();
        },
        &|| {
            open_up();
            fs::write(folder.join("surplus"), "").unwrap();
        },
        &|| {
            open_up();
            fs::remove_dir_all(&folder).unwrap();
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        damage();
        let report = test.fsck();
        assert_eq!(report.functions.len(), 1, "damage {number}: {report:?}");
        assert_eq!((&report.functions[0].folder, report.is_clean()), (&site.artifact().folder(), false));
        assert_eq!(fs::read(&program).unwrap(), b"#!first");
        assert!(test.fsck().is_clean(), "damage {number} is mended");
    }
}

/// A damaged compressed form is said to be one, and is made anew.
#[test]
fn damaged_variant() {
    let test = TestStore::new();
    let repetitive = "the same again and ".repeat(100);
    let site = TestSite::new("site").file("a.txt", &repetitive);
    site.deploy(&test.store, noon()).unwrap();
    let digest = Digest::of(repetitive.as_bytes());
    let brotli = test.store.blobs().make_variants(&digest).unwrap().brotli.unwrap();
    let report = test.fsck();
    assert!(report.is_clean() && report.leftovers == Leftovers::default(), "{report:?}");

    let file = test.folder.path().join("blobs").join(crate::data_dir::blob_name(&brotli.digest));
    flip(&file);
    let report = test.fsck();
    assert_eq!((report.damaged.len(), report.damaged[0].digest), (1, brotli.digest));
    assert_eq!(test.store.blobs().make_variants(&digest).unwrap().brotli, Some(brotli));
    assert!(test.fsck().is_clean());
}

/// What nobody needs is counted and harms nobody; what is damaged of it is said all the same.
#[test]
fn leftovers() {
    let test = TestStore::new();
    let (first, second) = (first(), second());
    for site in [&first, &second] {
        site.deploy(&test.store, noon()).unwrap();
    }
    test.store.deployments().remove_project(&first.project, noon()).unwrap();
    fs::write(test.folder.path().join("blobs/notes.txt"), "").unwrap();
    let report = test.fsck();
    let bytes = b"one".len() + first.contents().last().unwrap().len() + first.manifest().to_canonical_json().len();
    let strays = vec![test.folder.path().join("blobs/notes.txt").display().to_string()];
    let expected = Leftovers { blobs: 3, blob_bytes: bytes as u64, functions: 1, strays, ..Leftovers::default() };
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.leftovers, expected);
    flip(&test.file_of(b"one"));
    let damaged = test.fsck().damaged;
    assert_eq!((damaged.len(), &damaged[0].touches), (1, &Vec::new()));
}

/// A deployment that is removed while everything is read is no loss.
#[test]
fn removed_meanwhile() {
    let test = TestStore::new();
    let (first, second) = (first(), second());
    for site in [&first, &second] {
        site.deploy(&test.store, noon()).unwrap();
    }
    let mut examination = test.store.examine().unwrap();
    test.store.deployments().remove_project(&first.project, noon()).unwrap();
    fs::remove_file(test.file_of(b"one")).unwrap();
    while examination.advance(u64::MAX) == Progress::More {}
    let report = examination.finish().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(test.store.blobs().damages_seen(), 0);
}

/// A state database with a damaged page says so, and nothing else is judged by it.
#[test]
fn damaged_state() {
    let TestStore { folder, store } = TestStore::new();
    for number in 0..50 {
        TestSite::new("site").file("a.txt", number.to_string()).deploy(&store, noon()).unwrap();
    }
    drop(store);
    let path = folder.path().join("state.db");
    let mut bytes = fs::read(&path).unwrap();
    // Behind the first page, which says what the file is.
    bytes[4096 * 2..4096 * 6].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    let report = store.fsck().unwrap();
    assert!(!report.state.is_empty() && !report.is_clean(), "{report:?}");
    assert_eq!(report.leftovers, Leftovers::default());
}
