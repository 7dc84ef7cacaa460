//! Retention: which deployments are so old that nobody will miss them, and their removal.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Transaction;
use ship_core::ProjectName;

use super::error::RemoveError;
use super::record::DeploymentRecord;
use super::remove::{Removed, remove_in};
use super::{Deployments, rows};
use crate::audit;
use crate::database::StateError;

/// How many deployments are removed in one transaction, so that nobody waits long for it.
const REMOVED_AT_ONCE: usize = 200;

/// Which deployments stay. What production or a branch leads to always does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// How many of each branch stay, counted from the newest; those of no branch count together.
    pub keep: u32,
    /// For how many days a deployment stays after production or a branch last led to it, or after it was made.
    pub keep_days: u32,
}

impl Retention {
    /// For how many days a deployment stays unless it is said.
    pub const USUAL_DAYS: u32 = 30;

    /// The moment before which a deployment must have been left to go.
    pub(super) fn cutoff(self, at: Timestamp) -> Timestamp {
        let kept = SignedDuration::from_hours(24 * i64::from(self.keep_days));
        at.saturating_sub(kept).unwrap_or(Timestamp::MIN)
    }
}

impl Deployments {
    /// The deployments that do not stay, oldest first.
    pub fn expired(&self, retention: Retention, at: Timestamp) -> Result<Vec<DeploymentRecord>, StateError> {
        self.database.read(|transaction| rows::expired(transaction, retention, at))
    }

    /// Removes deployments of a project that do not stay, some hundreds at the most: call it until it removes none. Whether
    /// they stay is decided in the transaction that removes them.
    pub fn remove_expired(
        &self,
        project: &ProjectName,
        retention: Retention,
        at: Timestamp,
    ) -> Result<Vec<Removed>, RemoveError> {
        self.database.write_making_room(|transaction: &Transaction| {
            let expired = rows::expired(transaction, retention, at)?;
            let of_project = expired.into_iter().filter(|record| record.project == *project);
            of_project.take(REMOVED_AT_ONCE).map(|record| self.expire(transaction, &record, at)).collect()
        })
    }

    /// Removes one, and notes it: which deployments a policy removed is asked later.
    fn expire(
        &self,
        transaction: &Transaction,
        record: &DeploymentRecord,
        at: Timestamp,
    ) -> Result<Removed, RemoveError> {
        if let Some(note) = &self.note {
            let note = note.of(Some(record.project.clone())).about(record.id.as_str());
            audit::append(transaction, note.entry())?;
        }
        remove_in(transaction, &record.id, at)
    }
}
