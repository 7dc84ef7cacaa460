//! What answers for a host: the runtime, the edge, and what both write to.

use std::net::SocketAddr;
use std::sync::Arc;

use ship_edge::{Edge, EdgeOptions, ExternalReach, Traces};
use ship_runtime::{CompiledCode, Isolation, LogSink, OWN_PROGRAM, Reach, Runtime, RuntimeOptions};
use ship_store::Store;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::blocking::blocking;
use crate::error::HostError;
use crate::history::Recorder;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::options::HostOptions;
use crate::telemetry::{Exporter, SpanQueue, TracingLog};

/// The domain that leads every machine to itself.
const LOCAL_DOMAIN: &str = "localhost";

/// What answers for a host.
pub(super) struct Machinery {
    pub(super) journal: Arc<Journal>,
    pub(super) journal_writer: JoinHandle<()>,
    pub(super) runtime: Runtime,
    pub(super) edge: Arc<Edge>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) recorder: Arc<Recorder>,
    /// What is told of requests, where there is somebody who is told.
    spans: Option<Arc<SpanQueue>>,
}

impl Machinery {
    /// Starts it, for visitors who come to `sites`.
    pub(super) fn start(options: &HostOptions, store: &Store, sites: SocketAddr) -> Result<Self, HostError> {
        let (journal, journal_writer) = Journal::start(store.clone());
        let log = Arc::clone(&journal) as Arc<dyn LogSink>;
        let runtime = Runtime::new(runtime_options(options, Arc::clone(&log)))?;
        let spans = options.telemetry.is_some().then(Arc::<SpanQueue>::default);
        let sink = match &spans {
            Some(spans) => Arc::new(TracingLog { log, spans: Arc::clone(spans) }),
            None => log,
        };
        let edge = Arc::new(Edge::new(store.clone(), runtime.clone(), sink, edge_options(options, sites)));
        let metrics =
            Metrics::new(Arc::clone(&edge), runtime.clone(), Arc::clone(&journal), store.clone(), spans.clone());
        let metrics = Arc::new(metrics);
        let recorder = Arc::new(Recorder::new(Arc::clone(&metrics), runtime.clone(), store.clone()));
        Ok(Self { journal, journal_writer, runtime, edge, metrics, recorder, spans })
    }

    /// What sends telemetry, if the operator wants it sent.
    pub(super) fn exporter(&self, options: &HostOptions) -> Result<Option<Exporter>, HostError> {
        let wanted = options.telemetry.clone().zip(self.spans.clone());
        let exporter = wanted.map(|(telemetry, spans)| {
            Exporter::new(telemetry, spans, Arc::clone(&self.metrics)).ok_or(HostError::Telemetry)
        });
        exporter.transpose()
    }
}

/// Finds out what functions are kept from: at once where less than a sandbox will not do. Elsewhere the host's own log tells where they have no
/// sandbox, or cannot be started at all. What is known of the functions that there are is prepared while the host starts, so that whoever
/// wakes the first of them need not wait for it.
pub(super) async fn try_isolation(
    options: &HostOptions,
    store: &Store,
    runtime: &Runtime,
    tasks: &TaskTracker,
) -> Result<(), HostError> {
    if options.least_isolation == Some(Isolation::Sandbox) {
        return runtime.isolation().await.map(drop).map_err(HostError::Isolation);
    }
    let (store, runtime) = (store.clone(), runtime.clone());
    tasks.spawn(async move {
        if let Err(error) = runtime.isolation().await {
            let error = &error as &dyn std::error::Error;
            return tracing::error!(error, "no function can be started here; `ship doctor` says more");
        }
        let (runtimes, folder) = blocking(move || {
            let functions = store.functions();
            (functions.runtimes(), functions.folder().to_owned())
        })
        .await;
        for kind in runtimes {
            runtime.prepare(kind, &folder).await;
        }
    });
    Ok(())
}

fn runtime_options(options: &HostOptions, logs: Arc<dyn LogSink>) -> RuntimeOptions {
    RuntimeOptions {
        socket_dir: options.data.join("run"),
        nursery: OWN_PROGRAM.into(),
        compiled_code: CompiledCode::Kept,
        least_isolation: options.least_isolation.unwrap_or_else(usual_isolation),
        reach: Reach::Public { allowed: options.allowed_addresses.clone() },
        logs,
        interpreters: options.interpreters.clone(),
        background: Handle::current(),
        drain_timeout: options.drain,
    }
}

/// The least that functions are kept from where the operator says nothing. Without a sandbox they are the host's own user, and root's
/// functions could do everything.
fn usual_isolation() -> Isolation {
    if rustix::process::geteuid().is_root() { Isolation::Sandbox } else { Isolation::Process }
}

/// A host for one machine's own use may lead visitors to other servers of that machine; one that serves others may not.
fn edge_options(options: &HostOptions, sites: SocketAddr) -> EdgeOptions {
    let is_for_itself = sites.ip().is_loopback() && options.domain == LOCAL_DOMAIN;
    let external_reach = if is_for_itself { ExternalReach::PublicAndLoopback } else { ExternalReach::Public };
    let traces = if options.telemetry.is_some() { Traces::Joined } else { Traces::PassedOn };
    EdgeOptions { external_reach, traces, ..EdgeOptions::default() }
}
