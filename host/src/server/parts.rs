//! The parts of a host, and how they are put together.

use std::sync::Arc;

use jiff::Timestamp;
use ship_edge::Closing;
use ship_store::Store;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::task::TaskTracker;

use super::Ready;
use super::listeners::Listeners;
use super::machinery::{Machinery, try_isolation};
use crate::beginning::{Beginning, Footing};
use crate::blocking::blocking;
use crate::care::Collector;
use crate::complete::CompleteDeployments;
use crate::control::{Control, Doors};
use crate::dashboard::Entries;
use crate::domains::ProofReader;
use crate::environments::Environments;
use crate::error::HostError;
use crate::identity::Identities;
use crate::keyring::Keyring;
use crate::logins::Logins;
use crate::options::HostOptions;
use crate::protection::Protections;
use crate::publisher::Publisher;
use crate::reads::ReadLog;
use crate::register::{Register, RegisterWriter};
use crate::site_map::SiteMap;
use crate::tls::AcmeReport;
use crate::token::{PlainToken, new_token_id, read_token_file, write_token_file};
use crate::upgrade::{Changes, Conductor, Estate, Predecessor, Upgrader, warm};
use crate::urls::Urls;
use crate::warmth::{HostStove, ProductionMove, Warmth};

/// What a host is made of.
pub(super) struct Parts {
    pub(super) options: HostOptions,
    pub(super) store: Store,
    pub(super) listeners: Listeners,
    pub(super) machinery: Machinery,
    pub(super) urls: Urls,
    pub(super) environments: Environments,
    pub(super) protections: Protections,
    pub(super) map: SiteMap,
    pub(super) tasks: TaskTracker,
    pub(super) closing: Closing,
    pub(super) changes: Arc<Changes>,
    /// The host to take over from.
    pub(super) predecessor: Option<Predecessor>,
}

impl Parts {
    /// Takes the data directory and the ports, starts what answers, reads which sites there are, and wakes the functions that are
    /// awake in the host before.
    pub(super) async fn gather(options: HostOptions, beginning: Beginning) -> Result<Self, HostError> {
        let Footing { store, sockets, before } = beginning.take(&options).await?;
        store.logs().limit_to(options.log_bytes);
        seal_under_first_key(&store, &options).await;
        let listeners = Listeners::open(&options, sockets).await?;
        admit_owner(&store, &options)?;
        let (closing, tasks) = (Closing::new(), TaskTracker::new());
        let machinery = Machinery::start(&options, &store, listeners.sites_address)?;
        try_isolation(&options, &store, &machinery.runtime, &tasks).await?;
        let urls = listeners.urls(&options, &store)?;
        let reads = Arc::new(ReadLog::new(store.clone(), Arc::clone(&machinery.journal)));
        let environments = Environments { store: store.clone(), urls: urls.clone(), reads };
        let protections = Protections::load(store.clone())?;
        let map = SiteMap::load(environments.clone(), protections.clone(), Arc::clone(&machinery.edge))?;
        let predecessor = match before {
            Some((predecessor, awake)) => {
                warm(awake, &map, &machinery.runtime, &store).await;
                Some(predecessor)
            }
            None => None,
        };
        let changes = Arc::default();
        Ok(Self {
            options,
            store,
            listeners,
            machinery,
            urls,
            environments,
            protections,
            map,
            tasks,
            closing,
            changes,
            predecessor,
        })
    }

    /// What starts successors, and what asks it for one.
    pub(super) fn conductor(&self) -> Result<(Conductor, Upgrader), HostError> {
        let estate = Estate {
            sockets: self.listeners.duplicate()?,
            store: self.store.clone(),
            runtime: self.machinery.runtime.clone(),
            changes: Arc::clone(&self.changes),
            ready: self.ready(),
        };
        Ok(Conductor::new(self.options.successor.clone(), estate))
    }

    /// What collects garbage.
    pub(super) fn collector(&self, publisher: &Publisher) -> Collector {
        Collector {
            store: self.store.clone(),
            publisher: publisher.clone(),
            runtime: self.machinery.runtime.clone(),
            retention: self.options.retention,
            meters: Arc::clone(&self.machinery.metrics.care),
            turn: Arc::default(),
        }
    }

    /// What keeps instances warm, and where it hears of productions that moved.
    pub(super) fn warmth(&self) -> (Warmth<HostStove>, UnboundedSender<ProductionMove>) {
        let (productions, moves) = unbounded_channel();
        let (store, runtime) = (self.store.clone(), self.machinery.runtime.clone());
        let kept_by = HostStove { store, runtime, map: self.map.clone() };
        (Warmth::new(kept_by, Arc::new(Timestamp::now), moves), productions)
    }

    /// What publishes, and tells `productions` what it moved.
    pub(super) fn publisher(&self, productions: UnboundedSender<ProductionMove>) -> Publisher {
        Publisher {
            deploys: Arc::clone(&self.machinery.metrics.deploys),
            environments: self.environments.clone(),
            protections: self.protections.clone(),
            store: self.store.clone(),
            runtime: self.machinery.runtime.clone(),
            edge: Arc::clone(&self.machinery.edge),
            map: self.map.clone(),
            journal: Arc::clone(&self.machinery.journal),
            complete: CompleteDeployments::default(),
            started: Arc::default(),
            turn: Arc::default(),
            productions,
            tasks: self.tasks.clone(),
            changes: Arc::clone(&self.changes),
        }
    }

    /// What the control API works with, and what writes down who used it.
    pub(super) fn control(
        &self,
        publisher: Publisher,
        collector: Collector,
        upgrader: Upgrader,
        acme: AcmeReport,
    ) -> Result<(Arc<Control>, RegisterWriter), HostError> {
        let keyring = Arc::new(Keyring::load(&self.store)?);
        let (register, register_writer) = Register::new(self.store.clone(), Arc::clone(&keyring));
        let control = Control {
            metrics: Arc::clone(&self.machinery.metrics),
            metrics_access: self.options.metrics,
            recorder: Arc::clone(&self.machinery.recorder),
            comparisons: Arc::default(),
            keyring,
            register,
            doors: Doors::default(),
            logins: Logins::default(),
            entries: Entries::default(),
            identities: Identities::of_domain(&self.options.domain),
            exchanging: std::sync::Mutex::default(),
            store: self.store.clone(),
            runtime: self.machinery.runtime.clone(),
            publisher,
            collector,
            journal: Arc::clone(&self.machinery.journal),
            acme,
            proofs: ProofReader { server: self.options.dns_server },
            protections: self.protections.clone(),
            urls: self.urls.clone(),
            closing: self.closing.clone(),
            changes: Arc::clone(&self.changes),
            upgrader,
            started_at: Timestamp::now(),
            own_address: self.listeners.control_address,
            data: self.options.data.clone(),
            examining: tokio::sync::Mutex::default(),
            uploads: crate::control::Uploads::default(),
            rooms: Arc::default(),
            composing: tokio::sync::Mutex::default(),
            chunking: tokio::sync::Mutex::default(),
        };
        Ok((Arc::new(control), register_writer))
    }

    /// Where it can be reached.
    pub(super) fn ready(&self) -> Ready {
        let Listeners { secure, sites_address, control_address, .. } = &self.listeners;
        Ready {
            sites: self.urls.listener(),
            redirects: secure.is_some().then(|| format!("http://{sites_address}")),
            control: format!("http://{control_address}"),
            domain: self.options.domain.clone(),
            token_file: self.options.token_file.clone(),
            pid: std::process::id(),
            data: self.options.data.clone(),
        }
    }
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

/// Takes the key that the operator gives, and seals under the newest key what older ones seal. A host without its key still serves
/// what needs no variables, so nothing that is wrong here keeps it from starting.
async fn seal_under_first_key(store: &Store, options: &HostOptions) {
    if let Some(file) = &options.host_key_file {
        store.variables().read_key_from(file);
    }
    let variables = store.variables().clone();
    match blocking(move || variables.reseal()).await {
        Ok(0) => {}
        Ok(resealed) => tracing::info!(resealed, "variables were sealed under the first of the host's keys"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "variables cannot be opened: functions that have some do not start");
        }
    }
}
