//! Removing the deployments that a policy does not keep, some hundreds at a time, while others publish, promote and remove.
//!
//! The policy looks at every deployment and every move, so which deployments go is worked out once. Whatever could save one of them
//! afterwards stands in the alias log: a name that led to it, or the end of a newer one beside it. So each removing transaction reads what was
//! appended to the log since, which is little.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::Transaction;
use ship_core::{DeploymentId, ProjectName};

use super::alias_log::MoveNumber;
use super::error::RemoveError;
use super::record::DeploymentRecord;
use super::remove::{Removed, remove_in};
use super::retention::Retention;
use super::{Deployments, rows};
use crate::database::StateError;
use crate::{audit, variables};

/// How many deployments are removed in one transaction, so that nobody waits long for it.
const REMOVED_AT_ONCE: usize = 200;

/// The deployments that a policy does not keep, on their way out.
#[derive(Debug)]
#[must_use = "nothing is removed until it is asked to"]
pub struct Expiry {
    deployments: Deployments,
    retention: Retention,
    at: Timestamp,
    /// Those that go, the next one last.
    due: Vec<DeploymentRecord>,
    /// The last move that was in the log when this was right.
    seen: Option<MoveNumber>,
    worked_out: u64,
}

/// What one transaction did.
struct Batch {
    /// Those that go as it was worked out anew, if it was.
    worked_out: Option<Vec<DeploymentRecord>>,
    /// Those that a name has led to meanwhile.
    saved: HashSet<DeploymentId>,
    taken: usize,
    removed: Vec<Removed>,
    last: Option<MoveNumber>,
}

impl Deployments {
    /// Works out which deployments do not stay at `at`. Nothing is removed yet.
    pub fn expiry(&self, retention: Retention, at: Timestamp) -> Result<Expiry, StateError> {
        let (due, seen) = self.database.read(|transaction| {
            Ok::<_, StateError>((work_out(transaction, retention, at)?, rows::last_move(transaction)?))
        })?;
        Ok(Expiry { deployments: self.clone(), retention, at, due, seen, worked_out: 1 })
    }
}

/// Those that go, the next one last: projects one after the other, the oldest of each first.
fn work_out(
    transaction: &Transaction,
    retention: Retention,
    at: Timestamp,
) -> Result<Vec<DeploymentRecord>, StateError> {
    let mut due = rows::expired(transaction, retention, at)?;
    due.sort_by(|one, other| one.project.cmp(&other.project));
    due.reverse();
    Ok(due)
}

impl Expiry {
    /// The project of the deployments that [`Expiry::remove_some`] takes next; `None` when all are gone.
    pub fn next_project(&self) -> Option<&ProjectName> {
        self.due.last().map(|record| &record.project)
    }

    /// How often it was worked out which deployments go: once, and again after others were removed meanwhile.
    pub fn worked_out(&self) -> u64 {
        self.worked_out
    }

    /// Removes deployments of one project, some hundreds at the most, and perhaps none. Whether they still do not stay is
    /// decided in the transaction that removes them.
    pub fn remove_some(&mut self) -> Result<Vec<Removed>, RemoveError> {
        let batch = self.deployments.database.write_making_room(|transaction| self.remove_batch(transaction))?;
        if let Some(due) = batch.worked_out {
            self.due = due;
            self.worked_out += 1;
        }
        self.due.truncate(self.due.len() - batch.taken);
        self.due.retain(|record| !batch.saved.contains(&record.id));
        self.seen = batch.last;
        Ok(batch.removed)
    }

    fn remove_batch(&self, transaction: &Transaction) -> Result<Batch, RemoveError> {
        // Where one is gone, others of its branch may be among the newest, and it may have been made anew.
        let worked_out = if rows::is_any_removed_since(transaction, self.seen)? {
            Some(work_out(transaction, self.retention, self.at)?)
        } else {
            None
        };
        let saved = rows::led_to_since(transaction, self.seen)?;
        let due = worked_out.as_ref().unwrap_or(&self.due);
        let project = due.last().map(|record| &record.project);
        let next = due.iter().rev().take_while(|record| Some(&record.project) == project).take(REMOVED_AT_ONCE);
        let taken = next.clone().count();
        let removed = next
            .filter(|record| !saved.contains(&record.id))
            .map(|record| self.deployments.expire(transaction, record, self.at))
            .collect::<Result<_, _>>()?;
        project.map_or(Ok(()), |project| variables::rows::prune(transaction, project))?;
        Ok(Batch { taken, removed, saved, last: rows::last_move(transaction)?, worked_out })
    }
}

impl Deployments {
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

#[cfg(test)]
mod tests;
