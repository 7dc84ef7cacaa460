//! Publishing: one transaction in which a deployment becomes visible and aliases move to it.

use jiff::Timestamp;
use rusqlite::Transaction;
use ship_core::{BranchName, DeploymentId, HostLabel, Target};

use super::alias_log::{self, AliasKind, AliasMove, MoveCause, Name, Pointer, Step};
use super::error::PublishError;
use super::labels::{self, Place};
use super::record::DeploymentRecord;
use super::stage::StagedDeployment;
use super::{Deployments, rows};
use crate::database::StateError;

/// Whether to publish what is published already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Republish {
    /// Aliases that point there already are left alone: nothing is appended to the log.
    #[default]
    IfChanged,
    /// A move is appended to the log of each alias, also where it leads to where the alias pointed before.
    Always,
}

/// How to publish.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishOptions {
    /// Whether production moves as well. It also moves with the first deployment of a project.
    pub target: Target,
    /// The branch whose alias moves.
    pub branch: Option<BranchName>,
    /// What to do with aliases that point there already.
    pub republish: Republish,
    /// Now.
    pub at: Timestamp,
}

/// What publishing did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Published {
    /// The deployment, as it was recorded when it was first published. Target, branch and commit of this publish are
    /// those of the options that it was published with.
    pub record: DeploymentRecord,
    /// The moves that were appended to the log, none if nothing changed.
    pub moves: Vec<AliasMove>,
    /// The label of this very deployment.
    pub own_label: HostLabel,
    /// The label of the branch, if one was given.
    pub branch_label: Option<HostLabel>,
    /// The label of production, if production leads here now.
    pub production_label: Option<HostLabel>,
    /// Whether it is the first deployment of its project.
    pub first_of_project: bool,
}

impl Deployments {
    /// Makes a staged deployment visible and moves its aliases. When it returns, a power cut cannot undo it.
    pub fn publish(&self, staged: StagedDeployment, options: PublishOptions) -> Result<Published, PublishError> {
        self.database.write(|transaction| {
            let record = match rows::deployment(transaction, &staged.id)? {
                Some(record) => record,
                None => insert(transaction, staged)?,
            };
            move_aliases(transaction, record, &options)
        })
    }

    /// Publishes a deployment that is here already, `None` if it is not.
    pub fn republish(&self, id: &DeploymentId, options: PublishOptions) -> Result<Option<Published>, PublishError> {
        self.database.write(|transaction| {
            let record = rows::deployment(transaction, id)?;
            record.map(|record| move_aliases(transaction, record, &options)).transpose()
        })
    }
}

fn insert(transaction: &Transaction, staged: StagedDeployment) -> Result<DeploymentRecord, PublishError> {
    let own_label = labels::own(transaction, &staged.project, &staged.id)?;
    let record = DeploymentRecord {
        id: staged.id,
        project: staged.project,
        target: staged.target,
        source: staged.source,
        created_at: staged.created_at,
        manifest: staged.manifest,
        size_bytes: staged.size_bytes,
        own_label,
    };
    rows::insert_deployment(transaction, &record)?;
    Ok(record)
}

fn move_aliases(
    transaction: &Transaction,
    record: DeploymentRecord,
    options: &PublishOptions,
) -> Result<Published, PublishError> {
    let name = |kind| Name { project: &record.project, kind };
    let mut moves = Vec::new();
    let mut point = |name: &Name, place: &Place| -> Result<(), PublishError> {
        moves.extend(point_to(transaction, name, place, record.id, options)?);
        Ok(())
    };

    let own = rows::pointer(transaction, &record.own_label)?;
    point(&name(AliasKind::Deployment), &Place { label: record.own_label.clone(), seen: own })?;

    let mut branch_label = None;
    if let Some(branch) = &options.branch {
        let name = name(AliasKind::Branch(branch.clone()));
        let place = labels::branch(transaction, &name, branch)?;
        point(&name, &place)?;
        branch_label = Some(place.label);
    }

    let production_name = name(AliasKind::Production);
    let production = rows::pointer_of_name(transaction, &production_name)?;
    let first_of_project = production.is_none();
    let mut leads_here = production.is_some_and(|pointer| pointer.alias.deployment == record.id);
    if options.target == Target::Production || first_of_project {
        point(&production_name, &labels::production(transaction, &production_name)?)?;
        leads_here = true;
    }

    Ok(Published {
        own_label: record.own_label.clone(),
        branch_label,
        production_label: leads_here.then(|| HostLabel::production(&record.project)),
        first_of_project,
        moves,
        record,
    })
}

/// Points a label to a deployment, unless it points there already and need not be moved again.
fn point_to(
    transaction: &Transaction,
    name: &Name,
    place: &Place,
    to: DeploymentId,
    options: &PublishOptions,
) -> Result<Option<AliasMove>, PublishError> {
    let seen = place.seen.as_ref();
    let is_there = seen.is_some_and(|pointer| pointer.alias.deployment == to);
    if is_there && options.republish == Republish::IfChanged {
        return Ok(None);
    }
    let previous = seen.map(|pointer| previous_of_move(transaction, pointer, to)).transpose()?.flatten();
    let step =
        Step { label: &place.label, name, seen, to: Some(to), previous, cause: MoveCause::Publish, at: options.at };
    alias_log::take(transaction, &step).map(Some)
}

/// What a rollback of a move away from `seen` returns to: the move that led there. A move to where the alias is already
/// takes the place of the one before it, so that the trail never holds the same deployment twice in a row.
pub(super) fn previous_of_move(
    transaction: &Transaction,
    seen: &Pointer,
    to: DeploymentId,
) -> Result<Option<alias_log::MoveNumber>, StateError> {
    if seen.alias.deployment != to {
        return Ok(Some(seen.head));
    }
    Ok(rows::trail_move(transaction, seen.head)?.and_then(|head| head.previous))
}
