//! A deployment that visitors ask for: its manifest, and what is derived from it once, when first needed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ship_core::route::Phase;
use ship_core::{
    AssetIndex, DeploymentId, Digest, Function, FunctionIndex, FunctionName, Manifest, Prerender, ProjectName,
    SiteIndex, main_host,
};
use ship_runtime::{FunctionEnvironment, FunctionSpec};
use ship_store::{BlobError, DeploymentRecord, StateError, Store, UnpackError, VariablesError};
use tokio::sync::OnceCell;

use crate::assets::PreparedAsset;
use crate::caching::CachingHabit;
use crate::functions::{LastWake, UploadPlaces};
use crate::kept::{Shelf, ShelfAccount};
use crate::log_allowance::LogAllowance;
use crate::meters::{FunctionMeters, Meters, ProjectMeters};
use crate::site_environment::SiteEnvironment;

/// A deployment in memory. A host keeps it while it is visited and drops it when it sleeps.
pub struct LiveDeployment {
    id: DeploymentId,
    project: ProjectName,
    manifest: Manifest,
    index: SiteIndex,
    has_direct_paths: bool,
    assets: Box<[OnceLock<PreparedAsset>]>,
    functions: Box<[OnceCell<Arc<FunctionSpec>>]>,
    environment: SiteEnvironment,
    /// When it was made.
    made_at: Timestamp,
    log_allowance: LogAllowance,
    meters: OnceLock<Arc<ProjectMeters>>,
    function_meters: Box<[OnceLock<Arc<FunctionMeters>>]>,
    upload_places: Box<[OnceLock<UploadPlaces>]>,
    last_wake: LastWake,
    last_doubt: LastWake,
    last_exhaustion: LastWake,
    shelf_account: OnceLock<ShelfAccount>,
    habits: Box<[CachingHabit]>,
}

/// A deployment cannot be brought into memory.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no deployment with this id.
    #[error("there is no deployment {id}")]
    Unknown {
        /// The id.
        id: DeploymentId,
    },
    /// Its record or manifest cannot be read.
    #[error("deployment {id} cannot be read")]
    State {
        /// The id.
        id: DeploymentId,
        /// Why.
        #[source]
        source: StateError,
    },
}

/// A function's artifact cannot be brought into place.
#[derive(Debug, thiserror::Error)]
pub enum FunctionSpecError {
    /// It cannot be unpacked.
    #[error("the artifact of a function cannot be unpacked")]
    Unpack(#[from] UnpackError),
    /// The variables that it is to find set cannot be opened.
    #[error("the variables of a function cannot be opened")]
    Variables(#[from] VariablesError),
    /// The host stops while it is unpacked.
    #[error("the host stops")]
    Stopping,
}

impl FunctionSpecError {
    /// Whether an artifact is missing or damaged.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Unpack(UnpackError::Blob(BlobError::Missing { .. } | BlobError::Corrupt { .. })))
    }
}

impl LiveDeployment {
    /// Reads a deployment from the store; `environment` says what its functions find set. Blocks.
    pub fn load(
        store: &Store,
        id: &DeploymentId,
        environment: impl FnOnce(&DeploymentRecord) -> Result<SiteEnvironment, StateError>,
    ) -> Result<Arc<Self>, LoadError> {
        let state = |source| LoadError::State { id: *id, source };
        let record = store.deployments().get(id).map_err(state)?.ok_or(LoadError::Unknown { id: *id })?;
        let manifest = store.deployments().manifest(id).map_err(state)?;
        let environment = environment(&record).map_err(state)?;
        Ok(Arc::new(Self::new(record.project, *id, manifest, environment, record.created_at)))
    }

    /// A deployment that was made just now, from its parts. Its functions find `environment` set.
    pub fn from_parts(
        project: ProjectName,
        id: DeploymentId,
        manifest: Manifest,
        environment: impl Into<SiteEnvironment>,
    ) -> Arc<Self> {
        Arc::new(Self::new(project, id, manifest, environment.into(), Timestamp::now()))
    }

    fn new(
        project: ProjectName,
        id: DeploymentId,
        manifest: Manifest,
        environment: SiteEnvironment,
        made_at: Timestamp,
    ) -> Self {
        let index = SiteIndex::new(&manifest);
        let has_direct_paths = [Phase::Null, Phase::Hit].iter().all(|phase| manifest.routes().phase(*phase).is_empty());
        let assets = manifest.assets().iter().map(|_| OnceLock::new()).collect();
        let functions = manifest.functions().iter().map(|_| OnceCell::new()).collect();
        let (log_allowance, last_wake) = (LogAllowance::new(Instant::now()), LastWake::new(Instant::now()));
        let last_doubt = LastWake::new(Instant::now());
        let function_meters = manifest.functions().iter().map(|_| OnceLock::new()).collect();
        let habits = manifest.functions().iter().map(|_| CachingHabit::default()).collect();
        let upload_places = manifest.functions().iter().map(|_| OnceLock::new()).collect();
        Self {
            id,
            project,
            manifest,
            index,
            has_direct_paths,
            assets,
            functions,
            environment,
            made_at,
            log_allowance,
            meters: OnceLock::new(),
            function_meters,
            upload_places,
            last_wake,
            last_doubt,
            last_exhaustion: LastWake::new(Instant::now()),
            shelf_account: OnceLock::new(),
            habits,
        }
    }

    /// Its id.
    pub fn id(&self) -> &DeploymentId {
        &self.id
    }

    /// The project it belongs to.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// All that it is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What stands at which path.
    pub(crate) fn index(&self) -> &SiteIndex {
        &self.index
    }

    /// Whether what stands at a path answers there, because no route is tried before or after it is found.
    pub(crate) fn has_direct_paths(&self) -> bool {
        self.has_direct_paths
    }

    /// What may be logged of requests that no function answers.
    pub(crate) fn log_allowance(&self) -> &LogAllowance {
        &self.log_allowance
    }

    /// What is counted of its project, looked up in `meters` once.
    pub(crate) fn meters(&self, meters: &Meters) -> &ProjectMeters {
        self.meters.get_or_init(|| meters.of(&self.project))
    }

    /// What is counted of a function, looked up in `meters` once.
    pub(crate) fn function_meters(&self, meters: &Meters, function: FunctionIndex) -> &FunctionMeters {
        let FunctionIndex(number) = function;
        let name = self.function_name(function);
        self.function_meters[number as usize].get_or_init(|| self.meters(meters).function(name))
    }

    /// When its pages last woke its functions.
    pub(crate) fn last_wake(&self) -> &LastWake {
        &self.last_wake
    }

    /// When one of its functions was last looked at closely because it failed.
    pub(crate) fn last_doubt(&self) -> &LastWake {
        &self.last_doubt
    }

    /// What of its answers is kept on the one shelf that there is for it.
    pub(crate) fn shelf_account(&self, answers: &Arc<Shelf>) -> &ShelfAccount {
        self.shelf_account.get_or_init(|| ShelfAccount::new(answers))
    }

    /// When it was last said which of its routes' patterns took too many steps.
    pub(crate) fn last_exhaustion(&self) -> &LastWake {
        &self.last_exhaustion
    }

    /// What is sent for an asset.
    pub(crate) fn asset(&self, AssetIndex(number): AssetIndex) -> &PreparedAsset {
        let number = number as usize;
        self.assets[number].get_or_init(|| PreparedAsset::new(&self.manifest.assets()[number]))
    }

    /// A function.
    pub(crate) fn function(&self, FunctionIndex(number): FunctionIndex) -> &Function {
        &self.manifest.functions()[number as usize]
    }

    /// The name of a function.
    pub(crate) fn function_name(&self, function: FunctionIndex) -> &FunctionName {
        &self.function(function).name
    }

    /// The largest body of a request that a function takes, in bytes. Bodies stream, so there is none where its owner sets none.
    pub(crate) fn max_body_bytes(&self, function: FunctionIndex) -> u64 {
        self.function(function).limits.max_body_mb.map_or(u64::MAX, |most| u64::from(most) * 1024 * 1024)
    }

    /// How long a function may take for all of an answer that others wait for: its own clocks bound the head and the pauses, not the whole.
    pub(crate) fn deadline(&self, function: FunctionIndex) -> Duration {
        let limits = self.function(function).limits;
        Duration::from_secs(u64::from(limits.init_timeout_secs) + 2 * u64::from(limits.timeout_secs))
    }

    /// Whether a function asks for its answers to be kept.
    pub(crate) fn habit(&self, FunctionIndex(number): FunctionIndex) -> &CachingHabit {
        &self.habits[number as usize]
    }

    /// The places of a function that requests may hold whose bodies are on their way.
    pub(crate) fn upload_places(&self, function: FunctionIndex) -> &UploadPlaces {
        let FunctionIndex(number) = function;
        self.upload_places[number as usize].get_or_init(|| UploadPlaces::within(&self.function(function).limits))
    }

    /// How a function's answers are kept, if they are.
    pub(crate) fn prerender(&self, function: FunctionIndex) -> Option<&Prerender> {
        // Most deployments have none: a look costs less than a search.
        if self.manifest.prerenders().is_empty() {
            None
        } else {
            self.manifest.prerender_of(self.function_name(function))
        }
    }

    /// The host name that most visitors use for it, if it is known.
    pub(crate) fn main_host(&self) -> Option<&str> {
        main_host(self.environment.told())
    }

    /// Which of its environments it has.
    pub(crate) fn environment_edition(&self) -> Digest {
        self.environment.edition()
    }

    /// When it was made.
    pub(crate) fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// What its functions find set, its variables opened when one of them is first needed.
    async fn function_environment(&self) -> Result<FunctionEnvironment, FunctionSpecError> {
        let opened = self.environment.of_functions(self.manifest.environment());
        opened.await.ok_or(FunctionSpecError::Stopping)?.map_err(FunctionSpecError::Variables)
    }

    /// The functions, each with its artifact unpacked and ready to be started.
    pub async fn function_specs(&self, store: &Store) -> Result<Vec<Arc<FunctionSpec>>, FunctionSpecError> {
        let mut specs = Vec::with_capacity(self.functions.len());
        for (number, _) in (0..).zip(&self.functions) {
            specs.push(self.function_spec(store, FunctionIndex(number)).await?);
        }
        Ok(specs)
    }

    /// A function that was asked for before.
    pub(crate) fn known_function_spec(&self, FunctionIndex(number): FunctionIndex) -> Option<&Arc<FunctionSpec>> {
        self.functions[number as usize].get()
    }

    /// One function, its artifact unpacked when it is first asked for.
    pub(crate) async fn function_spec(
        &self,
        store: &Store,
        FunctionIndex(number): FunctionIndex,
    ) -> Result<Arc<FunctionSpec>, FunctionSpecError> {
        let number = number as usize;
        let spec = self.functions[number].get_or_try_init(async || {
            let function = self.manifest.functions()[number].clone();
            let root = unpack(store.clone(), function.clone()).await?;
            let (project, deployment) = (self.project.clone(), self.id);
            let env = self.function_environment().await?;
            Ok::<_, FunctionSpecError>(Arc::new(FunctionSpec { project, deployment, function, root, env }))
        });
        spec.await.cloned()
    }
}

async fn unpack(store: Store, function: Function) -> Result<PathBuf, FunctionSpecError> {
    if let Some(folder) = store.functions().unpacked(&function) {
        return Ok(folder);
    }
    let unpacked = tokio::task::spawn_blocking(move || store.functions().unpack(&function)).await;
    Ok(unpacked.map_err(|_| FunctionSpecError::Stopping)??)
}
