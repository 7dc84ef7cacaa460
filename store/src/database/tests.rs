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

/// Before the schema changes the state is copied; if what changed it never came to serve, the copy is put back under whoever still reads.
#[test]
fn schema_changes_are_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let database = Database::open(&path, Durability::Durable).unwrap();
    let known = migrations::known();
    let copy_path = folder.path().join(format!("state.db.schema-{known}"));
    std::fs::write(&copy_path, "an older copy of this version").unwrap();
    database.expect_migrations().unwrap();
    assert!(!copy_path.exists());
    database
        .write::<_, StateError>(|transaction| {
            Ok(transaction.execute(
                "INSERT INTO tokens (id, hash, role, name, created_at) VALUES ('a', x'00', 'admin', 'a', 0)",
                [],
            )?)
        })
        .unwrap();

    // What a newer ship does.
    let newer = Connection::open(&path).unwrap();
    saved::copy(&newer, &copy_path).unwrap();
    newer.execute_batch(&format!("DROP TABLE tokens; PRAGMA user_version = {}", known + 1)).unwrap();
    drop(newer);

    database.undo_migrations().unwrap();
    let tokens: i64 = database
        .read::<_, StateError>(|transaction| {
            Ok(transaction.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?)
        })
        .unwrap();
    assert_eq!(tokens, 1);
    drop(database);
    Database::open(&path, Durability::Durable).unwrap();
}

/// A newer state of which there is no copy is left as it is.
#[test]
fn nothing_to_take_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let database = Database::open(&path, Durability::Durable).unwrap();
    database.undo_migrations().unwrap();
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    database.undo_migrations().unwrap();
    drop(database);
    assert!(Database::open(&path, Durability::Durable).is_err());
}

/// A start that changes the schema leaves a copy that says which version it has; three are kept.
#[test]
fn copies_before_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let first = "CREATE TABLE a (x); INSERT INTO a VALUES (1)";
    let more = ["CREATE TABLE b (x)", "CREATE TABLE c (x)", "CREATE TABLE d (x)", "CREATE TABLE e (x)"];
    let all: Vec<&str> = std::iter::once(first).chain(more).collect();
    // Made where there is none, which `connect` does not do.
    drop(Connection::open(&path).unwrap());
    for count in 1..=all.len() {
        let mut connection = connect(&path, Durability::Durable).unwrap();
        saved::save_before(&connection, &path, u32::try_from(count).unwrap()).unwrap();
        migrations::run_all(&mut connection, &all[..count]).unwrap();
    }
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("schema"))
        .collect();
    names.sort();
    assert_eq!(names, ["state.db.schema-2", "state.db.schema-3", "state.db.schema-4"]);
    let saved = Connection::open(folder.path().join("state.db.schema-3")).unwrap();
    let version: u32 = saved.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let rows: i64 = saved.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
    let tables: i64 = saved.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!((version, rows, tables), (3, 1, 3));
}
