//! What the functions of a deployment find set: facts about it, and the variables that the host keeps for the project.
//!
//! Both are decided when a deployment is published and are the same whenever and however often its functions start, so they never
//! depend on which visitor woke them.

use std::sync::Arc;

use ship_core::{DeploymentId, HostLabel, ProjectName, SystemVariables};
use ship_edge::SiteEnvironment;
use ship_store::{DeploymentRecord, DeploymentSource, EnvironmentBinding, StateError, Store};

use crate::reads::ReadLog;
use crate::urls::Urls;

/// Where functions run, by the name that has to stand for a region.
const REGION: &str = "ship1";

/// Makes the environments of deployments.
#[derive(Clone)]
pub(crate) struct Environments {
    pub(crate) store: Store,
    pub(crate) urls: Urls,
    pub(crate) reads: Arc<ReadLog>,
}

impl Environments {
    /// The environment of a deployment that is recorded, as it was last published. Blocks.
    pub(crate) fn of_record(&self, record: &DeploymentRecord) -> Result<SiteEnvironment, StateError> {
        let binding = self.store.deployments().environment(record)?;
        self.bound(record, &binding)
    }

    /// The environment of a deployment that is recorded, with another binding than it has. Blocks.
    pub(crate) fn bound(
        &self,
        record: &DeploymentRecord,
        binding: &EnvironmentBinding,
    ) -> Result<SiteEnvironment, StateError> {
        let told = self.told(&record.project, &record.own_label, &record.source, binding);
        self.environment(&record.project, record.id, told, binding)
    }

    /// The environment of a deployment that is about to be recorded. Blocks.
    pub(crate) fn of_new(
        &self,
        project: &ProjectName,
        id: &DeploymentId,
        source: &DeploymentSource,
        binding: &EnvironmentBinding,
    ) -> Result<SiteEnvironment, StateError> {
        let own_label = HostLabel::deployment(project, id, DeploymentId::SHORT_CHARS);
        self.environment(project, *id, self.told(project, &own_label, source, binding), binding)
    }

    fn told(
        &self,
        project: &ProjectName,
        own_label: &HostLabel,
        source: &DeploymentSource,
        binding: &EnvironmentBinding,
    ) -> Vec<(String, String)> {
        let variables = SystemVariables {
            environment: binding.target.as_str(),
            url: Some(&self.urls.host_of(own_label)),
            production_url: Some(&self.urls.host_of(&HostLabel::production(project))),
            branch: source.branch.as_ref().map(ship_core::BranchName::as_str),
            commit: source.commit.as_deref(),
            region: Some(REGION),
        };
        variables.pairs()
    }

    fn environment(
        &self,
        project: &ProjectName,
        deployment: DeploymentId,
        told: Vec<(String, String)>,
        binding: &EnvironmentBinding,
    ) -> Result<SiteEnvironment, StateError> {
        let sealed = self.store.variables().of_deployment(project, binding)?;
        if sealed.is_empty() {
            return Ok(told.into());
        }
        let (store, reads, project) = (self.store.clone(), Arc::clone(&self.reads), project.clone());
        Ok(SiteEnvironment::new(told, binding.variables, move || {
            let opened = store.variables().open(&project, &sealed);
            let names = sealed.iter().map(|variable| &variable.record.name);
            match &opened {
                Ok(_) => reads.record_read(&project, deployment, names),
                Err(error) => reads.record_failure(&project, deployment, error),
            }
            opened
        }))
    }
}
