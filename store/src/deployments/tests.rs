//! Publishing, promoting, rolling back and removing, told as stories.

mod crashes;
mod lookups;
mod moves;

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
