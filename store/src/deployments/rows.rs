//! The queries over deployments, aliases and the log, and how their rows become values.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{OptionalExtension as _, Params, Row, Transaction};
use ship_core::{
    AuthorName, BranchName, CommitSubject, DeploymentId, DeploymentIdPrefix, HostLabel, ProjectName, TokenName,
};

use super::alias_log::{Alias, AliasKind, AliasMove, MoveCause, MoveNumber, Name, Pointer};
use super::record::{DeploymentQuery, DeploymentRecord, DeploymentSource, ProjectSummary};
use super::retention::Retention;
use crate::database::StateError;
use crate::database::column::{Micros, Text, signed, unsigned};

const DEPLOYMENT: &str = "SELECT id, project, target, branch, commit_id, created_at, manifest, size_bytes, own_label,
                                 published_by, author, subject FROM deployments";
const POINTER: &str = "SELECT label, project, kind, branch, deployment, version, moved_at, head FROM aliases";
const MOVE: &str =
    "SELECT label, kind, branch, from_deployment, to_deployment, version, moved_at, cause FROM alias_log";

/// A move in the trail that a rollback walks.
pub(super) struct TrailMove {
    /// Where it led, if that deployment still exists.
    pub(super) existing: Option<DeploymentId>,
    pub(super) previous: Option<MoveNumber>,
}

pub(super) fn deployment(transaction: &Transaction, id: &DeploymentId) -> Result<Option<DeploymentRecord>, StateError> {
    one(transaction, &format!("{DEPLOYMENT} WHERE id = ?1"), [Text(id)], to_deployment)
}

/// Every deployment, oldest first.
pub(super) fn deployments(transaction: &Transaction) -> Result<Vec<DeploymentRecord>, StateError> {
    many(transaction, &format!("{DEPLOYMENT} ORDER BY sequence"), [], to_deployment)
}

/// The deployments that do not stay, oldest first: neither among the newest of their branch, nor used lately, nor led to by
/// production or a branch.
pub(super) fn expired(
    transaction: &Transaction,
    retention: Retention,
    at: Timestamp,
) -> Result<Vec<DeploymentRecord>, StateError> {
    let sql = "WITH moves AS (
                   SELECT to_deployment AS id, moved_at FROM alias_log WHERE kind <> 'deployment'
                   UNION ALL SELECT from_deployment, moved_at FROM alias_log WHERE kind <> 'deployment'),
               used AS (SELECT id, max(moved_at) AS moved_at FROM moves WHERE id IS NOT NULL GROUP BY id),
               ranked AS (
                   SELECT *, row_number() OVER (PARTITION BY project, branch ORDER BY sequence DESC) AS rank
                   FROM deployments)
               SELECT ranked.id, project, target, branch, commit_id, created_at, manifest, size_bytes, own_label,
                      published_by, author, subject
               FROM ranked LEFT JOIN used ON used.id = ranked.id
               WHERE rank > ?1 AND max(created_at, coalesce(used.moved_at, created_at)) < ?2
                 AND NOT EXISTS (
                     SELECT 1 FROM aliases WHERE aliases.deployment = ranked.id AND aliases.kind <> 'deployment')
               ORDER BY sequence";
    many(transaction, sql, (retention.keep, Micros(retention.cutoff(at))), to_deployment)
}

pub(super) fn deployments_from_prefix(
    transaction: &Transaction,
    prefix: &DeploymentIdPrefix,
    project: Option<&ProjectName>,
    limit: usize,
) -> Result<Vec<DeploymentRecord>, StateError> {
    // Ids are made of 0 to 9 and a to v: everything that begins with the prefix sorts before the prefix and a `w`.
    let sql =
        format!("{DEPLOYMENT} WHERE id >= ?1 AND id < ?1 || 'w' AND (?2 IS NULL OR project = ?2) ORDER BY id LIMIT ?3");
    many(transaction, &sql, (prefix.as_str(), project.map(Text), signed(limit as u64)), to_deployment)
}

/// The newest deployments that are asked for, newest first.
pub(super) fn newest_deployments(
    transaction: &Transaction,
    wanted: &DeploymentQuery,
) -> Result<Vec<DeploymentRecord>, StateError> {
    // Of a deployment that was removed meanwhile nobody knows what came before, so the list begins anew. One of another project is none:
    // whoever sees this project alone must not learn that it exists, and when it was published.
    let sql = format!(
        "{DEPLOYMENT} WHERE {} AND (?2 IS NULL OR sequence <
             coalesce((SELECT sequence FROM deployments WHERE id = ?2 AND (?1 IS NULL OR project = ?1)), {}))
         AND (?3 IS NULL OR instr(id || char(10) || own_label || char(10) || lower(
             coalesce(branch, '') || char(10) || coalesce(commit_id, '') || char(10) || coalesce(published_by, '')
             || char(10) || coalesce(author, '') || char(10) || coalesce(subject, '')),
             lower(?3)) > 0)
         ORDER BY sequence DESC LIMIT ?4",
        // Apart, so that the index of projects is used.
        if wanted.project.is_some() { "project = ?1" } else { "?1 IS NULL" },
        i64::MAX,
    );
    let parameters = (
        wanted.project.as_ref().map(Text),
        wanted.older_than.as_ref().map(Text),
        wanted.text.as_deref(),
        signed(wanted.limit as u64),
    );
    many(transaction, &sql, parameters, to_deployment)
}

/// The deployment that was published before another: on its branch, else in its project.
pub(super) fn deployment_before(
    transaction: &Transaction,
    record: &DeploymentRecord,
) -> Result<Option<DeploymentRecord>, StateError> {
    let before =
        format!("{DEPLOYMENT} WHERE project = ?1 AND sequence < (SELECT sequence FROM deployments WHERE id = ?2)");
    let newest = "ORDER BY sequence DESC LIMIT 1";
    let (project, id) = (Text(&record.project), Text(&record.id));
    let branch = record.source.branch.as_ref().map(Text);
    let on_branch = format!("{before} AND branch IS ?3 {newest}");
    match one(transaction, &on_branch, (project, id, branch), to_deployment)? {
        Some(found) => Ok(Some(found)),
        None => {
            one(transaction, &format!("{before} {newest}"), (Text(&record.project), Text(&record.id)), to_deployment)
        }
    }
}

pub(super) fn insert_deployment(transaction: &Transaction, record: &DeploymentRecord) -> Result<(), StateError> {
    let sql = "INSERT INTO deployments
                   (id, project, target, branch, commit_id, created_at, manifest, size_bytes, own_label, published_by)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    transaction.prepare_cached(sql)?.execute((
        Text(&record.id),
        Text(&record.project),
        Text(&record.target),
        record.source.branch.as_ref().map(Text),
        record.source.commit.as_deref(),
        Micros(record.created_at),
        Text(&record.manifest),
        signed(record.size_bytes),
        Text(&record.own_label),
        record.published_by.as_ref().map(Text),
    ))?;
    Ok(())
}

pub(super) fn delete_deployment(transaction: &Transaction, id: &DeploymentId) -> Result<(), StateError> {
    transaction.prepare_cached("DELETE FROM deployments WHERE id = ?1")?.execute([Text(id)])?;
    Ok(())
}

pub(super) fn delete_blobs_of_project(transaction: &Transaction, project: &ProjectName) -> Result<(), StateError> {
    transaction.prepare_cached("DELETE FROM project_blobs WHERE project = ?1")?.execute([Text(project)])?;
    Ok(())
}

pub(super) fn ids_of_project(
    transaction: &Transaction,
    project: &ProjectName,
) -> Result<Vec<DeploymentId>, StateError> {
    let sql = "SELECT id FROM deployments WHERE project = ?1 ORDER BY sequence";
    many(transaction, sql, [Text(project)], |row| row.get(0).map(|Text(id)| id))
}

pub(super) fn projects(transaction: &Transaction) -> Result<Vec<ProjectSummary>, StateError> {
    // Beside `max`, a column without an aggregate is that of the row which has the maximum: the newest deployment's.
    let sql = "SELECT project, count(*), max(sequence), created_at,
                      (SELECT deployment FROM aliases
                       WHERE aliases.project = deployments.project AND kind = 'production')
               FROM deployments GROUP BY project ORDER BY project";
    many(transaction, sql, [], |row| {
        let Text(name) = row.get(0)?;
        let deployments = unsigned(row.get(1)?);
        let Micros(updated_at) = row.get(3)?;
        let production: Option<Text<DeploymentId>> = row.get(4)?;
        Ok(ProjectSummary { name, production: production.map(|Text(id)| id), deployments, updated_at })
    })
}

pub(super) fn labels_of(transaction: &Transaction, id: &DeploymentId) -> Result<Vec<HostLabel>, StateError> {
    let sql = "SELECT label FROM aliases WHERE deployment = ?1 ORDER BY label";
    many(transaction, sql, [Text(id)], |row| row.get(0).map(|Text(label)| label))
}

pub(super) fn aliases(transaction: &Transaction) -> Result<Vec<Alias>, StateError> {
    many(transaction, &format!("{POINTER} ORDER BY label"), [], to_alias)
}

pub(super) fn aliases_of_project(transaction: &Transaction, project: &ProjectName) -> Result<Vec<Alias>, StateError> {
    many(transaction, &format!("{POINTER} WHERE project = ?1 ORDER BY label"), [Text(project)], to_alias)
}

pub(super) fn alias(transaction: &Transaction, label: &HostLabel) -> Result<Option<Alias>, StateError> {
    Ok(pointer(transaction, label)?.map(|pointer| pointer.alias))
}

/// Where a label points, with the last move in its log.
pub(super) fn pointer(transaction: &Transaction, label: &HostLabel) -> Result<Option<Pointer>, StateError> {
    one(transaction, &format!("{POINTER} WHERE label = ?1"), [Text(label)], to_pointer)
}

/// Where a project's production or one of its branches points.
pub(super) fn pointer_of_name(transaction: &Transaction, name: &Name) -> Result<Option<Pointer>, StateError> {
    match &name.kind {
        AliasKind::Production => {
            let sql = format!("{POINTER} WHERE project = ?1 AND kind = 'production'");
            one(transaction, &sql, [Text(name.project)], to_pointer)
        }
        AliasKind::Branch(branch) => {
            let sql = format!("{POINTER} WHERE project = ?1 AND branch = ?2 AND kind = 'branch'");
            one(transaction, &sql, (Text(name.project), Text(branch)), to_pointer)
        }
        AliasKind::Deployment => Ok(None),
    }
}

pub(super) fn pointers_to(transaction: &Transaction, id: &DeploymentId) -> Result<Vec<Pointer>, StateError> {
    many(transaction, &format!("{POINTER} WHERE deployment = ?1 ORDER BY label"), [Text(id)], to_pointer)
}

pub(super) fn pointers_of_project(
    transaction: &Transaction,
    project: &ProjectName,
) -> Result<Vec<Pointer>, StateError> {
    many(transaction, &format!("{POINTER} WHERE project = ?1 ORDER BY label"), [Text(project)], to_pointer)
}

pub(super) fn moves_of_label(transaction: &Transaction, label: &HostLabel) -> Result<Vec<AliasMove>, StateError> {
    many(transaction, &format!("{MOVE} WHERE label = ?1 ORDER BY version"), [Text(label)], to_move)
}

/// The version of the last move of a label, 0 if it never moved. Versions go on where a label that was gone left off.
pub(super) fn last_version(transaction: &Transaction, label: &HostLabel) -> Result<u64, StateError> {
    let sql = "SELECT version FROM alias_log WHERE label = ?1 ORDER BY version DESC LIMIT 1";
    Ok(one(transaction, sql, [Text(label)], |row| row.get(0))?.map_or(0, unsigned))
}

/// The last move in the log, if there is any.
pub(super) fn last_move(transaction: &Transaction) -> Result<Option<MoveNumber>, StateError> {
    let sql = "SELECT sequence FROM alias_log ORDER BY sequence DESC LIMIT 1";
    one(transaction, sql, [], |row| row.get(0).map(MoveNumber))
}

/// Whether a deployment was removed after a move: its own label leads nowhere then.
pub(super) fn is_any_removed_since(transaction: &Transaction, seen: Option<MoveNumber>) -> Result<bool, StateError> {
    let sql = "SELECT 1 FROM alias_log WHERE sequence > ?1 AND kind = 'deployment' AND to_deployment IS NULL LIMIT 1";
    Ok(one(transaction, sql, [after(seen)], |_| Ok(()))?.is_some())
}

/// The deployments that production or a branch was led to, or away from, after a move.
pub(super) fn led_to_since(
    transaction: &Transaction,
    seen: Option<MoveNumber>,
) -> Result<HashSet<DeploymentId>, StateError> {
    let sql = "SELECT to_deployment, from_deployment FROM alias_log WHERE sequence > ?1 AND kind <> 'deployment'";
    let ends = |row: &Row| Ok([row.get::<_, Option<Text<DeploymentId>>>(0)?, row.get(1)?]);
    let moves = many(transaction, sql, [after(seen)], ends)?;
    Ok(moves.into_iter().flatten().flatten().map(|Text(id)| id).collect())
}

fn after(seen: Option<MoveNumber>) -> i64 {
    seen.map_or(0, |MoveNumber(number)| number)
}

pub(super) fn trail_move(transaction: &Transaction, number: MoveNumber) -> Result<Option<TrailMove>, StateError> {
    let sql = "SELECT deployments.id, alias_log.previous
               FROM alias_log LEFT JOIN deployments ON deployments.id = alias_log.to_deployment
               WHERE alias_log.sequence = ?1";
    one(transaction, sql, [number.0], |row| {
        let existing: Option<Text<DeploymentId>> = row.get(0)?;
        let previous: Option<i64> = row.get(1)?;
        Ok(TrailMove { existing: existing.map(|Text(id)| id), previous: previous.map(MoveNumber) })
    })
}

fn one<T>(
    transaction: &Transaction,
    sql: &str,
    parameters: impl Params,
    read: impl FnOnce(&Row) -> rusqlite::Result<T>,
) -> Result<Option<T>, StateError> {
    Ok(transaction.prepare_cached(sql)?.query_row(parameters, read).optional()?)
}

fn many<T>(
    transaction: &Transaction,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StateError> {
    Ok(transaction.prepare_cached(sql)?.query_map(parameters, read)?.collect::<Result<_, _>>()?)
}

fn to_deployment(row: &Row) -> rusqlite::Result<DeploymentRecord> {
    let branch: Option<Text<BranchName>> = row.get(3)?;
    let published_by: Option<Text<TokenName>> = row.get(9)?;
    let author: Option<Text<AuthorName>> = row.get(10)?;
    let subject: Option<Text<CommitSubject>> = row.get(11)?;
    Ok(DeploymentRecord {
        id: row.get(0).map(|Text(id)| id)?,
        project: row.get(1).map(|Text(project)| project)?,
        target: row.get(2).map(|Text(target)| target)?,
        source: DeploymentSource { branch: branch.map(|Text(branch)| branch), commit: row.get(4)? },
        published_by: published_by.map(|Text(name)| name),
        author: author.map(|Text(name)| name),
        subject: subject.map(|Text(subject)| subject),
        created_at: row.get(5).map(|Micros(at)| at)?,
        manifest: row.get(6).map(|Text(digest)| digest)?,
        size_bytes: unsigned(row.get(7)?),
        own_label: row.get(8).map(|Text(label)| label)?,
    })
}

fn to_alias(row: &Row) -> rusqlite::Result<Alias> {
    Ok(Alias {
        label: row.get(0).map(|Text(label)| label)?,
        project: row.get(1).map(|Text(project)| project)?,
        kind: to_kind(row, 2)?,
        deployment: row.get(4).map(|Text(id)| id)?,
        version: unsigned(row.get(5)?),
        moved_at: row.get(6).map(|Micros(at)| at)?,
    })
}

fn to_pointer(row: &Row) -> rusqlite::Result<Pointer> {
    Ok(Pointer { alias: to_alias(row)?, head: MoveNumber(row.get(7)?) })
}

fn to_move(row: &Row) -> rusqlite::Result<AliasMove> {
    let from: Option<Text<DeploymentId>> = row.get(3)?;
    let to: Option<Text<DeploymentId>> = row.get(4)?;
    let cause: String = row.get(7)?;
    let cause = MoveCause::ALL.into_iter().find(|known| known.as_str() == cause);
    Ok(AliasMove {
        label: row.get(0).map(|Text(label)| label)?,
        kind: to_kind(row, 1)?,
        from: from.map(|Text(id)| id),
        to: to.map(|Text(id)| id),
        version: unsigned(row.get(5)?),
        at: row.get(6).map(|Micros(at)| at)?,
        cause: cause.ok_or_else(|| unknown_word(7))?,
    })
}

/// The kind in `column`, and the branch in the next one.
fn to_kind(row: &Row, column: usize) -> rusqlite::Result<AliasKind> {
    let word: String = row.get(column)?;
    let branch: Option<Text<BranchName>> = row.get(column + 1)?;
    match (word.as_str(), branch) {
        ("production", None) => Ok(AliasKind::Production),
        ("branch", Some(Text(branch))) => Ok(AliasKind::Branch(branch)),
        ("deployment", None) => Ok(AliasKind::Deployment),
        _ => Err(unknown_word(column)),
    }
}

fn unknown_word(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(FromSqlError::InvalidType))
}
