//! Aliases and the log of their moves: the one place that changes where a label points.

use std::fmt;

use jiff::Timestamp;
use rusqlite::Transaction;
use ship_core::{BranchName, DeploymentId, HostLabel, ProjectName};

use super::error::PublishError;
use super::rows;
use crate::database::StateError;
use crate::database::column::{Micros, Text, kept, signed};

/// What an alias means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AliasKind {
    /// The production of a project.
    Production,
    /// The newest deployment on a branch.
    Branch(BranchName),
    /// One very deployment.
    Deployment,
}

impl AliasKind {
    /// The word in the database.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Branch(_) => "branch",
            Self::Deployment => "deployment",
        }
    }

    pub(super) const fn branch(&self) -> Option<&BranchName> {
        match self {
            Self::Branch(branch) => Some(branch),
            Self::Production | Self::Deployment => None,
        }
    }
}

/// A label and where it points.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The label.
    pub label: HostLabel,
    /// The project that it belongs to.
    pub project: ProjectName,
    /// What it means.
    pub kind: AliasKind,
    /// Where it points.
    pub deployment: DeploymentId,
    /// How often it was moved, the first time included.
    pub version: u64,
    /// When it was last moved, in microseconds.
    pub moved_at: Timestamp,
}

/// Why an alias moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveCause {
    /// A deployment was published.
    Publish,
    /// A deployment was made production.
    Promote,
    /// Production was moved back.
    Rollback,
    /// The deployment that it led to was removed.
    Remove,
}

impl MoveCause {
    pub(super) const ALL: [Self; 4] = [Self::Publish, Self::Promote, Self::Rollback, Self::Remove];

    /// The word in the database and in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Remove => "remove",
        }
    }
}

/// One move of an alias.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AliasMove {
    /// The label.
    pub label: HostLabel,
    /// What it means.
    pub kind: AliasKind,
    /// Where it pointed before, if anywhere.
    pub from: Option<DeploymentId>,
    /// Where it points now, `None` if the label is gone.
    pub to: Option<DeploymentId>,
    /// The version of the alias since this move.
    pub version: u64,
    /// When, in microseconds.
    pub at: Timestamp,
    /// Why.
    pub cause: MoveCause,
}

/// Whose a label is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabelOwner {
    /// The project.
    pub project: ProjectName,
    /// What of the project.
    pub kind: AliasKind,
    /// Where the label points.
    pub deployment: DeploymentId,
}

impl LabelOwner {
    pub(super) fn of(alias: &Alias) -> Self {
        Self { project: alias.project.clone(), kind: alias.kind.clone(), deployment: alias.deployment }
    }
}

impl fmt::Display for LabelOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            AliasKind::Production => write!(f, "the production of project `{}`", self.project),
            AliasKind::Branch(branch) => write!(f, "branch `{branch}` of project `{}`", self.project),
            AliasKind::Deployment => write!(f, "deployment {} of project `{}`", self.deployment, self.project),
        }
    }
}

/// A name that a label can belong to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name<'n> {
    pub(super) project: &'n ProjectName,
    pub(super) kind: AliasKind,
}

/// A row of the log, by its sequence number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub(super) struct MoveNumber(pub(super) i64);

/// An alias together with the last move in its log.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    pub(super) alias: Alias,
    pub(super) head: MoveNumber,
}

/// A move to be made.
pub(super) struct Step<'s> {
    pub(super) label: &'s HostLabel,
    pub(super) name: &'s Name<'s>,
    /// The alias as it was seen, `None` if the label was free.
    pub(super) seen: Option<&'s Pointer>,
    pub(super) to: Option<DeploymentId>,
    /// The move that a rollback of this one returns to.
    pub(super) previous: Option<MoveNumber>,
    pub(super) cause: MoveCause,
    pub(super) at: Timestamp,
}

/// Appends a move to the log and moves the alias, if it is still as it was seen.
pub(super) fn take(transaction: &Transaction, step: &Step) -> Result<AliasMove, PublishError> {
    let version = match step.seen {
        Some(pointer) => pointer.alias.version + 1,
        None => rows::last_version(transaction, step.label)? + 1,
    };
    let made = AliasMove {
        label: step.label.clone(),
        kind: step.name.kind.clone(),
        from: step.seen.map(|pointer| pointer.alias.deployment),
        to: step.to,
        version,
        at: kept(step.at),
        cause: step.cause,
    };
    let moved_meanwhile = || PublishError::MovedMeanwhile { label: step.label.clone() };
    let number = append(transaction, step, &made)?.ok_or_else(moved_meanwhile)?;
    let changed_rows = match (step.seen, step.to) {
        (None, None) => 1,
        (None, Some(to)) => insert(transaction, step, &made, to, number)?,
        (Some(seen), Some(to)) => update(transaction, seen, &made, to, number)?,
        (Some(seen), None) => delete(transaction, seen)?,
    };
    if changed_rows == 1 { Ok(made) } else { Err(moved_meanwhile()) }
}

/// `None` if the log has a move with this version already.
fn append(transaction: &Transaction, step: &Step, made: &AliasMove) -> Result<Option<MoveNumber>, StateError> {
    let sql = "INSERT INTO alias_log (label, project, kind, branch, from_deployment, to_deployment, version, cause,
                                      moved_at, previous)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (label, version) DO NOTHING";
    let appended_rows = transaction.prepare_cached(sql)?.execute((
        Text(&made.label),
        Text(step.name.project),
        made.kind.word(),
        made.kind.branch().map(Text),
        made.from.as_ref().map(Text),
        made.to.as_ref().map(Text),
        signed(made.version),
        made.cause.as_str(),
        Micros(made.at),
        step.previous.map(|MoveNumber(number)| number),
    ))?;
    Ok((appended_rows == 1).then(|| MoveNumber(transaction.last_insert_rowid())))
}

fn insert(
    transaction: &Transaction,
    step: &Step,
    made: &AliasMove,
    to: DeploymentId,
    MoveNumber(head): MoveNumber,
) -> Result<usize, StateError> {
    let sql = "INSERT INTO aliases (label, project, kind, branch, deployment, version, moved_at, head)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (label) DO NOTHING";
    Ok(transaction.prepare_cached(sql)?.execute((
        Text(&made.label),
        Text(step.name.project),
        made.kind.word(),
        made.kind.branch().map(Text),
        Text(&to),
        signed(made.version),
        Micros(made.at),
        head,
    ))?)
}

fn update(
    transaction: &Transaction,
    seen: &Pointer,
    made: &AliasMove,
    to: DeploymentId,
    MoveNumber(head): MoveNumber,
) -> Result<usize, StateError> {
    let sql = "UPDATE aliases SET deployment = ?3, version = ?4, moved_at = ?5, head = ?6
               WHERE label = ?1 AND version = ?2";
    Ok(transaction.prepare_cached(sql)?.execute((
        Text(&made.label),
        signed(seen.alias.version),
        Text(&to),
        signed(made.version),
        Micros(made.at),
        head,
    ))?)
}

fn delete(transaction: &Transaction, seen: &Pointer) -> Result<usize, StateError> {
    let sql = "DELETE FROM aliases WHERE label = ?1 AND version = ?2";
    Ok(transaction.prepare_cached(sql)?.execute((Text(&seen.alias.label), signed(seen.alias.version)))?)
}
