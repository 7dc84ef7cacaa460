//! Publishing: the order in which a deployment is stored, its functions tried, and the aliases moved.

use std::sync::Arc;

use jiff::Timestamp;
use ship_api::{CheckFunctions, PublishOptions, Republish};
use ship_core::{DeploymentId, Manifest, ProjectName};
use ship_edge::{Edge, LiveDeployment, LoadError};
use ship_runtime::Runtime;
use ship_store::{AliasMove, DeploymentSource, Published, StageRequest, Store};

use crate::blocking::blocking;
use crate::complete::CompleteDeployments;
use crate::control::ApiError;
use crate::site_map::SiteMap;

/// Publishes, promotes, rolls back and removes: whatever moves an alias goes through here, so that the map of sites never
/// differs from the log.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) edge: Arc<Edge>,
    pub(crate) map: SiteMap,
    pub(crate) complete: CompleteDeployments,
}

impl Publisher {
    /// Publishes new content: stored, then tried, then visible.
    pub(crate) async fn publish(
        &self,
        project: ProjectName,
        manifest: Manifest,
        options: PublishOptions,
    ) -> Result<Published, ApiError> {
        let check = options.check;
        let staged = {
            let (store, project) = (self.store.clone(), project.clone());
            let (source, target) = (source_of(&options), options.target);
            blocking(move || {
                manifest.check_patterns()?;
                let canonical_json = manifest.to_canonical_json();
                let request = StageRequest {
                    project: &project,
                    manifest: &manifest,
                    canonical_json: &canonical_json,
                    source,
                    target,
                    at: Timestamp::now(),
                };
                let staged = store.deployments().stage(request)?;
                Ok::<_, ApiError>((staged, manifest))
            })
            .await
        };
        let (staged, manifest) = staged?;
        let live = LiveDeployment::from_parts(project, *staged.id(), manifest);
        if check == CheckFunctions::Start {
            self.start_functions(&live).await?;
        }
        let store = self.store.clone();
        let published = blocking(move || store.deployments().publish(staged, publish_options(&options))).await?;
        self.apply(&published.record.project, &published.moves);
        self.edge.prepare(&live);
        Ok(published)
    }

    /// Publishes a deployment that is stored already, `None` if it is not. One that has lost a blob counts as incomplete, so
    /// that deploying it again heals it.
    pub(crate) async fn republish(
        &self,
        project: ProjectName,
        id: DeploymentId,
        options: PublishOptions,
    ) -> Result<Option<Published>, ApiError> {
        let live = match self.map.live(id).await {
            Ok(live) if *live.project() == project => live,
            Ok(_) | Err(LoadError::Unknown { .. }) => return Ok(None),
            Err(error) => {
                tracing::warn!(%id, %error, "a deployment cannot be read; deploying it again writes it anew");
                return Ok(None);
            }
        };
        let (store, complete) = (self.store.clone(), self.complete.clone());
        let published = blocking(move || {
            complete.check(&store, &live)?;
            Ok::<_, ApiError>(store.deployments().republish(&id, publish_options(&options))?)
        })
        .await?;
        if let Some(published) = &published {
            self.apply(&published.record.project, &published.moves);
        }
        Ok(published)
    }

    /// Starts each function once, all at the same time. The instances stay, so the first visitor finds them awake.
    async fn start_functions(&self, live: &Arc<LiveDeployment>) -> Result<(), ApiError> {
        let specs = live.function_specs(&self.store).await?;
        let checks = specs.iter().map(|spec| async move {
            self.runtime.check(spec).await.map_err(|error| ApiError::function_start(&error))
        });
        let results = futures_util::future::join_all(checks).await;
        let failed = results.into_iter().find_map(Result::err);
        if let Some(error) = failed {
            self.runtime.retire(live.id()).await;
            return Err(error);
        }
        Ok(())
    }

    /// Moves production to a deployment of the project.
    pub(crate) async fn promote(&self, project: ProjectName, id: DeploymentId) -> Result<AliasMove, ApiError> {
        let store = self.store.clone();
        let name = project.clone();
        let moved = blocking(move || store.deployments().promote(&name, &id, Timestamp::now())).await?;
        self.apply(&project, std::slice::from_ref(&moved));
        Ok(moved)
    }

    /// Moves production back, to the deployment before the current one or to the one named.
    pub(crate) async fn roll_back(
        &self,
        project: ProjectName,
        to: Option<DeploymentId>,
    ) -> Result<AliasMove, ApiError> {
        let store = self.store.clone();
        let name = project.clone();
        let moved = blocking(move || store.deployments().rollback(&name, to, Timestamp::now())).await?;
        self.apply(&project, std::slice::from_ref(&moved));
        Ok(moved)
    }

    /// Removes a deployment: its URLs first, then its instances once they are idle.
    pub(crate) async fn remove(&self, project: &ProjectName, id: DeploymentId) -> Result<(), ApiError> {
        let store = self.store.clone();
        let removed = blocking(move || store.deployments().remove(&id, Timestamp::now())).await?;
        self.apply(project, &removed.moves);
        self.forget(&[id]).await;
        Ok(())
    }

    /// Removes a project with all its deployments.
    pub(crate) async fn remove_project(&self, project: ProjectName) -> Result<Vec<DeploymentId>, ApiError> {
        let store = self.store.clone();
        let name = project.clone();
        let (labels, removed) = blocking(move || {
            let labels = store.deployments().aliases_of(&name)?;
            let removed = store.deployments().remove_project(&name, Timestamp::now())?;
            store.logs().remove(&name)?;
            Ok::<_, ApiError>((labels, removed))
        })
        .await?;
        for alias in labels {
            self.map.point(&alias.label, &project, None);
        }
        self.forget(&removed).await;
        Ok(removed)
    }

    async fn forget(&self, ids: &[DeploymentId]) {
        for id in ids {
            self.map.forget(id);
            self.runtime.retire(id).await;
        }
    }

    fn apply(&self, project: &ProjectName, moves: &[AliasMove]) {
        for moved in moves {
            self.map.point(&moved.label, project, moved.to);
        }
    }
}

fn source_of(options: &PublishOptions) -> DeploymentSource {
    DeploymentSource { branch: options.branch.clone(), commit: options.commit.clone() }
}

fn publish_options(options: &PublishOptions) -> ship_store::PublishOptions {
    ship_store::PublishOptions {
        target: options.target,
        branch: options.branch.clone(),
        republish: match options.republish {
            Republish::IfChanged => ship_store::Republish::IfChanged,
            Republish::Always => ship_store::Republish::Always,
        },
        at: Timestamp::now(),
    }
}
