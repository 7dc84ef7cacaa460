//! Instances that are kept although nobody asks: those that `min_instances` and `warm` of functions want.
//!
//! They are kept of the deployments that production leads to, and of no others: a project has one production and any number of
//! branches and old deployments, which nobody cleans up, and each of them would hold processes for ever.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ship_core::{DeploymentId, Function, FunctionName, Manifest, ProjectName, WarmSchedule};
use ship_runtime::Runtime;
use ship_store::{AliasKind, StateError, Store};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::site_map::SiteMap;

/// How long the keeper sleeps at most while there is something to keep: a machine that was suspended, or whose clock was set,
/// has what it should have a minute later.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Says what time it is.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Production of a project leads elsewhere now, or nowhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ProductionMove {
    pub(crate) project: ProjectName,
    pub(crate) to: Option<DeploymentId>,
}

/// A function of a deployment.
type FunctionKey = (DeploymentId, FunctionName);

/// The functions of all productions of which instances may have to be kept.
#[derive(Default)]
struct Plan {
    productions: HashMap<ProjectName, (DeploymentId, Vec<Function>)>,
}

impl Plan {
    /// Production of a project leads to this deployment now.
    fn set(&mut self, project: ProjectName, deployment: DeploymentId, manifest: &Manifest) {
        let is_kept = |function: &&Function| function.limits.min_instances > 0 || !function.warm.is_empty();
        let functions: Vec<Function> = manifest.functions().iter().filter(is_kept).cloned().collect();
        if !functions.is_empty() {
            self.productions.insert(project, (deployment, functions));
        }
    }

    /// How many instances are kept of which function.
    fn kept_at(&self, now: Timestamp) -> HashMap<FunctionKey, u32> {
        let of_one = |(deployment, functions): &(DeploymentId, Vec<Function>)| {
            let deployment = *deployment;
            let key = move |function: &Function| ((deployment, function.name.clone()), function.kept_at(now));
            functions.iter().map(key).collect::<Vec<_>>()
        };
        self.productions.values().flat_map(of_one).filter(|(_, instances)| *instances > 0).collect()
    }

    /// When that changes next by itself.
    fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let functions = self.productions.values().flat_map(|(_, functions)| functions);
        functions.flat_map(|function| &function.warm).filter_map(|schedule: &WarmSchedule| schedule.next(now)).min()
    }
}

/// What keeps instances: the host's runtime, or what stands for it in a test.
pub(crate) trait Stove: Send + 'static {
    /// Where the productions of all projects lead now.
    fn productions(&self) -> impl Future<Output = Result<Vec<ProductionMove>, StateError>> + Send;

    /// Keeps so many instances of a function from now on. False if it has to be tried again.
    fn keep(&self, function: &FunctionKey, instances: u32) -> impl Future<Output = bool> + Send;

    /// The manifest of a deployment.
    fn manifest(&self, deployment: DeploymentId) -> impl Future<Output = Result<Manifest, StateError>> + Send;
}

/// Keeps what is to be kept until it is stopped.
pub(crate) struct Warmth<S> {
    stove: S,
    clock: Clock,
    moves: mpsc::UnboundedReceiver<ProductionMove>,
    plan: Plan,
    /// What is kept now.
    kept: HashMap<FunctionKey, u32>,
}

impl<S: Stove> Warmth<S> {
    pub(crate) fn new(stove: S, clock: Clock, moves: mpsc::UnboundedReceiver<ProductionMove>) -> Self {
        Self { stove, clock, moves, plan: Plan::default(), kept: HashMap::new() }
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled_owned(async move {
            // Moves that come meanwhile wait, and are the newer ones.
            match self.stove.productions().await {
                Ok(productions) => self.follow(productions).await,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        error,
                        "where productions lead cannot be read, so none of them keeps instances yet"
                    );
                }
            }
            loop {
                let now = (self.clock)();
                self.apply(now).await;
                let until_change = self.plan.next_change(now).map(|at| at.duration_since(now).unsigned_abs());
                let pause = until_change.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
                tokio::select! {
                    moved = self.moves.recv() => match moved {
                        Some(moved) => self.follow([moved]).await,
                        None => return,
                    },
                    () = sleep(pause), if !self.plan.productions.is_empty() => {}
                }
            }
        })
        .await;
    }

    /// Takes over moves, and all others that wait.
    async fn follow(&mut self, moves: impl IntoIterator<Item = ProductionMove>) {
        let mut moves = moves.into_iter();
        while let Some(ProductionMove { project, to }) = moves.next().or_else(|| self.moves.try_recv().ok()) {
            self.plan.productions.remove(&project);
            let Some(id) = to else { continue };
            // Production may stay where it is and have another environment: its instances are kept anew.
            self.kept.retain(|(deployment, _), _| *deployment != id);
            match self.stove.manifest(id).await {
                Ok(manifest) => self.plan.set(project, id, &manifest),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(deployment = %id, error, "what a production keeps cannot be read");
                }
            }
        }
    }

    /// Makes what is kept what should be. What does not succeed is tried again the next time.
    async fn apply(&mut self, now: Timestamp) {
        let wanted = self.plan.kept_at(now);
        let gone: Vec<FunctionKey> = self.kept.keys().filter(|key| !wanted.contains_key(key)).cloned().collect();
        for key in gone {
            if self.stove.keep(&key, 0).await {
                self.kept.remove(&key);
            }
        }
        for (key, instances) in wanted {
            if self.kept.get(&key) != Some(&instances) && self.stove.keep(&key, instances).await {
                self.kept.insert(key, instances);
            }
        }
    }
}

/// The runtime of the host.
pub(crate) struct HostStove {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) map: SiteMap,
}

impl Stove for HostStove {
    async fn productions(&self) -> Result<Vec<ProductionMove>, StateError> {
        let store = self.store.clone();
        let aliases = blocking(move || store.deployments().aliases()).await?;
        let productions = aliases.into_iter().filter(|alias| alias.kind == AliasKind::Production);
        Ok(productions.map(|alias| ProductionMove { project: alias.project, to: Some(alias.deployment) }).collect())
    }

    async fn keep(&self, (deployment, name): &FunctionKey, instances: u32) -> bool {
        if instances == 0 {
            self.runtime.let_sleep(deployment, name);
            return true;
        }
        let specs = match self.map.live(*deployment).await {
            Ok(live) => live.function_specs(&self.store).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match specs {
            Ok(specs) => {
                if let Some(spec) = specs.iter().find(|spec| spec.function.name == *name) {
                    self.runtime.keep(spec, instances);
                }
                true
            }
            Err(error) => {
                tracing::warn!(%deployment, function = %name, error, "instances of a function cannot be kept");
                false
            }
        }
    }

    async fn manifest(&self, deployment: DeploymentId) -> Result<Manifest, StateError> {
        let store = self.store.clone();
        blocking(move || store.deployments().manifest(&deployment)).await
    }
}

#[cfg(test)]
mod tests;
