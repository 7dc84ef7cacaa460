//! Publishing: one transaction in which a deployment becomes visible and aliases move to it.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Transaction;
use ship_core::{BranchName, DeploymentId, HostLabel, Target, TokenName};

use super::alias_log::{self, AliasKind, AliasMove, MoveCause, Name, Pointer, Step};
use super::environment::{self, Aim};
use super::error::PublishError;
use super::labels::{self, Place};
use super::record::DeploymentRecord;
use super::stage::StagedDeployment;
use super::{Deployments, rows};
use crate::audit::AuditNote;
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
        let held = Arc::clone(&staged.held);
        let published_by = self.note.as_ref().and_then(AuditNote::token_name).cloned();
        let published = self.write(has_moves, |transaction| {
            let record = match rows::deployment(transaction, &staged.id)? {
                Some(record) => record,
                None => insert(transaction, staged, published_by)?,
            };
            move_aliases(transaction, record, options)
        })?;
        held.is_published();
        Ok(published)
    }

    /// Publishes a deployment that is here already, `None` if it is not.
    pub fn republish(&self, id: &DeploymentId, options: PublishOptions) -> Result<Option<Published>, PublishError> {
        self.write(
            |published: &Option<Published>| published.as_ref().is_some_and(has_moves),
            |transaction| {
                let record = rows::deployment(transaction, id)?;
                record.map(|record| move_aliases(transaction, record, options)).transpose()
            },
        )
    }
}

fn has_moves(published: &Published) -> bool {
    !published.moves.is_empty()
}

fn insert(
    transaction: &Transaction,
    staged: StagedDeployment,
    published_by: Option<TokenName>,
) -> Result<DeploymentRecord, PublishError> {
    let own_label = labels::own(transaction, &staged.project, &staged.id)?;
    let production = Name { project: &staged.project, kind: AliasKind::Production };
    let is_first = rows::pointer_of_name(transaction, &production)?.is_none();
    let record = DeploymentRecord {
        id: staged.id,
        target: if is_first { Target::Production } else { staged.target },
        project: staged.project,
        source: staged.source,
        published_by,
        author: None,
        subject: None,
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
    options: PublishOptions,
) -> Result<Published, PublishError> {
    let PublishOptions { target, branch, republish, at } = options;
    environment::bind(transaction, &record, &Aim::Publish { target, branch: branch.clone() })?;
    let mut moving = Moving { transaction, record: &record, republish, at, moves: Vec::new() };
    moving.point_own_label()?;
    let branch_label = branch.map(|branch| moving.point_branch(branch)).transpose()?;
    let production = rows::pointer_of_name(transaction, &moving.name(AliasKind::Production))?;
    let first_of_project = production.is_none();
    let production_label = if target == Target::Production || first_of_project {
        Some(moving.point_production()?)
    } else {
        production.filter(|pointer| pointer.alias.deployment == record.id).map(|pointer| pointer.alias.label)
    };
    let moves = moving.moves;
    let own_label = record.own_label.clone();
    Ok(Published { record, moves, own_label, branch_label, production_label, first_of_project })
}

/// The aliases of one publish on their way to a deployment.
struct Moving<'m> {
    transaction: &'m Transaction<'m>,
    record: &'m DeploymentRecord,
    republish: Republish,
    at: Timestamp,
    moves: Vec<AliasMove>,
}

impl<'m> Moving<'m> {
    fn name(&self, kind: AliasKind) -> Name<'m> {
        Name { project: &self.record.project, kind }
    }

    fn point_own_label(&mut self) -> Result<(), PublishError> {
        let label = self.record.own_label.clone();
        let seen = rows::pointer(self.transaction, &label)?;
        self.point(&self.name(AliasKind::Deployment), Place { label, seen }).map(drop)
    }

    fn point_branch(&mut self, branch: BranchName) -> Result<HostLabel, PublishError> {
        let name = self.name(AliasKind::Branch(branch));
        let place = labels::branch(self.transaction, &name)?;
        self.point(&name, place)
    }

    fn point_production(&mut self) -> Result<HostLabel, PublishError> {
        let name = self.name(AliasKind::Production);
        let place = labels::production(self.transaction, &name)?;
        self.point(&name, place)
    }

    /// Points a label to the deployment, unless it points there already and need not be moved again. Returns the label.
    fn point(&mut self, name: &Name, place: Place) -> Result<HostLabel, PublishError> {
        let Place { label, seen } = place;
        let to = self.record.id;
        let is_there = seen.as_ref().is_some_and(|pointer| pointer.alias.deployment == to);
        if is_there && self.republish == Republish::IfChanged {
            return Ok(label);
        }
        let previous = match &seen {
            Some(pointer) => previous_of_move(self.transaction, pointer, to)?,
            None => None,
        };
        let step = Step {
            label: &label,
            name,
            seen: seen.as_ref(),
            to: Some(to),
            previous,
            cause: MoveCause::Publish,
            at: self.at,
        };
        self.moves.push(alias_log::take(self.transaction, &step)?);
        Ok(label)
    }
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
