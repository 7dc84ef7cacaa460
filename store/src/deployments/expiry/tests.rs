//! What a policy does not keep goes, and what somebody saves while it goes stays.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use ship_core::Target;

use super::*;
use crate::testing::{TestSite, noon};
use crate::{Durability, PublishOptions, Store};

/// Long after everything was deployed.
fn later() -> Timestamp {
    noon() + SignedDuration::from_hours(24 * 365)
}

struct TestStore {
    store: Store,
    _folder: tempfile::TempDir,
}

impl TestStore {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path(), Durability::Relaxed).unwrap(), _folder: folder }
    }

    fn deploy(&self, number: usize) -> TestSite {
        let site = TestSite::new("site").on("main").file("a.txt", number.to_string());
        site.deploy(&self.store, noon()).unwrap();
        site
    }

    /// What goes when two of each branch stay.
    fn expiry(&self) -> Expiry {
        self.store.deployments().expiry(Retention { keep: 2, keep_days: 30 }, later()).unwrap()
    }

    fn is_there(&self, site: &TestSite) -> bool {
        self.store.deployments().get(&site.id()).unwrap().is_some()
    }
}

fn ids(removed: &[Removed]) -> Vec<DeploymentId> {
    removed.iter().map(|removed| removed.record.id).collect()
}

/// However many transactions it takes, it is worked out once what goes, as long as nobody else removes anything. Deploys beside it
/// change nothing, and those of each project go oldest first.
#[test]
fn worked_out_once() {
    let test = TestStore::new();
    let sites: Vec<TestSite> = (0..2 * REMOVED_AT_ONCE + 10).map(|number| test.deploy(number)).collect();
    let other = TestSite::new("a").on("main");
    let others: Vec<TestSite> = (0..4).map(|number| other.clone().file("a.txt", number.to_string())).collect();
    for site in &others {
        site.deploy(&test.store, noon()).unwrap();
    }
    let mut expiry = test.expiry();
    let mut removed = Vec::new();
    let mut transactions = Vec::new();
    for number in 0..4 {
        let project = expiry.next_project().unwrap().clone();
        let some = expiry.remove_some().unwrap();
        assert!(some.iter().all(|removed| removed.record.project == project));
        transactions.push(some.len());
        removed.extend(ids(&some));
        test.deploy(10_000 + number);
    }
    assert_eq!(expiry.next_project(), None);
    // Production leads to the first of each project, and the newest two of each branch stay.
    assert_eq!(transactions, [1, REMOVED_AT_ONCE, REMOVED_AT_ONCE, 7]);
    let expected = others[1..2].iter().chain(&sites[1..sites.len() - 2]).map(TestSite::id);
    assert_eq!(removed, expected.collect::<Vec<_>>());
    assert_eq!(expiry.worked_out(), 1);
    assert_eq!(expiry.remove_some().unwrap(), []);
}

/// Who promotes a deployment, publishes it for a branch or rolls back to it after it was worked out that it goes, keeps it, also if the
/// name leads elsewhere again when its turn comes.
#[test]
fn saved_by_a_name() {
    let test = TestStore::new();
    let sites: Vec<TestSite> = (0..6).map(|number| test.deploy(number)).collect();
    let (deployments, project) = (test.store.deployments(), &sites[0].project);
    let mut expiry = test.expiry();
    deployments.promote(project, &sites[1].id(), later()).unwrap();
    let options = PublishOptions {
        target: Target::Preview,
        branch: Some("fix".parse().unwrap()),
        ..sites[2].publish_options(later())
    };
    deployments.republish(&sites[2].id(), options).unwrap();
    deployments.rollback(project, Some(sites[0].id()), later()).unwrap();
    assert_eq!(ids(&expiry.remove_some().unwrap()), [sites[3].id()]);
    assert_eq!((expiry.next_project(), expiry.worked_out()), (None, 1));
}

/// Who removes the newest of a branch keeps those that are the newest then; what was removed and deployed again is new.
#[test]
fn saved_by_removals() {
    let test = TestStore::new();
    let sites: Vec<TestSite> = (0..8).map(|number| test.deploy(number)).collect();
    let mut expiry = test.expiry();
    for site in [&sites[7], &sites[6], &sites[2]] {
        test.store.deployments().remove(&site.id(), later()).unwrap();
    }
    sites[2].deploy(&test.store, later()).unwrap();
    assert_eq!(ids(&expiry.remove_some().unwrap()), [1, 3, 4].map(|number| sites[number].id()));
    assert_eq!((expiry.next_project(), expiry.worked_out()), (None, 2));
    let left: BTreeSet<usize> = (0..8).filter(|number| test.is_there(&sites[*number])).collect();
    assert_eq!(left, BTreeSet::from([0, 2, 5]));
}

/// A project that is removed meanwhile takes its turn with it.
#[test]
fn removed_project() {
    let test = TestStore::new();
    let sites: Vec<TestSite> = (0..5).map(|number| test.deploy(number)).collect();
    let mut expiry = test.expiry();
    test.store.deployments().remove_project(&sites[0].project, later()).unwrap();
    assert_eq!(expiry.remove_some().unwrap(), []);
    assert_eq!(expiry.next_project(), None);
}
