//! What the runtime adds to a function: to its start, and to each call of it.
//!
//! Run with the folder of a function that answers `GET /` (`benches/hello` is one):
//!
//! ```text
//! cargo bench -p ship-runtime --bench instances -- <folder with bootstrap>
//! ```
//!
//! The floor of a start is the same program, spawned by the standard library and asked by a plain socket. The floor of a call
//! is the same socket with the same bytes and no HTTP client. Both alternate with the runtime in the same process.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its table, and a failure ends it")]

use std::env;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use ship_core::{DeploymentId, Digest, Function, FunctionLimits, FunctionRuntime, LogRecord, ProjectName, RequestId};
use ship_runtime::{CompiledCode, FunctionSpec, Interpreters, Isolation, LogSink, Reach, Runtime, RuntimeOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: site.test\r\nuser-agent: bench\r\naccept: */*\r\n\r\n";
const STARTS: usize = 200;
const CALLS: usize = 40_000;
const ROUNDS: usize = 5;

struct NoLogs;

impl LogSink for NoLogs {
    fn record(&self, _: &ProjectName, _: LogRecord) {}
}

fn main() {
    let Some(root) = env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from) else {
        println!("give the folder of a function: see the head of this file");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tokio.block_on(async {
        let options = RuntimeOptions {
            socket_dir: folder.path().join("run"),
            nursery: env!("CARGO_BIN_EXE_ship-test-function").into(),
            compiled_code: CompiledCode::Forgotten,
            least_isolation: Isolation::Sandbox,
            reach: Reach::Public { allowed: Vec::new() },
            logs: Arc::new(NoLogs),
            interpreters: Interpreters::default(),
            background: tokio.handle().clone(),
            drain_timeout: Duration::from_secs(5),
        };
        let runtime = Runtime::new(options).unwrap();
        starts(&runtime, &root, folder.path()).await;
        for connections in [1, 64] {
            calls(&runtime, &root, folder.path(), connections).await;
        }
        runtime.shutdown().await;
    });
}

fn spec(root: &Path) -> Arc<FunctionSpec> {
    Arc::new(FunctionSpec {
        project: "bench".parse().unwrap(),
        deployment: DeploymentId::of_bytes(b"bench"),
        function: Function {
            name: "hello".parse().unwrap(),
            runtime: FunctionRuntime::Go,
            digest: Digest::of(b""),
            size_bytes: 0,
            limits: FunctionLimits { concurrency: 100, ..FunctionLimits::default() },
            layers: Vec::new(),
            warm: Vec::new(),
        },
        root: root.to_owned(),
        env: ship_runtime::FunctionEnvironment::default(),
    })
}

async fn call(runtime: &Runtime, spec: &Arc<FunctionSpec>) {
    let request = Request::get("/").header("host", "site.test").header("user-agent", "bench").header("accept", "*/*");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let response = runtime.invoke(spec, RequestId::from_parts(1, [1; 10]), request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}

async fn starts(runtime: &Runtime, root: &Path, folder: &Path) {
    let spec = spec(root);
    let (mut bare, mut through) = (Vec::new(), Vec::new());
    for round in 0..STARTS {
        bare.push(bare_start(root, &folder.join(format!("bare-{round}"))));
        let begin = Instant::now();
        call(runtime, &spec).await;
        through.push(begin.elapsed());
        runtime.retire(&spec.deployment).await;
    }
    println!("start to first byte, bare      {}", spread(&mut bare));
    println!("start to first byte, runtime   {}", spread(&mut through));
}

/// The listening socket is the program's standard input, so that the standard library can spawn it.
fn bare_start(root: &Path, socket: &Path) -> Duration {
    let begin = Instant::now();
    let listener = UnixListener::bind(socket).unwrap();
    let mut child = Command::new(root.join("bootstrap"))
        .env_clear()
        .env("SHIP_LISTEN_FD", "0")
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stream = StdStream::connect(socket).unwrap();
    stream.write_all(REQUEST).unwrap();
    let mut byte = [0; 1];
    stream.read_exact(&mut byte).unwrap();
    let elapsed = begin.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    elapsed
}

async fn calls(runtime: &Runtime, root: &Path, folder: &Path, connections: usize) {
    let spec = spec(root);
    let socket = folder.join(format!("direct-{connections}"));
    let listener = UnixListener::bind(&socket).unwrap();
    let mut child = Command::new(root.join("bootstrap"))
        .env_clear()
        .env("SHIP_LISTEN_FD", "0")
        .stdin(OwnedFd::from(listener))
        .spawn()
        .unwrap();
    call(runtime, &spec).await;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let socket = socket.clone();
        direct.push(per_call(connections, move |calls| direct_calls(socket.clone(), calls)).await);
        let (runtime, spec) = (runtime.clone(), Arc::clone(&spec));
        let many = move |calls: usize| {
            let (runtime, spec) = (runtime.clone(), Arc::clone(&spec));
            async move {
                for _ in 0..calls {
                    call(&runtime, &spec).await;
                }
            }
        };
        through.push(per_call(connections, many).await);
    }
    println!("{connections:>2} at once, per call, direct    {}", spread(&mut direct));
    println!("{connections:>2} at once, per call, runtime   {}", spread(&mut through));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The wall time of all calls divided by their number.
async fn per_call<F, R>(connections: usize, many: F) -> Duration
where
    F: Fn(usize) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(many(CALLS / connections));
    }
    tasks.join_all().await;
    begin.elapsed() / u32::try_from(CALLS).unwrap()
}

async fn direct_calls(socket: PathBuf, calls: usize) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let mut buffer = [0; 1024];
    for _ in 0..calls {
        stream.write_all(REQUEST).await.unwrap();
        let mut length = 0;
        while !buffer[..length].ends_with(b"hello") {
            length += stream.read(&mut buffer[length..]).await.unwrap();
        }
    }
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!("median {:>9.2?}   lowest {:>9.2?}   p99 {:>9.2?}", at(50), at(0), at(99))
}
