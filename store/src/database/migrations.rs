//! The schema and its history: each migration runs once, in order, and all that are due run in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::StateError;

/// A published migration is never changed; the next change of the schema is appended.
const MIGRATIONS: [&str; 8] = [
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_access.sql"),
    include_str!("migrations/0003_domains.sql"),
    include_str!("migrations/0004_secrets.sql"),
    include_str!("migrations/0005_trusts.sql"),
    include_str!("migrations/0006_dashboard.sql"),
    include_str!("migrations/0007_builds.sql"),
    include_str!("migrations/0008_subjects.sql"),
];

/// Brings the schema up to date. `SQLite`'s `user_version` counts the migrations that have run.
pub(super) fn run(connection: &mut Connection) -> Result<(), StateError> {
    run_all(connection, &MIGRATIONS)
}

/// How many migrations this code knows.
pub(crate) fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// The schema that the first `version` migrations make.
pub(crate) fn schema_at(version: u32) -> Result<Vec<String>, StateError> {
    let connection = Connection::open_in_memory()?;
    for migration in MIGRATIONS.iter().take(version as usize) {
        connection.execute_batch(migration)?;
    }
    schema_of(&connection)
}

/// The schema of a database, in words that two equal schemas share.
pub(crate) fn schema_of(connection: &Connection) -> Result<Vec<String>, StateError> {
    // What `SQLite` keeps for itself, statistics and counters, is no schema of ours.
    let sql = "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema
               WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Fails for a version that this code does not know.
pub(super) fn expect_known(found: u32) -> Result<(), StateError> {
    let known = known();
    if found > known { Err(StateError::NewerSchema { found, known }) } else { Ok(()) }
}

pub(super) fn run_all(connection: &mut Connection, migrations: &[&str]) -> Result<(), StateError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StateError::NewerSchema { found, known });
    }
    for migration in &migrations[found as usize..] {
        transaction.execute_batch(migration)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
    }
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> u32 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    /// Each migration runs once, and a later start runs only the new ones.
    #[test]
    fn each_runs_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x)";
        run_all(&mut connection, &[first]).unwrap();
        run_all(&mut connection, &[first, "CREATE TABLE b (x)"]).unwrap();
        run_all(&mut connection, &[first, "CREATE TABLE b (x)"]).unwrap();
        assert_eq!(version(&connection), 2);
    }

    /// If one fails, none of those that were due has happened.
    #[test]
    fn all_or_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        let error = run_all(&mut connection, &["CREATE TABLE a (x)", "CREATE NONSENSE"]).unwrap_err();
        assert!(matches!(error, StateError::Database(_)), "{error:?}");
        assert_eq!(version(&connection), 0);
        run_all(&mut connection, &["CREATE TABLE a (x)"]).unwrap();
    }

    /// A schema from the future is refused.
    #[test]
    fn newer_schema() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 7).unwrap();
        let error = run_all(&mut connection, &["CREATE TABLE a (x)"]).unwrap_err();
        assert!(matches!(error, StateError::NewerSchema { found: 7, known: 1 }), "{error:?}");
    }
}
