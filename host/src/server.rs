//! A host from its start to its end: what is opened in which order, and how it stops without losing a request.

mod handover;
mod listeners;
mod machinery;
mod parts;

use std::path::PathBuf;
use std::sync::Arc;

use ship_edge::{Closing, ConnectionLimits, Crew, Edge};
use ship_runtime::Runtime;
use ship_store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::handover::{take_over, watch};
use self::listeners::Listeners;
use self::machinery::Machinery;
use self::parts::Parts;
use crate::beginning::Beginning;
use crate::care::{Collector, scrub, take_care};
use crate::control::ControlAnswer;
use crate::cores::Cores;
use crate::descriptors;
use crate::error::HostError;
use crate::history::Recorder;
use crate::journal::Journal;
use crate::options::HostOptions;
use crate::register::RegisterWriter;
use crate::relief::{watch_holdings, watch_memory};
use crate::sites::{SecurityPromise, Sites};
use crate::telemetry::Exporter;
use crate::upgrade::{Conductor, Predecessor, Upgrader};
use crate::warmth::{HostStove, Warmth};

/// How many clients of the control API are connected at once. They have places of their own, so that no crowd of visitors keeps
/// the owner out.
const MAX_CLIENTS: usize = 256;

/// A host that listens and has read its state, but does not answer yet.
pub struct Host {
    ready: Ready,
    options: HostOptions,
    listeners: Listeners,
    sites: Arc<Sites>,
    control: Arc<ControlAnswer>,
    runtime: Runtime,
    edge: Arc<Edge>,
    chores: Chores,
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

/// What a host does beside requests.
struct Chores {
    store: Store,
    runtime: Runtime,
    warmth: Warmth<HostStove>,
    register_writer: RegisterWriter,
    recorder: Arc<Recorder>,
    collector: Collector,
}

impl Chores {
    /// Begins all of it, until `door` closes.
    fn begin(self, options: &HostOptions, tasks: &TaskTracker, door: &CancellationToken) {
        let Self { store, runtime, warmth, register_writer, recorder, collector } = self;
        tasks.spawn(scrub(store.clone(), options.scrub, Arc::clone(&collector.meters), door.clone()));
        tasks.spawn(take_care(collector, store, door.clone()));
        tasks.spawn(warmth.run(door.clone()));
        tasks.spawn(register_writer.run(door.clone()));
        tasks.spawn(recorder.run(door.clone()));
        tasks.spawn(watch_memory(runtime, door.clone()));
        tasks.spawn(watch_holdings(door.clone()));
    }
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
    /// [`Host::serve`]. A host that takes over has everything ready; until it serves the one before does, and goes on if this fails.
    pub async fn start(options: HostOptions, beginning: Beginning) -> Result<Self, HostError> {
        let mut parts = Parts::gather(options, beginning).await?;
        let acme = parts.listeners.keep_certificates(&parts.options, &parts.store, &parts.map).await?;
        let telemetry = parts.machinery.exporter(&parts.options)?;
        let (warmth, productions) = parts.warmth();
        let (conductor, upgrader) = parts.conductor()?;
        let publisher = parts.publisher(productions);
        let collector = parts.collector(&publisher);
        let (control, register_writer) = parts.control(publisher, collector.clone(), upgrader.clone(), acme)?;
        let ready = parts.ready();
        let Parts { options, store, listeners, machinery, urls, map, tasks, closing, predecessor, .. } = parts;
        let Machinery { runtime, edge, journal, journal_writer, recorder, .. } = machinery;
        let (promise, alternative) = (SecurityPromise::below(&options.domain), listeners.alternative()?);
        Ok(Self {
            ready,
            sites: Arc::new(Sites { edge: Arc::clone(&edge), map, urls, promise, alternative }),
            control: Arc::new(ControlAnswer::new(control)),
            options,
            listeners,
            chores: Chores {
                store: store.clone(),
                runtime: runtime.clone(),
                warmth,
                register_writer,
                recorder,
                collector,
            },
            runtime,
            edge,
            journal_writer,
            telemetry,
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
            listeners,
            sites,
            control,
            runtime,
            edge,
            chores,
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
            take_over(predecessor, &store, &journal, (closing.clone(), options.drain), &tasks).await;
        }
        chores.begin(&options, &tasks, closing.door());
        let limits_for = |max_connections| ConnectionLimits {
            max_connections,
            drain_timeout: options.drain,
            ..ConnectionLimits::default()
        };
        let (limits, control_limits) = (limits_for(descriptors::visitors()), limits_for(MAX_CLIENTS));
        let cores = Cores::start(options.shares).map_err(HostError::Cores)?;
        let sites = async {
            let served = match listeners.secure {
                Some(secure) => secure.serve(&cores, listeners.sites, sites, limits, &closing).await,
                None => cores.serve(listeners.sites, sites, limits, closing.clone()).await,
            };
            // Without visitors nothing is served any more, also where that is nobody's wish.
            if !closing.door().is_cancelled() {
                closing.stop();
            }
            served
        };
        let control = ship_edge::serve(listeners.control, Crew::here(), control, control_limits, closing.clone());
        let silence = CancellationToken::new();
        let exporting = telemetry.map(|exporter| tokio::spawn(exporter.run(silence.clone())));
        let finished = CancellationToken::new();
        let watching = tokio::spawn(watch(conductor, closing.clone(), shutdown, journal.written(), finished.clone()));
        drop(journal);
        let (served, ()) = tokio::join!(sites, control);
        end_requests(&edge, &runtime, &closing).await;
        tasks.close();
        tasks.wait().await;
        // The last requests have ended, so the last telemetry has all of them.
        silence.cancel();
        if let Some(exporting) = exporting {
            ended(exporting, "the exporter of telemetry panicked").await;
        }
        // Everything that writes to the journal is gone with these, which ends its writer.
        drop((runtime, edge));
        cores.stop().await;
        ended(journal_writer, "the journal's writer panicked").await;
        // Everything is written, so that a successor who sees this one's end can have all of it read.
        finished.cancel();
        ended(watching, "what starts successors panicked").await;
        served
    }
}

/// Ends what goes on of requests once nobody is let in any more.
async fn end_requests(edge: &Edge, runtime: &Runtime, closing: &Closing) {
    // A successor's host lets WebSockets end by themselves.
    closing.hurry().run_until_cancelled(edge.websockets_ended()).await;
    // Otherwise the edge closes those that are still open; the runtime would wait for their instances.
    edge.shutdown().await;
    runtime.shutdown().await;
}

/// Waits for a task to end, and tells of a panic in it.
async fn ended<T>(task: JoinHandle<T>, panicked: &'static str) {
    if task.await.is_err() {
        tracing::error!("{panicked}");
    }
}
