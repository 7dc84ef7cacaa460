//! A host from its start to its end: what is opened in which order, and how it stops without losing a request.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ship_edge::{Closing, ConnectionLimits, Crew, Edge, EdgeOptions, ExternalReach, Traces};
use ship_runtime::{CompiledCode, Isolation, LogSink, OWN_PROGRAM, Reach, Runtime, RuntimeOptions};
use ship_store::Store;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::beginning::{Beginning, Footing};
use crate::blocking::blocking;
use crate::complete::CompleteDeployments;
use crate::control::{Authenticator, Control, ControlAnswer};
use crate::cores::Cores;
use crate::descriptors;
use crate::error::HostError;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::options::HostOptions;
use crate::publisher::Publisher;
use crate::relief::watch_memory;
use crate::site_map::SiteMap;
use crate::sites::Sites;
use crate::telemetry::{Exporter, SpanQueue, TracingLog};
use crate::token::{PlainToken, read_token_file, write_token_file};
use crate::upgrade::{Changes, Conductor, Estate, Predecessor, Successor, Upgrader, warm};
use crate::urls::Urls;
use crate::warmth::{HostStove, Warmth};

/// How many clients of the control API are connected at once. They have places of their own, so that no crowd of visitors keeps
/// the owner out.
const MAX_CLIENTS: usize = 256;

/// How long a host that was succeeded waits for its last visitors. Requests end within the limits of functions; what can stay longer are
/// WebSockets and streams of a proxied server, and with each upgrade another process would wait for such.
const LONGEST_FAREWELL: Duration = Duration::from_hours(24);

/// The domain that leads every machine to itself.
const LOCAL_DOMAIN: &str = "localhost";

/// A host that listens and has read its state, but does not answer yet.
pub struct Host {
    ready: Ready,
    options: HostOptions,
    sites_listener: TcpListener,
    control_listener: TcpListener,
    sites: Arc<Sites>,
    control: Arc<ControlAnswer>,
    runtime: Runtime,
    edge: Arc<Edge>,
    warmth: Warmth<HostStove>,
    journal_writer: JoinHandle<()>,
    telemetry: Option<Exporter>,
    /// What was begun for clients that may be gone.
    tasks: TaskTracker,
    closing: Closing,
    store: Store,
    journal: Arc<Journal>,
    conductor: Conductor,
    upgrader: Upgrader,
    /// The host that this one takes over from.
    predecessor: Option<Predecessor>,
}

/// Where a host can be reached.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The address of the sites listener, as a URL.
    pub sites: String,
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
    /// [`Host::serve`]. A host that takes over has everything ready; until it serves the one before does, and goes on if this fails.
    pub async fn start(options: HostOptions, beginning: Beginning) -> Result<Self, HostError> {
        let Footing { store, sites: sites_listener, control: control_listener, before } =
            beginning.take(&options).await?;
        store.logs().limit_to(options.log_bytes);
        let sites_address = local_address(&sites_listener, options.sites)?;
        let control_address = local_address(&control_listener, options.control)?;
        admit_owner(&store, &options)?;

        let (journal, journal_writer) = Journal::start(store.clone());
        let runtime = Runtime::new(RuntimeOptions {
            socket_dir: options.data.join("run"),
            nursery: OWN_PROGRAM.into(),
            compiled_code: CompiledCode::Kept,
            least_isolation: options.least_isolation.unwrap_or_else(usual_isolation),
            reach: Reach::Public { allowed: options.allowed_addresses.clone() },
            logs: Arc::clone(&journal) as Arc<dyn LogSink>,
            interpreters: options.interpreters.clone(),
            drain_timeout: options.drain,
        })?;
        let (closing, tasks) = (Closing::new(), TaskTracker::new());
        let changes = Arc::<Changes>::default();
        let estate = Estate {
            sites: duplicate(&sites_listener, sites_address)?,
            control: duplicate(&control_listener, control_address)?,
            store: store.clone(),
            runtime: runtime.clone(),
            changes: Arc::clone(&changes),
        };
        let (conductor, upgrader) = Conductor::new(options.successor.clone(), estate);
        try_isolation(&options, &store, &runtime, &tasks).await?;
        let spans = options.telemetry.is_some().then(Arc::<SpanQueue>::default);
        let log = Arc::clone(&journal) as Arc<dyn LogSink>;
        let sink = match &spans {
            Some(spans) => Arc::new(TracingLog { log, spans: Arc::clone(spans) }),
            None => log,
        };
        let edge = Arc::new(Edge::new(store.clone(), runtime.clone(), sink, edge_options(&options, sites_address)));
        let urls = Urls::new(&options.domain, sites_address);
        let map = SiteMap::load(store.clone(), urls.clone(), Arc::clone(&edge))?;
        let metrics =
            Metrics::new(Arc::clone(&edge), runtime.clone(), Arc::clone(&journal), store.clone(), spans.clone());
        let metrics = Arc::new(metrics);
        let telemetry = options.telemetry.clone().zip(spans);
        let telemetry = telemetry.map(|(telemetry, spans)| {
            Exporter::new(telemetry, spans, Arc::clone(&metrics)).ok_or(HostError::Telemetry)
        });
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
            changes: Arc::clone(&changes),
        };
        let predecessor = match before {
            Some((predecessor, awake)) => {
                warm(awake, &map, &runtime, &store).await;
                Some(predecessor)
            }
            None => None,
        };
        let control = Arc::new(Control {
            metrics,
            metrics_access: options.metrics,
            authenticator: Authenticator::new(store.clone()),
            store: store.clone(),
            runtime: runtime.clone(),
            publisher,
            journal: Arc::clone(&journal),
            urls,
            closing: closing.clone(),
            changes,
            upgrader: upgrader.clone(),
            started_at: Timestamp::now(),
            sites_address,
            own_address: control_address,
            data: options.data.clone(),
        });
        let ready = Ready {
            sites: format!("http://{sites_address}"),
            control: format!("http://{control_address}"),
            domain: options.domain.clone(),
            token_file: options.token_file.clone(),
            pid: std::process::id(),
            data: options.data.clone(),
        };
        Ok(Self {
            ready,
            sites: Arc::new(Sites { edge: Arc::clone(&edge), map, domain: options.domain.clone() }),
            control: Arc::new(ControlAnswer::new(control)),
            options,
            sites_listener,
            control_listener,
            runtime,
            edge,
            warmth,
            journal_writer,
            telemetry: telemetry.transpose()?,
            tasks,
            closing,
            store,
            journal,
            conductor,
            upgrader,
            predecessor,
        })
    }

    /// Where the host can be reached.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Asks this host for a successor.
    pub fn upgrader(&self) -> Upgrader {
        self.upgrader.clone()
    }

    /// Answers until `shutdown` is cancelled, the control API is asked to stop, or a successor serves. Then it takes no new
    /// connection, finishes the requests in flight, stops the instances, and writes what is left of the log.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), HostError> {
        let Self {
            options,
            sites_listener,
            control_listener,
            sites,
            control,
            runtime,
            edge,
            warmth,
            journal_writer,
            telemetry,
            tasks,
            closing,
            store,
            journal,
            conductor,
            predecessor,
            ..
        } = self;
        if let Some(predecessor) = predecessor {
            if let Err(error) = store.claim_lock() {
                tracing::warn!(%error, "who finds the data directory locked is told of the host before");
            }
            // What clients still send to the host before is in no deployment yet.
            let keeping = store.clone();
            let kept = blocking(move || keeping.keep_blobs()).await;
            let farewell = predecessor.take_over(&journal).await.finish(closing.clone(), options.drain);
            tasks.spawn(async move {
                farewell.await;
                drop(kept);
            });
        }
        tasks.spawn(warmth.run(closing.door().clone()));
        tasks.spawn(watch_memory(runtime.clone(), closing.door().clone()));
        let limits = ConnectionLimits { drain_timeout: options.drain, ..ConnectionLimits::default() };
        let control_limits = ConnectionLimits { max_connections: MAX_CLIENTS, ..limits };
        let limits = ConnectionLimits { max_connections: descriptors::visitors(), ..limits };
        let cores = Cores::start().map_err(HostError::Cores)?;
        let sites = async {
            let served = cores.serve(sites_listener, sites, limits, closing.clone()).await;
            // Without visitors nothing is served any more, also where that is nobody's wish.
            if !closing.door().is_cancelled() {
                closing.stop();
            }
            served
        };
        let control = ship_edge::serve(control_listener, Crew::here(), control, control_limits, closing.clone());
        let silence = CancellationToken::new();
        let exporting = telemetry.map(|exporter| tokio::spawn(exporter.run(silence.clone())));
        let finished = CancellationToken::new();
        let watching = tokio::spawn(watch(conductor, closing.clone(), shutdown, journal.written(), finished.clone()));
        drop(journal);
        let (served, ()) = tokio::join!(sites, control);
        // A successor's host lets WebSockets end by themselves.
        closing.hurry().run_until_cancelled(edge.websockets_ended()).await;
        // Otherwise the edge closes those that are still open; the runtime would wait for their instances.
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
        // Everything is written, so that a successor who sees this one's end can have all of it read.
        finished.cancel();
        if watching.await.is_err() {
            tracing::error!("what starts successors panicked");
        }
        served
    }
}

/// Closes the host when it is asked to stop, and leaves it to a successor when there is one; then sees that it ends, however long its
/// visitors stay.
async fn watch(
    conductor: Conductor,
    closing: Closing,
    shutdown: CancellationToken,
    written: tokio::sync::watch::Receiver<u64>,
    finished: CancellationToken,
) {
    let stopping = async {
        tokio::select! {
            () = shutdown.cancelled() => closing.stop(),
            () = finished.cancelled() => {}
        }
    };
    let leaving = async {
        let Some(successor) = conductor.run(closing.clone()).await else { return };
        let followed = Successor::follow(successor, written, closing.clone(), finished.cancelled());
        if tokio::time::timeout(LONGEST_FAREWELL, followed).await.is_err() {
            tracing::warn!("visitors are still here a day after another process took over");
            closing.stop();
        }
    };
    tokio::join!(stopping, leaving);
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

/// Another descriptor of a listener's socket.
fn duplicate(listener: &TcpListener, address: SocketAddr) -> Result<OwnedFd, HostError> {
    listener.as_fd().try_clone_to_owned().map_err(|source| HostError::Listen { address, source })
}

/// Makes sure that the owner of the token file may ask: a token is made at the first start. If its file is gone another is made,
/// and the lost one opens nothing any more.
fn admit_owner(store: &Store, options: &HostOptions) -> Result<(), HostError> {
    if let Some(token) = read_token_file(&options.token_file)?
        && store.tokens().contains(&token.hash().0)?
    {
        return Ok(());
    }
    let token = PlainToken::generate()?;
    store.tokens().replace_named("owner", token.hash().0, "admin", Timestamp::now())?;
    write_token_file(&options.token_file, &token)
}
