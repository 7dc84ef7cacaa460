//! Moving production: forward to any deployment of the project, or back along the trail.

use jiff::Timestamp;
use rusqlite::Transaction;
use ship_core::{DeploymentId, ProjectName};

use super::alias_log::{self, AliasKind, AliasMove, MoveCause, MoveNumber, Name, Pointer, Step};
use super::environment::{self, Aim};
use super::error::{PublishError, RollbackError};
use super::publish::previous_of_move;
use super::record::DeploymentRecord;
use super::{Deployments, labels, rows};
use crate::database::StateError;

/// A place on the trail of an alias: a deployment that exists, and the move that a rollback from there returns to.
pub(super) struct TrailStop {
    pub(super) deployment: DeploymentId,
    pub(super) previous: Option<MoveNumber>,
}

impl Deployments {
    /// Makes a deployment production. If it is already, nothing is appended, and the move says from here to here.
    pub fn promote(&self, project: &ProjectName, id: &DeploymentId, at: Timestamp) -> Result<AliasMove, PublishError> {
        self.write(leads_elsewhere, |transaction| {
            let record = expect_deployment(transaction, project, id)?;
            environment::bind(transaction, &record, &Aim::Promote)?;
            let name = Name { project, kind: AliasKind::Production };
            let place = labels::production(transaction, &name)?;
            let seen = place.seen.as_ref();
            self.see_expected(project, seen.map(|pointer| pointer.alias.deployment))?;
            if let Some(stayed) = seen.and_then(|pointer| stay(pointer, *id, MoveCause::Promote)) {
                return Ok(stayed);
            }
            let previous = seen.map(|pointer| pointer.head);
            let (label, to) = (&place.label, Some(*id));
            alias_log::take(
                transaction,
                &Step { label, name: &name, seen, to, previous, cause: MoveCause::Promote, at },
            )
        })
    }

    /// Where a rollback without a target would lead now: the production deployment before the current one.
    pub fn rollback_target(&self, project: &ProjectName) -> Result<DeploymentId, RollbackError> {
        self.database.read(|transaction| {
            let name = Name { project, kind: AliasKind::Production };
            let no_production = || RollbackError::NoProduction { project: project.clone() };
            let seen = rows::pointer_of_name(transaction, &name)?.ok_or_else(no_production)?;
            let current = seen.alias.deployment;
            let stop = find_stop(transaction, &seen, |earlier| earlier != current)?;
            let nothing_before = || RollbackError::NothingBefore { project: project.clone(), current };
            stop.map(|stop| stop.deployment).ok_or_else(nothing_before)
        })
    }

    /// Moves production back: to the deployment `to`, or without one to the production deployment before the current one.
    /// Nothing but a later publish for production, promote or rollback moves it from there.
    pub fn rollback(
        &self,
        project: &ProjectName,
        to: Option<DeploymentId>,
        at: Timestamp,
    ) -> Result<AliasMove, RollbackError> {
        self.write(leads_elsewhere, |transaction| {
            let name = Name { project, kind: AliasKind::Production };
            let no_production = || RollbackError::NoProduction { project: project.clone() };
            let seen = rows::pointer_of_name(transaction, &name)?.ok_or_else(no_production)?;
            let current = seen.alias.deployment;
            self.see_expected(project, Some(current))?;
            if let Some(stayed) = to.and_then(|id| stay(&seen, id, MoveCause::Rollback)) {
                return Ok(stayed);
            }
            let target = match to {
                Some(id) => stop_at(transaction, project, &seen, id)?,
                None => find_stop(transaction, &seen, |earlier| earlier != current)?
                    .ok_or_else(|| RollbackError::NothingBefore { project: project.clone(), current })?,
            };
            let record = expect_deployment(transaction, project, &target.deployment)?;
            environment::bind(transaction, &record, &Aim::Rollback)?;
            let step = Step {
                label: &seen.alias.label,
                name: &name,
                seen: Some(&seen),
                to: Some(target.deployment),
                previous: target.previous,
                cause: MoveCause::Rollback,
                at,
            };
            Ok(alias_log::take(transaction, &step)?)
        })
    }

    /// Sees that production leads where whoever moves it has seen it.
    fn see_expected(&self, project: &ProjectName, current: Option<DeploymentId>) -> Result<(), PublishError> {
        match self.expected {
            Some(expected) if current != Some(expected) => {
                Err(PublishError::ProductionMoved { project: project.clone(), current })
            }
            _ => Ok(()),
        }
    }
}

fn leads_elsewhere(moved: &AliasMove) -> bool {
    moved.from != moved.to
}

/// The answer when the alias is where it should go.
fn stay(pointer: &Pointer, to: DeploymentId, cause: MoveCause) -> Option<AliasMove> {
    let alias = &pointer.alias;
    (alias.deployment == to).then(|| AliasMove {
        label: alias.label.clone(),
        kind: alias.kind.clone(),
        from: Some(to),
        to: Some(to),
        version: alias.version,
        at: alias.moved_at,
        cause,
    })
}

/// The nearest earlier stop on the trail of an alias that `is_wanted` takes. Deployments that were removed are no stops.
pub(super) fn find_stop(
    transaction: &Transaction,
    pointer: &Pointer,
    is_wanted: impl Fn(DeploymentId) -> bool,
) -> Result<Option<TrailStop>, StateError> {
    let mut next = rows::trail_move(transaction, pointer.head)?.and_then(|head| head.previous);
    while let Some(number) = next {
        let Some(passed) = rows::trail_move(transaction, number)? else { return Ok(None) };
        if let Some(deployment) = passed.existing.filter(|id| is_wanted(*id)) {
            return Ok(Some(TrailStop { deployment, previous: passed.previous }));
        }
        // Each stop is older than the one before it, so the way ends whatever the log says.
        next = passed.previous.filter(|earlier| *earlier < number);
    }
    Ok(None)
}

/// The stop at a given deployment. One that was never production is a step forward: it goes on top of the trail.
fn stop_at(
    transaction: &Transaction,
    project: &ProjectName,
    seen: &Pointer,
    id: DeploymentId,
) -> Result<TrailStop, RollbackError> {
    expect_deployment(transaction, project, &id)?;
    match find_stop(transaction, seen, |earlier| earlier == id)? {
        Some(stop) => Ok(stop),
        None => Ok(TrailStop { deployment: id, previous: previous_of_move(transaction, seen, id)? }),
    }
}

fn expect_deployment(
    transaction: &Transaction,
    project: &ProjectName,
    id: &DeploymentId,
) -> Result<DeploymentRecord, PublishError> {
    match rows::deployment(transaction, id)? {
        Some(record) if record.project == *project => Ok(record),
        _ => Err(PublishError::UnknownDeployment { project: project.clone(), id: *id }),
    }
}
