//! Publishing: the order in which a deployment is stored, its functions tried, and the aliases moved.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use jiff::Timestamp;
use ship_api::{CheckFunctions, PublishOptions, Republish};
use ship_core::{DeploymentId, Manifest, ProjectName};
use ship_edge::{Edge, LiveDeployment, LoadError};
use ship_runtime::Runtime;
use ship_store::{
    Aim, AliasKind, AliasMove, AuditNote, DeploymentRecord, DeploymentSource, EnvironmentBinding, Published, Retention,
    StageRequest, StateError, Store,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;

use crate::blocking::blocking;
use crate::complete::CompleteDeployments;
use crate::control::ApiError;
use crate::environments::Environments;
use crate::journal::Journal;
use crate::metrics::{DeployMeters, Phase};
use crate::protection::Protections;
use crate::site_map::SiteMap;
use crate::upgrade::Changes;
use crate::warmth::ProductionMove;

/// How many functions of a deployment are started at once: enough to keep the processors busy, and few enough to fit into
/// memory while they start.
const STARTS_AT_ONCE: usize = 16;

/// What is said where a function of a new deployment does not start.
const NOT_PUBLISHED: &str = "nothing was published; `--no-check` publishes without starting the functions";

/// What is said where a function of the deployment does not start that production should lead to.
const NOT_MOVED: &str = "production stays where it is; `--no-check` moves it without starting the functions";

/// Publishes, promotes, rolls back and removes: whatever moves an alias goes through here, so that the map of sites never
/// differs from the log.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) edge: Arc<Edge>,
    pub(crate) map: SiteMap,
    /// What functions find set.
    pub(crate) environments: Environments,
    /// Who may see the sites.
    pub(crate) protections: Protections,
    pub(crate) journal: Arc<Journal>,
    pub(crate) complete: CompleteDeployments,
    pub(crate) deploys: Arc<DeployMeters>,
    /// The deployments whose functions were seen to start.
    pub(crate) started: Arc<Mutex<HashSet<DeploymentId>>>,
    /// Whose turn it is to move aliases, so that the map follows the log in the log's order.
    pub(crate) turn: Arc<Mutex<()>>,
    /// Told where productions lead, when they move.
    pub(crate) productions: UnboundedSender<ProductionMove>,
    /// What goes on when the client that asked for it is gone.
    pub(crate) tasks: TaskTracker,
    /// Nothing moves while the state changes hands.
    pub(crate) changes: Arc<Changes>,
}

impl Publisher {
    /// Publishes new content: stored, then tried, then visible.
    pub(crate) async fn publish(
        &self,
        project: ProjectName,
        manifest: Manifest,
        options: PublishOptions,
        note: AuditNote,
    ) -> Result<Published, ApiError> {
        let check = options.check;
        let staged = {
            let (store, project) = (self.store.clone(), project.clone());
            let (source, target) = (source_of(&options), options.target);
            let (environments, aim) = (self.environments.clone(), aim_of(&options));
            let staging = blocking(move || {
                manifest.check_patterns()?;
                manifest.check_paths()?;
                let canonical_json = manifest.to_canonical_json();
                let request = StageRequest {
                    project: &project,
                    manifest: &manifest,
                    canonical_json: &canonical_json,
                    source: source.clone(),
                    target,
                    at: Timestamp::now(),
                };
                let staged = store.deployments().stage(request)?;
                let planned = store.deployments().planned_environment(&project, staged.id(), &aim)?;
                let environment = match store.deployments().get(staged.id())? {
                    Some(record) => environments.bound(&record, &planned)?,
                    None => environments.of_new(&project, staged.id(), &source, &planned)?,
                };
                Ok::<_, ApiError>((staged, manifest, environment, planned))
            });
            self.deploys.time(Phase::Stage, staging).await
        };
        let (staged, manifest, environment, planned) = staged?;
        let live = LiveDeployment::from_parts(project, *staged.id(), manifest, environment);
        if check == CheckFunctions::Start
            && let Err(error) = self.start_once(&live).await
        {
            if staged.is_new() {
                self.runtime.retire(live.id()).await;
            }
            return Err(error);
        }
        let note = note.about(staged.id().as_str());
        let (map, aimed) = (self.map.clone(), Aimed { live: Arc::clone(&live), planned });
        let publishing = self.move_aliases(move |store| {
            let published = store.deployments().noting(note).publish(staged, publish_options(&options))?;
            aimed.show(store, &map)?;
            let (project, moves) = (published.record.project.clone(), published.moves.clone());
            Ok((published, project, moves))
        });
        let published = self.deploys.time(Phase::Publish, publishing).await?;
        self.edge.prepare(&live);
        self.settle_functions(live);
        Ok(published)
    }

    /// Has the artifacts of a deployment unpacked in the background, where no check has done so, since unpacking takes ten times
    /// as long as starting. Instances that were started with another environment finish what they have begun, and stop.
    fn settle_functions(&self, live: Arc<LiveDeployment>) {
        let (store, runtime) = (self.store.clone(), self.runtime.clone());
        self.tasks.spawn(async move {
            match live.function_specs(&store).await {
                Ok(specs) => specs.iter().for_each(|spec| runtime.supersede(spec)),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(deployment = %live.id(), error, "functions are not ready yet");
                }
            }
        });
    }

    /// A deployment that is recorded, with the environment that it will have after `aim`. `None` if the project has no such deployment.
    async fn aim(&self, project: &ProjectName, id: DeploymentId, aim: Aim) -> Result<Option<Prepared>, LoadError> {
        let before = match self.map.live(id).await {
            Ok(live) if live.project() == project => live,
            Ok(_) | Err(LoadError::Unknown { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (environments, project, known) = (self.environments.clone(), project.clone(), Arc::clone(&before));
        let aimed = blocking(move || {
            let store = &environments.store;
            let state = |source| LoadError::State { id, source };
            let planned = store.deployments().planned_environment(&project, &id, &aim).map_err(state)?;
            let record = store.deployments().get(&id).map_err(state)?.ok_or(LoadError::Unknown { id })?;
            let live = if store.deployments().environment(&record).map_err(state)? == planned {
                known
            } else {
                LiveDeployment::load(store, &id, |record| environments.bound(record, &planned))?
            };
            Ok(Aimed { live, planned })
        });
        Ok(Some(Prepared { aimed: aimed.await?, before }))
    }

    /// Starts the functions of a deployment with the environment that it is about to have. If one does not start, those with the
    /// environment that it has go on alone.
    async fn try_prepared(&self, prepared: &Prepared, otherwise: &'static str) -> Result<(), ApiError> {
        let started = self.start_functions(&prepared.aimed.live, otherwise).await;
        if started.is_err() && prepared.is_changed() {
            self.settle_functions(Arc::clone(&prepared.before));
        }
        started
    }

    /// Says what is different after a deployment got another environment.
    fn follow_change(&self, prepared: &Prepared) {
        if prepared.is_changed() {
            self.edge.prepare(&prepared.aimed.live);
            self.settle_functions(Arc::clone(&prepared.aimed.live));
        }
    }

    /// Publishes a deployment that is stored already, `None` if it is not. One that has lost a blob counts as incomplete, so
    /// that deploying it again heals it.
    pub(crate) async fn republish(
        &self,
        project: ProjectName,
        id: DeploymentId,
        options: PublishOptions,
        note: AuditNote,
    ) -> Result<Option<Published>, ApiError> {
        // Another project's deployment is not even read: how long that takes would tell that there is one.
        let (store, asked) = (self.store.clone(), project.clone());
        let record = blocking(move || store.deployments().get(&id)).await?;
        if record.is_none_or(|record| record.project != asked) {
            return Ok(None);
        }
        let prepared = match self.aim(&project, id, aim_of(&options)).await {
            Ok(Some(prepared)) => prepared,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(%id, %error, "a deployment cannot be read; deploying it again writes it anew");
                return Ok(None);
            }
        };
        let live = Arc::clone(&prepared.aimed.live);
        let (store, complete, checked) = (self.store.clone(), self.complete.clone(), Arc::clone(&live));
        blocking(move || complete.check(&store, &checked)).await?;
        match options.check {
            CheckFunctions::Start if prepared.is_changed() => self.try_prepared(&prepared, NOT_PUBLISHED).await?,
            CheckFunctions::Start => self.start_once(&live).await?,
            CheckFunctions::Skip => {}
        }
        let (map, aimed, productions) = (self.map.clone(), prepared.aimed.clone(), self.productions.clone());
        let is_changed = prepared.is_changed();
        let publishing = self.move_aliases(move |store| {
            let published =
                store.deployments().noting(note.about(id.as_str())).republish(&id, publish_options(&options))?;
            aimed.show(store, &map)?;
            if is_changed && published.as_ref().is_some_and(|published| published.production_label.is_some()) {
                // Nobody listens while the host stops.
                let _ = productions.send(ProductionMove { project: project.clone(), to: Some(id) });
            }
            let moves = published.as_ref().map(|published| published.moves.clone()).unwrap_or_default();
            Ok((published, project, moves))
        });
        let published = self.deploys.time(Phase::Publish, publishing).await?;
        self.follow_change(&prepared);
        Ok(published)
    }

    /// Starts each function once, unless that was done before.
    async fn start_once(&self, live: &Arc<LiveDeployment>) -> Result<(), ApiError> {
        if self.started().contains(live.id()) {
            return Ok(());
        }
        self.start_functions(live, NOT_PUBLISHED).await
    }

    /// Starts each function, or sees that it is there, and says of all that do not start why. The instances stay, so the first visitor finds
    /// them awake.
    async fn start_functions(&self, live: &Arc<LiveDeployment>, otherwise: &'static str) -> Result<(), ApiError> {
        let specs = live.function_specs(&self.store).await?;
        let checks = specs.into_iter().map(|spec| {
            let (runtime, store) = (self.runtime.clone(), self.store.clone());
            async move {
                let renewals = store.functions().renewals();
                let Err(error) = runtime.check(&spec).await else { return Ok(()) };
                // It may have failed because what was unpacked earlier is damaged.
                let (functions, function) = (store.clone(), spec.function.clone());
                let mended = blocking(move || functions.functions().mend(&function)).await;
                if mended.is_ok() && store.functions().renewals() > renewals {
                    return runtime.check(&spec).await;
                }
                Err(error)
            }
        });
        let failures = futures_util::stream::iter(checks).buffer_unordered(STARTS_AT_ONCE);
        let failures = failures.filter_map(|started| std::future::ready(started.err())).collect::<Vec<_>>();
        let started = async { ApiError::function_starts(failures.await, otherwise) };
        self.deploys.time(Phase::Start, started).await?;
        self.started().insert(*live.id());
        Ok(())
    }

    /// Starts the functions of a deployment that production is to lead to, with the environment that it will have there. That they
    /// started when it was published says little: that may be long ago. `None` if there is no such deployment, which the move itself
    /// says.
    async fn check_before_move(
        &self,
        project: &ProjectName,
        id: DeploymentId,
        aim: Aim,
        check: CheckFunctions,
    ) -> Result<Option<Prepared>, ApiError> {
        let prepared = match self.aim(project, id, aim).await {
            Ok(prepared) => prepared,
            Err(LoadError::Unknown { .. }) => None,
            Err(LoadError::State { source, .. }) => return Err(source.into()),
        };
        if let (Some(prepared), CheckFunctions::Start) = (&prepared, check) {
            self.try_prepared(prepared, NOT_MOVED).await?;
        }
        Ok(prepared)
    }

    fn started(&self) -> MutexGuard<'_, HashSet<DeploymentId>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves production to a deployment of the project whose functions start.
    pub(crate) async fn promote(
        &self,
        project: ProjectName,
        id: DeploymentId,
        (check, expected): (CheckFunctions, Option<DeploymentId>),
        note: AuditNote,
    ) -> Result<AliasMove, ApiError> {
        let prepared = self.check_before_move(&project, id, Aim::Promote, check).await?;
        self.move_production(project, prepared, move |store, project| {
            let deployments = store.deployments().noting(note.about(id.as_str())).expecting(expected);
            Ok(deployments.promote(project, &id, Timestamp::now())?)
        })
        .await
    }

    /// Moves production to a deployment, and shows it with the environment that it has there.
    async fn move_production(
        &self,
        project: ProjectName,
        prepared: Option<Prepared>,
        step: impl FnOnce(&Store, &ProjectName) -> Result<AliasMove, ApiError> + Send + 'static,
    ) -> Result<AliasMove, ApiError> {
        let (map, aimed) = (self.map.clone(), prepared.as_ref().map(|prepared| prepared.aimed.clone()));
        let moved = self.move_aliases(move |store| {
            let moved = step(store, &project)?;
            match (aimed, moved.to) {
                (Some(aimed), Some(to)) if *aimed.live.id() == to => aimed.show(store, &map)?,
                // It may have another environment than before; whoever asks for it reads which.
                (_, Some(to)) => map.forget(&to),
                (_, None) => {}
            }
            Ok((moved.clone(), project, vec![moved]))
        });
        let moved = moved.await?;
        if let Some(prepared) = prepared {
            self.follow_change(&prepared);
        }
        Ok(moved)
    }

    /// Moves production back, to the deployment before the current one or to the one named. Without a check the log alone
    /// decides where to; with one, what was checked is where it goes.
    pub(crate) async fn roll_back(
        &self,
        project: ProjectName,
        mut to: Option<DeploymentId>,
        (check, expected): (CheckFunctions, Option<DeploymentId>),
        note: AuditNote,
    ) -> Result<AliasMove, ApiError> {
        let mut prepared = None;
        if check == CheckFunctions::Start {
            let id = match to {
                Some(id) => id,
                None => self.rollback_target(&project).await?,
            };
            prepared = self.check_before_move(&project, id, Aim::Rollback, check).await?;
            to = Some(id);
        }
        self.move_production(project, prepared, move |store, project| {
            let note = to.map_or_else(|| note.clone(), |id| note.about(id.as_str()));
            Ok(store.deployments().noting(note).expecting(expected).rollback(project, to, Timestamp::now())?)
        })
        .await
    }

    async fn rollback_target(&self, project: &ProjectName) -> Result<DeploymentId, ApiError> {
        let (store, project) = (self.store.clone(), project.clone());
        blocking(move || Ok::<_, ApiError>(store.deployments().rollback_target(&project)?)).await
    }

    /// Removes a deployment: its URLs first, then its instances once they are idle.
    pub(crate) async fn remove(
        &self,
        project: &ProjectName,
        id: DeploymentId,
        note: AuditNote,
    ) -> Result<(), ApiError> {
        let project = project.clone();
        self.move_aliases(move |store| {
            let removed = store.deployments().noting(note.about(id.as_str())).remove(&id, Timestamp::now())?;
            Ok(((), project, removed.moves))
        })
        .await?;
        self.forget(vec![id], None).await;
        Ok(())
    }

    /// Removes a project with all its deployments, and then its log.
    pub(crate) async fn remove_project(
        &self,
        project: ProjectName,
        note: AuditNote,
    ) -> Result<Vec<DeploymentId>, ApiError> {
        let name = project.clone();
        let (map, productions) = (self.map.clone(), self.productions.clone());
        let domains = self.environments.urls.domains().clone();
        let removed = self
            .move_aliases(move |store| {
                let labels = store.deployments().aliases_of(&name)?;
                let removed = store.deployments().noting(note).remove_project(&name, Timestamp::now())?;
                domains.reload(store)?;
                for alias in labels {
                    map.point(&alias.label, &name, None);
                }
                let _ = productions.send(ProductionMove { project: name.clone(), to: None });
                Ok((removed, name, Vec::new()))
            })
            .await?;
        self.forget(removed.clone(), Some(project)).await;
        Ok(removed)
    }

    /// Removes the deployments that do not stay, and gives what they were.
    pub(crate) async fn remove_expired(
        &self,
        retention: Retention,
        note: AuditNote,
    ) -> Result<Vec<DeploymentRecord>, ApiError> {
        let store = self.store.clone();
        let mut expiry = blocking(move || store.deployments().noting(note).expiry(retention, Timestamp::now())).await?;
        let mut gone = Vec::new();
        while let Some(project) = expiry.next_project().cloned() {
            let removing = self.move_aliases(move |_| {
                let removed = expiry.remove_some()?;
                let moves = removed.iter().flat_map(|removed| removed.moves.clone()).collect();
                // Who removed something meanwhile may have ended the project that was next.
                let project = removed.first().map_or(project, |removed| removed.record.project.clone());
                Ok(((expiry, removed), project, moves))
            });
            let removed;
            (expiry, removed) = removing.await?;
            self.forget(removed.iter().map(|removed| removed.record.id).collect(), None).await;
            gone.extend(removed.into_iter().map(|removed| removed.record));
        }
        Ok(gone)
    }

    /// Stops what runs of deployments that were removed, and then removes the log of a project that was: what its functions
    /// print at their end still comes in.
    async fn forget(&self, ids: Vec<DeploymentId>, project: Option<ProjectName>) {
        // A successor may have a new project of that name as soon as it serves.
        let (this, change) = (self.clone(), self.changes.go_on());
        let forgetting = self.tasks.spawn(async move {
            let _change = change;
            for id in &ids {
                this.map.forget(id);
                this.started().remove(id);
            }
            futures_util::future::join_all(ids.iter().map(|id| this.runtime.retire(id))).await;
            let Some(project) = project else { return };
            this.protections.forget(&project);
            this.edge.forget(&project);
            this.journal.catch_up().await;
            let store = this.store.clone();
            let removed = blocking(move || {
                store.logs().remove(&project)?;
                store.history().remove(&project)
            });
            if let Err(error) = removed.await {
                tracing::warn!(%error, "the log or the history of a removed project stays");
            }
        });
        if forgetting.await.is_err() {
            tracing::error!("forgetting a deployment panicked");
        }
    }

    /// Does `work`, which moves aliases in the log, and lets the map follow before anything else moves. Both happen on a
    /// thread that does not end with the request: a client that goes away in between leaves no map that differs from the log.
    async fn move_aliases<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<(T, ProjectName, Vec<AliasMove>), ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (store, map, turn) = (self.store.clone(), self.map.clone(), Arc::clone(&self.turn));
        let (productions, change) = (self.productions.clone(), self.changes.go_on());
        blocking(move || {
            let _change = change;
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, project, moves) = work(&store)?;
            for moved in &moves {
                map.point(&moved.label, &project, moved.to);
                if moved.kind == AliasKind::Production {
                    // Nobody listens while the host stops.
                    let _ = productions.send(ProductionMove { project: project.clone(), to: moved.to });
                }
            }
            Ok(done)
        })
        .await
    }
}

/// A deployment with the environment that a publish or a move of production gives it.
#[derive(Clone)]
struct Aimed {
    live: Arc<LiveDeployment>,
    planned: EnvironmentBinding,
}

impl Aimed {
    /// Has visitors meet the deployment as it is now. Where somebody else published it meanwhile, it is read anew.
    fn show(&self, store: &Store, map: &SiteMap) -> Result<(), StateError> {
        let id = self.live.id();
        let record = store.deployments().get(id)?;
        match record.map(|record| store.deployments().environment(&record)).transpose()? {
            Some(environment) if environment == self.planned => map.keep(&self.live),
            _ => map.forget(id),
        }
        Ok(())
    }
}

/// A deployment before and after it gets an environment.
struct Prepared {
    aimed: Aimed,
    before: Arc<LiveDeployment>,
}

impl Prepared {
    /// Whether the environment is another one.
    fn is_changed(&self) -> bool {
        !Arc::ptr_eq(&self.aimed.live, &self.before)
    }
}

/// What a publish means for the environment of its deployment.
fn aim_of(options: &PublishOptions) -> Aim {
    Aim::Publish { target: options.target, branch: options.branch.clone() }
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
