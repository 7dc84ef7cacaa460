//! The runtime: every function of the host, by deployment and name.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use ship_core::{DeploymentId, Function, FunctionName, FunctionRuntime, ProjectName, RequestId};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::background::Background;
use crate::body::{BoxError, FunctionBody};
use crate::code_cache::{CodeCaches, CodeSweep, SweptCode, is_compiled};
use crate::error::{InvokeError, RuntimeError, SpawnError, StartError};
use crate::invoke;
use crate::launch;
use crate::limits::RETRY_AFTER_LEAST_SECS;
use crate::linux::cell::Nursery;
use crate::linux::cgroup::ControlGroupVersion;
use crate::linux::folder::RunFolder;
use crate::linux::nursery::Isolation;
use crate::linux::spawn;
use crate::meters::RuntimeCounts;
use crate::pool::{AcquireError, Lease, Pool, Surroundings};
use crate::pressure::{MemoryReading, instances_to_stop, is_short};
use crate::request::Outgoing;
use crate::spares::Spares;
use crate::spec::{FunctionSpec, InstanceView, RuntimeOptions};

/// Runs functions. A cheap handle: clones are the same runtime.
///
/// What answers a request runs on the tokio runtime in which it was asked for, and everything else on that of
/// [`RuntimeOptions::background`]. [`Runtime::shutdown`] ends all processes and tasks in order; if
/// the tokio runtime is dropped without it, the processes are killed.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    surroundings: Arc<Surroundings>,
    registry: RwLock<Registry>,
    drain_timeout: Duration,
}

/// The pools of the functions that are awake. A function that sleeps is not here at all.
#[derive(Default)]
struct Registry {
    pools: HashMap<DeploymentId, HashMap<FunctionName, Editions>>,
    /// Pools that finish what they have.
    closing: Vec<Arc<Pool>>,
    is_closed: bool,
}

/// The pools of one function: one, but for the time in which its deployment gets another environment.
type Editions = Vec<Arc<Pool>>;

/// What a machine allows a runtime.
#[derive(Debug)]
pub struct Probe {
    /// How much of the machine functions are kept from; an error if none can be started.
    pub isolation: Result<Isolation, SpawnError>,
    /// Why that is no sandbox.
    pub without_sandbox: Option<SpawnError>,
    /// What limits them.
    pub control_groups: Option<ControlGroupVersion>,
}

impl Runtime {
    /// A runtime on its own folder. Marks the descriptors that this process has inherited as close-on-exec, so that functions
    /// do not inherit them.
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        spawn::keep_inherited_descriptors().map_err(RuntimeError::Descriptors)?;
        let folder = Arc::new(RunFolder::open(&options.socket_dir)?);
        let caches = CodeCaches::open(folder.path().join("code")).map_err(|source| RuntimeError::Folder {
            action: "keep code in",
            path: folder.path().to_owned(),
            source,
        })?;
        let tasks = TaskTracker::new();
        let background = Background::new(tasks.clone(), options.background);
        let surroundings = Surroundings {
            spares: Arc::new(Spares::new(
                Nursery::new(&options.nursery),
                options.least_isolation,
                folder,
                background.clone(),
            )),
            caches,
            compiled_code: options.compiled_code,
            reach: options.reach,
            logs: options.logs,
            interpreters: options.interpreters,
            meters: Arc::default(),
            tasks,
            background,
        };
        let inner = Inner {
            surroundings: Arc::new(surroundings),
            registry: RwLock::default(),
            drain_timeout: options.drain_timeout,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Has a function answer a request. A sleeping function is started. Bodies stream in both directions; dropping the
    /// future or the response's body cancels the request in the function.
    ///
    /// A response with status 101 carries the stream of the new protocol: [`hyper::upgrade::on`] gives it.
    pub async fn invoke<B>(
        &self,
        spec: &Arc<FunctionSpec>,
        id: RequestId,
        request: Request<B>,
    ) -> Result<Response<FunctionBody>, InvokeError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        invoke::invoke(self, spec, Some(id), Outgoing::new(request, id)).await
    }

    /// Waits until an instance of the function has answered that it is there, and starts one if there is none. Any
    /// response counts: a program that does not know the question still shows that it listens. Starts that failed before do not count: who
    /// asks this may have mended the reason.
    pub async fn check(&self, spec: &Arc<FunctionSpec>) -> Result<(), StartError> {
        for pool in self.editions(&spec.deployment, &spec.function.name) {
            pool.forget_failures();
        }
        match invoke::invoke(self, spec, None, Outgoing::check()).await {
            Ok(_) | Err(InvokeError::InvalidResponse(_)) => Ok(()),
            Err(source) => Err(StartError { function: spec.function.name.clone(), source }),
        }
    }

    /// Removes the compiled code of functions that are not in use, or counts it. Where the interpreter of one that is in use is
    /// not known yet, nobody can say which code is its own, and all of it stays.
    pub async fn sweep_code(&self, in_use: Vec<(ProjectName, Function)>, sweep: CodeSweep) -> SweptCode {
        let surroundings = Arc::clone(&self.inner.surroundings);
        let swept = tokio::task::spawn_blocking(move || {
            let mut needed = HashSet::new();
            for (project, function) in in_use.iter().filter(|(_, function)| is_compiled(function)) {
                let Some(command) = surroundings.interpreters.found(function.runtime) else {
                    return Ok(SweptCode::default());
                };
                needed.extend(CodeCaches::name(project, function, &command));
            }
            surroundings.caches.sweep(&needed, sweep)
        });
        match swept.await {
            Ok(Ok(swept)) => swept,
            Ok(Err(error)) => {
                tracing::warn!(%error, "compiled code that nobody needs stays");
                SweptCode::default()
            }
            Err(_) => SweptCode::default(),
        }
    }

    /// How much of the machine functions are kept from here, found out by making a process that is kept from all of it.
    pub async fn isolation(&self) -> Result<Isolation, SpawnError> {
        self.inner.surroundings.spares.isolation().await
    }

    /// Has a process wait for the first function of a kind, if there will be one below `artifacts`. What goes wrong is told to who asks
    /// that function.
    pub async fn prepare(&self, runtime: FunctionRuntime, artifacts: &Path) {
        if let Err(error) = launch::prepare(runtime, artifacts, &self.inner.surroundings).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "no process can be prepared");
        }
    }

    /// What would be found out by a runtime on a folder of its own. `nursery` is the program that makes processes.
    pub async fn probe(folder: &Path, nursery: &Path) -> Result<Probe, RuntimeError> {
        let folder = Arc::new(RunFolder::open(folder)?);
        let find = async |least| {
            let background = Background::new(TaskTracker::new(), Handle::current());
            let spares = Spares::new(Nursery::new(nursery), least, Arc::clone(&folder), background);
            let isolation = spares.isolation().await;
            spares.close().await;
            (isolation, spares.control_groups())
        };
        Ok(match find(Isolation::Sandbox).await {
            (Err(SpawnError::NoSandbox(why)), control_groups) => {
                let (isolation, _) = find(Isolation::Process).await;
                Probe { isolation, without_sandbox: Some(*why), control_groups }
            }
            (isolation, control_groups) => Probe { isolation, without_sandbox: None, control_groups },
        })
    }

    /// What limits the memory, the processes and the processor time of functions here, if anything does.
    pub fn control_groups(&self) -> Option<ControlGroupVersion> {
        self.inner.surroundings.spares.control_groups()
    }

    /// Starts an instance if there is none, without waiting for it.
    pub fn prewarm(&self, spec: &Arc<FunctionSpec>) {
        if let Some(pool) = self.pool(spec) {
            pool.prewarm();
        }
    }

    /// Keeps so many instances of a function from now on, whether anybody asks or not: they are started at once, started anew
    /// when they end, and not stopped for idling.
    pub fn keep(&self, spec: &Arc<FunctionSpec>, instances: u32) {
        while let Some(pool) = self.pool(spec)
            && !pool.keep(instances)
        {
            // It went to sleep in this moment.
            self.forget(&pool);
        }
    }

    /// Keeps no instance of a function any more: those that there are fall asleep when nobody asks.
    pub fn let_sleep(&self, deployment: &DeploymentId, function: &FunctionName) {
        for pool in self.editions(deployment, function) {
            pool.keep(0);
        }
    }

    /// The pools of a function that is awake: one for each environment.
    fn editions(&self, deployment: &DeploymentId, function: &FunctionName) -> Vec<Arc<Pool>> {
        self.read().pools.get(deployment).and_then(|pools| pools.get(function)).cloned().unwrap_or_default()
    }

    /// Stops all instances of a deployment after their requests are done, or when the drain timeout is over. Returns when they are gone. A request that comes later starts the function again.
    pub async fn retire(&self, deployment: &DeploymentId) {
        let pools: Vec<Arc<Pool>> = {
            let mut registry = self.write();
            let pools: Vec<_> = registry.pools.remove(deployment).unwrap_or_default().into_values().flatten().collect();
            registry.closing.extend(pools.iter().cloned());
            pools
        };
        self.drain(&pools).await;
    }

    /// Takes the instances of a function out of use that have another environment than `spec`: they finish what they have begun, however
    /// long that takes, and stop. To be called when nobody begins anything with the other environment any more.
    pub fn supersede(&self, spec: &FunctionSpec) {
        let mut registry = self.write();
        let Registry { pools, closing, .. } = &mut *registry;
        let Some(editions) = pools.get_mut(&spec.deployment).and_then(|pools| pools.get_mut(&spec.function.name))
        else {
            return;
        };
        let old: Vec<_> = editions.extract_if(.., |pool| pool.spec().env != spec.env).collect();
        for pool in &old {
            pool.close();
        }
        closing.extend(old);
    }

    /// Whether no function is awake.
    pub fn is_asleep(&self) -> bool {
        self.read().pools.is_empty()
    }

    /// Whether a function of a deployment is awake.
    pub fn is_awake(&self, deployment: &DeploymentId) -> bool {
        self.read().pools.contains_key(deployment)
    }

    /// Stops idle instances, those first that were not asked for the longest, if the machine has too little memory left. Says
    /// how many. To be called every other second while functions are awake.
    pub fn relieve(&self, reading: &MemoryReading) -> usize {
        let pools: Vec<Arc<Pool>> = self.read().pools.values().flat_map(HashMap::values).flatten().cloned().collect();
        let mut idle: Vec<_> = pools
            .iter()
            .flat_map(|pool| pool.idle().into_iter().map(move |(number, since)| (since, number, pool)))
            .collect();
        idle.sort_unstable_by_key(|(since, ..)| *since);
        if is_short(reading) {
            // What no instance was forked from goes before any instance.
            for pool in &pools {
                pool.save_memory();
            }
        }
        idle.truncate(instances_to_stop(reading, idle.len()));
        idle.into_iter().filter(|(_, number, pool)| pool.evict(*number)).count()
    }

    /// The instances of all functions as they are now.
    pub fn instances(&self) -> Vec<InstanceView> {
        let registry = self.read();
        registry
            .pools
            .values()
            .flat_map(HashMap::values)
            .flatten()
            .chain(&registry.closing)
            .flat_map(|pool| pool.view())
            .collect()
    }

    /// What was counted since the runtime began, and how many requests wait.
    pub fn counts(&self) -> RuntimeCounts {
        let registry = self.read();
        let pools = registry.pools.values().flat_map(HashMap::values).flatten().chain(&registry.closing);
        let queue_depth = pools.map(|pool| pool.queue_depth()).sum();
        drop(registry);
        self.inner.surroundings.meters.counts(queue_depth)
    }

    /// Stops everything: new requests are refused, those that are being answered get the drain timeout, then processes get
    /// SIGTERM and, after a grace, SIGKILL. Returns when every process is collected and every task has ended.
    pub async fn shutdown(&self) {
        let pools: Vec<Arc<Pool>> = {
            let mut registry = self.write();
            registry.is_closed = true;
            let pools: Vec<_> = registry.pools.drain().flat_map(|(_, pools)| pools.into_values()).flatten().collect();
            registry.closing.extend(pools);
            registry.closing.clone()
        };
        self.drain(&pools).await;
        self.inner.surroundings.spares.close().await;
        self.inner.surroundings.tasks.close();
        self.inner.surroundings.tasks.wait().await;
    }

    /// A place in an instance of the function.
    pub(crate) async fn lease(&self, spec: &Arc<FunctionSpec>, id: Option<RequestId>) -> Result<Lease, InvokeError> {
        loop {
            let Some(pool) = self.pool(spec) else {
                return Err(InvokeError::Throttled { retry_after_secs: RETRY_AFTER_LEAST_SECS });
            };
            match pool.acquire(id).await {
                Ok(lease) => return Ok(lease),
                Err(AcquireError::Refused(error)) => return Err(error),
                // It went to sleep, or was retired, between the look-up and the request.
                Err(AcquireError::Closed) => self.forget(&pool),
            }
        }
    }

    /// A place in an instance that is awake and has room.
    pub(crate) fn lease_at_once(&self, spec: &FunctionSpec, id: RequestId) -> Option<Lease> {
        self.known_pool(spec)?.acquire_at_once(id)
    }

    /// The pool of a function, opened if it is asleep; `None` if the runtime is stopping.
    fn pool(&self, spec: &Arc<FunctionSpec>) -> Option<Arc<Pool>> {
        if let Some(pool) = self.known_pool(spec) {
            return Some(pool);
        }
        let mut registry = self.write();
        if registry.is_closed {
            return None;
        }
        let pools = registry.pools.entry(spec.deployment).or_default();
        let editions = pools.entry(spec.function.name.clone()).or_default();
        if let Some(pool) = edition(editions, spec) {
            return Some(Arc::clone(pool));
        }
        let pool = self.open_pool(spec);
        editions.push(Arc::clone(&pool));
        Some(pool)
    }

    /// The pool of a function that is awake.
    fn known_pool(&self, spec: &FunctionSpec) -> Option<Arc<Pool>> {
        let registry = self.read();
        let editions = registry.pools.get(&spec.deployment)?.get(&spec.function.name)?;
        edition(editions, spec).cloned()
    }

    fn open_pool(&self, spec: &Arc<FunctionSpec>) -> Arc<Pool> {
        let runtime = Arc::downgrade(&self.inner);
        Pool::open(Arc::clone(spec), &self.inner.surroundings, move |pool| {
            if let Some(inner) = runtime.upgrade() {
                Self { inner }.forget(pool);
            }
        })
    }

    /// Takes a pool out that is closed. Another pool of the same function stays.
    fn forget(&self, pool: &Arc<Pool>) {
        let (deployment, name) = (pool.spec().deployment, &pool.spec().function.name);
        let mut registry = self.write();
        registry.closing.retain(|closing| !Arc::ptr_eq(closing, pool));
        let Some(pools) = registry.pools.get_mut(&deployment) else { return };
        if let Some(editions) = pools.get_mut(name) {
            editions.retain(|known| !Arc::ptr_eq(known, pool));
            if editions.is_empty() {
                pools.remove(name);
            }
        }
        if pools.is_empty() {
            registry.pools.remove(&deployment);
        }
    }

    /// Closes pools, and stops what is not done in time whatever it is doing.
    async fn drain(&self, pools: &[Arc<Pool>]) {
        for pool in pools {
            pool.close();
        }
        let all_closed = async {
            for pool in pools {
                pool.closed().await;
            }
        };
        if timeout(self.inner.drain_timeout, all_closed).await.is_err() {
            for pool in pools {
                pool.abandon();
            }
            for pool in pools {
                pool.closed().await;
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Registry> {
        self.inner.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Registry> {
        self.inner.registry.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool with the environment of `spec`.
fn edition<'p>(editions: &'p Editions, spec: &FunctionSpec) -> Option<&'p Arc<Pool>> {
    editions.iter().find(|pool| pool.spec().env == spec.env)
}
