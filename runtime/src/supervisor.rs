//! The owner of one process: reads its output, ends it when asked, and says how it went.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ship_core::{FunctionRuntime, LogLevel, NetworkAccess, RequestId};
use tokio::time::{Instant, sleep_until};

use crate::code_cache::CodeCaches;
use crate::error::{ExitStatus, SpawnError};
use crate::instance::Instance;
use crate::interpreter::{Command, Interpreters};
use crate::journal::Journal;
use crate::limits::{CACHE_PAUSE, SPARES_PAUSE};
use crate::linux::cell::{Cell, Ending};
use crate::linux::nursery::{
    Assignment, Boot, CACHE_ROOT, CellNetwork, CodeCache, Document, FRESH_CACHE_ROOT, FUNCTION_ROOT, Isolation,
    LISTEN_FD, PRELUDES_ROOT, Recipe, TIME_ZONE,
};
use crate::network::{CellConnections, Policy};
use crate::output::Output;
use crate::pool::Surroundings;
use crate::prelude;
use crate::spares::Spare;
use crate::spec::{CompiledCode, FunctionSpec, Reach};

/// The search path of a function: where a system has its programs, whatever the host's own path is.
const FUNCTION_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The signal that ends a process without asking it.
const KILLED: i32 = 9;

/// A process that was started and is to be supervised.
pub(crate) struct Child {
    instance: Arc<Instance>,
    journal: Journal,
    connections: Option<Arc<CellConnections>>,
}

/// Has a process run `spec`. Its socket listens already, so requests can be sent at once.
pub(crate) async fn start(
    spec: &Arc<FunctionSpec>,
    surroundings: &Arc<Surroundings>,
    journal: Journal,
) -> Result<Child, SpawnError> {
    let command = installed(surroundings, spec.function.runtime).await?;
    let program = spec.root.join(command.program.strip_prefix("./").unwrap_or(&command.program));
    if command.program.is_relative() {
        is_executable(&program)?;
    }
    let isolation = surroundings.spares.isolation().await?;
    let recipe = recipe(spec, surroundings, isolation, &command)?;
    // Without a root folder of its own, a function would fill one of the host's.
    let is_kept =
        recipe.boot.is_some() && isolation == Isolation::Sandbox && surroundings.compiled_code == CompiledCode::Kept;
    let cache_name = if is_kept { CodeCaches::name(spec, &command) } else { None };
    let cache = cache_name.as_deref().and_then(|name| surroundings.caches.find(name));
    let cache_to_make = if cache.is_some() { None } else { cache_name };
    let assignment = assignment(spec, surroundings, isolation, command, cache.map(CodeCache::Made))?;
    let Spare { cell, connections, .. } = spare_for(surroundings, recipe).await?;
    let Cell { warden, address, stdout, stderr, network: _ } = cell;
    if let Some(connections) = &connections {
        connections.belong_to(spec.function.limits.network, policy(surroundings), journal.clone());
    }
    warden.run(assignment, &spec.function.limits)?;
    let output = Output::new(stdout, stderr, journal.clone())
        .map_err(|source| SpawnError::Io { action: "watch the output of the process", source })?;
    let instance = Arc::new(Instance::new(warden, program, address, output));
    if let Some(name) = cache_to_make {
        let (spec, surroundings, instance) = (Arc::clone(spec), Arc::clone(surroundings), Arc::clone(&instance));
        surroundings.tasks.clone().spawn(async move {
            tokio::select! {
                () = surroundings.spares.closing() => {}
                made = make_cache(name, &spec, &surroundings, &instance) => {
                    if let Err(error) = made {
                        tracing::warn!(%error, function = %spec.function.name, "a function's code could not be kept");
                    }
                }
            }
        });
    }
    Ok(Child { instance, journal, connections })
}

/// A process for a function. Where none waits that has its interpreter's start behind it, one that starts the interpreter for this
/// function alone is there sooner than one that first prepares for any.
async fn spare_for(surroundings: &Surroundings, recipe: Recipe) -> Result<Spare, SpawnError> {
    if recipe.boot.is_some() {
        if let Some(spare) = surroundings.spares.take_ready(&recipe) {
            return Ok(spare);
        }
        return surroundings.spares.take(&Recipe { prelude: None, boot: None, ..recipe }).await;
    }
    surroundings.spares.take(&recipe).await
}

/// What runs an artifact here.
async fn installed(surroundings: &Surroundings, runtime: FunctionRuntime) -> Result<Command, SpawnError> {
    if matches!(runtime, FunctionRuntime::Go | FunctionRuntime::Rust) {
        return Ok(Command::native());
    }
    let interpreters = surroundings.interpreters.clone();
    if let Some(command) = interpreters.found(runtime) {
        // The next start finds what was installed since. This one has a visitor who waits.
        surroundings.tasks.spawn(async move {
            tokio::time::sleep(SPARES_PAUSE).await;
            tokio::task::spawn_blocking(move || drop(interpreters.look(runtime))).await
        });
        return Ok(command);
    }
    let stopped = |_| SpawnError::Io { action: "look for an interpreter", source: io::ErrorKind::Interrupted.into() };
    tokio::task::spawn_blocking(move || interpreters.look(runtime)).await.map_err(stopped)?
}

fn policy(surroundings: &Surroundings) -> Policy {
    match &surroundings.reach {
        Reach::Public { allowed } => Policy::new(allowed),
        Reach::Everywhere => Policy::default(),
    }
}

/// The kind of prepared process that can become the function.
fn recipe(
    spec: &FunctionSpec,
    surroundings: &Surroundings,
    isolation: Isolation,
    command: &Command,
) -> Result<Recipe, SpawnError> {
    let runtime = spec.function.runtime;
    let prelude = prelude::of(runtime, &surroundings.interpreters)
        .filter(|_| prelude::needs_fresh_process(runtime, &spec.env).is_none());
    let folder = prelude.as_ref().map(|prelude| surroundings.spares.prelude(prelude)).transpose()?;
    let boot = prelude.zip(folder.as_deref()).map(|(prelude, folder)| {
        let seen = match isolation {
            Isolation::Sandbox => Path::new(PRELUDES_ROOT).join(prelude.folder),
            Isolation::Process => folder.to_owned(),
        };
        let seen = seen.join(prelude.program);
        let flags = prelude.flags.iter().map(|&flag| flag.to_owned());
        Boot {
            program: command.program.clone(),
            arguments: flags.chain([seen.to_string_lossy().into_owned()]).collect(),
        }
    });
    let artifacts = spec.root.parent().unwrap_or(&spec.root).to_owned();
    let caches = surroundings.caches.folder().to_owned();
    let (network, visible) = (cell_network(spec, surroundings), command.visible.clone());
    Ok(Recipe { isolation, network, artifacts, caches, visible, prelude: folder, boot })
}

/// Whose network the function sees.
const fn cell_network(spec: &FunctionSpec, surroundings: &Surroundings) -> CellNetwork {
    match (spec.function.limits.network, &surroundings.reach) {
        (NetworkAccess::All, _) | (NetworkAccess::Public, Reach::Everywhere) => CellNetwork::Host,
        (NetworkAccess::Public | NetworkAccess::None, _) => CellNetwork::Own,
    }
}

/// What makes a prepared process the function.
fn assignment(
    spec: &FunctionSpec,
    surroundings: &Surroundings,
    isolation: Isolation,
    command: Command,
    cache: Option<CodeCache>,
) -> Result<Assignment, SpawnError> {
    let layers = spec.function.layers.iter().map(|layer| spec.root.with_file_name(layer.digest.to_hex())).collect();
    let inside = match isolation {
        Isolation::Sandbox => FUNCTION_ROOT.into(),
        Isolation::Process => spec.root.clone(),
    };
    let document = Document {
        root: inside,
        env: environment(spec, &command)?,
        program: command.program,
        arguments: command.arguments.iter().map(|&argument| argument.to_owned()).collect(),
        launch: launched(spec, &surroundings.interpreters),
        code_cache: cache.as_ref().map(cache_inside),
        make_code_cache: matches!(cache, Some(CodeCache::ToMake)),
    };
    let limits = &spec.function.limits;
    // It is memory, and a function that fills it should hear of that before it is ended for it.
    let tmp_mb = limits.tmp_mb.min(limits.memory_mb / 2).max(1);
    let (max_files, max_processes) = (limits.max_files.into(), limits.max_processes.into());
    Ok(Assignment { root: spec.root.clone(), layers, max_files, max_processes, tmp_mb, cache, document })
}

/// What the function's launcher launches, if it is one that prepared processes have.
fn launched(spec: &FunctionSpec, interpreters: &Interpreters) -> Option<serde_json::Value> {
    let runtime = spec.function.runtime;
    match runtime {
        // Whoever runs it finds out what is wrong with it.
        FunctionRuntime::Node => interpreters.launcher()?.read(&spec.root.join(runtime.entry())).ok()?,
        FunctionRuntime::Python => interpreters.python_launcher()?.starts(spec).then_some(true.into()),
        _ => None,
    }
}

/// A cache's folder as the function sees it.
fn cache_inside(cache: &CodeCache) -> PathBuf {
    match cache {
        CodeCache::Made(_) => CACHE_ROOT.into(),
        CodeCache::ToMake => FRESH_CACHE_ROOT.into(),
    }
}

/// Has a process of the function fill its cache of code, once it was seen that the function starts.
async fn make_cache(
    name: String,
    spec: &FunctionSpec,
    surroundings: &Surroundings,
    instance: &Instance,
) -> Result<(), SpawnError> {
    tokio::select! {
        _ = instance.became_ready() => {}
        _ = instance.ended() => return Ok(()),
    }
    // Whoever woke it is answered first.
    tokio::time::sleep(CACHE_PAUSE).await;
    let Some(unfinished) = surroundings.caches.begin(&name).await else { return Ok(()) };
    let command = installed(surroundings, spec.function.runtime).await?;
    let isolation = surroundings.spares.isolation().await?;
    // Whatever the function does outside when it is loaded, it has done already.
    let recipe = Recipe { network: CellNetwork::Own, ..recipe(spec, surroundings, isolation, &command)? };
    let assignment = assignment(spec, surroundings, isolation, command, Some(CodeCache::ToMake))?;
    let Spare { cell, connections, .. } = surroundings.spares.make(&recipe).await?;
    cell.warden.run(assignment, &spec.function.limits)?;
    let patience = Duration::from_secs(u64::from(spec.function.limits.init_timeout_secs));
    let ended = tokio::select! {
        ended = cell.warden.ended_with_cache() => ended,
        never = serve(connections.as_deref()) => never,
        () = tokio::time::sleep(patience) => return Ok(()),
    };
    if let (Ending::Exited(ExitStatus::Code(0)), Some(filled)) = ended {
        // Before that there may be somebody who writes to it.
        cell.warden.gone().await;
        unfinished.keep(filled).await.map_err(|source| SpawnError::Io { action: "keep a cache of code", source })?;
    }
    Ok(())
}

/// Serves the network of a process, if it has one of its own.
async fn serve(connections: Option<&CellConnections>) -> ! {
    match connections {
        Some(connections) => connections.serve().await,
        None => std::future::pending().await,
    }
}

/// Whether a program is there and can be executed, which is known sooner here than in its process.
fn is_executable(program: &Path) -> Result<(), SpawnError> {
    use std::os::unix::fs::PermissionsExt as _;

    let error = |source| SpawnError::Program { program: program.into(), source };
    let metadata = program.metadata().map_err(error)?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        return Ok(());
    }
    Err(error(io::ErrorKind::PermissionDenied.into()))
}

/// The whole environment of a function: what its owner set, over what is usual and below what the platform promises.
fn environment(spec: &FunctionSpec, command: &Command) -> Result<BTreeMap<String, String>, SpawnError> {
    let mut platform = vec![
        ("PATH", FUNCTION_PATH.to_owned()),
        ("HOME", "/tmp".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        ("SHIP_LISTEN_FD", LISTEN_FD.to_string()),
        ("SHIP_FUNCTION", spec.function.name.to_string()),
        ("SHIP_DEPLOYMENT", spec.deployment.to_string()),
        ("SHIP_PROJECT", spec.project.to_string()),
    ];
    if spec.function.runtime == FunctionRuntime::Python {
        let folders: Vec<_> = command.alternatives.iter().map(|folder| folder.to_string_lossy()).collect();
        platform.push(("SHIP_INTERPRETERS", folders.join(":")));
    }
    for (name, value) in &spec.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(SpawnError::Environment { name: name.clone() });
        }
    }
    let platform = platform.into_iter().map(|(name, value)| (name.to_owned(), value));
    let usual = [("TZ".to_owned(), TIME_ZONE.to_owned())];
    Ok(usual.into_iter().chain(spec.env.iter().cloned()).chain(platform).collect())
}

impl Child {
    /// The instance.
    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Looks after the process until it is gone and its last output read.
    pub(crate) async fn supervise(self) {
        let ending = tokio::select! {
            ending = self.run_until_end() => ending,
            never = serve(self.connections.as_deref()) => never,
        };
        // What is left of it is ended by the cell's first process.
        self.instance.warden.gone().await;
        let ending = self.with_reason(ending);
        let requests = self.instance.output.current_requests();
        self.instance.output.finish();
        self.journal.ended(self.instance.end_reason(), &ending);
        self.remark_end(&ending, requests);
        self.instance.set_ending(ending);
    }

    /// Whoever uses up its memory is killed, and with it perhaps who would tell of it.
    fn with_reason(&self, ending: Ending) -> Ending {
        let is_killed = matches!(ending, Ending::Exited(ExitStatus::Signal(KILLED) | ExitStatus::Unknown));
        if is_killed && self.instance.warden.ran_out_of_memory() { Ending::OutOfMemory } else { ending }
    }

    async fn run_until_end(&self) -> Ending {
        let mut kill_at: Option<Instant> = None;
        loop {
            tokio::select! {
                ending = self.instance.warden.ended() => return ending,
                () = self.instance.output.readable() => {
                    self.instance.output.read();
                    // Others get their turn even if the function prints without pause.
                    tokio::task::yield_now().await;
                }
                deadline = self.instance.stop_asked(), if kill_at.is_none() => {
                    self.instance.warden.terminate();
                    kill_at = Some(deadline);
                }
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    self.instance.warden.kill();
                    return self.instance.warden.ended().await;
                }
            }
        }
    }

    /// Tells the log of an end that nobody asked for.
    fn remark_end(&self, ending: &Ending, requests: Vec<RequestId>) {
        if self.instance.end_reason().is_some() {
            return;
        }
        let message = match ending {
            Ending::Exited(status) => match requests.len() {
                0 => format!("The function's process ended with {status}."),
                1 => format!("The function's process ended with {status} while it was answering a request."),
                many => format!("The function's process ended with {status} while it was answering {many} requests."),
            },
            Ending::OutOfMemory => "The function ran out of memory.".to_owned(),
            never => match never.spawn_error(self.instance.program()) {
                Some(error) => format!("The function could not be started: {error}."),
                None => return,
            },
        };
        self.journal.remark(LogLevel::Fatal, requests, message);
    }
}
