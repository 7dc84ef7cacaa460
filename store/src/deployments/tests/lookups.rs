//! Finding deployments: lists, words, ids.

use super::*;

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
