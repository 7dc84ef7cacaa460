//! A host from its start to its end: what is opened in which order, and how it stops without losing a request.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use ship_edge::{ConnectionLimits, Crew, Edge, EdgeOptions, ExternalReach, Scheme, Traces};
use ship_runtime::{CompiledCode, Isolation, LogSink, OWN_PROGRAM, Reach, Runtime, RuntimeOptions};
use ship_store::{Durability, Store};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::blocking::blocking;
use crate::care::{Collector, scrub, take_care};
use crate::complete::CompleteDeployments;
use crate::control::{Control, ControlAnswer, Doors};
use crate::cores::Cores;
use crate::descriptors;
use crate::domains::{Domains, ProofReader};
use crate::error::HostError;
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::listen::listen;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::options::HostOptions;
use crate::publisher::Publisher;
use crate::register::{Register, RegisterWriter};
use crate::relief::{watch_heap, watch_memory};
use crate::secure::Secure;
use crate::site_map::SiteMap;
use crate::sites::{SecurityPromise, Sites};
use crate::telemetry::{Exporter, SpanQueue, TracingLog};
use crate::tls::AcmeReport;
use crate::token::{PlainToken, new_token_id, read_token_file, write_token_file};
use crate::urls::Urls;
use crate::warmth::{HostStove, Warmth};

/// How many clients of the control API are connected at once. They have places of their own, so that no crowd of visitors keeps
/// the owner out.
const MAX_CLIENTS: usize = 256;

/// The domain that leads every machine to itself.
const LOCAL_DOMAIN: &str = "localhost";

/// A host that listens and has read its state, but does not answer yet.
pub struct Host {
    ready: Ready,
    options: HostOptions,
    sites_listener: TcpListener,
    control_listener: TcpListener,
    secure: Option<Secure>,
    sites: Arc<Sites>,
    control: Arc<ControlAnswer>,
    runtime: Runtime,
    edge: Arc<Edge>,
    warmth: Warmth<HostStove>,
    journal_writer: JoinHandle<()>,
    register_writer: RegisterWriter,
    telemetry: Option<Exporter>,
    /// What was begun for clients that may be gone.
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Where a host can be reached.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The address at which sites are served, as a URL: through TLS where there is TLS.
    pub sites: String,
    /// Where there is TLS, the address that leads visitors who come without it there, as a URL.
    pub redirects: Option<String>,
    /// The address of the control API, as a URL.
    pub control: String,
    /// The domain below which sites stand.
    pub domain: String,
    /// The file with the admin token.
    pub token_file: PathBuf,
    /// The process id.
    pub pid: u32,
    /// The data directory.
    pub data: PathBuf,
}

impl Host {
    /// Takes the data directory and the ports. When this returns, connections are accepted by the system and wait for
    /// [`Host::serve`].
    pub async fn start(options: HostOptions) -> Result<Self, HostError> {
        let data = options.data.clone();
        let store = blocking(move || Store::open(&data, Durability::Durable)).await?;
        store.logs().limit_to(options.log_bytes);
        let sites_listener = listen(options.sites, "--listen", options.ports).await?;
        let control_listener = listen(options.control, "--control", options.ports).await?;
        let sites_address = local_address(&sites_listener, options.sites)?;
        let control_address = local_address(&control_listener, options.control)?;
        let mut secure = match &options.tls {
            Some(tls) => Some(Secure::start(tls, options.ports).await?),
            None => None,
        };
        admit_owner(&store, &options)?;

        let (journal, journal_writer) = Journal::start(store.clone());
        let runtime = Runtime::new(runtime_options(&options, Arc::clone(&journal) as Arc<dyn LogSink>))?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        try_isolation(&options, &store, &runtime, &tasks).await?;
        let spans = options.telemetry.is_some().then(Arc::<SpanQueue>::default);
        let sink = log_sink(&journal, spans.as_ref());
        let edge = Arc::new(Edge::new(store.clone(), runtime.clone(), sink, edge_options(&options, sites_address)));
        let urls = site_urls(&options, sites_address, secure.as_ref(), &store)?;
        let map = SiteMap::load(store.clone(), urls.clone(), Arc::clone(&edge))?;
        let acme = match (&mut secure, &options.tls) {
            (Some(secure), Some(tls)) => secure.keep_certificates(tls, &store, &map, &options.domain).await?,
            _ => AcmeReport::default(),
        };
        let metrics =
            Metrics::new(Arc::clone(&edge), runtime.clone(), Arc::clone(&journal), store.clone(), spans.clone());
        let metrics = Arc::new(metrics);
        let telemetry = exporter(&options, spans, &metrics)?;
        let (productions, moves) = mpsc::unbounded_channel();
        let kept_by = HostStove { store: store.clone(), runtime: runtime.clone(), map: map.clone() };
        let warmth = Warmth::new(kept_by, Arc::new(Timestamp::now), moves);
        let publisher = Publisher {
            deploys: Arc::clone(&metrics.deploys),
            urls: urls.clone(),
            store: store.clone(),
            runtime: runtime.clone(),
            edge: Arc::clone(&edge),
            map: map.clone(),
            journal: Arc::clone(&journal),
            complete: CompleteDeployments::default(),
            started: Arc::default(),
            turn: Arc::default(),
            productions,
            tasks: tasks.clone(),
        };
        let keyring = Arc::new(Keyring::load(&store)?);
        let (register, register_writer) = Register::new(store.clone(), Arc::clone(&keyring));
        let collector = Collector {
            store: store.clone(),
            publisher: publisher.clone(),
            runtime: runtime.clone(),
            retention: options.retention,
            meters: Arc::clone(&metrics.care),
            turn: Arc::default(),
        };
        begin_care(&collector, &tasks, &stop);
        let control = Arc::new(Control {
            metrics,
            metrics_access: options.metrics,
            keyring,
            register,
            doors: Doors::default(),
            logins: Logins::default(),
            store,
            runtime: runtime.clone(),
            publisher,
            collector,
            journal,
            acme,
            proofs: ProofReader { server: options.dns_server },
            urls: urls.clone(),
            shutdown: stop.clone(),
            started_at: Timestamp::now(),
            own_address: control_address,
            data: options.data.clone(),
            examining: tokio::sync::Mutex::default(),
        });
        let ready = ready(&options, &urls, secure.is_some().then_some(sites_address), control_address);
        let promise = SecurityPromise::below(&options.domain);
        Ok(Self {
            ready,
            sites: Arc::new(Sites { edge: Arc::clone(&edge), map, urls, promise }),
            control: Arc::new(ControlAnswer::new(control)),
            options,
            sites_listener,
            control_listener,
            secure,
            runtime,
            edge,
            warmth,
            journal_writer,
            register_writer,
            telemetry,
            tasks,
            stop,
        })
    }

    /// Where the host can be reached.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Answers until `shutdown` is cancelled or the control API is asked to stop. Then it takes no new connection, finishes
    /// the requests in flight, stops the instances, and writes what is left of the log.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), HostError> {
        let Self {
            options,
            sites_listener,
            control_listener,
            secure,
            sites,
            control,
            runtime,
            edge,
            warmth,
            journal_writer,
            register_writer,
            telemetry,
            tasks,
            stop,
            ..
        } = self;
        tasks.spawn(warmth.run(stop.clone()));
        tasks.spawn(register_writer.run(stop.clone()));
        tasks.spawn(watch_memory(runtime.clone(), stop.clone()));
        tasks.spawn(watch_heap(stop.clone()));
        let limits = ConnectionLimits { drain_timeout: options.drain, ..ConnectionLimits::default() };
        let control_limits = ConnectionLimits { max_connections: MAX_CLIENTS, ..limits };
        let limits = ConnectionLimits { max_connections: descriptors::visitors(), ..limits };
        let cores = Cores::start().map_err(HostError::Cores)?;
        let sites = async {
            let served = match secure {
                Some(secure) => secure.serve(&cores, sites_listener, sites, limits, &stop).await,
                None => cores.serve(sites_listener, sites, limits, stop.clone()).await,
            };
            stop.cancel();
            served
        };
        let control = ship_edge::serve(control_listener, Crew::here(), control, control_limits, stop.clone());
        let asked = async {
            tokio::select! {
                () = shutdown.cancelled() => stop.cancel(),
                () = stop.cancelled() => {}
            }
        };
        let silence = CancellationToken::new();
        let exporting = telemetry.map(|exporter| tokio::spawn(exporter.run(silence.clone())));
        let (served, (), ()) = tokio::join!(sites, control, asked);
        // The edge closes the WebSockets that are still open; the runtime would wait for their instances.
        edge.shutdown().await;
        runtime.shutdown().await;
        tasks.close();
        tasks.wait().await;
        // The last requests have ended, so the last telemetry has all of them.
        silence.cancel();
        if let Some(exporting) = exporting
            && exporting.await.is_err()
        {
            tracing::error!("the exporter of telemetry panicked");
        }
        // Everything that writes to the journal is gone with these, which ends its writer.
        drop((runtime, edge));
        cores.stop().await;
        if journal_writer.await.is_err() {
            tracing::error!("the journal's writer panicked");
        }
        served
    }
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
        drain_timeout: options.drain,
    }
}

/// How labels become URLs: through TLS where there is TLS, and under names of their own.
fn site_urls(
    options: &HostOptions,
    sites: SocketAddr,
    secure: Option<&Secure>,
    store: &Store,
) -> Result<Urls, HostError> {
    let domains = Domains::default();
    domains.reload(store)?;
    let (scheme, address) = match secure {
        Some(secure) => (Scheme::Https, secure.address()?),
        None => (Scheme::Http, sites),
    };
    Ok(Urls::new(&options.domain, scheme, address, domains))
}

/// Finds out what functions are kept from: at once where less than a sandbox will not do. What is known of the functions that there are
/// is prepared while the host starts, so that whoever wakes the first of them need not wait for it.
async fn try_isolation(
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

/// The least that functions are kept from where the operator says nothing. Without a sandbox they are the host's own user, and root's
/// functions could do everything.
fn usual_isolation() -> Isolation {
    if rustix::process::geteuid().is_root() { Isolation::Sandbox } else { Isolation::Process }
}

/// Where the host can be reached, once its ports are known.
fn ready(options: &HostOptions, urls: &Urls, redirects: Option<SocketAddr>, control: SocketAddr) -> Ready {
    Ready {
        sites: urls.listener(),
        redirects: redirects.map(|address| format!("http://{address}")),
        control: format!("http://{control}"),
        domain: options.domain.clone(),
        token_file: options.token_file.clone(),
        pid: std::process::id(),
        data: options.data.clone(),
    }
}

/// Begins to care for what the host keeps, until it stops.
fn begin_care(collector: &Collector, tasks: &TaskTracker, stop: &CancellationToken) {
    let (store, meters) = (collector.store.clone(), Arc::clone(&collector.meters));
    tasks.spawn(take_care(collector.clone(), store.clone(), stop.clone()));
    tasks.spawn(scrub(store, meters, stop.clone()));
}

/// Where the log of requests goes: to the journal, and from there to whoever collects spans.
fn log_sink(journal: &Arc<Journal>, spans: Option<&Arc<SpanQueue>>) -> Arc<dyn LogSink> {
    let log = Arc::clone(journal) as Arc<dyn LogSink>;
    match spans {
        Some(spans) => Arc::new(TracingLog { log, spans: Arc::clone(spans) }),
        None => log,
    }
}

/// What sends spans and metrics away, where somebody wants them.
fn exporter(
    options: &HostOptions,
    spans: Option<Arc<SpanQueue>>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Exporter>, HostError> {
    let telemetry = options.telemetry.clone().zip(spans);
    let exporter = telemetry.map(|(telemetry, spans)| Exporter::new(telemetry, spans, Arc::clone(metrics)));
    exporter.map(|made| made.ok_or(HostError::Telemetry)).transpose()
}

/// A host for one machine's own use may lead visitors to other servers of that machine; one that serves others may not.
fn edge_options(options: &HostOptions, sites: SocketAddr) -> EdgeOptions {
    let is_for_itself = sites.ip().is_loopback() && options.domain == LOCAL_DOMAIN;
    let external_reach = if is_for_itself { ExternalReach::PublicAndLoopback } else { ExternalReach::Public };
    let traces = if options.telemetry.is_some() { Traces::Joined } else { Traces::PassedOn };
    EdgeOptions { external_reach, traces, ..EdgeOptions::default() }
}

fn local_address(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, HostError> {
    listener.local_addr().map_err(|source| HostError::Listen { address: asked, source })
}

/// Makes sure that the owner of the token file may ask: a token is made at the first start. If its file is gone another is made,
/// and the lost one opens nothing any more.
fn admit_owner(store: &Store, options: &HostOptions) -> Result<(), HostError> {
    if let Some(token) = read_token_file(&options.token_file)?
        && store.tokens().all()?.iter().any(|known| known.hash == token.hash().0)
    {
        return Ok(());
    }
    let token = PlainToken::generate()?;
    store.tokens().replace_owner(new_token_id()?, token.hash().0, Timestamp::now())?;
    write_token_file(&options.token_file, &token)
}
