//! Retention: which deployments are so old that nobody will miss them.

use jiff::{SignedDuration, Timestamp};

use super::record::DeploymentRecord;
use super::{Deployments, rows};
use crate::database::StateError;

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
}
