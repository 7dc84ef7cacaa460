//! The queries over variables, and how their rows become values.

use rusqlite::types::FromSqlError;
use rusqlite::{OptionalExtension as _, Row, Transaction};
use ship_core::{BranchName, ProjectName, VariableScope, VariableTarget};

use super::seal::Sealed;
use super::{SealedVariable, VariableRecord};
use crate::database::StateError;
use crate::database::column::{Micros, Text, signed, unsigned};

const VARIABLE: &str = "version, name, target, branch, kind, set_at, key_id, nonce, sealed";

/// Whether a row is the newest of its variable and scope, up to a version that is the last parameter of the statement.
const IS_LATEST: &str = "NOT EXISTS (
    SELECT 1 FROM variables AS later
    WHERE later.project = variables.project AND later.target = variables.target AND later.name = variables.name
        AND later.branch IS variables.branch AND later.version > variables.version AND later.version <= ?2)";

/// The version that the next row gets.
pub(super) fn next_version(transaction: &Transaction) -> Result<u64, StateError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'variables'";
    let last: Option<i64> = transaction.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(last.map_or(0, unsigned) + 1)
}

/// Adds a version: with a value, or without one where the variable is removed.
pub(super) fn insert(
    transaction: &Transaction,
    project: &ProjectName,
    record: &VariableRecord,
    seal: Option<&Sealed>,
    size_bytes: usize,
) -> Result<(), StateError> {
    let sql = "INSERT INTO variables
                   (version, project, name, target, branch, kind, key_id, nonce, sealed, size_bytes, set_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    transaction.prepare_cached(sql)?.execute((
        signed(record.version),
        Text(project),
        Text(&record.name),
        Text(&record.scope.target()),
        record.scope.branch().map(Text),
        Text(&record.kind),
        seal.map(|seal| seal.key_id.as_str()),
        seal.map(|seal| seal.nonce),
        seal.map(|seal| seal.bytes.as_slice()),
        signed(size_bytes as u64),
        Micros(record.set_at),
    ))?;
    Ok(())
}

/// What is set for a project now, by name and scope.
pub(super) fn current(transaction: &Transaction, project: &ProjectName) -> Result<Vec<VariableRecord>, StateError> {
    let sql = format!(
        "SELECT {VARIABLE} FROM variables WHERE project = ?1 AND sealed IS NOT NULL AND {IS_LATEST}
         ORDER BY name, target DESC, branch"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let records = statement.query_map((Text(project), i64::MAX), to_record)?.collect::<Result<_, _>>()?;
    Ok(records)
}

/// The versions of a target's variables that are the latest up to `newest`, for the target itself and for each of its branches.
pub(super) fn latest(
    transaction: &Transaction,
    project: &ProjectName,
    target: VariableTarget,
    newest: u64,
) -> Result<Vec<SealedVariable>, StateError> {
    let sql = format!(
        "SELECT {VARIABLE} FROM variables
         WHERE project = ?1 AND target = ?3 AND sealed IS NOT NULL AND version <= ?2 AND {IS_LATEST} ORDER BY version"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let rows = statement.query_map((Text(project), signed(newest), Text(&target)), to_sealed)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest version of what a target and a branch see, 0 if that is nothing.
pub(crate) fn newest(
    transaction: &Transaction,
    project: &ProjectName,
    target: VariableTarget,
    branch: Option<&BranchName>,
) -> Result<u64, StateError> {
    let sql = "SELECT max(version) FROM variables
               WHERE project = ?1 AND target = ?2 AND (branch IS NULL OR branch = ?3)";
    let newest: Option<i64> = transaction
        .prepare_cached(sql)?
        .query_row((Text(project), Text(&target), branch.map(Text)), |row| row.get(0))?;
    Ok(newest.map_or(0, unsigned))
}

/// The sizes in bytes of what a scope sees, what it sees of its target included.
pub(super) fn sizes(
    transaction: &Transaction,
    project: &ProjectName,
    scope: &VariableScope,
) -> Result<Vec<usize>, StateError> {
    let sql = format!(
        "SELECT size_bytes FROM variables
         WHERE project = ?1 AND target = ?3 AND sealed IS NOT NULL AND (branch IS NULL OR branch = ?4) AND {IS_LATEST}"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let parameters = (Text(project), i64::MAX, Text(&scope.target()), scope.branch().map(Text));
    let size = |row: &Row| row.get(0).map(|bytes| usize::try_from(unsigned(bytes)).unwrap_or(usize::MAX));
    Ok(statement.query_map(parameters, size)?.collect::<Result<_, _>>()?)
}

/// Deletes the versions that nothing can see any more: those with a later version, unless a deployment was published between the two;
/// and what says that a variable is removed, where nothing is left to remove.
pub(crate) fn prune(transaction: &Transaction, project: &ProjectName) -> Result<(), StateError> {
    let superseded = "DELETE FROM variables WHERE version IN (
        SELECT version FROM (
            SELECT version, target,
                lead(version) OVER (PARTITION BY name, target, branch ORDER BY version) AS next
            FROM variables WHERE project = ?1) AS value
        WHERE next IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM deployment_environments AS environment
            WHERE environment.project = ?1 AND environment.target = value.target
                AND environment.variables >= value.version AND environment.variables < value.next))";
    transaction.prepare_cached(superseded)?.execute([Text(project)])?;
    let without_object = "DELETE FROM variables WHERE project = ?1 AND sealed IS NULL AND NOT EXISTS (
        SELECT 1 FROM variables AS earlier
        WHERE earlier.project = variables.project AND earlier.target = variables.target
            AND earlier.name = variables.name AND earlier.branch IS variables.branch
            AND earlier.version < variables.version)";
    transaction.prepare_cached(without_object)?.execute([Text(project)])?;
    Ok(())
}

/// Deletes all variables of a project.
pub(crate) fn delete_all(transaction: &Transaction, project: &ProjectName) -> Result<usize, StateError> {
    Ok(transaction.prepare_cached("DELETE FROM variables WHERE project = ?1")?.execute([Text(project)])?)
}

/// Whether any value is sealed.
pub(super) fn has_sealed(transaction: &Transaction) -> Result<bool, StateError> {
    Ok(transaction.prepare_cached("SELECT 1 FROM variables WHERE sealed IS NOT NULL LIMIT 1")?.exists([])?)
}

/// Whether any value is sealed under another key than this one.
pub(super) fn has_sealed_by_others(transaction: &Transaction, key_id: &str) -> Result<bool, StateError> {
    Ok(transaction.prepare_cached("SELECT 1 FROM variables WHERE key_id <> ?1 LIMIT 1")?.exists([key_id])?)
}

/// The values that are sealed under another key than this one.
pub(super) fn sealed_by_others(
    transaction: &Transaction,
    key_id: &str,
) -> Result<Vec<(ProjectName, SealedVariable)>, StateError> {
    let sql = format!("SELECT {VARIABLE}, project FROM variables WHERE key_id <> ?1");
    let mut statement = transaction.prepare_cached(&sql)?;
    let of_project = |row: &Row| Ok((row.get(9).map(|Text(project)| project)?, to_sealed(row)?));
    Ok(statement.query_map([key_id], of_project)?.collect::<Result<_, _>>()?)
}

/// Keeps another seal of the same value.
pub(super) fn replace_seal(transaction: &Transaction, version: u64, seal: &Sealed) -> Result<(), StateError> {
    let sql = "UPDATE variables SET key_id = ?2, nonce = ?3, sealed = ?4 WHERE version = ?1";
    let parameters = (signed(version), &seal.key_id, seal.nonce, &seal.bytes);
    transaction.prepare_cached(sql)?.execute(parameters)?;
    Ok(())
}

fn to_record(row: &Row) -> rusqlite::Result<VariableRecord> {
    let branch: Option<Text<BranchName>> = row.get(3)?;
    let target = row.get(2).map(|Text(target)| target)?;
    let scope = VariableScope::new(target, branch.map(|Text(branch)| branch)).map_err(FromSqlError::other)?;
    Ok(VariableRecord {
        version: unsigned(row.get(0)?),
        name: row.get(1).map(|Text(name)| name)?,
        scope,
        kind: row.get(4).map(|Text(kind)| kind)?,
        set_at: row.get(5).map(|Micros(at)| at)?,
    })
}

fn to_sealed(row: &Row) -> rusqlite::Result<SealedVariable> {
    let seal = Sealed { key_id: row.get(6)?, nonce: row.get(7)?, bytes: row.get(8)? };
    Ok(SealedVariable { record: to_record(row)?, seal })
}
