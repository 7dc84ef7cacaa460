//! What the functions of a deployment find set: decided when it is published, and the same until it is published again.

use rusqlite::{OptionalExtension as _, Transaction};
use ship_core::{BranchName, DeploymentId, ProjectName, Target};

use super::alias_log::{AliasKind, Name};
use super::record::DeploymentRecord;
use super::{Deployments, rows};
use crate::database::StateError;
use crate::database::column::{Text, signed, unsigned};
use crate::variables;

/// Which variables the functions of a deployment find set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvironmentBinding {
    /// What it was aimed at: production, once it was aimed at that.
    pub target: Target,
    /// The branch that it was last published from, if it is a preview.
    pub branch: Option<BranchName>,
    /// The newest version of a variable that it sees.
    pub variables: u64,
}

/// What happens to a deployment, as far as its environment depends on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Aim {
    /// It is published, perhaps again.
    Publish {
        /// What for.
        target: Target,
        /// From which branch.
        branch: Option<BranchName>,
    },
    /// Production is moved to it.
    Promote,
    /// Production is moved back to it: it runs as it ran.
    Rollback,
}

impl Deployments {
    /// The environment of a deployment that is recorded.
    pub fn environment(&self, record: &DeploymentRecord) -> Result<EnvironmentBinding, StateError> {
        self.database.read(|transaction| of_record(transaction, record))
    }

    /// The environment that a deployment would have after this, whether it is recorded or not.
    pub fn planned_environment(
        &self,
        project: &ProjectName,
        id: &DeploymentId,
        aim: &Aim,
    ) -> Result<EnvironmentBinding, StateError> {
        self.database.read(|transaction| planned(transaction, project, id, aim))
    }
}

/// Writes down the environment that a deployment has after this. To be called before aliases move.
pub(super) fn bind(transaction: &Transaction, record: &DeploymentRecord, aim: &Aim) -> Result<(), StateError> {
    let planned = planned(transaction, &record.project, &record.id, aim)?;
    if of_record(transaction, record)? == planned {
        return Ok(());
    }
    let sql = "INSERT INTO deployment_environments (deployment, project, target, branch, variables)
               VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (deployment) DO UPDATE
               SET target = excluded.target, branch = excluded.branch, variables = excluded.variables";
    transaction.prepare_cached(sql)?.execute((
        Text(&record.id),
        Text(&record.project),
        Text(&planned.target),
        planned.branch.as_ref().map(Text),
        signed(planned.variables),
    ))?;
    variables::rows::prune(transaction, &record.project)
}

fn planned(
    transaction: &Transaction,
    project: &ProjectName,
    id: &DeploymentId,
    aim: &Aim,
) -> Result<EnvironmentBinding, StateError> {
    let record = rows::deployment(transaction, id)?;
    let before = record.map(|record| of_record(transaction, &record)).transpose()?;
    let was_production = before.as_ref().is_some_and(|before| before.target == Target::Production);
    if let (Aim::Rollback, true, Some(before)) = (aim, was_production, &before) {
        return Ok(before.clone());
    }
    let (target, branch) = match aim {
        Aim::Publish { target, branch } => (*target, branch.clone()),
        Aim::Promote | Aim::Rollback => (Target::Production, None),
    };
    let production = rows::pointer_of_name(transaction, &Name { project, kind: AliasKind::Production })?;
    let leads_here = production.is_none_or(|pointer| pointer.alias.deployment == *id);
    let target = if was_production || leads_here { Target::Production } else { target };
    let branch = branch.filter(|_| target == Target::Preview);
    let variables = variables::rows::newest(transaction, project, target.into(), branch.as_ref())?;
    Ok(EnvironmentBinding { target, branch, variables })
}

fn of_record(transaction: &Transaction, record: &DeploymentRecord) -> Result<EnvironmentBinding, StateError> {
    let sql = "SELECT target, branch, variables FROM deployment_environments WHERE deployment = ?1";
    let found = transaction.prepare_cached(sql)?.query_row([Text(&record.id)], |row| {
        let branch: Option<Text<BranchName>> = row.get(1)?;
        Ok(EnvironmentBinding {
            target: row.get(0).map(|Text(target)| target)?,
            branch: branch.map(|Text(branch)| branch),
            variables: unsigned(row.get(2)?),
        })
    });
    let of_first_publish = || EnvironmentBinding {
        target: record.target,
        branch: record.source.branch.clone().filter(|_| record.target == Target::Preview),
        variables: 0,
    };
    Ok(found.optional()?.unwrap_or_else(of_first_publish))
}
