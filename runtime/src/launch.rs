//! What makes a prepared process a function: which kind of process it is, and what it then runs, sees and may use.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ship_core::{FunctionRuntime, NetworkAccess};

use crate::code_cache::{CodeCaches, note_use};
use crate::error::SpawnError;
use crate::interpreter::{Command, Interpreters};
use crate::limits::{GO_MEMORY_PERCENT, SPARES_PAUSE};
use crate::linux::nursery::{
    Assignment, Boot, CACHE_ROOT, CONNECTION_FD, CellNetwork, CodeCache, Document, FRESH_CACHE_ROOT, FUNCTION_ROOT,
    FirstConnection, Isolation, LISTEN_FD, PRELUDES_ROOT, Recipe, Room, TIME_ZONE,
};
use crate::pool::Surroundings;
use crate::prelude;
use crate::spec::{CompiledCode, FunctionSpec, Reach};

/// The search path of a function: where a system has its programs, whatever the host's own path is.
const FUNCTION_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What a process of a function is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// It answers requests.
    Serve,
    /// It fills a cache of code, and ends.
    MakeCache,
    /// It forks those that answer requests.
    Fork,
}

/// What a process of a function needs to start.
pub(crate) struct Launch {
    /// What is executed, for people.
    pub(crate) program: PathBuf,
    /// The kind of prepared process that can become the function.
    pub(crate) recipe: Recipe,
    /// What makes it the function.
    pub(crate) assignment: Assignment,
    /// What its program is told.
    pub(crate) document: Document,
    /// What there is of its code.
    pub(crate) kept: KeptCode,
}

/// What a host has kept of a function's compiled code.
pub(crate) enum KeptCode {
    /// Nothing, and it is not to.
    Not,
    /// Nothing yet. A cache of it has this name.
    Missing(String),
    /// A cache, which is here.
    Found(PathBuf),
}

impl Launch {
    /// What a process of `spec` needs. An error says what of it is not there.
    pub(crate) async fn of(
        spec: &FunctionSpec,
        surroundings: &Surroundings,
        purpose: Purpose,
    ) -> Result<Self, SpawnError> {
        let command = installed(surroundings, spec.function.runtime).await?;
        let program = spec.root.join(command.program.strip_prefix("./").unwrap_or(&command.program));
        if command.program.is_relative() {
            is_executable(&program)?;
        }
        let isolation = surroundings.spares.isolation().await?;
        let needs = Needs {
            runtime: spec.function.runtime,
            env: spec.env.pairs(),
            network: cell_network(spec.function.limits.network, surroundings),
            artifacts: spec.root.parent().unwrap_or(&spec.root),
        };
        let mut recipe = needs.recipe(surroundings, isolation, &command)?;
        // Without a root folder of its own, a function would fill one of the host's.
        let is_kept = recipe.boot.is_some()
            && isolation == Isolation::Sandbox
            && surroundings.compiled_code == CompiledCode::Kept;
        let name = if is_kept { CodeCaches::name(&spec.project, &spec.function, &command) } else { None };
        let kept = name.map_or(KeptCode::Not, |name| {
            surroundings.caches.find(&name).map_or(KeptCode::Missing(name), KeptCode::Found)
        });
        let cache = if purpose == Purpose::MakeCache {
            // Whatever the function does outside when it is loaded, it has done already.
            recipe.network = CellNetwork::Own;
            Some(CodeCache::ToMake)
        } else {
            match &kept {
                KeptCode::Found(made) => Some(CodeCache::Made(made.clone())),
                KeptCode::Not | KeptCode::Missing(_) => None,
            }
        };
        let (mut assignment, mut document) = assignment(spec, surroundings, isolation, command, cache)?;
        if purpose == Purpose::Fork {
            document.zygote = true;
            // Those that it forks are the same user's, and each has this limit in a group of its own.
            let forks = u64::from(spec.function.limits.max_instances) + 2;
            assignment.max_processes = assignment.max_processes.saturating_mul(forks);
        }
        Ok(Self { program, recipe, assignment, document, kept })
    }
}

/// What runs an artifact here.
async fn installed(surroundings: &Surroundings, runtime: FunctionRuntime) -> Result<Command, SpawnError> {
    if matches!(runtime, FunctionRuntime::Go | FunctionRuntime::Rust) {
        return Ok(Command::native());
    }
    let interpreters = surroundings.interpreters.clone();
    // The next start finds what was installed since, see `catch_up`. This one has a visitor who waits.
    if let Some(command) = interpreters.found(runtime) {
        return Ok(command);
    }
    let stopped = |_| SpawnError::Io { action: "look for an interpreter", source: io::ErrorKind::Interrupted.into() };
    tokio::task::spawn_blocking(move || interpreters.look(runtime)).await.map_err(stopped)?
}

/// Does in a while what no visitor is to wait for: looks once more for what runs functions of a kind, which may have been installed, or be
/// gone, and notes which cache was used.
pub(crate) fn catch_up(surroundings: &Surroundings, runtime: FunctionRuntime, used: Option<PathBuf>) {
    if matches!(runtime, FunctionRuntime::Go | FunctionRuntime::Rust) {
        return;
    }
    let interpreters = surroundings.interpreters.clone();
    surroundings.background.spawn(async move {
        tokio::time::sleep(SPARES_PAUSE).await;
        let catch_up = move || {
            let _ = interpreters.look(runtime);
            if let Some(cache) = used {
                note_use(&cache);
            }
        };
        tokio::task::spawn_blocking(catch_up).await
    });
}

/// Has a process wait that can become a function of this kind, as most of them are.
pub(crate) async fn prepare(
    runtime: FunctionRuntime,
    artifacts: &Path,
    surroundings: &Surroundings,
) -> Result<(), SpawnError> {
    let command = installed(surroundings, runtime).await?;
    let isolation = surroundings.spares.isolation().await?;
    let network = cell_network(NetworkAccess::default(), surroundings);
    let needs = Needs { runtime, env: &[], network, artifacts };
    surroundings.spares.stock(&needs.recipe(surroundings, isolation, &command)?);
    Ok(())
}

/// What decides which kind of prepared process can become a function.
struct Needs<'a> {
    runtime: FunctionRuntime,
    env: &'a [(String, String)],
    network: CellNetwork,
    /// The folder below which functions' folders stand.
    artifacts: &'a Path,
}

impl Needs<'_> {
    fn recipe(
        &self,
        surroundings: &Surroundings,
        isolation: Isolation,
        command: &Command,
    ) -> Result<Recipe, SpawnError> {
        // Without a sandbox its paths are closed when the function is known, before anything else is executed.
        let prelude = prelude::of(self.runtime, &surroundings.interpreters).filter(|_| {
            isolation == Isolation::Sandbox && prelude::needs_fresh_process(self.runtime, self.env).is_none()
        });
        let folder = prelude.as_ref().map(|prelude| surroundings.spares.prelude(prelude)).transpose()?;
        let boot = prelude.map(|prelude| {
            let seen = Path::new(PRELUDES_ROOT).join(prelude.folder).join(prelude.program);
            let flags = prelude.flags.iter().map(|&flag| flag.to_owned());
            let connection =
                (prelude.first_connection == FirstConnection::Inherited).then(|| CONNECTION_FD.to_string());
            Boot {
                program: command.program.clone(),
                arguments: flags.chain([seen.to_string_lossy().into_owned()]).chain(connection).collect(),
                first_connection: prelude.first_connection,
            }
        });
        Ok(Recipe {
            isolation,
            network: self.network,
            artifacts: self.artifacts.to_owned(),
            caches: surroundings.caches.folder().to_owned(),
            visible: command.visible.clone(),
            prelude: folder,
            boot,
        })
    }
}

/// Whose network the function sees.
const fn cell_network(network: NetworkAccess, surroundings: &Surroundings) -> CellNetwork {
    match (network, &surroundings.reach) {
        (NetworkAccess::All, _) | (NetworkAccess::Public, Reach::Everywhere) => CellNetwork::Host,
        (NetworkAccess::Public | NetworkAccess::None, _) => CellNetwork::Own,
    }
}

/// What makes a prepared process the function, and what its program is told.
fn assignment(
    spec: &FunctionSpec,
    surroundings: &Surroundings,
    isolation: Isolation,
    command: Command,
    cache: Option<CodeCache>,
) -> Result<(Assignment, Document), SpawnError> {
    let layers: Vec<PathBuf> =
        spec.function.layers.iter().map(|layer| spec.root.with_file_name(layer.digest.to_hex())).collect();
    let (inside, readable) = match isolation {
        Isolation::Sandbox => (FUNCTION_ROOT.into(), Vec::new()),
        Isolation::Process => (spec.root.clone(), [std::slice::from_ref(&spec.root), &layers].concat()),
    };
    let document = Document {
        root: inside,
        env: environment(spec, &command)?,
        program: command.program,
        arguments: command.arguments.iter().map(|&argument| argument.to_owned()).collect(),
        readable,
        launch: launched(spec, &surroundings.interpreters),
        code_cache: cache.as_ref().map(cache_inside),
        make_code_cache: matches!(cache, Some(CodeCache::ToMake)),
        zygote: false,
    };
    let limits = &spec.function.limits;
    let (max_files, max_processes) = (limits.max_files.into(), limits.max_processes.into());
    let room = Room::of(limits);
    Ok((Assignment { root: spec.root.clone(), layers, max_files, max_processes, room, cache }, document))
}

/// What the function's launcher launches, if it is one that prepared processes have.
fn launched(spec: &FunctionSpec, interpreters: &Interpreters) -> Option<serde_json::Value> {
    let runtime = spec.function.runtime;
    match runtime {
        FunctionRuntime::Node => {
            interpreters.launcher()?.starts(spec.function.digest, &spec.root.join(runtime.entry()))
        }
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
    for (name, value) in spec.env.pairs() {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(SpawnError::Environment { name: name.clone() });
        }
    }
    let platform = platform.into_iter().map(|(name, value)| (name.to_owned(), value));
    let mut usual = vec![("TZ".to_owned(), TIME_ZONE.to_owned())];
    if spec.function.runtime == FunctionRuntime::Go {
        // Go's collector lets the heap double, past a limit of which it is not told.
        let mebibytes = u64::from(spec.function.limits.memory_mb) * GO_MEMORY_PERCENT / 100;
        usual.push(("GOMEMLIMIT".to_owned(), format!("{mebibytes}MiB")));
    }
    Ok(usual.into_iter().chain(spec.env.pairs().iter().cloned()).chain(platform).collect())
}
