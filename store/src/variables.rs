//! Variables of projects: sealed at rest, opened for the functions that they are for.
//!
//! A value that was set is never changed: setting it again adds a version, removing it adds one without a value. A deployment sees
//! the versions up to the one that was the newest when it was last published ([`EnvironmentBinding`]), so
//! what runs stays what it was until somebody publishes. Versions that nothing can see any more are deleted.

mod error;
mod key;
pub(crate) mod rows;
mod seal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::Transaction;
use ship_core::{
    BranchName, ProjectName, VariableKind, VariableName, VariableScope, VariableTarget, VariableValue,
    check_environment_bytes, variable_bytes,
};

pub use error::VariablesError;
use key::{HostKey, KeyFile};

use crate::audit::{self, AuditNote};
use crate::data_dir::HOST_KEY;
use crate::database::{Database, StateError};
use crate::deployments::EnvironmentBinding;

/// How many variables may be set for one target, or one branch of it. Vercel's bound.
const MOST_VARIABLES: usize = 1_000;

/// The variables of all projects.
#[derive(Debug, Clone)]
pub struct Variables {
    database: Arc<Database>,
    key: Arc<Mutex<KeyState>>,
    note: Option<AuditNote>,
}

/// Where the key is, and the key once it was needed.
#[derive(Debug)]
struct KeyState {
    file: KeyFile,
    known: Option<Arc<HostKey>>,
}

/// A value that is to be set.
#[derive(Clone, Debug)]
pub struct VariableChange<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The variable.
    pub name: &'a VariableName,
    /// What it is for, at least one.
    pub scopes: &'a [VariableScope],
    /// Who may read it. What is for development can be read in any case.
    pub kind: VariableKind,
    /// Its value.
    pub value: &'a VariableValue,
    /// Now.
    pub at: Timestamp,
}

/// What may be known of a variable without its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VariableRecord {
    /// Its name.
    pub name: VariableName,
    /// What it is for.
    pub scope: VariableScope,
    /// Who may read it.
    pub kind: VariableKind,
    /// The version of its value.
    pub version: u64,
    /// When it was set.
    pub set_at: Timestamp,
}

/// A variable whose value is sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedVariable {
    /// What it is.
    pub record: VariableRecord,
    seal: seal::Sealed,
}

/// A variable whose value was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenedVariable {
    /// Its name.
    pub name: VariableName,
    /// Who may read it.
    pub kind: VariableKind,
    /// Its value.
    pub value: VariableValue,
}

impl Variables {
    pub(crate) fn new(database: Arc<Database>, key_file: PathBuf) -> Self {
        let state = KeyState { file: KeyFile::OfHost(key_file), known: None };
        Self { database, key: Arc::new(Mutex::new(state)), note: None }
    }

    /// The same variables: each change that is made through them stands in the audit log like this, or is not made.
    #[must_use]
    pub fn noting(&self, note: AuditNote) -> Self {
        Self { note: Some(note), ..self.clone() }
    }

    /// Has the key read from a file that somebody else looks after, such as a credential of systemd. It is never written.
    pub fn read_key_from(&self, file: &Path) {
        let mut state = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        *state = KeyState { file: KeyFile::Given(file.to_owned()), known: None };
    }

    /// Sets a value for one or several scopes, all or none.
    pub fn set(&self, change: &VariableChange<'_>) -> Result<Vec<VariableRecord>, VariablesError> {
        let size_bytes = variable_bytes(change.name, change.value)?;
        let key = self.key(KeyNeed::ToSeal)?;
        audit::write(
            &self.database,
            self.note.as_ref(),
            |_| true,
            |transaction| {
                let mut records = Vec::with_capacity(change.scopes.len());
                for scope in change.scopes {
                    let is_for_development = scope.target() == VariableTarget::Development;
                    let record = VariableRecord {
                        name: change.name.clone(),
                        scope: scope.clone(),
                        kind: if is_for_development { VariableKind::Plain } else { change.kind },
                        version: rows::next_version(transaction)?,
                        set_at: change.at,
                    };
                    let seal = key.seal(change.project, &record, change.value)?;
                    rows::insert(transaction, change.project, &record, Some(&seal), size_bytes)?;
                    check_size(transaction, change.project, scope)?;
                    records.push(record);
                }
                rows::prune(transaction, change.project)?;
                Ok(records)
            },
        )
    }

    /// Removes a variable from all scopes that `is_meant` takes, and says which they were. Deployments that see it keep it until
    /// they are published again.
    pub fn remove(
        &self,
        project: &ProjectName,
        name: &VariableName,
        is_meant: impl Fn(&VariableScope) -> bool,
        at: Timestamp,
    ) -> Result<Vec<VariableRecord>, StateError> {
        audit::write(
            &self.database,
            self.note.as_ref(),
            |removed: &Vec<_>| !removed.is_empty(),
            |transaction| {
                let current = rows::current(transaction, project)?;
                let meant = current.into_iter().filter(|record| record.name == *name && is_meant(&record.scope));
                let removed: Vec<VariableRecord> = meant.collect();
                for record in &removed {
                    let version = rows::next_version(transaction)?;
                    rows::insert(
                        transaction,
                        project,
                        &VariableRecord { version, set_at: at, ..record.clone() },
                        None,
                        0,
                    )?;
                }
                rows::prune(transaction, project)?;
                Ok(removed)
            },
        )
    }

    /// What is set for a project, by name and scope.
    pub fn list(&self, project: &ProjectName) -> Result<Vec<VariableRecord>, StateError> {
        self.database.read(|transaction| rows::current(transaction, project))
    }

    /// What is set for a target and a branch now: what a deployment would see that was published in this moment.
    pub fn effective(
        &self,
        project: &ProjectName,
        target: VariableTarget,
        branch: Option<&BranchName>,
    ) -> Result<Vec<SealedVariable>, StateError> {
        self.database.read(|transaction| effective(transaction, project, target, branch, u64::MAX))
    }

    /// What the functions of a deployment see.
    pub fn of_deployment(
        &self,
        project: &ProjectName,
        environment: &EnvironmentBinding,
    ) -> Result<Vec<SealedVariable>, StateError> {
        let EnvironmentBinding { target, branch, variables } = environment;
        // Most projects have none, and need not be looked for.
        if *variables == 0 {
            return Ok(Vec::new());
        }
        let branch = branch.as_ref();
        self.database.read(|transaction| effective(transaction, project, (*target).into(), branch, *variables))
    }

    /// Opens values. Whoever calls this accounts for it: each opened value was read by somebody.
    pub fn open(
        &self,
        project: &ProjectName,
        sealed: &[SealedVariable],
    ) -> Result<Vec<OpenedVariable>, VariablesError> {
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.key(KeyNeed::ToOpen)?;
        let open = |variable: &SealedVariable| {
            let SealedVariable { record, seal } = variable;
            let value = key.open(project, record, seal)?;
            Ok(OpenedVariable { name: record.name.clone(), kind: record.kind, value })
        };
        sealed.iter().map(open).collect()
    }

    /// Seals everything under the first key of the key file that an older key of it seals. Gives how many values that were.
    pub fn reseal(&self) -> Result<usize, VariablesError> {
        let has_any = self.database.read::<_, StateError>(rows::has_sealed)?;
        if !has_any {
            return Ok(0);
        }
        let key = self.key(KeyNeed::ToOpen)?;
        if !self.database.read::<_, StateError>(|transaction| rows::has_sealed_by_others(transaction, key.id()))? {
            return Ok(0);
        }
        self.database.write(|transaction| {
            let old = rows::sealed_by_others(transaction, key.id())?;
            for (project, SealedVariable { record, seal }) in &old {
                let value = key.open(project, record, seal)?;
                rows::replace_seal(transaction, record.version, &key.seal(project, record, &value)?)?;
            }
            Ok(old.len())
        })
    }

    /// The key, read when it is first needed, and made when something is sealed for the first time.
    fn key(&self, need: KeyNeed) -> Result<Arc<HostKey>, VariablesError> {
        let mut state = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &state.known {
            return Ok(Arc::clone(key));
        }
        let key = match state.file.read() {
            Err(VariablesError::KeyMissing { .. }) if need == KeyNeed::ToSeal && self.may_make_key(&state.file)? => {
                state.file.make()?
            }
            read => read?,
        };
        Ok(Arc::clone(state.known.insert(Arc::new(key))))
    }

    /// A new key would take the place of one that is lost, and hide that it is. So one is made only where nothing is sealed.
    fn may_make_key(&self, file: &KeyFile) -> Result<bool, StateError> {
        let is_own = matches!(file, KeyFile::OfHost(_));
        Ok(is_own && !self.database.read(rows::has_sealed)?)
    }
}

/// Makes a key for a host whose state was restored without the one that its values are sealed with. They cannot be opened with this one,
/// and can be set anew; the old key opens them again as a further line of the file. Changes nothing where there is a key.
pub fn begin_with_a_new_key(data: &Path) -> Result<NewKey, VariablesError> {
    let path = data.join(HOST_KEY);
    if path.exists() {
        return Ok(NewKey::NotNeeded);
    }
    KeyFile::OfHost(path).make()?;
    Ok(NewKey::Made)
}

/// Whether a key was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewKey {
    /// It was.
    Made,
    /// There is one.
    NotNeeded,
}

/// What the key is needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyNeed {
    ToSeal,
    ToOpen,
}

/// What a scope sees of the versions up to `newest`: of each name, what is set for its branch, else what is set for its target.
fn effective(
    transaction: &Transaction,
    project: &ProjectName,
    target: VariableTarget,
    branch: Option<&BranchName>,
    newest: u64,
) -> Result<Vec<SealedVariable>, StateError> {
    let mut seen: BTreeMap<VariableName, SealedVariable> = BTreeMap::new();
    let versions = rows::latest(transaction, project, target, newest)?;
    let (of_branches, of_target): (Vec<_>, Vec<_>) =
        versions.into_iter().partition(|variable| variable.record.scope.branch().is_some());
    let of_branch = of_branches.into_iter().filter(|variable| variable.record.scope.branch() == branch);
    for variable in of_target.into_iter().chain(of_branch) {
        seen.insert(variable.record.name.clone(), variable);
    }
    Ok(seen.into_values().collect())
}

/// Whether what a scope sees can be an environment: said when it is set, and not when a function does not start.
fn check_size(transaction: &Transaction, project: &ProjectName, scope: &VariableScope) -> Result<(), VariablesError> {
    let sizes = rows::sizes(transaction, project, scope)?;
    if sizes.len() > MOST_VARIABLES {
        return Err(VariablesError::TooMany { scope: scope.clone(), most: MOST_VARIABLES });
    }
    Ok(check_environment_bytes(sizes.into_iter().sum())?)
}

#[cfg(test)]
mod tests;
