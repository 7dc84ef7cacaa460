//! What the stories are told with: a store in a folder of its own, one deployment in it, and an edge that serves it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use http::{Request, Response};
use ship_core::route::RouteTable;
use ship_core::{
    Asset, CorsRule, Digest, Function, FunctionLimits, FunctionRuntime, LogRecord, LogSource, Manifest, PlatformError,
    ProjectName,
};
use ship_edge::{
    Answer, ConnectionLimits, Crew, Edge, EdgeBody, EdgeOptions, EndOfSending, Indexing, LiveDeployment, PlainRequest,
    Prompt, ServerTiming, Site, Visitor, VisitorBody, host_label, request_authority,
};
use ship_runtime::{CompiledCode, Interpreters, Isolation, LogSink, Reach, Runtime, RuntimeOptions};
use ship_store::{Durability, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::secure;
use crate::visitor::{Connection, Received};

/// How long something may take that happens by itself, before a story is called stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is deployed.
pub(crate) struct SiteBuilder {
    folder: TempDir,
    store: Store,
    assets: Vec<Asset>,
    functions: Vec<Function>,
    routes: RouteTable,
    cors: Vec<CorsRule>,
    options: EdgeOptions,
    limits: ConnectionLimits,
    is_secure: bool,
    timing: ServerTiming,
    indexing: Indexing,
}

impl SiteBuilder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), Durability::Relaxed).unwrap();
        Self {
            folder,
            store,
            assets: Vec::new(),
            functions: Vec::new(),
            routes: RouteTable::new(),
            cors: Vec::new(),
            options: EdgeOptions::default(),
            limits: ConnectionLimits::default(),
            is_secure: false,
            timing: ServerTiming::Hidden,
            indexing: Indexing::Allowed,
        }
    }

    /// Serves the site as a preview: answers say where their time went, and search engines are kept out.
    pub(crate) fn preview(mut self) -> Self {
        (self.timing, self.indexing) = (ServerTiming::Shown, Indexing::Forbidden);
        self
    }

    /// Serves the site through TLS.
    pub(crate) fn secure(mut self) -> Self {
        self.is_secure = true;
        self
    }

    pub(crate) fn file(mut self, path: &str, media_type: &str, content: impl AsRef<[u8]>) -> Self {
        let digest = self.store_blob(content.as_ref());
        let size_bytes = content.as_ref().len() as u64;
        let (path, media_type) = (path.parse().unwrap(), media_type.parse().unwrap());
        self.assets.push(Asset { path, digest, size_bytes, media_type });
        self
    }

    /// A function that behaves as its path says.
    pub(crate) fn function(mut self, name: &str) -> Self {
        let artifact = test_artifact();
        let digest = self.store_blob(artifact);
        let limits = FunctionLimits::default();
        let (runtime, size_bytes) = (FunctionRuntime::Go, artifact.len() as u64);
        self.functions.push(Function {
            name: name.parse().unwrap(),
            runtime,
            digest,
            size_bytes,
            limits,
            layers: Vec::new(),
            warm: Vec::new(),
        });
        self
    }

    /// Gives the functions so far other limits.
    pub(crate) fn function_limits(mut self, choose: impl Fn(&mut FunctionLimits)) -> Self {
        self.functions.iter_mut().for_each(|function| choose(&mut function.limits));
        self
    }

    pub(crate) fn routes(mut self, json: &str) -> Self {
        self.routes = serde_json::from_str(json).unwrap();
        self
    }

    pub(crate) fn cors(mut self, json: &str) -> Self {
        self.cors.push(serde_json::from_str(json).unwrap());
        self
    }

    pub(crate) fn options(mut self, choose: impl FnOnce(&mut EdgeOptions)) -> Self {
        choose(&mut self.options);
        self
    }

    pub(crate) fn limits(mut self, choose: impl FnOnce(&mut ConnectionLimits)) -> Self {
        choose(&mut self.limits);
        self
    }

    fn store_blob(&self, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let mut batch = self.store.blobs().batch().unwrap();
        let mut writer = batch.begin(digest, content.len() as u64).unwrap();
        writer.write(content).unwrap();
        writer.finish().unwrap();
        batch.commit().unwrap();
        digest
    }

    pub(crate) async fn start(self) -> Stage {
        let manifest = Manifest::new(self.assets, self.functions, self.routes, self.cors).unwrap();
        let project: ProjectName = "site".parse().unwrap();
        let id = manifest.deployment_id(&project);
        let deployment = LiveDeployment::from_parts(project, id, manifest, Vec::new());
        let logs = Arc::new(MemoryLog::default());
        let sink: Arc<dyn LogSink> = Arc::clone(&logs) as _;
        let socket_dir = self.folder.path().join("run");
        let (drain_timeout, runtime_logs) = (PATIENCE, Arc::clone(&sink));
        let runtime = Runtime::new(RuntimeOptions {
            socket_dir,
            nursery: test_program(),
            compiled_code: CompiledCode::Forgotten,
            least_isolation: Isolation::Sandbox,
            reach: Reach::Public { allowed: Vec::new() },
            logs: runtime_logs,
            interpreters: Interpreters::default(),
            background: Handle::current(),
            drain_timeout,
        })
        .unwrap();
        let edge = Arc::new(Edge::new(self.store.clone(), runtime.clone(), sink, self.options));
        let own_origins = Arc::new(|origin: &str| origin == "http://site-git-main.localhost");
        let answered_at_once = Arc::<AtomicUsize>::default();
        let host = Host {
            edge: Arc::clone(&edge),
            answered_at_once: Arc::clone(&answered_at_once),
            site: Site {
                deployment: Arc::clone(&deployment),
                own_origins,
                timing: self.timing,
                indexing: self.indexing,
                gate: None,
            },
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (host, crew, limits) = (Arc::new(host), Crew::here(), self.limits);
        let serving = if self.is_secure {
            let tls = secure::server_config("site.localhost");
            tokio::spawn(ship_edge::serve_tls(listener, tls, crew, host, limits, stop.clone()))
        } else {
            tokio::spawn(ship_edge::serve(listener, crew, host, limits, stop.clone()))
        };
        let (store, folder) = (self.store, self.folder);
        Stage { address, edge, deployment, logs, store, answered_at_once, runtime, stop, serving, _folder: folder }
    }
}

/// Answers as a host does, for one site.
struct Host {
    edge: Arc<Edge>,
    site: Site,
    answered_at_once: Arc<AtomicUsize>,
}

impl Answer for Host {
    const END_OF_SENDING: EndOfSending = EndOfSending::PerhapsOnlyThat;

    async fn answer(&self, request: Request<VisitorBody>, visitor: Visitor) -> Response<EdgeBody> {
        let Some(authority) = request_authority(request.uri(), request.headers()) else {
            return self.edge.platform_error(PlatformError::MalformedRequest, &request);
        };
        match host_label(authority, "localhost") {
            Some(label) if label.as_str() == "site" => self.edge.respond(&self.site, request, &visitor).await,
            _ => self.edge.not_found_site(&request),
        }
    }

    fn answer_at_once(&self, request: &PlainRequest<'_>, visitor: Visitor) -> Option<Prompt> {
        host_label(request.authority(), "localhost").filter(|label| label.as_str() == "site")?;
        let prompt = self.edge.respond_at_once(self.site.clone(), request, visitor)?;
        self.answered_at_once.fetch_add(1, Ordering::Relaxed);
        Some(prompt)
    }
}

/// A site that is served.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) edge: Arc<Edge>,
    pub(crate) deployment: Arc<LiveDeployment>,
    pub(crate) logs: Arc<MemoryLog>,
    pub(crate) store: Store,
    answered_at_once: Arc<AtomicUsize>,
    runtime: Runtime,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address).await
    }

    /// Sends these bytes on a connection of their own; all that comes back.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> Received {
        let mut connection = self.connect().await;
        connection.send(bytes).await;
        connection.rest().await
    }

    /// Asks once. `headers` are whole lines.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Received {
        self.send(request(method, path, headers, "")).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[&str]) -> Received {
        self.ask("GET", path, headers).await
    }

    /// Where the bytes of a blob are.
    pub(crate) fn blob_file(&self, digest: &Digest) -> PathBuf {
        let hex = digest.to_hex();
        self.store.data_dir().join("blobs").join(&hex[..2]).join(&hex[2..])
    }

    /// How many requests were answered without hyper.
    pub(crate) fn answered_at_once(&self) -> usize {
        self.answered_at_once.load(Ordering::Relaxed)
    }

    /// How many instances run.
    pub(crate) fn instances(&self) -> usize {
        self.runtime.instances().len()
    }

    /// Waits until so many instances run.
    pub(crate) async fn until_instances(&self, count: usize) {
        let start = Instant::now();
        while self.instances() != count {
            assert!(start.elapsed() < PATIENCE, "{} instances run", self.instances());
            tokio::task::yield_now().await;
        }
    }

    /// The names of the functions of which instances run, sorted.
    pub(crate) fn functions_awake(&self) -> Vec<String> {
        let mut names: Vec<_> = self.runtime.instances().iter().map(|view| view.function.to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Tells the listener to end, and waits for nothing.
    pub(crate) fn begin_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits until functions have printed `line` so often.
    pub(crate) async fn until_logged(&self, line: &str, times: usize) {
        let start = Instant::now();
        while self.logs.printed(line) < times {
            assert!(start.elapsed() < PATIENCE, "{line:?} was printed {} times", self.logs.printed(line));
            tokio::task::yield_now().await;
        }
    }

    /// Ends everything, in the order in which a host does: a WebSocket would keep its instance for as long as it is open.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.edge.shutdown().await;
        self.runtime.shutdown().await;
    }
}

/// A request that closes its connection.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let mut lines = vec![format!("{method} {path} HTTP/1.1")];
    lines.extend(["Host: site.localhost", "Connection: close"].iter().chain(headers).map(ToString::to_string));
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// Remembers what was logged.
#[derive(Default)]
pub(crate) struct MemoryLog {
    records: Mutex<Vec<LogRecord>>,
}

impl LogSink for MemoryLog {
    fn record(&self, _: &ProjectName, record: LogRecord) {
        self.records.lock().unwrap().push(record);
    }
}

impl MemoryLog {
    /// How often functions printed a line.
    fn printed(&self, line: &str) -> usize {
        let says =
            |record: &&LogRecord| matches!(&record.source, LogSource::Function { message, .. } if message == line);
        self.records.lock().unwrap().iter().filter(says).count()
    }

    /// The records of requests, as soon as there are this many.
    pub(crate) async fn requests(&self, count: usize) -> Vec<LogRecord> {
        let start = Instant::now();
        loop {
            let is_request = |record: &&LogRecord| matches!(record.source, LogSource::Request { .. });
            let found: Vec<LogRecord> = self.records.lock().unwrap().iter().filter(is_request).cloned().collect();
            if found.len() >= count {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "only {found:?} was logged");
            tokio::task::yield_now().await;
        }
    }
}

/// An artifact whose program behaves as the path of a request says.
fn test_artifact() -> &'static [u8] {
    static ARTIFACT: OnceLock<Vec<u8>> = OnceLock::new();
    ARTIFACT.get_or_init(|| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(0o755);
        archive.start_file("bootstrap", options).unwrap();
        archive.write_all(&std::fs::read(test_program()).unwrap()).unwrap();
        archive.finish().unwrap().into_inner()
    })
}

/// The program that the runtime's own tests run as a function. A test run of the whole workspace has built it beside this
/// one; where this crate is tested alone, cargo is asked for it.
fn test_program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let beside = here.parent().and_then(Path::parent).unwrap().join("ship-test-function");
    if beside.exists() {
        return beside;
    }
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "ship-runtime", "--bin", "ship-test-function"])
        .args(["--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).unwrap();
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    executable.expect("cargo says where the program is")
}
