//! Removing deployments: their aliases go first, to an earlier deployment where there is one. Blobs stay until they are
//! collected as garbage.

use jiff::Timestamp;
use rusqlite::Transaction;
use ship_core::{DeploymentId, ProjectName};

use super::alias_log::{self, AliasKind, AliasMove, MoveCause, Name, Pointer, Step};
use super::error::{PublishError, RemoveError};
use super::production::{TrailStop, find_stop};
use super::record::DeploymentRecord;
use super::{Deployments, rows};
use crate::{domains, protection, variables};

/// What removing a deployment did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Removed {
    /// The deployment as it was.
    pub record: DeploymentRecord,
    /// The moves of the aliases that led to it.
    pub moves: Vec<AliasMove>,
}

impl Deployments {
    /// Removes a deployment that production does not lead to. A branch whose alias led to it falls back to the deployment
    /// before it on that branch; if there is none, the label is gone.
    pub fn remove(&self, id: &DeploymentId, at: Timestamp) -> Result<Removed, RemoveError> {
        self.write_making_room(|transaction| {
            let removed = remove_in(transaction, id, at)?;
            variables::rows::prune(transaction, &removed.record.project)?;
            Ok(removed)
        })
    }

    /// Removes a project: all its aliases and deployments, production included, its variables
    /// and its domains. Its log stays.
    pub fn remove_project(&self, project: &ProjectName, at: Timestamp) -> Result<Vec<DeploymentId>, RemoveError> {
        self.write_making_room(|transaction| {
            let ids = rows::ids_of_project(transaction, project)?;
            let forgotten = variables::rows::delete_all(transaction, project)?;
            if ids.is_empty() && forgotten == 0 {
                return Err(RemoveError::UnknownProject { project: project.clone() });
            }
            for pointer in rows::pointers_of_project(transaction, project)? {
                lead_away(transaction, &pointer, None, at)?;
            }
            for id in &ids {
                rows::delete_deployment(transaction, id)?;
            }
            rows::delete_blobs_of_project(transaction, project)?;
            domains::release_all(transaction, project, at)?;
            protection::delete(transaction, project)?;
            Ok(ids)
        })
    }
}

/// Removes a deployment as part of a transaction, which then has to see which variables of its project nobody needs any more.
pub(super) fn remove_in(transaction: &Transaction, id: &DeploymentId, at: Timestamp) -> Result<Removed, RemoveError> {
    let record = rows::deployment(transaction, id)?.ok_or(RemoveError::UnknownDeployment { id: *id })?;
    let pointers = rows::pointers_to(transaction, id)?;
    if pointers.iter().any(|pointer| pointer.alias.kind == AliasKind::Production) {
        return Err(RemoveError::IsProduction { id: *id, project: record.project });
    }
    let fall_back = |pointer: &Pointer| {
        let stop = find_stop(transaction, pointer, |earlier| earlier != *id).map_err(PublishError::from)?;
        lead_away(transaction, pointer, stop, at)
    };
    let moves = pointers.iter().map(fall_back).collect::<Result<_, _>>()?;
    rows::delete_deployment(transaction, id)?;
    Ok(Removed { record, moves })
}

/// Moves an alias to an earlier stop of its trail, or takes its label away.
fn lead_away(
    transaction: &Transaction,
    pointer: &Pointer,
    earlier: Option<TrailStop>,
    at: Timestamp,
) -> Result<AliasMove, PublishError> {
    let alias = &pointer.alias;
    let name = Name { project: &alias.project, kind: alias.kind.clone() };
    let (to, previous) = earlier.map_or((None, None), |stop| (Some(stop.deployment), stop.previous));
    let step =
        Step { label: &alias.label, name: &name, seen: Some(pointer), to, previous, cause: MoveCause::Remove, at };
    alias_log::take(transaction, &step)
}
