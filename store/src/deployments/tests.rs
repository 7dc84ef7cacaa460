//! Publishing, promoting, rolling back and removing, told as stories.

use std::fs;
use std::sync::Barrier;

use jiff::Timestamp;
use ship_core::route::RouteTable;
use ship_core::{Asset, BranchName, Digest, Target};

use super::*;
use crate::blobs::BlobError;
use crate::disk::FileSystem;
use crate::disk::faulty::{Fault, FaultyDisk, Lost};
use crate::{Durability, Store};

/// A store with short words for what the stories do. Time stands still unless it is set.
pub(super) struct TestStore {
    pub(super) folder: tempfile::TempDir,
    store: Option<Store>,
    pub(super) now: Timestamp,
}

pub(super) fn project(name: &str) -> ProjectName {
    name.parse().unwrap()
}

pub(super) fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

pub(super) fn label(text: &str) -> HostLabel {
    text.parse().unwrap()
}

/// The manifest of a site with one page.
pub(super) fn site(content: &str) -> Manifest {
    let asset = Asset {
        path: "index.html".parse().unwrap(),
        digest: Digest::of(content.as_bytes()),
        size_bytes: content.len() as u64,
        media_type: "text/html".parse().unwrap(),
    };
    Manifest::new(vec![asset], Vec::new(), RouteTable::default(), Vec::new()).unwrap()
}

pub(super) fn id_of(project_name: &str, content: &str) -> DeploymentId {
    site(content).deployment_id(&project(project_name))
}

impl TestStore {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        Self { folder, store: Some(store), now: Timestamp::from_second(1_700_000_000).unwrap() }
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub(super) fn deployments(&self) -> &Deployments {
        self.store().deployments()
    }

    pub(super) fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Store::open(self.folder.path(), Durability::Relaxed).unwrap());
    }

    /// Opens the store on a disk whose operations count from the first after opening.
    fn reopen_on(&mut self, disk: &Arc<FaultyDisk>) {
        self.store = None;
        let opened = Store::open_on(self.folder.path(), Durability::Relaxed, Arc::clone(disk) as Arc<dyn FileSystem>);
        self.store = Some(opened.unwrap());
        disk.arm();
    }

    fn try_upload(&self, content: &str) -> Result<(), BlobError> {
        let mut batch = self.store().blobs().batch()?;
        let mut writer = batch.begin(Digest::of(content.as_bytes()), content.len() as u64)?;
        writer.write(content.as_bytes())?;
        writer.finish()?;
        batch.commit().map(drop)
    }

    pub(super) fn upload(&self, content: &str) {
        self.try_upload(content).unwrap();
    }

    /// Uploads, stages and publishes. Whether all of it was acknowledged.
    fn try_deploy(&self, name: &str, content: &str) -> bool {
        self.try_upload(content).is_ok()
            && self
                .stage(name, content)
                .is_ok_and(|staged| self.deployments().publish(staged, self.options(Target::Preview, None)).is_ok())
    }

    pub(super) fn stage(&self, name: &str, content: &str) -> Result<StagedDeployment, StageError> {
        let manifest = site(content);
        self.deployments().stage(StageRequest {
            project: &project(name),
            manifest: &manifest,
            canonical_json: &manifest.to_canonical_json(),
            source: DeploymentSource { branch: Some(branch("first")), commit: Some("c0ffee".to_owned()) },
            target: Target::Preview,
            at: self.now,
        })
    }

    pub(super) fn options(&self, target: Target, on: Option<&str>) -> PublishOptions {
        PublishOptions { target, branch: on.map(branch), republish: Republish::IfChanged, at: self.now }
    }

    pub(super) fn try_publish(
        &self,
        name: &str,
        content: &str,
        options: PublishOptions,
    ) -> Result<Published, PublishError> {
        self.upload(content);
        let staged = self.stage(name, content).unwrap();
        self.deployments().publish(staged, options)
    }

    pub(super) fn preview(&self, name: &str, content: &str, on: Option<&str>) -> Published {
        self.try_publish(name, content, self.options(Target::Preview, on)).unwrap()
    }

    pub(super) fn to_production(&self, name: &str, content: &str) -> DeploymentId {
        self.try_publish(name, content, self.options(Target::Production, None)).unwrap().record.id
    }

    fn roll_back(&self, name: &str) -> Result<DeploymentId, RollbackError> {
        self.deployments().rollback(&project(name), None, self.now).map(|moved| moved.to.unwrap())
    }

    /// Where each label points, by the beginning of the id.
    fn pointers(&self) -> Vec<(String, DeploymentId)> {
        let aliases = self.deployments().aliases().unwrap();
        aliases.into_iter().map(|alias| (alias.label.to_string(), alias.deployment)).collect()
    }

    fn log_length(&self, text: &str) -> usize {
        self.deployments().history(&label(text)).unwrap().len()
    }
}

/// The first deployment of a project is its production, the next one a preview that leaves production alone.
#[test]
fn first_deployment_becomes_production() {
    let test = TestStore::new();
    let first = test.preview("site", "one", Some("main"));
    let own = HostLabel::deployment(&project("site"), &first.record.id, 8);
    assert_eq!(
        first,
        Published {
            record: DeploymentRecord {
                id: id_of("site", "one"),
                project: project("site"),
                target: Target::Production,
                source: DeploymentSource { branch: Some(branch("first")), commit: Some("c0ffee".to_owned()) },
                published_by: None,
                author: None,
                subject: None,
                created_at: test.now,
                manifest: Digest::of(&site("one").to_canonical_json()),
                size_bytes: 3,
                own_label: own.clone(),
            },
            moves: [
                (own.clone(), AliasKind::Deployment),
                (label("site-git-main"), AliasKind::Branch(branch("main"))),
                (label("site"), AliasKind::Production),
            ]
            .map(|(label, kind)| AliasMove {
                label,
                kind,
                from: None,
                to: Some(id_of("site", "one")),
                version: 1,
                at: test.now,
                cause: MoveCause::Publish,
            })
            .into(),
            own_label: own,
            branch_label: Some(label("site-git-main")),
            production_label: Some(label("site")),
            first_of_project: true,
        }
    );
    let second = test.preview("site", "two", None);
    assert_eq!((second.branch_label, second.production_label, second.first_of_project), (None, None, false));
    assert_eq!(second.moves.len(), 1, "its own label and no other");
    assert_eq!(test.deployments().alias(&label("site")).unwrap().unwrap().deployment, first.record.id);
    let third = test.try_publish("site", "three", test.options(Target::Production, None)).unwrap();
    assert_eq!(third.production_label, Some(label("site")));
    assert_eq!(test.deployments().alias(&label("site")).unwrap().unwrap().deployment, third.record.id);
}

/// The same content published again is the same deployment, and changes nothing; from another branch it gains an alias
/// and keeps its first record; forced, each alias gets a row in its log.
#[test]
fn same_content_again() {
    let mut test = TestStore::new();
    let first = test.preview("site", "one", Some("main"));
    test.now = Timestamp::from_second(1_800_000_000).unwrap();
    let again = test.preview("site", "one", Some("main"));
    assert_eq!((&again.record, again.moves.len()), (&first.record, 0));
    assert_eq!(again.production_label, Some(label("site")));
    let elsewhere = test.preview("site", "one", Some("fix"));
    assert_eq!((&elsewhere.record, elsewhere.moves.len()), (&first.record, 1));
    assert_eq!(elsewhere.branch_label, Some(label("site-git-fix")));
    assert_eq!(test.log_length("site-git-main"), 1);
    let forced = PublishOptions { republish: Republish::Always, ..test.options(Target::Preview, Some("main")) };
    let forced = test.deployments().republish(&first.record.id, forced).unwrap().unwrap();
    let ends: Vec<_> = forced.moves.iter().map(|moved| (moved.from, moved.to, moved.version)).collect();
    let id = Some(first.record.id);
    assert_eq!(ends, [(id, id, 2), (id, id, 2)], "its own label and the branch");
    assert_eq!(test.log_length("site-git-main"), 2);
    assert_eq!(test.deployments().list(None, 10).unwrap().len(), 1);
    let unknown = test.deployments().republish(&id_of("site", "two"), test.options(Target::Preview, None));
    assert_eq!(unknown.unwrap(), None);
}

/// A deployment that lacks blobs is not staged, and says which; blobs whose size is a lie are named as well.
#[test]
fn staging_looks_at_every_blob() {
    let test = TestStore::new();
    let error = test.stage("site", "absent").unwrap_err();
    let StageError::MissingBlobs(missing) = error else { panic!("{error}") };
    assert_eq!(missing, [Digest::of(b"absent")]);
    assert!(test.deployments().get(&id_of("site", "absent")).unwrap().is_none());

    test.upload("present");
    let lying = site("present").to_canonical_json();
    let lying = String::from_utf8(lying).unwrap().replace("\"size_bytes\":7", "\"size_bytes\":8");
    let manifest = Manifest::from_json(lying.as_bytes()).unwrap();
    let error = test.deployments().stage(StageRequest {
        project: &project("site"),
        manifest: &manifest,
        canonical_json: lying.as_bytes(),
        source: DeploymentSource::default(),
        target: Target::Preview,
        at: test.now,
    });
    assert!(matches!(error, Err(StageError::WrongSize { announced_bytes: 8, stored_bytes: 7, .. })), "{error:?}");
}

/// A blob that lost bytes on the disk counts as missing when a deployment needs it.
#[test]
fn staging_notices_cut_blobs() {
    let test = TestStore::new();
    test.upload("present");
    let digest = Digest::of(b"present");
    let path = test.folder.path().join("blobs").join(crate::data_dir::blob_name(&digest));
    fs::write(path, "pres").unwrap();
    let error = test.stage("site", "present").unwrap_err();
    let StageError::MissingBlobs(missing) = error else { panic!("{error}") };
    assert_eq!((missing, test.store().blobs().missing(&[digest])), (vec![digest], vec![digest]));
    test.preview("site", "present", None);
}

/// What was staged and not published is not visible, however the host ends.
#[test]
fn staged_is_not_visible() {
    let mut test = TestStore::new();
    test.upload("one");
    let staged = test.stage("site", "one").unwrap();
    assert_eq!(*staged.id(), id_of("site", "one"));
    assert_eq!(test.deployments().get(staged.id()).unwrap(), None);
    test.reopen();
    assert_eq!(test.deployments().list(None, 10).unwrap(), []);
    assert_eq!(test.pointers(), []);
    let published = test.deployments().publish(staged, test.options(Target::Preview, None)).unwrap();
    assert_eq!(test.deployments().manifest(&published.record.id).unwrap(), site("one"));
}

/// Everything is there after the store was closed and opened again.
#[test]
fn reopened() {
    let mut test = TestStore::new();
    let first = test.preview("site", "one", Some("main"));
    test.to_production("site", "two");
    test.roll_back("site").unwrap();
    let (aliases, list) = (test.deployments().aliases().unwrap(), test.deployments().list(None, 10).unwrap());
    let history = test.deployments().history(&label("site")).unwrap();
    test.reopen();
    assert_eq!(test.deployments().aliases().unwrap(), aliases);
    assert_eq!(test.deployments().list(None, 10).unwrap(), list);
    assert_eq!(test.deployments().history(&label("site")).unwrap(), history);
    let causes: Vec<_> = history.iter().map(|moved| moved.cause).collect();
    assert_eq!(causes, [MoveCause::Publish, MoveCause::Publish, MoveCause::Rollback]);
    assert_eq!(test.deployments().get(&first.record.id).unwrap(), Some(first.record));
}

/// A host that dies at any operation of a deploy, with the power: what was acknowledged is complete, what is visible is
/// complete, and the same deploy succeeds afterwards.
#[test]
fn deploying_may_die_anywhere() {
    let mut test = TestStore::new();
    for nth in 1.. {
        let content = format!("round {nth}");
        let disk = Arc::new(FaultyDisk::working(nth, Fault::Dead));
        test.reopen_on(&disk);
        let published = test.try_deploy("site", &content);
        test.store = None;
        disk.cut_power(Lost::ContentAndNames);
        test.reopen();
        let id = id_of("site", &content);
        let record = test.deployments().get(&id).unwrap();
        assert!(record.is_some() || !published, "operation {nth}: lost");
        if record.is_some() {
            assert_eq!(test.deployments().manifest(&id).unwrap(), site(&content));
            assert_eq!(test.store().blobs().read(&Digest::of(content.as_bytes())).unwrap(), content.as_bytes());
        }
        assert_eq!(test.preview("site", &content, None).record.id, id);
        if !disk.has_failed() {
            assert!(published);
            break;
        }
    }
}

/// A damaged manifest is an error, not a wrong site.
#[test]
fn damaged_manifest() {
    let test = TestStore::new();
    let record = test.preview("site", "one", None).record;
    fs::write(test.folder.path().join("blobs").join(crate::data_dir::blob_name(&record.manifest)), "{}").unwrap();
    assert!(matches!(test.deployments().manifest(&record.id), Err(StateError::ManifestBlob { .. })));
    test.preview("site", "one", None);
    assert_eq!(test.deployments().manifest(&record.id).unwrap(), site("one"), "publishing again heals it");
    let unknown = id_of("site", "two");
    assert!(
        matches!(test.deployments().manifest(&unknown), Err(StateError::UnknownDeployment { id }) if id == unknown)
    );
}

/// Two branches that would give one label get two: the second has a digest. It keeps that label when the first is gone.
#[test]
fn colliding_branches() {
    let test = TestStore::new();
    test.preview("site", "production", None);
    let first = test.preview("site", "one", Some("feature/map"));
    let second = test.preview("site", "two", Some("feature-map"));
    assert_eq!(first.branch_label, Some(label("site-git-feature-map")));
    let with_digest = HostLabel::branch_with_digest(&project("site"), &branch("feature-map"));
    assert_eq!(second.branch_label, Some(with_digest.clone()));
    test.deployments().remove(&first.record.id, test.now).unwrap();
    assert_eq!(test.preview("site", "three", Some("feature-map")).branch_label, Some(with_digest));
    let late = test.preview("site", "four", Some("feature_map")).branch_label;
    assert_eq!(late, Some(label("site-git-feature-map")), "the free label goes to the next one");
}

/// A project cannot take the name of what is there, and the refused publish leaves nothing behind.
#[test]
fn taken_names() {
    let test = TestStore::new();
    test.preview("site", "one", Some("main"));
    let error = test.try_publish("site-git-main", "two", test.options(Target::Preview, None)).unwrap_err();
    assert_eq!(error.to_string(), "the label `site-git-main` belongs to branch `main` of project `site`");
    assert_eq!(test.deployments().get(&id_of("site-git-main", "two")).unwrap(), None);
    assert_eq!(test.pointers().len(), 3);
    test.preview("web-git-main", "three", None);
    let moved_aside = test.preview("web", "four", Some("main")).branch_label;
    assert_eq!(moved_aside, Some(HostLabel::branch_with_digest(&project("web"), &branch("main"))));
}

/// A deployment whose short label is taken gets a longer one.
#[test]
fn taken_own_label() {
    let test = TestStore::new();
    let id = id_of("site", "one");
    let squatter = HostLabel::deployment(&project("site"), &id, 8);
    test.preview(squatter.as_str(), "squatter", None);
    let published = test.preview("site", "one", None);
    assert_eq!(published.own_label, HostLabel::deployment(&project("site"), &id, 12));
    assert_eq!(test.deployments().get(&id).unwrap().unwrap().own_label, published.own_label);
    assert_eq!(test.preview("site", "one", None).moves, [], "and keeps it");
}

/// Rolling back goes back step by step, a publish after it goes on from there, and nothing lies before the first.
#[test]
fn rolling_back() {
    let test = TestStore::new();
    let [a, b, c] = ["a", "b", "c"].map(|content| test.to_production("site", content));
    assert_eq!(test.deployments().rollback_target(&project("site")).unwrap(), b);
    assert_eq!(test.roll_back("site").unwrap(), b);
    assert_eq!(test.deployments().rollback_target(&project("site")).unwrap(), a);
    assert_eq!(test.roll_back("site").unwrap(), a);
    let nowhere = test.deployments().rollback_target(&project("site"));
    assert!(matches!(nowhere, Err(RollbackError::NothingBefore { current, .. }) if current == a));
    let error = test.roll_back("site").unwrap_err();
    let expected = format!("project `site` had no production deployment before {} that still exists", a.short());
    assert_eq!(error.to_string(), expected);
    let d = test.to_production("site", "d");
    assert_eq!(test.roll_back("site").unwrap(), a, "not to what was rolled back before");
    test.deployments().promote(&project("site"), &c, test.now).unwrap();
    test.deployments().promote(&project("site"), &d, test.now).unwrap();
    assert_eq!(test.roll_back("site").unwrap(), c);
    assert_eq!(test.roll_back("site").unwrap(), a);
    assert!(matches!(test.roll_back("nothing"), Err(RollbackError::NoProduction { .. })));
}

/// Rolling back to a named deployment takes off all moves above it; to one that never was production, it is a promotion.
#[test]
fn rolling_back_to_one() {
    let test = TestStore::new();
    let [a, b, c] = ["a", "b", "c"].map(|content| test.to_production("site", content));
    let site_project = project("site");
    let to = |id| test.deployments().rollback(&site_project, Some(id), test.now);
    assert_eq!(to(a).unwrap().to, Some(a));
    assert!(matches!(test.roll_back("site"), Err(RollbackError::NothingBefore { current, .. }) if current == a));
    assert_eq!(to(c).unwrap().to, Some(c));
    assert_eq!(test.roll_back("site").unwrap(), a);
    let preview = test.preview("site", "preview", None).record.id;
    assert_eq!(to(preview).unwrap().to, Some(preview));
    assert_eq!(test.roll_back("site").unwrap(), a);
    let before = test.log_length("site");
    let stayed = to(a).unwrap();
    assert_eq!((stayed.from, stayed.to, test.log_length("site")), (Some(a), Some(a), before), "already there");
    let foreign = test.preview("other", "foreign", None).record.id;
    for unknown in [foreign, id_of("site", "never")] {
        let error = to(unknown).unwrap_err();
        assert_eq!(error.to_string(), format!("project `site` has no deployment {unknown}"));
    }
    test.deployments().remove(&b, test.now).unwrap();
    assert!(to(b).is_err());
}

/// Removed deployments are skipped, and forced publishes of the same one are one step.
#[test]
fn rolling_back_over_gaps() {
    let test = TestStore::new();
    let [a, b, c] = ["a", "b", "c"].map(|content| test.to_production("site", content));
    let forced = PublishOptions { republish: Republish::Always, ..test.options(Target::Production, None) };
    test.deployments().republish(&c, forced).unwrap();
    test.deployments().remove(&b, test.now).unwrap();
    assert_eq!(test.roll_back("site").unwrap(), a);
}

/// Promoting what is production already changes nothing; what does not exist is refused.
#[test]
fn promoting() {
    let test = TestStore::new();
    let a = test.to_production("site", "a");
    let b = test.preview("site", "b", None).record.id;
    let moved = test.deployments().promote(&project("site"), &b, test.now).unwrap();
    assert_eq!((moved.from, moved.to, moved.version, moved.cause), (Some(a), Some(b), 2, MoveCause::Promote));
    let stayed = test.deployments().promote(&project("site"), &b, test.now).unwrap();
    assert_eq!((stayed.from, stayed.to, stayed.version, test.log_length("site")), (Some(b), Some(b), 2, 2));
    let error = test.deployments().promote(&project("other"), &b, test.now).unwrap_err();
    assert!(matches!(error, PublishError::UnknownDeployment { .. }), "{error}");
}

/// Production is not removed. A removed deployment is gone with its labels; its branch falls back to the deployment
/// before it, and is gone with the last one. Published again, it is back.
#[test]
fn removing() {
    let test = TestStore::new();
    let production = test.to_production("site", "production");
    let [a, b] = ["a", "b"].map(|content| test.preview("site", content, Some("main")).record);
    let error = test.deployments().remove(&production, test.now).unwrap_err();
    assert_eq!(error.to_string(), format!("deployment {production} is the production of project `site`"));
    let removed = test.deployments().remove(&b.id, test.now).unwrap();
    let ends: Vec<_> = removed.moves.iter().map(|moved| (moved.label.to_string(), moved.to)).collect();
    assert_eq!(ends, [("site-git-main".to_owned(), Some(a.id)), (b.own_label.to_string(), None)]);
    assert_eq!(removed.record, b);
    assert_eq!(test.deployments().get(&b.id).unwrap(), None);
    assert!(matches!(test.deployments().remove(&b.id, test.now), Err(RemoveError::UnknownDeployment { .. })));
    test.deployments().remove(&a.id, test.now).unwrap();
    assert_eq!(test.deployments().alias(&label("site-git-main")).unwrap(), None);
    let back = test.preview("site", "b", Some("main"));
    let versions: Vec<_> = back.moves.iter().map(|moved| moved.version).collect();
    assert_eq!(versions, [3, 5], "versions go on where they left off");
}

/// A removed project is gone with everything but its log, and its name is free.
#[test]
fn removing_a_project() {
    let test = TestStore::new();
    let a = test.preview("site", "a", Some("main")).record.id;
    let b = test.preview("site", "b", Some("main")).record.id;
    let other = test.preview("other", "c", None);
    let domains = test.store().domains();
    domains.claim(&"a.example".parse().unwrap(), &project("site"), None, "proof", test.now).unwrap();
    assert_eq!(test.deployments().remove_project(&project("site"), test.now).unwrap(), [a, b]);
    assert_eq!(test.deployments().aliases_of(&project("site")).unwrap(), []);
    assert_eq!(domains.list(None).unwrap(), []);
    let left: Vec<_> = test.deployments().projects().unwrap().into_iter().map(|project| project.name).collect();
    assert_eq!(left, [project("other")]);
    assert_eq!(test.pointers().len(), 2);
    assert_eq!(test.log_length("site"), 2);
    let error = test.deployments().remove_project(&project("site"), test.now).unwrap_err();
    assert_eq!(error.to_string(), "there is no project `site`");
    assert!(test.preview("site", "a", None).first_of_project);
    assert!(matches!(test.roll_back("site"), Err(RollbackError::NothingBefore { .. })));
    assert_eq!(test.deployments().get(&other.record.id).unwrap(), Some(other.record));
}

/// Lists are newest first by the order of publishing, whatever the clock did, and carry the labels.
#[test]
fn listing() {
    let mut test = TestStore::new();
    let a = test.preview("site", "a", Some("main")).record;
    test.now = Timestamp::from_second(1_000).unwrap();
    let b = test.preview("site", "b", Some("main")).record;
    let c = test.preview("other", "c", None).record;
    let ids = |project, limit| -> Vec<DeploymentId> {
        let list = test.deployments().list(project, limit).unwrap();
        list.into_iter().map(|summary| summary.record.id).collect()
    };
    assert_eq!(ids(None, 10), [c.id, b.id, a.id]);
    assert_eq!(ids(None, 2), [c.id, b.id]);
    assert_eq!(ids(Some(&project("site")), 10), [b.id, a.id]);
    let newest = &test.deployments().list(Some(&project("site")), 1).unwrap()[0];
    assert_eq!(newest.labels, [label("site-git-main"), b.own_label.clone()]);
    let summaries = test.deployments().projects().unwrap();
    let expected = [("other", c.id, 1, c.created_at), ("site", a.id, 2, b.created_at)].map(
        |(name, production, deployments, updated_at)| ProjectSummary {
            name: project(name),
            production: Some(production),
            deployments,
            updated_at,
        },
    );
    assert_eq!(summaries, expected);
}

/// A deployment is found by the beginning of its id.
#[test]
fn finding() {
    let test = TestStore::new();
    let a = test.preview("site", "a", None).record;
    let b = test.preview("site", "b", None).record;
    let find = |prefix: &str| test.deployments().find(&prefix.parse().unwrap(), None).unwrap();
    assert_eq!(find(a.id.short()), std::slice::from_ref(&a));
    assert_eq!(find(a.id.as_str()), [a]);
    assert_eq!(find(b.id.prefix(4)), [b]);
    assert_eq!(find("vvvv"), []);
}

/// Many publish to one project at the same time: every move is in the log once, each from where the one before it led.
#[test]
fn concurrent_publishers() {
    const THREADS: usize = 4;
    const EACH: usize = 8;
    let test = TestStore::new();
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (test, barrier) = (&test, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..EACH {
                    let content = format!("{thread} {round}");
                    test.try_publish("site", &content, test.options(Target::Production, Some("main"))).unwrap();
                }
            });
        }
    });
    for name in ["site", "site-git-main"] {
        let history = test.deployments().history(&label(name)).unwrap();
        let versions: Vec<u64> = history.iter().map(|moved| moved.version).collect();
        assert_eq!(versions, (1..=(THREADS * EACH) as u64).collect::<Vec<_>>());
        assert_eq!(history[0].from, None);
        assert!(history.windows(2).all(|pair| pair[0].to == pair[1].from), "{name} lost a move");
        assert_eq!(
            test.deployments().alias(&label(name)).unwrap().map(|alias| alias.deployment),
            history.last().unwrap().to
        );
    }
    assert_eq!(test.deployments().list(None, 100).unwrap().len(), THREADS * EACH);
}

/// Of two writers that saw the same version of an alias, the second fails, and nothing of it stays.
#[test]
fn stale_writers_fail() {
    let test = TestStore::new();
    let a = test.to_production("site", "a");
    let b = test.preview("site", "b", None).record.id;
    let site_project = project("site");
    let name = alias_log::Name { project: &site_project, kind: AliasKind::Production };
    let database = &test.deployments().database;
    let seen = database.read::<_, StateError>(|transaction| rows::pointer(transaction, &label("site"))).unwrap();
    let step = alias_log::Step {
        label: &label("site"),
        name: &name,
        seen: seen.as_ref(),
        to: Some(b),
        previous: None,
        cause: MoveCause::Promote,
        at: test.now,
    };
    database.write(|transaction| alias_log::take(transaction, &step)).unwrap();
    let log_length = test.log_length("site");
    let error = database.write(|transaction| alias_log::take(transaction, &step)).unwrap_err();
    assert_eq!(error.to_string(), "`site` was moved by somebody else at the same time");
    assert_eq!(test.log_length("site"), log_length);
    assert_eq!(test.deployments().history(&label("site")).unwrap()[0].to, Some(a));
}

/// A clock that jumps by days and by years changes nothing: production goes back in the order in which it was moved, also after
/// the state was opened anew.
#[test]
fn clock_jumps() {
    const DAY: i64 = 24 * 60 * 60;
    let mut test = TestStore::new();
    let begun = test.now.as_second();
    let mut published = Vec::new();
    for (content, jump) in [("a", 0), ("b", 5 * 365), ("c", -5 * 365), ("d", 1), ("e", -1)] {
        test.now = Timestamp::from_second(begun + jump * DAY).unwrap();
        published.push(test.to_production("site", content));
        test.reopen();
    }
    let listed: Vec<DeploymentId> =
        test.deployments().list(None, 10).unwrap().into_iter().map(|summary| summary.record.id).collect();
    assert_eq!(listed, published.iter().rev().copied().collect::<Vec<_>>());
    for (earlier, jump) in published[..4].iter().rev().zip([-7, 3000, -3000, 0]) {
        test.now = Timestamp::from_second(begun + jump * DAY).unwrap();
        assert_eq!(test.roll_back("site").unwrap(), *earlier);
    }
    assert!(matches!(test.roll_back("site"), Err(RollbackError::NothingBefore { .. })));
}

/// A list goes on behind a deployment that was seen, and is searched by what people know of one; a deployment is a change of the one before
/// it in its project.
#[test]
fn searched() {
    let test = TestStore::new();
    let strange = test.preview("elsewhere", "zero", Some("main")).record.id;
    let ids: Vec<DeploymentId> = [("one", "main"), ("two", "feature"), ("three", "main"), ("four", "other")]
        .map(|(content, branch)| test.preview("site", content, Some(branch)).record.id)
        .into();
    let _ = test.preview("elsewhere", "five", Some("main"));
    let list = |older_than: Option<DeploymentId>, wanted: Option<&str>, limit: usize| -> Vec<DeploymentId> {
        let query =
            DeploymentQuery { project: Some(project("site")), older_than, text: wanted.map(str::to_owned), limit };
        test.deployments().search(&query).unwrap().iter().map(|summary| summary.record.id).collect()
    };
    assert_eq!(list(None, None, 2), [ids[3], ids[2]]);
    assert_eq!(list(Some(ids[2]), None, 9), [ids[1], ids[0]]);
    assert_eq!(list(Some(strange), None, 9), list(None, None, 9), "another project's is as one that does not exist");
    assert_eq!(list(None, Some(ids[1].short()), 9), [ids[1]]);
    assert_eq!(list(None, Some("C0FFEE"), 9).len(), 4, "the commit, whatever its case");
    assert_eq!(list(None, Some("nothing like this"), 9), []);
    let before = |id: DeploymentId| {
        let record = test.deployments().get(&id).unwrap().unwrap();
        test.deployments().before(&record).unwrap().map(|record| record.id)
    };
    assert_eq!(before(ids[0]), None);
    assert!(before(ids[1]) == Some(ids[0]) && before(ids[3]) == Some(ids[2]));
}

/// Production is moved from where it was seen, forward and back, and from nowhere else.
#[test]
fn moved_from_where_it_was_seen() {
    let test = TestStore::new();
    let [one, two, three] = ["one", "two", "three"].map(|content| test.preview("site", content, None).record.id);
    let site = project("site");
    let deployments = test.deployments();
    let from = |seen| deployments.expecting(Some(seen));
    assert_eq!(from(one).promote(&site, &two, test.now).unwrap().to, Some(two));
    let late = from(one).promote(&site, &three, test.now).unwrap_err();
    assert!(matches!(late, PublishError::ProductionMoved { current: Some(current), .. } if current == two), "{late}");
    let late = from(three).rollback(&site, None, test.now).unwrap_err();
    assert!(matches!(late, RollbackError::Publish(PublishError::ProductionMoved { .. })), "{late}");
    assert_eq!(from(two).rollback(&site, None, test.now).unwrap().to, Some(one));
}
