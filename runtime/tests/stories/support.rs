//! What the stories are told with: a runtime on a folder of its own, functions with chosen limits, and a log that can be
//! waited on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use ship_core::{
    DeploymentId, Digest, Function, FunctionLimits, FunctionRuntime, LogRecord, LogSource, ProjectName, RequestId,
};
use ship_runtime::{
    CompiledCode, FunctionBody, FunctionSpec, InstanceView, Interpreters, InvokeError, Isolation, LogSink, Reach,
    Runtime, RuntimeOptions,
};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// How long something may take that happens by itself, before the test is called stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program of all stories' functions, and the nursery that starts them.
const PROGRAM: &str = env!("CARGO_BIN_EXE_ship-test-function");

/// A runtime and what surrounds it.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) logs: Arc<MemoryLog>,
    pub(crate) folder: TempDir,
}

impl Stage {
    /// A runtime that gives requests `drain_timeout` when it stops.
    pub(crate) fn with_drain_timeout(drain_timeout: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = Arc::new(MemoryLog::default());
        let runtime = open_runtime(folder.path().join("run"), &logs, drain_timeout);
        let root = folder.path().join("artifact");
        std::fs::create_dir(&root).unwrap();
        put_program(&root.join("bootstrap"));
        Self { runtime, logs, folder }
    }

    pub(crate) fn new() -> Self {
        Self::with_drain_timeout(PATIENCE)
    }

    /// A function with the usual limits.
    pub(crate) fn function(&self) -> FunctionSpec {
        FunctionSpec {
            project: project(),
            deployment: DeploymentId::of_bytes(b"story"),
            function: Function {
                name: "api/story".parse().unwrap(),
                runtime: FunctionRuntime::Go,
                digest: Digest::of(b""),
                size_bytes: 0,
                limits: FunctionLimits::default(),
                layers: Vec::new(),
                warm: Vec::new(),
            },
            root: self.folder.path().join("artifact"),
            env: ship_runtime::FunctionEnvironment::default(),
        }
    }

    /// A function with chosen limits.
    pub(crate) fn function_with(&self, choose: impl FnOnce(&mut FunctionLimits)) -> Arc<FunctionSpec> {
        let mut spec = self.function();
        choose(&mut spec.function.limits);
        Arc::new(spec)
    }

    /// Asks a function for a path, and waits for the whole response.
    pub(crate) async fn get(&self, spec: &Arc<FunctionSpec>, path: &str) -> Result<String, InvokeError> {
        let response = self.open(spec, path).await?;
        Ok(text(response).await.expect("the body ends well"))
    }

    /// Asks a function for a path, and waits for the head of the response.
    pub(crate) async fn open(
        &self,
        spec: &Arc<FunctionSpec>,
        path: &str,
    ) -> Result<Response<FunctionBody>, InvokeError> {
        let request = Request::get(path).header("host", "site.test").body(Empty::<Bytes>::new()).unwrap();
        self.runtime.invoke(spec, fresh_id(), request).await
    }

    /// The only instance there is.
    pub(crate) fn instance(&self) -> InstanceView {
        let instances = self.runtime.instances();
        assert_eq!(instances.len(), 1, "{instances:?}");
        instances.into_iter().next().unwrap()
    }

    /// Waits until there are exactly this many instances.
    pub(crate) async fn until_instances(&self, count: usize) {
        until(|| self.runtime.instances().len() == count).await;
    }
}

pub(crate) fn project() -> ProjectName {
    "story".parse().unwrap()
}

pub(crate) fn open_runtime(socket_dir: PathBuf, logs: &Arc<MemoryLog>, drain_timeout: Duration) -> Runtime {
    let logs: Arc<dyn LogSink> = Arc::clone(logs) as _;
    Runtime::new(options(socket_dir, logs, drain_timeout)).unwrap()
}

/// What every story's runtime is made with.
pub(crate) fn options(socket_dir: PathBuf, logs: Arc<dyn LogSink>, drain_timeout: Duration) -> RuntimeOptions {
    let nursery = PROGRAM.into();
    let interpreters = Interpreters::default();
    let compiled_code = CompiledCode::Kept;
    let reach = Reach::Public { allowed: Vec::new() };
    RuntimeOptions {
        socket_dir,
        compiled_code,
        nursery,
        least_isolation: Isolation::Sandbox,
        reach,
        logs,
        interpreters,
        background: Handle::current(),
        drain_timeout,
    }
}

/// Puts the function's program into a folder. A link to it would lead out of what a function sees.
pub(crate) fn put_program(path: &Path) {
    if std::fs::hard_link(PROGRAM, path).is_err() {
        std::fs::copy(PROGRAM, path).unwrap();
    }
}

/// The text of a whole response.
pub(crate) async fn text(response: Response<FunctionBody>) -> Result<String, ship_runtime::BodyError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.into()).unwrap())
}

/// An id that no other request has.
pub(crate) fn fresh_id() -> RequestId {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    RequestId::from_parts(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed), [0; 10])
}

/// Waits for something that happens by itself, giving everybody else their turn.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never happened");
        tokio::task::yield_now().await;
    }
}

/// What a process of this number says when it is asked for its own.
pub(crate) fn identity(pid: u32) -> String {
    let namespace = std::fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    format!("{} {}", namespace.display(), numbers.split_whitespace().last().unwrap())
}

/// The number of a process that says this of itself.
pub(crate) fn outside(name: &str) -> u32 {
    let numbers =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_namespace = |pid: &u32| {
        std::fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|link| name.starts_with(link.to_str().unwrap()))
    };
    numbers.filter(is_namespace).find(|pid| identity(*pid) == name).unwrap()
}

/// Whether a process exists and is not merely waiting to be collected.
pub(crate) fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// Stops the clock: from here on time passes only when a story says so, while processes run on.
pub(crate) struct StoppedClock {
    _release: std::sync::mpsc::Sender<()>,
}

impl StoppedClock {
    pub(crate) fn new() -> Self {
        tokio::time::pause();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        // A paused clock jumps ahead when all tasks wait, and they also wait for processes. While a blocking task runs, it
        // does not.
        tokio::task::spawn_blocking(move || wait.recv());
        Self { _release: release }
    }

    /// Lets time pass, and a millisecond more: timers are that coarse, and round up.
    pub(crate) async fn advance(&self, seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds) + Duration::from_millis(1)).await;
    }
}

/// A log that is kept in memory.
#[derive(Default)]
pub(crate) struct MemoryLog {
    records: Mutex<Vec<LogRecord>>,
    changed: Notify,
}

impl LogSink for MemoryLog {
    fn record(&self, found: &ProjectName, record: LogRecord) {
        assert_eq!(*found, project());
        self.lock().push(record);
        self.changed.notify_waiters();
    }
}

impl MemoryLog {
    /// All records so far.
    pub(crate) fn records(&self) -> Vec<LogRecord> {
        self.lock().clone()
    }

    /// The lines that functions printed, and in brackets what the platform said.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.lock().iter().map(message_of).collect()
    }

    /// Waits for a message.
    pub(crate) async fn until_said(&self, message: &str) {
        self.until_said_times(message, 1).await;
    }

    /// Waits until a message was said this many times.
    pub(crate) async fn until_said_times(&self, message: &str, times: usize) {
        loop {
            let changed = self.changed.notified();
            if self.messages().iter().filter(|said| *said == message).count() >= times {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LogRecord>> {
        self.records.lock().unwrap()
    }
}

fn message_of(record: &LogRecord) -> String {
    match &record.source {
        LogSource::Function { message, .. } => message.clone(),
        LogSource::Platform { message, .. } => format!("[{message}]"),
        LogSource::Request { .. } => "[request]".to_owned(),
    }
}
