//! What a crash, a damage or another writer leaves.

use super::*;

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
