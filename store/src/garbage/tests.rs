//! What is collected, what is not, and which deployments are so old that they go.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use ship_core::Target;

use super::*;
use crate::testing::{TestSite, blob_file, flip, noon};
use crate::{AuditEntry, AuditFilter, AuditNote, AuditOutcome, Durability, Retention};

mod soak;

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

    fn collect(&self) -> Garbage {
        self.store.collect_garbage(Collection::Remove, &HashSet::new()).unwrap()
    }

    fn deploy(&self, site: &TestSite) -> DeploymentId {
        site.deploy(&self.store, noon()).unwrap()
    }

    fn is_stored(&self, content: &[u8]) -> bool {
        blob_file(self.folder.path(), content).exists()
    }
}

fn heap(contents: &[&[u8]]) -> Heap {
    Heap { number: contents.len() as u64, bytes: contents.iter().map(|content| content.len() as u64).sum() }
}

/// What a removed deployment alone needed goes, with its compressed forms and its unpacked function; what another needs
/// stays. Looking first says the same and removes nothing.
#[test]
fn unneeded() {
    let test = TestStore::new();
    let repetitive = "the same again and ".repeat(100);
    let gone = TestSite::new("gone").file("a.txt", "shared").file("b.txt", &repetitive).function("#!gone");
    let stays = TestSite::new("stays").file("a.txt", "shared").function("#!stays");
    let id = test.deploy(&gone);
    test.deploy(&stays);
    let forms = test.store.blobs().make_variants(&Digest::of(repetitive.as_bytes())).unwrap();
    assert_eq!(test.collect(), Garbage::default());

    let artifact = gone.contents().last().unwrap();
    let form_bytes: u64 = [forms.brotli, forms.zstd, forms.gzip].map(|form| form.unwrap().size_bytes).iter().sum();
    let manifest = gone.manifest().to_canonical_json();
    let own = heap(&[repetitive.as_bytes(), artifact, &manifest]);
    let variants = Heap { number: 3, bytes: form_bytes };
    let expected = Garbage {
        blobs: Heap { number: own.number + 3, bytes: own.bytes + form_bytes },
        variants,
        functions: heap(&[b"#!gone"]),
        ..Garbage::default()
    };
    let looked = test.store.collect_garbage(Collection::DryRun, &HashSet::from([id])).unwrap();
    assert_eq!(looked, expected);
    assert!(gone.is_whole(&test.store));

    test.store.deployments().remove_project(&gone.project, noon()).unwrap();
    assert_eq!(test.collect(), expected);
    assert!(!test.is_stored(repetitive.as_bytes()) && test.is_stored(b"shared"));
    assert!(stays.is_whole(&test.store));
    let report = test.store.fsck().unwrap();
    assert!(report.is_clean() && report.leftovers == crate::Leftovers::default(), "{report:?}");

    // What is gone comes back with the next deploy, compressed forms included.
    test.deploy(&gone);
    assert!(gone.is_whole(&test.store));
    assert_eq!(test.store.blobs().make_variants(&Digest::of(repetitive.as_bytes())).unwrap(), forms);
}

/// What was uploaded, or what a client was told to be here, stays until it is published, or until the client has not come
/// back for long. Then publishing says what is missing, and sending that is enough.
#[test]
fn uploads_under_way() {
    let test = TestStore::new();
    let old = TestSite::new("old").file("a.txt", "shared");
    test.deploy(&old);
    test.store.deployments().remove_project(&old.project, noon()).unwrap();
    let slow = TestSite::new("slow").file("a.txt", "shared").file("b.txt", "new");
    let digests = [b"shared".as_slice(), b"new"].map(Digest::of);
    assert_eq!(test.store.blobs().missing_for_upload(&digests), digests[1..]);
    TestSite::new("slow").file("b.txt", "new").upload(&test.store).unwrap();
    let garbage = test.collect();
    assert_eq!((garbage.blobs.number, garbage.spared), (1, heap(&[b"shared", b"new"])));

    test.store.blobs().age_leases();
    assert_eq!(test.collect().blobs, Heap::default());
    let staged = slow.stage(&test.store, noon()).unwrap();
    test.store.blobs().age_leases();
    test.store.blobs().age_leases();
    // No lease is left, but somebody is just publishing.
    assert_eq!(test.collect().blobs, Heap::default());
    drop(staged);
    assert_eq!(test.collect().blobs.number, 3);

    let error = slow.stage(&test.store, noon()).unwrap_err().downcast::<crate::StageError>().unwrap();
    assert!(matches!(*error, crate::StageError::MissingBlobs(missing) if missing.len() == 2));
    test.deploy(&slow);
    assert!(slow.is_whole(&test.store));
    assert_eq!(test.collect(), Garbage::default());
}

/// While a manifest cannot be read, nobody knows what its deployment needs, and nothing goes.
#[test]
fn unknown_needs() {
    let test = TestStore::new();
    let (damaged, removed) = (TestSite::new("a").file("a.txt", "a"), TestSite::new("b").file("b.txt", "b"));
    let id = test.deploy(&damaged);
    test.deploy(&removed);
    test.store.deployments().remove_project(&removed.project, noon()).unwrap();
    flip(&blob_file(test.folder.path(), &damaged.manifest().to_canonical_json()));
    for _ in 0..2 {
        let error = test.store.collect_garbage(Collection::Remove, &HashSet::new()).unwrap_err();
        assert!(matches!(error, CollectError::UnknownNeeds { id: unknown, .. } if unknown == id), "{error}");
    }
    assert!(test.is_stored(b"b") && test.is_stored(b"a"));
    test.deploy(&damaged);
    assert_eq!(test.collect().blobs.number, 2);
}

/// For which projects a blob was sent is forgotten with the blob, and no earlier: not while a deployment needs it, not while an
/// upload is about it, and not by looking. Who sends it again is its owner again.
#[test]
fn owners() {
    let test = TestStore::new();
    let site = TestSite::new("site").file("a.txt", "needed");
    test.deploy(&site);
    let contents: [&[u8]; 3] = [b"needed", b"under way", b"given up"];
    let digests = contents.map(Digest::of);
    let owned = || {
        let lacking = test.store.project_blobs().lacking(&site.project, &digests).unwrap();
        digests.map(|digest| !lacking.contains(&digest))
    };
    test.store.project_blobs().add(&site.project, &digests).unwrap();
    TestSite::new("site").file("b.txt", "under way").upload(&test.store).unwrap();

    test.store.collect_garbage(Collection::DryRun, &HashSet::new()).unwrap();
    assert_eq!(owned(), [true, true, true]);
    test.collect();
    assert_eq!(owned(), [true, true, false]);
    for _ in 0..2 {
        test.store.blobs().age_leases();
    }
    assert_eq!(test.collect().blobs, heap(&[b"under way"]));
    assert_eq!(owned(), [true, false, false]);
    test.store.project_blobs().add(&site.project, &digests[1..2]).unwrap();
    assert_eq!(owned(), [true, true, false]);
}

/// Damaged bytes stay as long as the right ones are missed.
#[test]
fn set_aside() {
    let test = TestStore::new();
    let site = TestSite::new("a").file("a.txt", "content");
    test.deploy(&site);
    flip(&blob_file(test.folder.path(), b"content"));
    assert!(test.store.blobs().read(&Digest::of(b"content")).is_err());
    assert_eq!(test.collect().set_aside, Heap::default());
    test.deploy(&site);
    assert_eq!(test.collect().set_aside, heap(&[b"content"]));
    assert_eq!(fs::read_dir(test.folder.path().join("quarantine")).unwrap().count(), 0);
}

fn day(number: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(24 * number)
}

fn number(site: &str, content: i64) -> TestSite {
    TestSite::new(site).file("a.txt", content.to_string())
}

fn expired(test: &TestStore, keep: u32, keep_days: u32, at: Timestamp) -> Vec<DeploymentId> {
    let expired = test.store.deployments().expired(Retention { keep, keep_days }, at).unwrap();
    expired.into_iter().map(|record| record.id).collect()
}

/// The newest of each branch stay, and so do those that are not old yet.
#[test]
fn retention() {
    let test = TestStore::new();
    let main: Vec<TestSite> = (0..5).map(|content| number("site", content).on("main").for_production()).collect();
    let fix: Vec<TestSite> = (10..13).map(|content| number("site", content).on("fix")).collect();
    let none: Vec<TestSite> = (20..23).map(|content| number("site", content)).collect();
    let mut ids = Vec::new();
    for sites in [&main, &fix, &none] {
        let deployed = (0..).zip(sites).map(|(on, site)| site.deploy(&test.store, day(on)).unwrap());
        ids.push(deployed.collect::<Vec<_>>());
    }
    // On day 100 all are old, so the newest two of each branch stay. Those of main were left by production a day after
    // they were made.
    assert_eq!(expired(&test, 2, 30, day(100)), [&ids[0][..3], &ids[1][..1], &ids[2][..1]].concat());
    assert_eq!(expired(&test, 100, 0, day(100)), []);
    assert_eq!(expired(&test, 0, 1_000, day(100)), []);
    // What production or a branch leads to stays, whatever is said; what no name leads to does not.
    assert_eq!(expired(&test, 0, 0, day(100)), [&ids[0][..4], &ids[1][..2], &ids[2][..]].concat());
    // The third of main was production from day 2 to 3.
    assert_eq!(expired(&test, 0, 97, day(100)), [&ids[0][..2], &ids[1][..2], &ids[2][..]].concat());

    let project = &main[0].project;
    let mut expiry = test.store.deployments().expiry(Retention { keep: 2, keep_days: 30 }, day(100)).unwrap();
    assert_eq!(expiry.remove_some().unwrap().len(), 5);
    assert_eq!(expiry.next_project(), None);
    assert_eq!(expired(&test, 2, 30, day(100)), []);
    // A rollback goes to what is left.
    assert_eq!(test.store.deployments().rollback(project, None, day(100)).unwrap().to, Some(ids[0][3]));
    test.collect();
    assert!(main[3..].iter().chain(&fix[1..]).chain(&none[1..]).all(|site| site.is_whole(&test.store)));
    assert!(test.store.fsck().unwrap().is_clean());
}

/// What was production until lately stays, however old it is and however many came after it.
#[test]
fn production_history() {
    let test = TestStore::new();
    let sites: Vec<TestSite> = (0..4).map(|content| number("site", content)).collect();
    for site in &sites {
        site.deploy(&test.store, day(0)).unwrap();
    }
    let project = &sites[0].project;
    test.store.deployments().promote(project, &sites[1].id(), day(50)).unwrap();
    test.store.deployments().rollback(project, Some(sites[2].id()), day(90)).unwrap();
    // The first was left on day 50, the second on day 90, the third is production, and the fourth never was.
    assert_eq!(expired(&test, 0, 30, day(100)), [sites[0].id(), sites[3].id()]);
    assert_eq!(expired(&test, 0, 60, day(100)), [sites[3].id()]);
    // A clock that goes back makes nothing older.
    assert_eq!(expired(&test, 0, 30, day(-400)), []);
    let options = crate::PublishOptions { target: Target::Preview, ..sites[3].publish_options(day(100)) };
    let options = crate::PublishOptions { branch: Some("late".parse().unwrap()), ..options };
    test.store.deployments().republish(&sites[3].id(), options).unwrap();
    assert_eq!(expired(&test, 0, 30, day(100)), [sites[0].id()]);
}

/// Each deployment that a policy removes stands in the audit log with its project and its id, also where nothing is to be noted of
/// the collection itself. What stays does not.
#[test]
fn expiry_is_noted() {
    let test = TestStore::new();
    let sites: Vec<TestSite> = (0..4).map(|content| number("site", content).on("main")).collect();
    let ids: Vec<DeploymentId> = sites.iter().map(|site| site.deploy(&test.store, day(0)).unwrap()).collect();
    let note = AuditNote::new(AuditEntry {
        at: day(100),
        token: None,
        peer: None,
        action: "garbage.collect",
        project: None,
        resource: None,
        outcome: AuditOutcome::Done,
        code: None,
    });
    note.withdraw();
    let deployments = test.store.deployments().noting(note);
    let remove = |keep| deployments.expiry(Retention { keep, keep_days: 30 }, day(100)).unwrap().remove_some();
    // The first is production, and the last is the newest of its branch.
    assert_eq!(remove(1).unwrap().len(), 2);
    let noted = || -> Vec<_> {
        let newest = test.store.audit().newest(&AuditFilter::default(), 10).unwrap();
        newest.into_iter().rev().map(|record| (record.action, record.project, record.resource)).collect()
    };
    let entry =
        |id: &DeploymentId| ("garbage.collect".to_owned(), Some("site".to_owned()), Some(id.as_str().to_owned()));
    assert_eq!(noted(), ids[1..3].iter().map(entry).collect::<Vec<_>>());
    assert_eq!(remove(1).unwrap(), []);
    assert_eq!(noted().len(), 2);
}
