//! Connections: readers beside a writer, and refusal of what a newer ship wrote.

use rusqlite::Connection;

use crate::{Durability, OpenError, StateError, Store};

use super::*;

/// A disk without room is told from one that fails, also where `SQLite` says that only the index of its log could not grow.
#[test]
fn full_disk() {
    let error = |code| StateError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
    assert!(matches!(error(rusqlite::ffi::SQLITE_FULL), StateError::StorageFull(_)));
    assert!(matches!(error(rusqlite::ffi::SQLITE_IOERR_SHMSIZE), StateError::StorageFull(_)));
    assert!(matches!(error(rusqlite::ffi::SQLITE_IOERR_READ), StateError::Database(_)));
}

/// A reader does not wait for a writer that is in the middle of its transaction, and sees the state before it.
#[test]
fn readers_do_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("state.db"), Durability::Durable).unwrap();
    let count = |database: &Database| {
        database.read::<i64, StateError>(|transaction| {
            Ok(transaction.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?)
        })
    };
    database
        .write::<_, StateError>(|transaction| {
            transaction.execute(
                "INSERT INTO tokens (id, hash, name, role, created_at) VALUES ('a', x'00', 'owner', 'admin', 0)",
                [],
            )?;
            assert_eq!(count(&database)?, 0);
            Ok(())
        })
        .unwrap();
    assert_eq!(count(&database).unwrap(), 1);
}

/// An error undoes everything that its transaction wrote.
#[test]
fn errors_undo() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("state.db"), Durability::Durable).unwrap();
    let failed = database.write::<(), StateError>(|transaction| {
        transaction.execute(
            "INSERT INTO tokens (id, hash, name, role, created_at) VALUES ('a', x'00', 'owner', 'admin', 0)",
            [],
        )?;
        Ok(transaction.execute_batch("NONSENSE")?)
    });
    assert!(matches!(failed, Err(StateError::Database(_))));
    let any =
        database.read::<bool, StateError>(|transaction| Ok(transaction.prepare("SELECT 1 FROM tokens")?.exists([])?));
    assert!(!any.unwrap());
}

/// A schema that a newer ship made is refused.
#[test]
fn newer_schema_is_refused() {
    let data = tempfile::tempdir().unwrap();
    drop(Store::open(data.path(), Durability::Durable).unwrap());
    let connection = Connection::open(data.path().join("state.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Store::open(data.path(), Durability::Durable).unwrap_err();
    let OpenError::Database { source, .. } = error else { panic!("{error:?}") };
    let said = source.to_string();
    assert!(said.starts_with("the schema has version 99, newer than the "), "{said}");
}

/// The log of aliases can be appended to and nothing else, whoever tries.
#[test]
fn alias_log_is_append_only() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("state.db"), Durability::Durable).unwrap();
    let run = |sql: &str| database.write::<(), StateError>(|transaction| Ok(transaction.execute_batch(sql)?));
    let row = "INSERT INTO alias_log (label, project, kind, version, cause, moved_at)
               VALUES ('a', 'a', 'production', 1, 'publish', 0)";
    run(row).unwrap();
    assert!(run("UPDATE alias_log SET label = 'b'").is_err());
    assert!(run("DELETE FROM alias_log").is_err());
    assert!(run(row).is_err(), "two moves with one version");
}
