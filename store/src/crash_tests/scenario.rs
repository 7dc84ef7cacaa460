//! What is there before, the steps that may die, and what must hold afterwards.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::error::Error;
use std::fs;
use std::path::Path;

use ship_core::Digest;

use crate::testing::{TestSite, noon};
use crate::{Begun, BlobError, Collection, Durability, OpenError, Retention, Store};

/// A step that changes what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Deploy,
    Republish,
    Promote,
    RollBack,
    Remove,
    Expire,
    Collect,
    /// An upload that is cut: the beginning of a blob is kept.
    Cut,
    /// An upload that was cut is gone on with, and published.
    GoOn,
}

impl Step {
    pub(super) const ALL: [Self; 9] = [
        Self::Deploy,
        Self::Republish,
        Self::Promote,
        Self::RollBack,
        Self::Remove,
        Self::Expire,
        Self::Collect,
        Self::Cut,
        Self::GoOn,
    ];

    /// Does it. `Ok` is what a client would be told.
    pub(super) fn perform(self, store: &Store) -> Result<(), Box<dyn Error>> {
        let deployments = store.deployments();
        let (first, third) = (number(1), number(3));
        match self {
            Self::Deploy => drop(number(4).for_production().deploy(store, noon())?),
            Self::Republish => {
                let options = number(1).on("fix").for_production().publish_options(noon());
                deployments.republish(&first.id(), options)?.ok_or("the first is there")?;
            }
            Self::Promote => drop(deployments.promote(&third.project, &third.id(), noon())?),
            Self::RollBack => drop(deployments.rollback(&first.project, None, noon())?),
            Self::Remove => drop(deployments.remove(&third.id(), noon())?),
            Self::Expire => {
                let later = noon() + jiff::SignedDuration::from_secs(1);
                deployments.expiry(Retention { keep: 0, keep_days: 0 }, later)?.remove_some()?;
            }
            Self::Collect => drop(store.collect_garbage(Collection::Remove, &HashSet::new())?),
            Self::Cut => {
                cut(store, 150_000)?;
                store.blobs().begun(None, &[Digest::of(&large())]).pop().ok_or("nobody promised to keep it")?;
            }
            Self::GoOn => {
                go_on(store)?;
                large_site().deploy(store, noon())?;
            }
        }
        Ok(())
    }

    /// Whether what everybody can see is another afterwards.
    fn is_visible(self) -> bool {
        !matches!(self, Self::Collect | Self::Cut)
    }
}

/// A blob whose beginning is worth keeping.
fn large() -> Vec<u8> {
    (0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn large_site() -> TestSite {
    TestSite::new("large").file("large.bin", large())
}

/// Sends the first bytes of the large blob.
fn cut(store: &Store, bytes: usize) -> Result<(), BlobError> {
    let mut batch = store.blobs().batch()?;
    let mut writer = batch.begin_kept(Digest::of(&large()), large().len() as u64, None)?;
    writer.write(&large()[..bytes])
}

/// Goes on with the large blob as a client does, that sends all of it where nothing is left of its beginning.
fn go_on(store: &Store) -> Result<(), BlobError> {
    let (large, digest) = (large(), Digest::of(&large()));
    let mut batch = store.blobs().batch()?;
    let begun = store.blobs().begun(None, &[digest]).pop().map_or(0, |(_, bytes)| bytes);
    let at = usize::try_from(begun).unwrap();
    let beginning = Begun { bytes: begun, digest: Digest::of(&large[..at]) };
    let (mut writer, rest) = if at == 0 {
        (batch.begin_kept(digest, large.len() as u64, None)?, &large[..])
    } else {
        (batch.go_on(digest, large.len() as u64, None, beginning)?, &large[at..])
    };
    rest.chunks(64 * 1024).try_for_each(|piece| writer.write(piece))?;
    writer.finish()?;
    batch.commit().map(drop)
}

fn number(number: u32) -> TestSite {
    TestSite::new("site")
        .on("main")
        .file("index.html", format!("page {number}"))
        .file("shared.txt", "shared by all")
        .file("pair.txt", format!("shared by two {}", number / 2))
        .function(&format!("#!{number}"))
}

/// All that was ever deployed.
fn sites() -> impl Iterator<Item = TestSite> {
    (1..=5).map(number).chain([large_site()])
}

/// What everybody can see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Visible {
    aliases: BTreeMap<String, String>,
    deployments: BTreeSet<String>,
}

impl Visible {
    fn of(store: &Store) -> Self {
        let aliases = store.deployments().aliases().unwrap();
        let deployments = store.deployments().list(None, 100).unwrap();
        Self {
            aliases: aliases.iter().map(|alias| (alias.label.to_string(), alias.deployment.to_string())).collect(),
            deployments: deployments.iter().map(|summary| summary.record.id.to_string()).collect(),
        }
    }
}

/// A data directory in which each step has something to do, and what can be seen before and after the step.
pub(super) struct Scenario {
    template: tempfile::TempDir,
    before: Visible,
    after: Visible,
}

impl Scenario {
    pub(super) fn of(step: Step) -> Self {
        let template = tempfile::tempdir().unwrap();
        let store = Store::open(template.path(), Durability::Relaxed).unwrap();
        for site in [number(1), number(2).for_production(), number(5), number(3)] {
            site.deploy(&store, noon()).unwrap();
        }
        store.deployments().remove(&number(5).id(), noon()).unwrap();
        if step == Step::GoOn {
            cut(&store, 100_000).unwrap();
        }
        let before = Visible::of(&store);
        drop(store);
        let mut scenario = Self { template, after: before.clone(), before };
        let data = scenario.begin();
        let store = reopen(data.path());
        step.perform(&store).unwrap();
        scenario.after = Visible::of(&store);
        assert_eq!(scenario.before != scenario.after, step.is_visible());
        scenario
    }

    /// A data directory as it is before the step.
    pub(super) fn begin(&self) -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        copy(self.template.path(), data.path());
        data
    }

    /// What must hold afterwards, whatever has happened to the step. `is_acknowledged` is whether somebody was told that it
    /// is done.
    pub(super) fn check(&self, data: &Path, is_acknowledged: bool, context: &str) {
        let store = reopen(data);
        self.check_open(&store, is_acknowledged, context);
    }

    pub(super) fn check_open(&self, store: &Store, is_acknowledged: bool, context: &str) {
        let visible = Visible::of(store);
        let is_done = visible == self.after;
        assert!(is_done || (!is_acknowledged && visible == self.before), "{context}: {visible:?}");
        for site in sites().filter(|site| visible.deployments.contains(&site.id().to_string())) {
            assert!(site.is_whole(store), "{context}: a deployment is damaged");
        }
        let report = store.fsck().unwrap();
        assert!(report.is_clean(), "{context}: {report:?}");
        // Whoever was cut goes on, at the latest at the second try: a beginning that a power cut has changed is not there any more.
        go_on(store).or_else(|_| go_on(store)).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(store.blobs().read(&Digest::of(&large())).is_ok_and(|bytes| bytes == large()), "{context}");
        assert_eq!(store.blobs().begun(None, &[Digest::of(&large())]), [], "{context}");
        // Whatever was left half done is garbage, and goes.
        for _ in 0..2 {
            store.blobs().age_leases();
        }
        store.collect_garbage(Collection::Remove, &HashSet::new()).unwrap();
        let report = store.fsck().unwrap();
        assert_eq!((report.is_clean(), &report.leftovers), (true, &crate::Leftovers::default()), "{context}");
        let next = TestSite::new("next").file("a.txt", "life goes on");
        next.deploy(store, noon()).unwrap();
        assert!(next.is_whole(store), "{context}");
    }
}

/// Opens a data directory that a process has just had open. While another process is started it holds for a moment whatever
/// this one has open, the lock included.
fn reopen(data: &Path) -> Store {
    loop {
        match Store::open(data, Durability::Relaxed) {
            Err(OpenError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
