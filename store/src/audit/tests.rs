//! Nothing that was done lacks its entry, and no entry can be changed or taken away.

use crate::{Durability, Store};

use super::*;

fn entry(second: i64, outcome: AuditOutcome, project: Option<&str>) -> AuditEntry {
    AuditEntry {
        at: Timestamp::from_second(second).unwrap(),
        token: Some(("0123456789".parse().unwrap(), "ann".parse().unwrap())),
        peer: Some(IpAddr::from([192, 0, 2, 7])),
        action: "token.create",
        project: project.map(|name| name.parse().unwrap()),
        resource: Some("the resource".into()),
        outcome,
        code: (outcome == AuditOutcome::Refused).then(|| "FORBIDDEN".to_owned()),
    }
}

fn seconds(records: &[AuditRecord]) -> Vec<i64> {
    records.iter().map(|record| record.at.as_second()).collect()
}

/// Entries come back as they were written, of both logs, newest first, by project and by time.
#[test]
fn reading() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let entries = [
        entry(1, AuditOutcome::Done, Some("blue")),
        entry(2, AuditOutcome::Refused, Some("blue")),
        entry(3, AuditOutcome::Done, Some("red")),
        entry(4, AuditOutcome::Refused, None),
    ];
    store.audit().append(&entries).unwrap();
    let newest = |filter: AuditFilter, limit| store.audit().newest(&filter, limit).unwrap();
    let all = newest(AuditFilter::default(), 10);
    assert_eq!(seconds(&all), [4, 3, 2, 1]);
    assert_eq!(
        all[2],
        AuditRecord {
            at: Timestamp::from_second(2).unwrap(),
            token: Some("0123456789".into()),
            token_name: Some("ann".into()),
            peer: Some("192.0.2.7".into()),
            action: "token.create".into(),
            project: Some("blue".into()),
            resource: Some("the resource".into()),
            outcome: "refused".into(),
            code: Some("FORBIDDEN".into()),
        }
    );
    assert_eq!(seconds(&newest(AuditFilter::default(), 2)), [4, 3]);
    let blue = AuditFilter { project: Some("blue".parse().unwrap()), since: None };
    assert_eq!(seconds(&newest(blue, 10)), [2, 1]);
    let late = AuditFilter { project: None, since: Some(Timestamp::from_second(3).unwrap()) };
    assert_eq!(seconds(&newest(late, 10)), [4, 3]);
}

/// A change and its entry are one: where nothing changed there is no entry, and a note is written once.
#[test]
fn notes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let note = || AuditNote::new(entry(1, AuditOutcome::Done, None));
    let count = || store.audit().newest(&AuditFilter::default(), 10).unwrap().len();

    let about_nothing = note();
    assert!(!store.tokens().noting(about_nothing.clone()).remove(&"0123456789".parse().unwrap()).unwrap());
    assert!(about_nothing.is_settled());
    assert_eq!(count(), 0);

    let failing = note();
    let failed = write(
        &failing_database(&store),
        Some(&failing),
        |()| true,
        |transaction| Ok::<_, StateError>(transaction.execute_batch("NONSENSE")?),
    );
    assert!(failed.is_err() && !failing.is_settled());
    assert_eq!(count(), 0);

    let alone = note();
    store.audit().settle(&alone.about("a token")).unwrap();
    store.audit().settle(&alone).unwrap();
    assert!(alone.is_settled());
    assert_eq!(count(), 1);

    let withdrawn = note();
    withdrawn.about("a token").withdraw();
    store.audit().settle(&withdrawn).unwrap();
    assert_eq!(count(), 1);
}

/// On a full disk the room that is kept for removing something is given to the note of what has happened.
#[test]
fn full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let database = &store.audit().database;
    database
        .write::<_, StateError>(|transaction| Ok(transaction.query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))?))
        .unwrap();
    let reserve = folder.path().join("reserve");
    assert!(reserve.exists());
    let large = AuditNote::new(entry(1, AuditOutcome::Done, None)).about("x".repeat(100_000));
    let error = store.audit().settle(&large).unwrap_err();
    assert!(matches!(error, StateError::StorageFull(_)), "{error}");
    assert!(!reserve.exists() && !large.is_settled());
}

fn failing_database(store: &Store) -> Arc<Database> {
    Arc::clone(&store.audit().database)
}

/// Nobody changes an entry, and nobody takes away one of those that are kept; older ones go by themselves.
#[test]
fn append_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    let database = &store.audit().database;
    let run = |sql: &str| database.write::<(), StateError>(|transaction| Ok(transaction.execute_batch(sql)?));
    for (outcome, table, kept) in
        [(AuditOutcome::Done, "audit_log", CHANGES_KEPT), (AuditOutcome::Refused, "refusal_log", REFUSALS_KEPT)]
    {
        store.audit().append(&[entry(1, outcome, None)]).unwrap();
        assert!(run(&format!("UPDATE {table} SET token = NULL")).is_err());
        assert!(run(&format!("DELETE FROM {table}")).is_err());
        run(&format!(
            "INSERT INTO {table} (sequence, at, action, outcome) VALUES ({}, 2, 'x', 'done')",
            kept + CUT_EVERY - 1
        ))
        .unwrap();
        store.audit().append(&[entry(3, outcome, None)]).unwrap();
        let rows = database.read::<i64, StateError>(|transaction| {
            Ok(transaction.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)
        });
        assert_eq!(rows.unwrap(), 2, "{table}");
    }
}
