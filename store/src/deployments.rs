//! Deployments, and the aliases that point to them.
//!
//! A deployment never changes. What changes is where an alias points, and each of its moves is a row in a log that only
//! grows. A move names the version of the alias that it saw, so of two writers that saw the same one, one fails.
//!
//! **Labels.** A label belongs to one name: a project's production, one branch of a project, or one deployment. Whoever
//! comes second to a label gets another: a deployment more characters of its id, a branch a digest of its name. Production
//! has no second choice, so publishing is refused.
//!
//! **Rolling back.** Each move remembers the move that a rollback of it returns to. Publishing and promoting put a move on
//! top of the trail; rolling back takes moves off it. So after A, B, C a rollback leads to B and a second one to A, and
//! after D was published on B, a rollback leads to B again. Deployments that were removed are skipped.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rusqlite::Transaction;
use ship_core::{DeploymentId, DeploymentIdPrefix, Function, HostLabel, Manifest, ProjectName};

use crate::audit::{self, AuditNote};
use crate::blobs::{BlobError, Blobs};
use crate::database::{Database, MayBeFull, StateError};

mod alias_log;
mod build;
mod environment;
mod error;
mod expiry;
mod labels;
mod production;
mod publish;
mod record;
mod remove;
mod retention;
mod rows;
mod stage;

pub use alias_log::{Alias, AliasKind, AliasMove, LabelOwner, MoveCause};
pub use environment::{Aim, EnvironmentBinding};
pub use error::{PublishError, RemoveError, RollbackError, StageError};
pub use expiry::Expiry;
pub use publish::{PublishOptions, Published, Republish};
pub use record::{DeploymentQuery, DeploymentRecord, DeploymentSource, DeploymentSummary, ProjectSummary};
pub use remove::Removed;
pub use retention::Retention;
pub use stage::{StageRequest, StagedDeployment};

/// How many deployments [`Deployments::find`] returns at the most: enough to show that a prefix is ambiguous.
const FOUND_AT_MOST: usize = 10;

/// The deployments of a store.
#[derive(Debug, Clone)]
pub struct Deployments {
    database: Arc<Database>,
    blobs: Blobs,
    note: Option<AuditNote>,
    /// Where production has to lead for it to be moved; wherever it leads if nothing is said.
    expected: Option<DeploymentId>,
}

impl Deployments {
    pub(crate) fn new(database: Arc<Database>, blobs: Blobs) -> Self {
        Self { database, blobs, note: None, expected: None }
    }

    /// The same deployments: each change that is made through them stands in the audit log like this, or is not made.
    #[must_use]
    pub fn noting(&self, note: AuditNote) -> Self {
        Self { note: Some(note), ..self.clone() }
    }

    /// The same deployments: production is moved through them if it leads to `expected`, and stays if somebody has moved it meanwhile.
    #[must_use]
    pub fn expecting(&self, expected: Option<DeploymentId>) -> Self {
        Self { expected, ..self.clone() }
    }

    /// Writes in one transaction, and with it into the audit log if `is_change` says that there is something to note.
    fn write<T, E: From<StateError>>(
        &self,
        is_change: impl FnOnce(&T) -> bool,
        change: impl FnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        audit::write(&self.database, self.note.as_ref(), is_change, change)
    }

    /// The same for a change that removes something.
    fn write_making_room<T, E: From<StateError> + MayBeFull>(
        &self,
        change: impl Fn(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        audit::write_making_room(&self.database, self.note.as_ref(), change)
    }

    /// The deployment with this id, if there is one.
    pub fn get(&self, id: &DeploymentId) -> Result<Option<DeploymentRecord>, StateError> {
        self.database.read(|transaction| rows::deployment(transaction, id))
    }

    /// The deployments whose ids begin like this, of one project or of all, at most ten.
    pub fn find(
        &self,
        prefix: &DeploymentIdPrefix,
        project: Option<&ProjectName>,
    ) -> Result<Vec<DeploymentRecord>, StateError> {
        self.database.read(|transaction| rows::deployments_from_prefix(transaction, prefix, project, FOUND_AT_MOST))
    }

    /// All that a deployment is, read from its blob and checked.
    pub fn manifest(&self, id: &DeploymentId) -> Result<Manifest, StateError> {
        let record = self.get(id)?.ok_or(StateError::UnknownDeployment { id: *id })?;
        let json = self
            .blobs
            .read(&record.manifest)
            .map_err(|source| StateError::ManifestBlob { id: *id, source: Box::new(source) })?;
        read_manifest(id, &record.project, &json)
    }

    /// Shows every deployment, oldest first, with its manifest or why that cannot be read. One that is removed meanwhile may
    /// be left out.
    pub(crate) fn visit_manifests(
        &self,
        mut visit: impl FnMut(DeploymentRecord, Result<Manifest, StateError>),
    ) -> Result<(), StateError> {
        for record in self.database.read(rows::deployments)? {
            let id = record.id;
            let read = match self.blobs.read_if_there(&record.manifest) {
                Ok(Some(json)) => read_manifest(&id, &record.project, &json),
                Ok(None) if self.get(&id)?.is_none() => continue,
                Ok(None) => {
                    let source = Box::new(BlobError::Missing { digest: record.manifest });
                    Err(StateError::ManifestBlob { id, source })
                }
                Err(source) => Err(StateError::ManifestBlob { id, source: Box::new(source) }),
            };
            visit(record, read);
        }
        Ok(())
    }

    /// The functions of all deployments but those in `without`, each once for its project. Those of a manifest that cannot be
    /// read are not among them.
    pub fn functions_in_use(
        &self,
        without: &HashSet<DeploymentId>,
    ) -> Result<Vec<(ProjectName, Function)>, StateError> {
        let mut functions = BTreeMap::new();
        self.visit_manifests(|record, manifest| {
            let Ok(manifest) = manifest else { return };
            if without.contains(&record.id) {
                return;
            }
            for function in manifest.functions() {
                functions.insert((record.project.clone(), function.folder()), function.clone());
            }
        })?;
        Ok(functions.into_iter().map(|((project, _), function)| (project, function)).collect())
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The `limit` newest deployments, of one project or of all, newest first, each with the labels that lead to it.
    /// Newest means published last, whatever the clock said.
    pub fn list(&self, project: Option<&ProjectName>, limit: usize) -> Result<Vec<DeploymentSummary>, StateError> {
        self.search(&DeploymentQuery { project: project.cloned(), limit, ..DeploymentQuery::default() })
    }

    /// The newest deployments that are asked for, newest first, each with the labels that lead to it.
    pub fn search(&self, wanted: &DeploymentQuery) -> Result<Vec<DeploymentSummary>, StateError> {
        self.database.read(|transaction| {
            let records = rows::newest_deployments(transaction, wanted)?;
            let summary = |record: DeploymentRecord| {
                let labels = rows::labels_of(transaction, &record.id)?;
                Ok(DeploymentSummary { record, labels })
            };
            records.into_iter().map(summary).collect()
        })
    }

    /// The deployment that was published before another, on its branch if there is one: what it is a change of.
    pub fn before(&self, record: &DeploymentRecord) -> Result<Option<DeploymentRecord>, StateError> {
        self.database.read(|transaction| rows::deployment_before(transaction, record))
    }

    /// Every alias, sorted by label.
    pub fn aliases(&self) -> Result<Vec<Alias>, StateError> {
        self.database.read(rows::aliases)
    }

    /// The aliases of one project, sorted by label.
    pub fn aliases_of(&self, project: &ProjectName) -> Result<Vec<Alias>, StateError> {
        self.database.read(|transaction| rows::aliases_of_project(transaction, project))
    }

    /// The aliases that lead to one deployment, sorted by label.
    pub fn aliases_to(&self, id: &DeploymentId) -> Result<Vec<Alias>, StateError> {
        let pointers = self.database.read(|transaction| rows::pointers_to(transaction, id))?;
        Ok(pointers.into_iter().map(|pointer| pointer.alias).collect())
    }

    /// Where one label points, if it points anywhere.
    pub fn alias(&self, label: &HostLabel) -> Result<Option<Alias>, StateError> {
        self.database.read(|transaction| rows::alias(transaction, label))
    }

    /// Every move of a label, oldest first.
    pub fn history(&self, label: &HostLabel) -> Result<Vec<AliasMove>, StateError> {
        self.database.read(|transaction| rows::moves_of_label(transaction, label))
    }

    /// Every project that has a deployment, sorted by name.
    pub fn projects(&self) -> Result<Vec<ProjectSummary>, StateError> {
        self.database.read(rows::projects)
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

/// What the manifest of a deployment says, after seeing that the deployment's id is made of it: whatever stands in the state, no
/// deployment shows what another one is.
pub(crate) fn read_manifest(id: &DeploymentId, project: &ProjectName, json: &[u8]) -> Result<Manifest, StateError> {
    if Manifest::deployment_id_of(project, json) != *id {
        return Err(StateError::ManifestOfAnother { id: *id });
    }
    Manifest::from_json(json).map_err(|source| StateError::ManifestFormat { id: *id, source })
}
